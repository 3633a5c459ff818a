"""Node packages."""

import pytest

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers.node import ANALYZER, parse
from tests.support.layer_results import asset_file, layer_file

ROOT = "usr/lib/node_modules/a/package.json"


def test_a_real_package_gives_its_scope_and_name() -> None:
    (package,) = parse(asset_file("node_modules/@isaacs/string-locale-compare/package.json", "string-locale-compare-package.json"))

    assert (package.namespace, package.name, package.version) == ("@isaacs", "string-locale-compare", "1.1.0")
    assert (package.purl, package.matching_name) == ("pkg:npm/%40isaacs/string-locale-compare@1.1.0", "@isaacs/string-locale-compare")
    assert package.ecosystem == "npm"


@pytest.mark.parametrize(
    "path", ["package.json", "app/package.json", "x/.pnpm/a@1/node_modules/a/package.json", "node_modules/n/vendor/a/package.json"]
)
def test_a_package_counts_wherever_it_lies(path: str) -> None:
    (package,) = parse(layer_file(path, '{"version": "1.2.3", "name": "a", "dependencies": {"b": "^1"}}'))

    assert (package.name, package.version) == ("a", "1.2.3")


@pytest.mark.parametrize(
    "content",
    ['{"type": "module"}', "{}", '{"name": "a"}', '{"version": "1"}', '{"name": "", "version": "1"}', '{"name": "a", "version": null}'],
)
def test_a_marker_is_neither_a_package_nor_a_gap(content: str) -> None:
    assert list(parse(layer_file(ROOT, content))) == []


def test_a_byte_order_mark_is_ignored() -> None:
    assert len(list(parse(layer_file(ROOT, '\ufeff{"name": "a", "version": "1"}')))) == 1


BROKEN = [
    "",
    "{",
    "[]",
    '"a"',
    '{"name": 1, "version": "1"}',
    '{"name": "a", "version": ["1"]}',
    '{"name": "<%= name %>", "version": "1"}',
    '{"name": "a/b", "version": "1"}',
    '{"name": "@a/b/c", "version": "1"}',
    '{"name": "@a/", "version": "1"}',
    '{"name": "a", "version": "1 || 2"}',
    '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}",
]


@pytest.mark.parametrize("path", [ROOT, "app/package.json", "node_modules/@s/a/package.json", "package.json"])
@pytest.mark.parametrize("content", BROKEN)
def test_what_cannot_be_read_is_a_gap_where_node_looks_for_packages(path: str, content: str) -> None:
    with pytest.raises(InvalidRecord, match=r"expected a|no name"):
        list(parse(layer_file(path, content)))


@pytest.mark.parametrize(
    "path",
    ["node_modules/resolve/test/malformed/package.json", "x/node_modules/@s/gen/templates/package.json", "node_modules/package.json"],
)
@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_of_a_package_is_its_own_business(path: str, content: str) -> None:
    assert list(parse(layer_file(path, content))) == []


def test_only_files_of_that_very_name_are_wanted() -> None:
    assert ANALYZER.paths.matches("package.json")
    assert not ANALYZER.paths.matches("app/package.json.orig")
    assert not ANALYZER.paths.matches("app/package-lock.json")

"""Node packages."""

import pytest
from hypothesis import given

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers.node import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

ROOT = "usr/lib/node_modules/a/package.json"


def test_a_real_package_gives_its_scope_and_name() -> None:
    package, _ = parse(asset_file("node_modules/@isaacs/string-locale-compare/package.json", "string-locale-compare-package.json"))

    assert isinstance(package, Package)
    assert (package.namespace, package.name, package.version) == ("@isaacs", "string-locale-compare", "1.1.0")
    assert (package.purl, package.matching_name) == ("pkg:npm/%40isaacs/string-locale-compare@1.1.0", "@isaacs/string-locale-compare")
    assert package.ecosystem == "npm"


@pytest.mark.parametrize(
    "path", ["package.json", "app/package.json", "x/.pnpm/a@1/node_modules/a/package.json", "node_modules/n/vendor/a/package.json"]
)
def test_a_package_counts_wherever_it_lies(path: str) -> None:
    package = next(parse(layer_file(path, '{"version": "1.2.3", "name": "a", "dependencies": {"b": "^1"}}')))

    assert isinstance(package, Package)
    assert (package.name, package.version) == ("a", "1.2.3")


@pytest.mark.parametrize(
    "content",
    ['{"type": "module"}', "{}", '{"name": "a"}', '{"version": "1"}', '{"name": "", "version": "1"}', '{"name": "a", "version": null}'],
)
def test_a_marker_is_neither_a_package_nor_a_gap(content: str) -> None:
    assert list(parse(layer_file(ROOT, content))) == []


def test_a_byte_order_mark_is_ignored() -> None:
    assert len(list(parse(layer_file("app/package.json", '\ufeff{"name": "a", "version": "1"}')))) == 1


BROKEN = [
    "",
    "{",
    "[]",
    '"a"',
    '{"name": 1, "version": "1"}',
    '{"name": "a", "version": ["1"]}',
    '{"name": "a b", "version": "1"}',
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


def _package(fields: str) -> Package:
    package = next(parse(layer_file(ROOT, '{"name": "a", "version": "1", ' + fields + "}")))
    assert isinstance(package, Package)
    return package


@pytest.mark.parametrize(
    ("fields", "licenses"),
    [
        ('"license": "MIT"', ("MIT",)),
        ('"license": "(MIT OR \\u0041pache-2.0)"', ("(MIT OR Apache-2.0)",)),
        ('"license": {"type": "MIT", "url": "x"}', ("MIT",)),
        ('"license": [{"type": "MIT"}, "ISC", 7]', ("MIT", "ISC")),
        ('"licenses": [{"type": "MIT", "url": "x"}, {"type": "GPL-2.0"}]', ("MIT", "GPL-2.0")),
        ('"licenses": {"name": "BSD"}', ("BSD",)),
        ('"license": "MIT\\u001b[31m' + "x" * 500 + '"', ("MIT [31m" + "x" * 192,)),
    ],
)
def test_licences_are_told_in_every_form_that_they_have_had(fields: str, licenses: tuple[str, ...]) -> None:
    assert _package(fields).licenses == licenses


@pytest.mark.parametrize(
    ("fields", "vendor"),
    [
        ('"author": "Isaac Z. Schlueter <i@izs.me> (http://blog.izs.me)"', "Isaac Z. Schlueter"),
        ('"author": {"name": "Ann", "email": "a@b"}', "Ann"),
        ('"author": {"email": "a@b"}', "a@b"),
        ('"author": "<a@b>"', "<a@b>"),
    ],
)
def test_the_author_is_the_vendor(fields: str, vendor: str) -> None:
    assert _package(fields).vendor == vendor


@pytest.mark.parametrize(
    "value", ["null", "1", "true", "[]", "{}", '[[["x"]]]', '{"type": {"type": 1}}', '""', '"' + "x" * 20_000 + '\\n"']
)
def test_garbage_about_licence_and_author_does_not_lose_the_package(value: str) -> None:
    package = _package(f'"license": {value}, "licenses": {value}, "author": {value}')

    assert (package.name, package.version) == ("a", "1")
    assert len(package.vendor) <= 200


@pytest.mark.parametrize("text", ["{{name}}", "<%= name %>", "${project.version}", "%VERSION%"])
@pytest.mark.parametrize("path", ["app/templates/package.json", "package.json"])
def test_a_template_is_neither_a_package_nor_a_gap(text: str, path: str) -> None:
    assert list(parse(layer_file(path, '{"name": "' + text + '", "version": "1"}'))) == []
    assert list(parse(layer_file(path, '{"name": "a", "version": "' + text + '"}'))) == []


@pytest.mark.parametrize(
    ("path", "directory"),
    [
        ("node_modules/a/package.json", "node_modules/a"),
        ("x/node_modules/@s/a/package.json", "x/node_modules/@s/a"),
        ("x/node_modules/.pnpm/a@1/node_modules/a/package.json", "x/node_modules/.pnpm/a@1/node_modules/a"),
        ("x/node_modules/b/node_modules/a/package.json", "x/node_modules/b/node_modules/a"),
    ],
)
def test_the_directory_of_an_installed_package_is_its(path: str, directory: str) -> None:
    _, details = parse(layer_file(path, '{"name": "@s/a", "version": "1"}'))

    assert details == PackageDetails(type="npm", name="@s/a", version="1", directories=(directory,))


@pytest.mark.parametrize("path", ["package.json", "app/package.json", "node_modules/a/lib/package.json", "my_node_modules/a/package.json"])
def test_other_directories_are_nobodys(path: str) -> None:
    assert all(isinstance(fact, Package) for fact in parse(layer_file(path, '{"name": "a", "version": "1"}')))


@given(mutated((ASSETS / "string-locale-compare-package.json").read_bytes(), b'{"name": "a", "version": "1", "license": {"type": "x"}}'))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    answer_or_refuse(parse, layer_file(ROOT, content))

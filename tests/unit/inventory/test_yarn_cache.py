"""Node packages in yarn's cache."""

import io
import zipfile

import pytest
from hypothesis import given

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzers.yarn_cache import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import layer_file
from tests.support.mutated import answer_or_refuse, mutated

PATH = "app/.yarn/cache/@babel-core-npm-7.22.5-9b8d1b7d5e-10c0.zip"


def _zip(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


PACKED = _zip(
    **{
        "node_modules/@babel/core/package.json": '{"name": "@babel/core", "version": "7.22.5", "license": "MIT"}',
        "node_modules/@babel/core/lib/package.json": '{"name": "x", "version": "1"}',
        "node_modules/@babel/core/index.js": "",
    }
)


def test_an_archive_is_the_package_in_it() -> None:
    package, details = parse(layer_file(PATH, PACKED))

    assert isinstance(package, Package)
    assert (package.purl, package.licenses) == ("pkg:npm/%40babel/core@7.22.5", ("MIT",))
    assert details == PackageDetails(type="npm", name="@babel/core", version="7.22.5", files=((PATH, ""),))


@pytest.mark.parametrize(
    "content", [b"", b"PK\3\4", PACKED[:-30], b"x" * 100, _zip(a=""), _zip(**{"node_modules/a/lib/package.json": "{}"})]
)
def test_an_archive_that_yarn_could_not_run_is_a_gap(content: bytes) -> None:
    with pytest.raises(InvalidRecord, match="expected a zip"):
        list(parse(layer_file(PATH, content)))


def test_many_packages_in_one_archive_are_refused() -> None:
    members = {f"node_modules/a{number}/package.json": '{"name": "a", "version": "1"}' for number in range(20)}

    with pytest.raises(LimitExceeded, match="more than 10"):
        list(parse(layer_file(PATH, _zip(**members))))


def test_a_bomb_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="inflates"):
        list(parse(layer_file(PATH, _zip(**{"node_modules/a/package.json": " " * 12_000_000}))))


@pytest.mark.parametrize(
    ("path", "is_wanted"),
    [
        (PATH, True),
        (".yarn/cache/a.zip", True),
        ("root/.yarn/berry/cache/a.zip", True),
        ("srv/cache/a.zip", False),
        ("app/.yarn/cache/x/a.zip", False),
        ("app/my.yarn/cache/a.zip", False),
    ],
)
def test_only_archives_of_a_cache_are_wanted(path: str, is_wanted: bool) -> None:
    assert ANALYZER.paths.matches(path) is is_wanted


@given(mutated(PACKED))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    answer_or_refuse(parse, layer_file(PATH, content))

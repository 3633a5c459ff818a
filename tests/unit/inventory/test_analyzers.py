"""The registration of analyzers, and what all of them promise."""

import importlib
import pkgutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.inventory import analyzers
from pratique.inventory.analyzer import Analyzer, LayerFile
from pratique.inventory.analyzers import ANALYZERS, ANALYZERS_KEY, PASS_VERSION
from pratique.inventory.analyzers._records import MAX_STANZAS
from pratique.inventory.distribution import DISTRIBUTION_PATHS
from pratique.inventory.package import Distribution, Package
from tests.support.layer_results import layer_file, read

PATHS = {
    "apk": ["lib/apk/db/installed"],
    "dpkg": ["var/lib/dpkg/status", "var/lib/dpkg/status.d/base"],
    "node": ["app/package.json", "node_modules/a/test/package.json"],
    "os-release": list(DISTRIBUTION_PATHS),
    "python": ["x.dist-info/METADATA", "x.egg-info"],
}
EVERY = [pytest.param(analyzer, path, id=f"{analyzer.name}:{path}") for analyzer in ANALYZERS for path in PATHS[analyzer.name]]


def test_the_tuple_holds_the_analyzer_of_every_module_in_the_folder() -> None:
    modules = [module.name for module in pkgutil.iter_modules(analyzers.__path__) if not module.name.startswith("_")]
    in_folder = {name: importlib.import_module(f"{analyzers.__name__}.{name}").ANALYZER for name in modules}

    assert sorted(analyzer.name for analyzer in ANALYZERS) == sorted(name.replace("_", "-") for name in modules)
    assert all(analyzer in ANALYZERS for analyzer in in_folder.values())


def test_the_key_names_the_pass_and_every_analyzer_with_its_version() -> None:
    assert ANALYZERS_KEY.split(";") == [f"pass={PASS_VERSION}", *sorted(f"{a.name}={a.version}" for a in ANALYZERS)]


@pytest.mark.parametrize(("analyzer", "path"), EVERY)
def test_an_analyzer_wants_its_own_paths(analyzer: Analyzer, path: str) -> None:
    assert analyzer.paths.matches(path)


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"Package: a", b"Version: 1", b"Status: install ok installed", b"P:a", b"V:1", b"o:", b"", b" x", b"Source: b (", b"Name: a"]
        ),
        st.sampled_from([b"ID=debian", b'VERSION_ID="11', b'{"name":"a","version":"1"}', b'{"name": "@/"', b"[[", b"11.9", b"v3.1"]),
        st.binary(max_size=30),
    ),
    max_size=12,
).map(b"\n".join)


@pytest.mark.parametrize(("analyzer", "path"), EVERY)
@given(content=st.one_of(LINES, st.binary(max_size=200)))
def test_bytes_of_any_kind_give_facts_or_an_input_error(analyzer: Analyzer, path: str, content: bytes) -> None:
    facts, error = read(analyzer.parse, LayerFile(path=path, content=content))

    assert all(isinstance(fact, Package | Distribution) for fact in facts)
    assert all(fact.purl for fact in facts if isinstance(fact, Package))
    assert read(analyzer.parse, LayerFile(path=path, content=content)) == (facts, error)


@pytest.mark.parametrize("name", ["apk", "dpkg", "python", "node", "os-release"])
@pytest.mark.parametrize("content", [b"\x7fELF\x02\x01\x01\0\0\0", b"\x1f\x8b\x08" + bytes(range(256)), b"<html>\n</html>\n"])
def test_a_file_of_another_kind_is_an_error_not_an_empty_list(name: str, content: bytes) -> None:
    analyzer = next(analyzer for analyzer in ANALYZERS if analyzer.name == name)
    facts, error = read(analyzer.parse, LayerFile(path=PATHS[name][0], content=content))

    assert facts == []
    assert error


@pytest.mark.parametrize(("name", "stanza"), [("dpkg", "Package: a\nVersion: 1\n\n"), ("apk", "P:a\nV:1\n\n")])
def test_a_database_of_too_many_stanzas_is_refused(name: str, stanza: str) -> None:
    analyzer = next(analyzer for analyzer in ANALYZERS if analyzer.name == name)
    _, error = read(analyzer.parse, layer_file(PATHS[name][0], stanza * MAX_STANZAS))

    assert error == f"more than {MAX_STANZAS} stanzas"


@pytest.mark.parametrize(("name", "field"), [("dpkg", "Package: a\nVersion: {}\n"), ("apk", "P:a\nV:{}\n")])
@pytest.mark.parametrize("version", ["", " ", "1 2", "1\x00", "é", "9" * 600])
def test_a_version_that_is_no_printable_word_is_an_error(name: str, field: str, version: str) -> None:
    analyzer = next(analyzer for analyzer in ANALYZERS if analyzer.name == name)
    facts, error = read(analyzer.parse, layer_file(PATHS[name][0], field.format(version)))

    assert (facts, "ersion" in error) == ([], True)

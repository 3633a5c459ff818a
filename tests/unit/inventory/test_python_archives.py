"""Python distributions in archives."""

import io
import zipfile

import pytest
from hypothesis import given

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzers.python_archives import ANALYZER, MAX_DISTRIBUTIONS, parse
from pratique.inventory.package import Package
from tests.support.layer_results import layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

METADATA = "Metadata-Version: 2.1\nName: {}\nVersion: 1.0\nLicense: MIT\n"


def _zip(members: dict[str, str | bytes], prefix: bytes = b"") -> bytes:
    stream = io.BytesIO()
    stream.write(prefix)
    with zipfile.ZipFile(stream, "a") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _wheel(name: str) -> bytes:
    return _zip({f"{name}/__init__.py": "", f"{name}-1.0.dist-info/METADATA": METADATA.format(name)})


EGG = _zip({"a/__init__.py": "", "EGG-INFO/PKG-INFO": METADATA.format("A.b"), "x.dist-info/METADATA": METADATA.format("no")})
PEX = _zip(
    {
        ".deps/b-1.0-py3-none-any.whl/b-1.0.dist-info/METADATA": METADATA.format("b"),
        ".deps/c-1.0-py3-none-any.whl": _wheel("c"),
        "site-packages/d-1.0.dist-info/METADATA": METADATA.format("d"),
        "seed/wheels/embed/pip-1.0-py3-none-any.whl": _wheel("pip"),
        "__main__.py": "",
    },
    b"#!/usr/bin/env python3\n",
)


def _names(path: str, content: bytes) -> list[str]:
    return [fact.name for fact in parse(layer_file(path, content)) if isinstance(fact, Package)]


def test_an_egg_is_the_distribution_that_it_describes() -> None:
    (package,) = parse(layer_file("usr/lib/python3/dist-packages/A.b-1.0-py3.9.egg", EGG))

    assert isinstance(package, Package)
    assert (package.purl, package.ecosystem, package.licenses) == ("pkg:pypi/a-b@1.0", "PyPI", ("MIT",))


def test_a_zipapp_holds_what_it_bundles() -> None:
    assert _names("app/run.pex", PEX) == ["b", "c", "d"]


@pytest.mark.parametrize("name", ["run.pex", "run.pyz", "a.egg"])
@pytest.mark.parametrize("content", [b"", b"PYZ\0\x17\r\r\n", b"#!/bin/sh\nexit\n", b"x" * 1000])
def test_what_is_no_archive_means_nothing(name: str, content: bytes) -> None:
    assert list(parse(layer_file(name, content))) == []


def test_a_truncated_archive_is_a_gap() -> None:
    with pytest.raises(InvalidRecord, match="no end record"):
        list(parse(layer_file("a.egg", EGG[:-40])))


def test_broken_metadata_is_a_gap_after_what_can_be_read() -> None:
    content = _zip({"a-1.dist-info/METADATA": "x", ".deps/b-1.whl": b"PK", "c-1.dist-info/METADATA": METADATA.format("c")})
    facts, error = read(parse, layer_file("run.pyz", content))

    assert len(facts) == 1
    assert error.startswith("2 distributions cannot be read, the first: 'a-1.dist-info/METADATA'")


def test_too_many_distributions_are_refused() -> None:
    content = _zip({f"a{number}-1.dist-info/METADATA": "" for number in range(MAX_DISTRIBUTIONS + 1)})

    with pytest.raises(LimitExceeded, match="more than"):
        list(parse(layer_file("run.pyz", content)))


@pytest.mark.parametrize(
    ("path", "is_wanted"),
    [
        ("usr/lib/python3/dist-packages/a-1-py3.9.egg", True),
        ("app/run.pyz", True),
        ("app/run.pex", True),
        ("usr/share/python-wheels/pip-23.0.1-py3-none-any.whl", False),
        ("usr/local/lib/python3.12/ensurepip/_bundled/pip-24.0-py3-none-any.whl", False),
    ],
)
def test_a_wheel_that_lies_around_is_not_installed(path: str, is_wanted: bool) -> None:
    assert ANALYZER.paths.matches(path) is is_wanted


@given(mutated(EGG, PEX))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    answer_or_refuse(parse, layer_file("a.egg", content))
    answer_or_refuse(parse, layer_file("a.pex", content))

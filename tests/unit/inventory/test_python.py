"""Python distributions."""

import pytest
from hypothesis import given

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers.python import ANALYZER, MAX_HEADER_BYTES, parse
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

METADATA = "usr/lib/python3/site-packages/x.dist-info/METADATA"


@pytest.mark.parametrize(
    ("asset", "purl"),
    [
        ("pyproject_hooks-METADATA", "pkg:pypi/pyproject-hooks@1.3.3"),
        ("six-METADATA", "pkg:pypi/six@1.17.0"),
        ("python_apt-PKG-INFO", "pkg:pypi/python-apt@2.6.0"),
    ],
)
def test_real_metadata_gives_its_distribution(asset: str, purl: str) -> None:
    (package,) = parse(asset_file(METADATA, asset))

    assert (package.purl, package.ecosystem) == (purl, "PyPI")


@pytest.mark.parametrize("name", ["Zope.Interface", "zope--interface", "ZOPE_.-interface"])
def test_the_name_is_normalised(name: str) -> None:
    (package,) = parse(layer_file(METADATA, f"Metadata-Version: 2.1\r\nname: {name}\r\nVersion: 1\r\n"))

    assert package.name == "zope-interface"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "Name: a\n",
        "Version: 1\n",
        "Name: a\n\nVersion: 1\n",
        "Name:\nVersion: 1\n",
        "Name: a b\nVersion: 1\n",
        "Name: -a\nVersion: 1\n",
        "Name: a/../b\nVersion: 1\n",
        "Name: é\nVersion: 1\n",
        "Summary: x\n Name: a\n Version: 1\n",
        "Summary: " + "x" * MAX_HEADER_BYTES + "\nName: a\nVersion: 1\n",
    ],
)
def test_a_header_without_a_name_and_a_version_is_an_error(content: str) -> None:
    with pytest.raises(InvalidRecord, match=r"expected a|no Name|no Version"):
        list(parse(layer_file(METADATA, content)))


def test_the_description_says_nothing() -> None:
    (package,) = parse(layer_file(METADATA, "Name: a\nVersion: 1\n\nName: b\nVersion: 2\n"))

    assert (package.name, package.version) == ("a", "1")


@pytest.mark.parametrize(
    ("path", "is_wanted"),
    [
        (METADATA, True),
        ("usr/lib/python3/dist-packages/x-1.egg-info/PKG-INFO", True),
        ("usr/lib/python3/dist-packages/x-1.egg-info", True),
        ("usr/lib/python3/dist-packages/x-1-py3.egg/EGG-INFO/PKG-INFO", True),
        ("usr/lib/python3/dist-packages/x-1.egg-info/METADATA", True),
        ("opt/x/EGG-INFO/PKG-INFO", True),
        ("opt/X.DIST-INFO/METADATA", True),
        ("usr/src/x-1.0/PKG-INFO", False),
        ("usr/share/doc/METADATA", False),
        ("x.dist-info/RECORD", False),
    ],
)
def test_only_installed_metadata_is_wanted(path: str, is_wanted: bool) -> None:
    assert ANALYZER.paths.matches(path) is is_wanted


@pytest.mark.parametrize(
    ("header", "licenses"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: x\n", ("MIT OR Apache-2.0",)),
        ("License: MIT\nClassifier: License :: OSI Approved :: MIT License\n", ("MIT", "MIT License")),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved\nClassifier: Topic :: X\n", ()),
        ("License: MIT License\n        \n        Copyright (c) 2020\n", ("MIT License",)),
        ("Classifier: License :: OSI Approved :: BSD License\n" * 3, ("BSD License",)),
        ("License: " + "x" * 5000 + "\n", ("x" * 200,)),
        ("License: \xff\x1b[31m\n", ("ÿ [31m",)),
    ],
)
def test_licences_are_told_as_recorded(header: str, licenses: tuple[str, ...]) -> None:
    (package,) = parse(layer_file(METADATA, f"Name: a\nVersion: 1\n{header}"))

    assert package.licenses == licenses


def test_a_million_licences_are_cut_short() -> None:
    (package,) = parse(layer_file(METADATA, "Name: a\nVersion: 1\n" + "".join(f"Classifier: License :: {n}\n" for n in range(20_000))))

    assert len(package.licenses) == 50


@pytest.mark.parametrize(
    ("header", "vendor"),
    [
        ("Author: Ann  B\nAuthor-email: a@b\n", "Ann B"),
        ("Author-email: Ann <a@b>\n", "Ann <a@b>"),
        ("Author: UNKNOWN\nMaintainer: C\n", "C"),
        ("", ""),
    ],
)
def test_the_author_is_the_vendor(header: str, vendor: str) -> None:
    (package,) = parse(layer_file(METADATA, f"Name: a\nVersion: 1\n{header}"))

    assert package.vendor == vendor


def test_the_interpreter_is_no_package_of_pypi() -> None:
    assert list(parse(layer_file("usr/lib/python2.7/lib-dynload/Python-2.7.egg-info", "Name: Python\nVersion: 2.7.16\n"))) == []


@given(mutated((ASSETS / "six-METADATA").read_bytes(), b"Name: a\nVersion: 1\nClassifier: License :: x\n"))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    answer_or_refuse(parse, layer_file(METADATA, content))

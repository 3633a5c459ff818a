"""Python distributions."""

import pytest

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers.python import ANALYZER, MAX_HEADER_BYTES, parse
from tests.support.layer_results import asset_file, layer_file

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
        ("usr/src/x-1.0/PKG-INFO", False),
        ("usr/share/doc/METADATA", False),
        ("x.dist-info/RECORD", False),
    ],
)
def test_only_installed_metadata_is_wanted(path: str, is_wanted: bool) -> None:
    assert ANALYZER.paths.matches(path) is is_wanted

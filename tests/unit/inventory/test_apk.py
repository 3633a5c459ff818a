"""apk's installed database."""

import pytest

from pratique.inventory.analyzers.apk import ANALYZER, parse
from tests.support.layer_results import asset_file, layer_file, packages

INSTALLED = "lib/apk/db/installed"


def test_a_database_gives_its_packages_with_their_origins() -> None:
    found = [(p.name, p.version, p.matching_name, p.architecture) for p in parse(asset_file(INSTALLED, "alpine-installed"))]

    assert found == [
        ("musl", "1.2.4-r2", "musl", "x86_64"),
        ("libcrypto3", "3.1.4-r5", "openssl", "x86_64"),
        ("ca-certificates-bundle", "20230506-r0", "ca-certificates", "x86_64"),
        ("alpine-keys", "2.4-r1", "alpine-keys", "noarch"),
        (".build-deps", "20240201.101010", ".build-deps", "noarch"),
    ]


def test_fields_are_told_apart_by_case() -> None:
    (package,) = parse(layer_file(INSTALLED, "P:a\np:so:liba.so.1=1\nV:1-r0\na:0:0:755\nA:x86_64\n"))

    assert (package.name, package.version, package.architecture) == ("a", "1-r0", "x86_64")


def test_an_empty_origin_means_the_package_itself() -> None:
    (package,) = parse(layer_file(INSTALLED, "P:a\nV:1-r0\no:\n"))

    assert package.matching_name == "a"


@pytest.mark.parametrize("broken", ["P:b\n", "V:1\n", "P:b\nV:1\nnonsense\n", "P:b\nP:c\nV:1\n", "F:etc\n"])
def test_a_broken_stanza_is_told_after_all_others_were_read(broken: str) -> None:
    found, error = packages(parse, layer_file(INSTALLED, f"P:a\nV:1\n\n{broken}\nP:z\nV:3\n"))

    assert (found[0], found[-1]) == ("a", "z")
    assert "1 broken stanzas, the first at line 4" in error


@pytest.mark.parametrize("path", [INSTALLED, "usr/lib/apk/db/installed"])
def test_both_places_are_wanted(path: str) -> None:
    assert ANALYZER.paths.matches(path)


def test_the_database_of_another_root_is_not() -> None:
    assert not ANALYZER.paths.matches("rootfs/lib/apk/db/installed")

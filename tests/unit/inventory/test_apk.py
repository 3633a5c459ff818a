"""apk's installed database."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError
from pratique.inventory.analyzers.apk import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import ASSETS, asset_file, layer_file, packages

INSTALLED = "lib/apk/db/installed"


def test_a_database_gives_its_packages_with_their_origins() -> None:
    facts = [fact for fact in parse(asset_file(INSTALLED, "alpine-installed")) if isinstance(fact, Package)]
    found = [(p.name, p.version, p.matching_name, p.architecture) for p in facts]

    assert found == [
        ("musl", "1.2.4-r2", "musl", "x86_64"),
        ("libcrypto3", "3.1.4-r5", "openssl", "x86_64"),
        ("ca-certificates-bundle", "20230506-r0", "ca-certificates", "x86_64"),
        ("alpine-keys", "2.4-r1", "alpine-keys", "noarch"),
        (".build-deps", "20240201.101010", ".build-deps", "noarch"),
    ]


def test_fields_are_told_apart_by_case() -> None:
    (package,) = parse(layer_file(INSTALLED, "P:a\np:so:liba.so.1=1\nV:1-r0\na:0:0:755\nA:x86_64\n"))

    assert isinstance(package, Package)
    assert (package.name, package.version, package.architecture) == ("a", "1-r0", "x86_64")


def test_an_empty_origin_means_the_package_itself() -> None:
    (package,) = parse(layer_file(INSTALLED, "P:a\nV:1-r0\no:\n"))

    assert isinstance(package, Package)
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


REAL = "apk/alpine-3.14-installed"


def files(content: str) -> tuple[tuple[str, str], ...]:
    facts = parse(layer_file(INSTALLED, f"P:a\nV:1-r0\nA:x86_64\n{content}"))
    return tuple(file for fact in facts if isinstance(fact, PackageDetails) for file in fact.files)


def test_a_real_database_gives_files_licences_and_vendors() -> None:
    facts = list(parse(asset_file(INSTALLED, REAL)))
    musl, owned = facts[:2]

    assert isinstance(musl, Package)
    assert (musl.vendor, musl.licenses) == ("Timo Ter\u00e4s <timo.teras@iki.fi>", ("MIT",))
    assert owned == PackageDetails(
        type="apk",
        name="musl",
        version="1.2.2-r3",
        architecture="armv7",
        files=(("lib/ld-musl-armhf.so.1", "sha1:391db57297f620dace657b5778c9d676a86495de"), ("lib/libc.musl-armv7.so.1", "")),
    )


def test_files_stand_in_the_directories_before_them() -> None:
    content = "F:etc\nM:0:0:755\nF:etc/ssl\nR:a\na:0:0:600\nR:b c\nF:\nR:init\nF:usr/bin\n"

    assert files(content) == (("etc/ssl/a", ""), ("etc/ssl/b c", ""), ("init", ""))


@pytest.mark.parametrize(
    ("checksum", "expected"),
    [
        ("Q1" + base64.b64encode(hashlib.sha1(b"x").digest()).decode(), "sha1:" + hashlib.sha1(b"x").hexdigest()),
        ("Q2" + base64.b64encode(hashlib.sha256(b"x").digest()).decode(), "sha256:" + hashlib.sha256(b"x").hexdigest()),
        ("X1" + hashlib.sha1(b"x").hexdigest(), "sha1:" + hashlib.sha1(b"x").hexdigest()),
        ("Q1AAAA", ""),
        ("Q1===", ""),
        ("Q1\u00e4", ""),
        ("", ""),
    ],
)
def test_checksums_are_read_in_every_encoding(checksum: str, expected: str) -> None:
    assert files(f"F:bin\nR:a\nZ:{checksum}\n") == (("bin/a", expected),)


def test_the_checksum_of_a_link_is_not_that_of_a_file() -> None:
    digest = "Q1" + base64.b64encode(hashlib.sha1(b"busybox").digest()).decode()

    assert files(f"F:bin\nR:sh\na:0:0:777\nZ:{digest}\nR:cp\n") == (("bin/sh", ""), ("bin/cp", ""))


def test_a_package_without_files_has_no_details() -> None:
    assert files("F:etc\n") == ()


@pytest.mark.parametrize("content", ["R:a\n" * 600_001, "F:" + "d" * 1_000_000 + "\n" + "R:a\n" * 60])
def test_more_files_than_any_system_has_are_not_kept(content: str) -> None:
    found, error = packages(parse, layer_file(INSTALLED, f"P:a\nV:1\n{content}\nP:z\nV:1\n"))

    assert found == ["a", "z"]
    assert "more than 600000 files" in error


@given(data=st.data())
def test_changed_bytes_give_facts_or_an_input_error(data: st.DataObject) -> None:
    content = bytearray((ASSETS / REAL).read_bytes())
    for _ in range(data.draw(st.integers(1, 10))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        facts = list(parse(layer_file(INSTALLED, bytes(content))))
    except InputError:
        return
    assert all(isinstance(fact, Package | PackageDetails) for fact in facts)

"""Rust programs with a list of their crates."""

import json
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers.rust_binary import MAX_BYTES, MAX_LIST, parse
from pratique.inventory.package import Package
from tests.support.executables import ALL_ELF, ElfSpec, make_elf, make_macho, make_pe
from tests.support.layer_results import layer_file, read

CRATES = {
    "packages": [
        {"name": "adler", "version": "1.0.2", "source": "crates.io"},
        {"name": "cc", "version": "1.0.79", "source": "crates.io", "kind": "build"},
        {"name": "serde_json", "version": "1.0.96+x", "source": "git", "kind": "runtime", "dependencies": [0]},
        {"name": "app", "version": "0.1.0", "source": "local", "dependencies": [0, 1, 2], "root": True},
    ],
    "format": 1,
}
PURLS = ["pkg:cargo/adler@1.0.2", "pkg:cargo/serde_json@1.0.96%2Bx", "pkg:cargo/app@0.1.0"]


def packed(document: object) -> bytes:
    return zlib.compress(json.dumps(document).encode())


def purls(content: bytes) -> tuple[list[str], str]:
    facts, problem = read(parse, layer_file("usr/bin/app", content))
    return [fact.purl for fact in facts if isinstance(fact, Package)], problem


def program(section: bytes) -> bytes:
    return make_elf(ElfSpec(sections={b".text": b"\xcc" * 20, b".dep-v0": section}))


@pytest.mark.parametrize(("bits", "order"), ALL_ELF)
def test_crates_that_run_are_read_in_every_class_and_byte_order(bits: int, order: str) -> None:
    content = make_elf(ElfSpec(sections={b".dep-v0": packed(CRATES)}, bits=bits, order=order))

    assert purls(content) == (PURLS, "")


def test_programs_of_windows_and_macos_are_read() -> None:
    assert purls(make_pe({b".dep-v0": (0x40000040, packed(CRATES))})) == (PURLS, "")
    assert purls(make_macho({b".dep-v0": packed(CRATES)})) == (PURLS, "")


def test_crates_are_known_to_advisories_by_their_name() -> None:
    (package, *_) = parse(layer_file("app", program(packed(CRATES))))

    assert isinstance(package, Package)
    assert (package.ecosystem, package.matching_name) == ("crates.io", "adler")


def test_programs_without_a_list_are_silence() -> None:
    assert purls(make_elf(ElfSpec(sections={b".text": b".dep-v0\0"}))) == ([], "")
    assert list(parse(LayerFile(path="a", content=program(packed(CRATES)), size=MAX_BYTES + 1))) == []


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        (b"no zlib", "expected a compressed list of crates"),
        (packed(CRATES)[:-6], "got the beginning of one"),
        (packed([]), "expected a list of crates"),
        (packed({}), "expected a list of crates"),
        (packed({"packages": [{"name": 1}]}), "expected a list of crates"),
        (zlib.compress(b'{"packages": ' + b"[" * 100_000), "expected a list of crates"),
        (zlib.compress(b" " * (MAX_LIST + 1)), f"of more than {MAX_LIST} bytes"),
        (packed({"packages": [{"name": "a", "version": "1"}] * 50_001}), "more than 50000 crates"),
    ],
)
def test_a_list_that_cannot_be_read_is_a_gap(section: bytes, problem: str) -> None:
    assert problem in purls(program(section))[1]


def test_crates_without_name_or_version_are_a_gap_behind_the_others() -> None:
    crates = {"packages": [{"name": "", "version": "1"}, {"name": "a b", "version": "1"}, {"name": "c"}, *CRATES["packages"]]}  # type: ignore[misc]

    assert purls(program(packed(crates))) == (PURLS, "3 broken entries, the first: no name of a crate")


def test_a_bomb_is_refused_in_little_time() -> None:
    content = program(zlib.compress(bytes(50_000_000), 1))

    started = time.process_time()
    assert "of more than" in purls(content)[1]
    assert time.process_time() - started < 1


@given(st.binary(max_size=200))
def test_lists_of_any_kind_give_packages_or_gaps(section: bytes) -> None:
    purls(program(section))
    purls(program(zlib.compress(section)))


@given(st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=8)), max_size=8))
def test_changed_programs_give_packages_or_gaps(changes: list[tuple[int, bytes]]) -> None:
    changed = bytearray(program(packed(CRATES)))
    for place, change in changes:
        changed[place % len(changed) : place % len(changed) + len(change)] = change
    purls(bytes(changed))

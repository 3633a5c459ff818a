"""Chisel's manifest."""

import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError, LimitExceeded
from pratique.inventory.analyzer import Fact
from pratique.inventory.analyzers.chisel import ANALYZER, MAX_WALL_BYTES, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import ASSETS, asset_file, layer_file, read

WALL = "var/lib/chisel/manifest.wall"
NO_SOURCES = "names no source packages"


def wall(*lines: object, count: int | None = None) -> bytes:
    header = {"jsonwall": "1.0", "schema": "1.0", "count": len(lines) + 1 if count is None else count}
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in (header, *lines))
    return zstandard.compress(f"{text}\n".encode())


def package(name: str, version: str = "1") -> dict[str, object]:
    return {"kind": "package", "name": name, "version": version, "sha256": "0" * 64, "arch": "amd64"}


def read_wall(content: bytes) -> tuple[list[Fact], str]:
    return read(parse, layer_file(WALL, content))


def test_a_real_manifest_gives_packages_and_their_files() -> None:
    facts, error = read(parse, asset_file(WALL, "chisel/openssl.wall"))
    found = [fact for fact in facts if isinstance(fact, Package)]
    files = {fact.name: dict(fact.files) for fact in facts if isinstance(fact, PackageDetails)}

    assert [(fact.name, fact.version, fact.architecture) for fact in found] == [
        ("base-files", "13ubuntu10.2", "amd64"),
        ("libc6", "2.39-0ubuntu8.4", "amd64"),
        ("libssl3t64", "3.0.13-0ubuntu3.5", "amd64"),
        ("openssl", "3.0.13-0ubuntu3.5", "amd64"),
    ]
    assert files["openssl"]["usr/bin/c_rehash"] == "sha256:e500ac3e4b1a18d117bd1c" + files["openssl"]["usr/bin/c_rehash"][29:]
    assert files["openssl"]["etc/ssl/certs"] == ""
    assert sum(map(len, files.values())) == 52
    assert NO_SOURCES in error


def test_a_shared_path_belongs_to_each_of_its_packages_as_it_is_in_the_image() -> None:
    path = {"kind": "path", "path": "/etc/x", "slices": ["a_one", "a_two", "b_one"], "sha256": "0" * 64, "final_sha256": "1" * 64}

    facts, _ = read_wall(wall(package("a"), package("b"), path))

    assert [(fact.name, fact.files) for fact in facts if isinstance(fact, PackageDetails)] == [
        ("a", (("etc/x", f"sha256:{'1' * 64}"),)),
        ("b", (("etc/x", f"sha256:{'1' * 64}"),)),
    ]


def test_binary_packages_whose_sources_are_unknown_are_a_gap() -> None:
    assert NO_SOURCES in read_wall(wall(package("a")))[1]


def test_a_manifest_without_packages_is_none() -> None:
    assert read_wall(wall()) == ([], "")


def test_paths_of_packages_that_are_not_named_are_left_out() -> None:
    facts, _ = read_wall(wall(package("a"), {"kind": "path", "path": "/x", "slices": ["ghost_bins"]}))

    assert len(facts) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "compressed with zstd"),
        (b"\x1f\x8b\x08\x00", "compressed with zstd"),
        (b"\x28\xb5\x2f\xfd", "expected some lines"),
        (zstandard.compress(b'{"jsonwall":"2.0"}\n'), "expected a jsonwall 1.0"),
        (zstandard.compress(b"[]\n"), "line 1"),
    ],
)
def test_what_is_no_wall_is_an_error(content: bytes, reason: str) -> None:
    facts, error = read_wall(content)

    assert facts == []
    assert reason in error


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 3"),
        ({"kind": "package", "name": "b"}, "no version of b"),
        ({"kind": "package", "version": "1"}, "no name of a package"),
        ({"kind": "package", "name": "b c", "version": "1"}, "printable ASCII"),
        ({"kind": "path", "path": 1}, "line 3"),
        ('{"x":' + "[" * 100_000, "line 3"),
        ('{"slices": [' + '"a",' * 300_000 + '"a"]}', "line 3: has 1200018 bytes"),
    ],
)
def test_a_broken_line_is_told_after_all_others_were_read(line: object, reason: str) -> None:
    facts, error = read_wall(wall(package("a"), line, package("z")))

    assert [fact.name for fact in facts if isinstance(fact, Package)] == ["a", "z"]
    assert reason in error


def test_a_wall_that_was_cut_off_is_an_error() -> None:
    facts, error = read_wall(wall(package("a"), count=7))

    assert len(facts) == 1
    assert error == "expected 7 lines, got 2"


def test_a_frame_that_was_cut_off_is_an_error() -> None:
    content = (ASSETS / "chisel" / "openssl.wall").read_bytes()

    facts, error = read_wall(content[: len(content) // 2])

    assert facts == []
    assert error == "expected some lines, got 0"


def test_a_wall_that_expands_without_end_is_refused() -> None:
    header = b'{"jsonwall":"1.0","count":1}\n'
    bomb = zstandard.compress(header + b" " * (MAX_WALL_BYTES + 1))

    assert len(bomb) < 10_000
    assert f"more than {MAX_WALL_BYTES} bytes" in read_wall(bomb)[1]


def test_more_owners_than_any_system_has_are_refused() -> None:
    path = {"kind": "path", "path": "/x", "slices": [f"p{number}_x" for number in range(1000)]}

    with pytest.raises(LimitExceeded, match="more than 600000 files"):
        list(parse(layer_file(WALL, wall(*[path] * 601))))


def test_only_the_manifest_is_wanted() -> None:
    assert ANALYZER.paths.matches(WALL)
    assert not ANALYZER.paths.matches("rootfs/var/lib/chisel/manifest.wall")


@given(data=st.data(), is_inside=st.booleans())
def test_changed_bytes_give_facts_or_an_input_error(data: st.DataObject, is_inside: bool) -> None:
    content = bytearray((ASSETS / "chisel" / "openssl.wall").read_bytes())
    if is_inside:
        content = bytearray(zstandard.ZstdDecompressor().decompress(bytes(content), max_output_size=100_000))
    for _ in range(data.draw(st.integers(1, 10))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        facts = list(parse(layer_file(WALL, zstandard.compress(bytes(content)) if is_inside else bytes(content))))
    except InputError:
        return
    assert all(isinstance(fact, Package | PackageDetails) for fact in facts)


@given(content=st.binary(max_size=300), is_inside=st.booleans())
def test_any_bytes_give_facts_or_an_input_error(content: bytes, is_inside: bool) -> None:
    try:
        list(parse(layer_file(WALL, zstandard.compress(content) if is_inside else content)))
    except InputError:
        return

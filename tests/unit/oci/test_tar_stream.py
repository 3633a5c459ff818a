from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import InvalidLayer, LimitExceeded
from pratique.oci.tar_fields import normalise_path, parse_number, parse_pax
from pratique.oci.tar_stream import TarLimits, TarStream
from tests.support.hostile_layers import header, pax, pax_record
from tests.support.layer_blobs import Entry, make_tar

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


@dataclass
class Recorder:
    """Writes down everything, and wants every body."""

    met: list[tuple[str, str, bytes | str]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    wants: bool = True
    most: int = 1 << 40
    modes: list[int] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)

    def visit_file(self, path: bytes, size: int, mode: int, head: bytes) -> int:
        self.met.append(("file", path.decode(), b"" if self.wants else b"%d" % size))
        self.modes.append(mode)
        self.heads.append(head)
        self.pieces.append(b"")
        return min(self.most, size) if self.wants else 0

    def visit_body(self, content: bytes) -> None:
        self.met[-1] = (*self.met[-1][:2], content)

    def visit_piece(self, piece: memoryview) -> None:
        self.pieces[-1] += piece

    def visit_symlink(self, path: bytes, target: bytes) -> None:
        self.met.append(("symlink", path.decode(), target.decode()))

    def visit_hard_link(self, path: bytes, target: bytes) -> None:
        self.met.append(("hard link", path.decode(), target.decode()))

    def visit_directory(self, path: bytes) -> None:
        self.met.append(("directory", path.decode(), ""))

    def visit_unread(self, path: bytes, reason: str) -> None:
        self.met.append(("unread", path.decode(), reason))

    def visit_trouble(self, reason: str) -> None:
        self.troubles.append(reason)


def walk(tar: bytes, size: int = 1024**2, recorder: Recorder | None = None, limits: TarLimits | None = None) -> Recorder:
    recorder = recorder or Recorder()
    stream = TarStream(recorder, limits or TarLimits(), shows_pieces=True)
    for start in range(0, len(tar), size):
        stream.feed(memoryview(tar)[start : start + size])
    stream.close()
    return recorder


def read_with_tarfile(tar: bytes) -> list[tuple[str, str, bytes | str]]:
    found: list[tuple[str, str, bytes | str]] = []
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for info in archive:
            path = info.name.strip("/")
            if info.isreg():
                body = archive.extractfile(info)
                assert body is not None
                found.append(("file", path, body.read()))
            elif info.issym():
                found.append(("symlink", path, info.linkname))
            elif info.islnk():
                found.append(("hard link", path, info.linkname))
            elif info.isdir():
                found.append(("directory", path, ""))
            else:
                found.append(("unread", path, ""))
    return found


NAME = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
    lambda part: part not in {".", ".."}
)
PATH = st.lists(NAME, min_size=1, max_size=5).map("/".join)
KINDS = st.sampled_from([tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
ENTRIES = st.lists(
    st.builds(Entry, PATH, st.binary(max_size=2000))
    | st.builds(lambda path, kind, target: Entry(path, kind=kind, target=target), PATH, KINDS, PATH),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(ENTRIES, st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]), st.sampled_from([512, 1024, 5120, 1024**2]))
def test_the_walk_of_any_tree_equals_that_of_tarfile(entries: list[Entry], tar_format: int, size: int) -> None:
    tar = make_tar(entries, tar_format)
    assert walk(tar, size).met == read_with_tarfile(tar)


@pytest.mark.parametrize("tar_format", FORMATS)
def test_long_names_are_read_in_every_format(tar_format: int) -> None:
    path = "/".join(["directory" * 5] * 3 + ["file"])
    target = "d" * (100 if tar_format == tarfile.USTAR_FORMAT else 300)
    tar = make_tar([Entry(path, b"x"), Entry("s", kind=tarfile.SYMTYPE, target=target), Entry("plain", b"y")], tar_format)
    assert walk(tar).met == [("file", path, b"x"), ("symlink", "s", target), ("file", "plain", b"y")]


def build_tree(folder: Path) -> None:
    (folder / "dir" / ("n" * 120)).mkdir(parents=True)
    (folder / "dir" / ("n" * 120) / ("m" * 120)).write_bytes(b"long")
    (folder / "file").write_bytes(bytes(range(256)) * 10)
    (folder / "empty").touch()
    (folder / "link").symlink_to("dir/../file")
    (folder / "hard").hardlink_to(folder / "file")
    (folder / "caf\xe9").write_bytes(b"utf-8")


@pytest.mark.parametrize("tar_format", ["gnu", "pax", "v7", "ustar", "oldgnu"])
def test_what_gnu_tar_writes_is_read_as_tarfile_does(tmp_path: Path, tar_format: str) -> None:
    build_tree(tmp_path)
    made = subprocess.run(["tar", "-C", str(tmp_path), f"--format={tar_format}", "-cf", "-", "."], capture_output=True, check=False)
    expected = [
        (kind, path.removeprefix("./"), value if kind != "hard link" else str(value).removeprefix("./"))
        for kind, path, value in read_with_tarfile(made.stdout)
    ]
    assert walk(made.stdout).met == [found for found in expected if found[1] != "."]


@pytest.mark.parametrize(
    "options",
    [
        ["--format=gnu"],
        ["--format=pax", "--sparse-version=0.0"],
        ["--format=pax", "--sparse-version=0.1"],
        ["--format=pax", "--sparse-version=1.0"],
    ],
)
def test_sparse_files_are_passed_over_whole(tmp_path: Path, options: list[str]) -> None:
    with (tmp_path / "a-sparse").open("wb") as out:
        for number in range(60):  # more holes than one GNU header has room for
            out.seek(number * 200_000)
            out.write(b"data")
        out.truncate(60 * 200_000)
    (tmp_path / "b-next").write_bytes(b"next")
    tar = subprocess.run(
        ["tar", "-C", str(tmp_path), "-S", *options, "-cf", "-", "a-sparse", "b-next"], capture_output=True, check=True
    ).stdout
    assert len(tar) < 1_000_000
    assert walk(tar, 512).met == [("unread", "a-sparse", "stored as a sparse file"), ("file", "b-next", b"next")]


def test_bodies_that_nobody_wants_are_skipped() -> None:
    tar = make_tar([Entry("a", b"x" * 3000), Entry("b", b""), Entry("c", b"y")])
    assert walk(tar, 512, Recorder(wants=False)).met == [("file", "a", b"3000"), ("file", "b", b"0"), ("file", "c", b"1")]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"./a/b", b"a/b"),
        (b"/a//b/", b"a/b"),
        (b"a/./b", b"a/b"),
        (b"a/../b", b"b"),
        (b"..a/b..", b"..a/b.."),
        (b"./", b""),
        (b"../a", None),
        (b"a/../../b", None),
        (b"caf\xe9", b"caf\\xe9"),
        ("caf\xe9".encode(), "caf\xe9".encode()),
    ],
)
def test_paths_are_normalised(raw: bytes, path: bytes | None) -> None:
    assert normalise_path(raw) == path


@pytest.mark.parametrize(
    ("field", "number"),
    [
        (b"00000001234\0", 0o1234),
        (b"       1234 ", 0o1234),
        (b"1234\0garbage", 0o1234),
        (b"000000001234", 0o1234),
        (bytes(12), 0),
        (b" " * 12, 0),
        (b"\x80" + (8 * 1024**3).to_bytes(11, "big"), 8 * 1024**3),
    ],
)
def test_numbers_are_read_in_every_dialect(field: bytes, number: int) -> None:
    assert parse_number(field) == number


@pytest.mark.parametrize("field", [b"0000000123_\0", b"+0000000123\0", b"00000000009\0", b"abc", b"\xff" * 12, b"\x80" + b"\xff" * 11])
def test_what_is_no_number_is_refused(field: bytes) -> None:
    with pytest.raises(InvalidLayer):
        parse_number(field)


@given(st.dictionaries(st.binary(min_size=1, max_size=20).filter(lambda key: b"=" not in key), st.binary(max_size=200), max_size=5))
def test_pax_records_survive_a_round_trip(records: dict[bytes, bytes]) -> None:
    assert parse_pax(b"".join(pax_record(key, value) for key, value in records.items())) == records


def test_a_pax_size_and_path_replace_those_of_the_header() -> None:
    tar = (
        pax(pax_record(b"size", b"3") + pax_record(b"path", b"real"))
        + header(b"x", b"%011o\0" % 0)
        + b"abc".ljust(512, b"\0")
        + header(b"y")
        + bytes(1024)
    )
    assert walk(tar).met == [("file", "real", b"abc"), ("file", "y", b"")]


def test_an_extended_header_counts_for_one_entry_only() -> None:
    tar = (
        pax(pax_record(b"path", b"first"))
        + header(b"x")
        + header(b"second")
        + pax(pax_record(b"comment", b"c"))
        + header(b"third")
        + bytes(1024)
    )
    assert [path for _, path, _ in walk(tar).met] == ["first", "second", "third"]


def test_a_signed_checksum_of_old_tars_is_accepted() -> None:
    block = bytearray(header(b"caf\xe9"))
    signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:]) + 256
    block[148:156] = b"%06o\0 " % signed
    assert walk(bytes(block) + bytes(1024)).met == [("file", "caf\\xe9", b"")]


def test_an_old_tar_marks_directories_by_a_slash() -> None:
    assert walk(header(b"d/", kind=b"\0") + header(b"f", kind=b"\0") + bytes(1024)).met == [("directory", "d", ""), ("file", "f", b"")]


def test_a_link_has_no_body_whatever_size_it_claims() -> None:
    assert [path for _, path, _ in walk(header(b"l", b"00000001000\0", b"1", b"t") + header(b"f") + bytes(1024)).met] == ["l", "f"]


def test_entries_are_bounded() -> None:
    with pytest.raises(LimitExceeded, match="more than 3 entries"):
        walk(b"".join(header(b"f") for _ in range(4)), limits=TarLimits(entries=3))


@given(st.binary(max_size=3000))
def test_bytes_of_any_kind_are_walked_or_refused(content: bytes) -> None:
    try:
        walk(header(b"a", kind=content[:1] or b"0") + content, 512)
    except (InvalidLayer, LimitExceeded):
        return


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_header_is_walked_or_refused(data: st.DataObject) -> None:
    tar = bytearray(
        make_tar([Entry("a" * 150, b"x" * 700), Entry("b", kind=tarfile.SYMTYPE, target="c")], data.draw(st.sampled_from(FORMATS[1:])))
    )
    block = data.draw(st.integers(0, 6)) * 512
    for _ in range(data.draw(st.integers(1, 4))):
        tar[block + data.draw(st.integers(0, 511))] = data.draw(st.integers(0, 255))
    tar[block + 148 : block + 156] = b" " * 8
    tar[block + 148 : block + 156] = b"%06o\0 " % sum(tar[block : block + 512])
    try:
        walk(bytes(tar))
    except (InvalidLayer, LimitExceeded):
        return


@pytest.mark.parametrize("size", [512, 1024, 4096, 1024**2])
def test_a_visitor_sees_how_a_file_begins_its_mode_and_as_much_of_it_as_it_asked_for(size: int) -> None:
    tar = make_tar([Entry("a", b"#!/bin/sh\n" + b"x" * 3000), Entry("b", b""), Entry("c", b"short")])
    recorder = walk(tar, size, Recorder(most=1000))

    assert [content for _, _, content in recorder.met] == [(b"#!/bin/sh\n" + b"x" * 3000)[:1000], b"", b"short"]
    assert recorder.modes == [0o644] * 3
    assert [b"#!/bin/sh".startswith(head[:9]) for head in recorder.heads[:1]] == [True]
    assert recorder.pieces == [b"#!/bin/sh\n" + b"x" * 3000, b"", b"short"]
    assert size < 4096 or recorder.heads == [(b"#!/bin/sh\n" + b"x" * 54), b"", b"short"]

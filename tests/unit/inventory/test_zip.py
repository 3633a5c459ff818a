"""The bounded reader of zip archives."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._zip import ZipBudget, ZipLimits, open_zip
from tests.support.java_archives import archive

CONTENT = archive({"a.txt": b"hello", "b/": b"", "b/c.bin": bytes(range(256)) * 40, "../d": b"up", "d\u00fc.txt": b"name"})


def _zip64(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in members.items():
            with writer.open(name, "w", force_zip64=True) as member:
                member.write(content)
    return stream.getvalue()


def _with_zip64_end(content: bytes) -> bytes:
    """The same archive with an end record that leaves everything to a zip64 one."""
    count, size, offset = struct.unpack("<HLL", content[-12:-2])
    place = len(content) - 22
    end_64 = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, place, 1)
    return content[:place] + end_64 + locator + struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


@pytest.mark.parametrize(
    "content", [CONTENT, b"#!/bin/sh\nexit\n" + CONTENT, _with_zip64_end(CONTENT), b"#!x\n" + _with_zip64_end(CONTENT)]
)
def test_members_are_read_as_the_standard_library_reads_them(content: bytes) -> None:
    mine = open_zip(content)

    with zipfile.ZipFile(io.BytesIO(content)) as theirs:
        assert list(mine.names()) == theirs.namelist()
        assert [mine.read(name) for name in mine.names()] == [theirs.read(name) for name in theirs.namelist()]


def test_sizes_of_64_bits_are_read() -> None:
    assert open_zip(_zip64({"a": b"x" * 70_000})).read("a") == b"x" * 70_000


def test_a_comment_that_holds_an_end_record_does_not_hide_the_archive() -> None:
    stream = io.BytesIO(CONTENT)
    with zipfile.ZipFile(stream, "a") as writer:
        writer.comment = b"x" * 10 + b"PK\5\6" + b"\0" * 30

    assert "a.txt" in open_zip(stream.getvalue())


def test_only_wanted_members_are_kept() -> None:
    assert list(open_zip(CONTENT, wanted=lambda name: name.endswith(".txt")).names()) == ["a.txt", "d\u00fc.txt"]


def test_a_stored_member_is_not_copied() -> None:
    content = archive({"inner.jar": CONTENT}, stored=True)

    inner = open_zip(content).view("inner.jar")

    assert inner.obj is content
    assert open_zip(inner).read("a.txt") == b"hello"


def test_the_head_of_a_member_costs_only_the_head() -> None:
    content = archive({"MANIFEST.MF": b"Name: a\r\n" * 1_000_000})
    budget = ZipBudget(inflated_bytes=2_000)

    assert open_zip(content, budget=budget).head("MANIFEST.MF", 1_000) == (b"Name: a\r\n" * 200)[:1_000]


def test_of_equal_names_the_last_counts() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as writer:
        writer.writestr("a", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            writer.writestr("a", b"second")

    assert open_zip(stream.getvalue()).read("a") == b"second"


END = len(CONTENT) - 22
DIRECTORY = CONTENT.index(b"PK\1\2")


def _patched(place: int, raw: bytes, content: bytes = CONTENT) -> bytes:
    return content[:place] + raw + content[place + len(raw) :]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no end record"),
        (b"PK\3\4", "no end record"),
        (b"not a zip", "no end record"),
        (CONTENT[:-1], "no end record"),
        (CONTENT[: len(CONTENT) // 2], "no end record"),
        (CONTENT[: END - 30], "no end record"),
        (CONTENT[50:], "no end record"),
        (_patched(END + 12, b"\xff\xff\xff\x7f"), "no end record"),  # a directory larger than the file
        (_patched(DIRECTORY, b"PK\0\0"), "expected an entry"),
        (_patched(DIRECTORY + 28, b"\xff\xff"), "ends inside of an entry"),  # an endless name
        (_patched(END + 12, struct.pack("<L", END - DIRECTORY - 3)), "no end record|expected an entry"),
    ],
)
def test_a_broken_directory_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(InvalidRecord, match=problem):
        open_zip(content)


@pytest.mark.parametrize(
    ("place", "raw", "problem"),
    [
        (8, b"\1\0", "encrypted"),
        (10, b"\x0c\0", "compression method 12"),
        (16, b"\0\0\0\0", "not what its header promises"),  # CRC
        (24, b"\x04", "larger than its header says"),
        (24, b"\x06", "ends early"),
        (20, b"\xff\xff", "beyond the archive"),
        (42, b"\x01", "local header"),
        (42, b"\xff\xff\xff\xff", "local header"),
    ],
)
def test_a_broken_member_is_refused(place: int, raw: bytes, problem: str) -> None:
    broken = open_zip(_patched(DIRECTORY + place, raw))

    with pytest.raises(InvalidRecord, match=problem):
        broken.read("a.txt")


def test_members_that_share_their_bytes_are_refused() -> None:
    second = CONTENT.index(b"PK\1\2", DIRECTORY + 4)
    offset = CONTENT[DIRECTORY + 42 : DIRECTORY + 46]
    twins = open_zip(_patched(second + 42, offset, _patched(second + 10, CONTENT[DIRECTORY + 10 : DIRECTORY + 28])))
    twins.read("a.txt")

    with pytest.raises(InvalidRecord, match="overlap"):
        twins.read("b/")


def _quoting_bomb(count: int) -> bytes:
    """Entries that all name the same megabytes of zeros, as in the bombs without nesting."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    plain = b"\0" * 900_000
    packed = packer.compress(plain) + packer.flush()
    local = struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 20, 0, 8, 0, 0, zlib.crc32(plain), len(packed), len(plain), 1, 0) + b"a" + packed
    entries = b"".join(
        struct.pack("<4sHHHHHHLLLHHHHHLL", b"PK\1\2", 20, 20, 0, 8, 0, 0, zlib.crc32(plain), len(packed), len(plain), 8, 0, 0, 0, 0, 0, 0)
        + b"%08d" % number
        for number in range(count)
    )
    return local + entries + struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(entries), len(local), 0)


def test_a_bomb_of_overlapping_members_costs_one_of_them() -> None:
    bomb = open_zip(_quoting_bomb(1_000))

    refused = 0
    for name in bomb.names():
        try:
            bomb.read(name)
        except InvalidRecord:
            refused += 1
    assert refused == 999


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (ZipLimits(entries=2), "more than 2 zip members"),
        (ZipLimits(held_entries=2), "more than 2 zip members to choose from"),
        (ZipLimits(directory_bytes=100), "a zip directory of"),
    ],
)
def test_a_directory_beyond_the_limits_is_refused(limits: ZipLimits, problem: str) -> None:
    with pytest.raises(LimitExceeded, match=problem):
        open_zip(CONTENT, limits)


def test_a_member_beyond_the_limits_is_refused_before_it_is_inflated() -> None:
    content = archive({"zeros": b"\0" * 20_000_000})
    began = time.process_time()

    with pytest.raises(LimitExceeded, match="inflates from"):
        open_zip(content).read("zeros")
    with pytest.raises(LimitExceeded, match="at most 1000 bytes"):
        open_zip(content).read("zeros", 1_000)
    with pytest.raises(LimitExceeded, match="inflates to"):
        open_zip(content, ZipLimits(member_bytes=1_000)).view("zeros")
    assert time.process_time() - began < 0.5


def test_a_budget_is_shared_between_archives() -> None:
    budget = ZipBudget(inflated_bytes=15_000, entries=1_000_000)
    open_zip(CONTENT, budget=budget).read("b/c.bin")

    with pytest.raises(LimitExceeded, match="too much in total"):
        open_zip(CONTENT, budget=budget).read("b/c.bin")


def test_many_archives_of_many_entries_share_a_budget_too() -> None:
    content = archive({str(number): b"" for number in range(3_000)}, stored=True)
    budget = ZipBudget(entries=5_000)
    open_zip(content, budget=budget)

    with pytest.raises(LimitExceeded, match="too many entries in total"):
        open_zip(content, budget=budget)


def _read_all(content: bytes) -> None:
    try:
        opened = open_zip(content, ZipLimits(member_bytes=100_000))
    except InputError:
        return
    for name in opened.names():
        for read in (opened.read, lambda name: opened.head(name, 3)):
            try:
                read(name)
            except InputError:
                continue


@given(content=st.binary(max_size=300), end=st.binary(min_size=18, max_size=18))
def test_any_bytes_are_members_or_an_input_error(content: bytes, end: bytes) -> None:
    _read_all(content)
    _read_all(content + b"PK\5\6" + end)


@settings(max_examples=300)
@given(changes=st.lists(st.tuples(st.integers(0, len(CONTENT) - 1), st.integers(0, 255)), min_size=1, max_size=6), cut=st.integers(0, 60))
def test_a_changed_archive_gives_members_or_an_input_error(changes: list[tuple[int, int]], cut: int) -> None:
    for original in (CONTENT, _with_zip64_end(CONTENT)):
        content = bytearray(original)
        for place, value in changes:
            content[place] = value
        _read_all(bytes(content[: len(content) - cut]))

"""SQLite files, read without SQLite: its own library says what is right."""

import random
import sqlite3
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers._rpm_sqlite import has_frames, read_blobs
from pratique.inventory.analyzers.rpm import ANALYZER, parse
from tests.support.layer_results import layer_file, read
from tests.support.rpm_databases import make_sqlite

PATH = "var/lib/rpm/rpmdb.sqlite"
LOG = "var/lib/rpm/rpmdb.sqlite-wal"


def problem(content: bytes) -> str:
    return read(parse, layer_file(PATH, content))[1]


def errors(content: bytes) -> str:
    found = []
    try:
        found.extend(str(blob) for blob in read_blobs(content) if isinstance(blob, InvalidRecord))
    except InvalidRecord as error:
        found.append(str(error))
    return ", ".join(found)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(0, 300),
    largest=st.sampled_from([10, 600, 5000, 70_000]),
    page_size=st.sampled_from([512, 1024, 4096, 65536]),
)
def test_every_row_is_read_that_sqlite_reads(tmp_path: Path, seed: int, rows: int, largest: int, page_size: int) -> None:
    dice = random.Random(seed)
    rows = rows if largest < 5000 else rows // 10
    path = tmp_path / "rpmdb.sqlite"
    make_sqlite(tmp_path, *(dice.randbytes(dice.randrange(1, largest)) for _ in range(rows)), page_size=page_size)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        gone = [(number,) for number in range(1, rows + 1) if dice.random() < 0.3]
        connection.executemany("DELETE FROM Packages WHERE hnum = ?", gone)
        connection.executemany(
            "INSERT INTO Packages VALUES (?, ?)", [(dice.randrange(2**40, 2**60), dice.randbytes(largest)) for _ in range(3)]
        )
        expected = [blob for (blob,) in connection.execute("SELECT blob FROM Packages ORDER BY hnum")]
    connection.close()

    assert list(read_blobs(path.read_bytes())) == expected


def test_a_database_whose_pages_have_reserved_bytes_is_read() -> None:
    """As SQLite can be told to leave for checksums, but not from Python."""
    blob = random.Random(1).randbytes(995)
    schema = bytes([6, 23, 29, 29, 1, 13]) + b"table" + b"Packages" * 2 + b"\x02"
    record = bytes([4, 0]) + b"\x8f\x52" + blob[:43]  # 47 of 999 bytes lie in the leaf: all but two pages of 476
    row = b"\x87\x67\x01" + record + struct.pack(">I", 3)
    header = bytearray(100)
    header[:16], header[16:18], header[20], header[56:60] = b"SQLite format 3\0", b"\x02\0", 32, b"\0\0\0\x01"
    first = page(13, [480 - len(schema) - 2], bytes([len(schema), 1]) + schema + bytes(32))
    content = (
        bytes(header)
        + first[:100]
        + first[200:]
        + page(13, [480 - len(row)], row + bytes(32))
        + struct.pack(">I", 4)
        + blob[43:519]
        + bytes(32)
        + struct.pack(">I", 0)
        + blob[519:]
        + bytes(32)
    )

    assert list(read_blobs(content)) == [blob]


def test_a_database_without_the_table_is_not_empty(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (a, b)")
    connection.execute("CREATE VIEW Packages AS WITH RECURSIVE n(a, b) AS (SELECT 1, 1 UNION ALL SELECT a + 1, b FROM n) SELECT * FROM n")
    connection.close()

    assert problem(path.read_bytes()) == "no table Packages"


def test_an_empty_table_has_no_packages(tmp_path: Path) -> None:
    assert list(read_blobs(make_sqlite(tmp_path))) == []


def patched(tmp_path: Path, offset: int, layout: str, value: int) -> bytes:
    content = bytearray(make_sqlite(tmp_path, *[bytes([number]) * 3000 for number in range(40)], page_size=512))
    struct.pack_into(layout, content, offset, value)
    return bytes(content)


@pytest.mark.parametrize(
    ("offset", "layout", "value", "expected"),
    [
        (16, ">H", 513, "page size 513"),
        (20, ">B", 255, "257 of it usable"),
        (56, ">I", 2, "text encoding 2"),
        (28, ">I", 0xFFFFFFFF, "truncated"),
        (100, ">B", 2, "got type 2"),
        (103, ">H", 60_000, "with 60000 cells"),
        (108, ">H", 7, "cells outside of it"),
        (512, ">B", 10, "got type 10"),
        (512 + 8, ">I", 1, "was read before"),
        (512 + 8, ">I", 0x7FFFFFFF, "is not there"),
        (512 + 8, ">I", 0, "is not there"),
        (512 + 12, ">H", 511, "cells outside of it"),
    ],
)
def test_a_damaged_database_is_told(tmp_path: Path, offset: int, layout: str, value: int, expected: str) -> None:
    assert expected in errors(patched(tmp_path, offset, layout, value))


def page(kind: int, cells: list[int], body: bytes, rightmost: int = 0) -> bytes:
    """A tree page of 512 bytes: its cells' places, and its last bytes."""
    header = struct.pack(">BHHHB", kind, 0, len(cells), 512 - len(body), 0) + (struct.pack(">I", rightmost) if kind == 5 else b"")
    start = header + struct.pack(f">{len(cells)}H", *cells)
    return start + bytes(512 - len(start) - len(body)) + body


def database(tmp_path: Path, *pages: bytes) -> bytes:
    """A database of the first page of a real one, and these instead of the others."""
    content = bytearray(make_sqlite(tmp_path, page_size=512)[:512] + b"".join(pages))
    struct.pack_into(">I", content, 28, len(content) // 512)
    return bytes(content)


def test_rows_that_overlap_are_not_read_over_and_over(tmp_path: Path) -> None:
    cell = b"\x83\x00\x01" + bytes(384)  # one row of 384 bytes
    places = [512 - len(cell)] * 40

    found = list(read_blobs(database(tmp_path, page(13, places, cell), *[page(13, places, cell)] * 3)))

    assert len(found) == 40
    assert "are left for rows" in str(found[-1])


def test_pages_that_name_each_other_end(tmp_path: Path) -> None:
    children = [508] * 200
    body = struct.pack(">I", 2)

    assert "tree of more than the" in problem(
        database(tmp_path, page(5, children, body, 3), page(5, children, body, 4), page(5, [], b"", 2))
    )
    assert "was read before" in problem(database(tmp_path, page(5, [], b"", 2)))


def test_a_deep_tree_is_no_recursion(tmp_path: Path) -> None:
    deep = [page(5, [], b"", number) for number in range(3, 5000)]
    leaf = page(13, [505], b"\x04\x01\x03\x00\x0eA\0")

    assert list(read_blobs(database(tmp_path, *deep, leaf))) == [b"A"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\xff" * 20, "row of 18446744073709551615 bytes"),
        (b"\x88\x00\x01", "reaches out of its page"),
        (b"\x87", "number that does not end"),
        (b"\x04\x01\x03\x00\x7fA\0", "value of"),
        (b"\x01\x01\x00", "number that does not end"),
    ],
)
def test_a_broken_row_is_told(tmp_path: Path, body: bytes, expected: str) -> None:
    assert expected in errors(database(tmp_path, page(13, [512 - len(body)], body), bytes(2048)))


# The write-ahead log


def test_an_empty_log_is_usual() -> None:
    assert ANALYZER.paths.matches(LOG)
    assert read(parse, layer_file(LOG, b"")) == ([], "")


def logged(tmp_path: Path) -> bytes:
    """The log of a database that is still being written."""
    make_sqlite(tmp_path, b"first")
    connection = sqlite3.connect(tmp_path / "rpmdb.sqlite", isolation_level=None)
    connection.execute("INSERT INTO Packages (blob) VALUES (x'00')")
    content = (tmp_path / "rpmdb.sqlite-wal").read_bytes()
    connection.close()
    return content


def test_a_log_with_changes_is_a_gap(tmp_path: Path) -> None:
    content = logged(tmp_path)

    assert has_frames(content)
    assert read(parse, layer_file(LOG, content)) == ([], "changes to the rpm database that were not written into it")


def test_a_log_without_frames_of_its_own_round_is_empty(tmp_path: Path) -> None:
    content = logged(tmp_path)

    assert not has_frames(content[:32])
    assert not has_frames(content[:16] + b"\0" * 8 + content[24:])
    assert not has_frames(b"\0" * 4 + content[4:])

"""What a hostile rpm database may cost."""

import struct
import time

import pytest

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers import _rpm_bdb
from pratique.inventory.analyzers._rpm_files import FileBudget, installed_files
from pratique.inventory.analyzers._rpm_header import parse_header
from pratique.inventory.analyzers.rpm import parse
from pratique.inventory.package import PackageDetails
from tests.support.layer_results import read
from tests.support.rpm_databases import make_header, make_ndb

SECONDS = 10.0  # generous: each takes under two here, and would take minutes or gigabytes if it were not bounded
NAME = [(1000, 6, 1, b"a\0"), (1001, 6, 1, b"1\0"), (1002, 6, 1, b"1\0")]


def with_files(count: int, directory: bytes) -> bytes:
    return make_header(*NAME, (1116, 4, count, bytes(4 * count)), (1117, 8, count, b"\0" * count), (1118, 8, 1, directory + b"\0"))


def answer(path: str, content: bytes) -> tuple[int, int, str]:
    """Packages, file lists and the problem, in good time."""
    started = time.process_time()
    facts, problem = read(parse, LayerFile(path=path, content=content))
    assert time.process_time() - started < SECONDS
    details = sum(isinstance(fact, PackageDetails) for fact in facts)
    return len(facts) - details, details, problem


def test_a_long_directory_cannot_be_multiplied() -> None:
    found = answer("var/lib/rpm/Packages.db", make_ndb(with_files(100_000, b"/" + b"x" * 100_000), *[make_header(*NAME)] * 3))

    assert found == (4, 0, "1 broken packages, the first: more than 500000 files or 67108864 characters of paths in one database")


def test_packages_are_still_read_when_there_are_too_many_files() -> None:
    packages, details, problem = answer("var/lib/rpm/Packages.db", make_ndb(*[with_files(90_000, b"/x")] * 7))

    assert (packages, details) == (7, 5)
    assert problem.startswith("1 broken packages, the first: more than 500000 files")


def test_a_package_cannot_promise_more_files_than_it_has_bytes() -> None:
    header = make_header(*NAME, (1116, 4, 0xFFFFF, b""), (1117, 8, 0xFFFFF, b"\0"))

    assert "broken" in answer("var/lib/rpm/Packages.db", make_ndb(header))[2]


def test_the_budget_counts_before_it_makes() -> None:
    budget = FileBudget(files=10)
    header = parse_header(with_files(11, b"/x"))

    with pytest.raises(Exception, match="more than 500000 files"):
        installed_files(header, budget)
    assert budget.is_used_up


def test_more_packages_than_any_system_has_are_not_read() -> None:
    slots = b"".join(struct.pack("<4s3I", b"Slot", number, 2**20, 3) for number in range(400_000))
    pages = -(-(len(slots) + 32) // 4096)
    content = struct.pack("<4s7I", b"RpmP", 0, 1, pages, 0, 0, 0, 0) + slots.ljust(pages * 4096 - 32, b"\0")

    assert answer("var/lib/rpm/Packages.db", content) == (0, 0, "more than 200000 packages or 1000 broken ones")


def test_a_bucket_of_counters_ends() -> None:
    """The one entry that is no package costs nothing once; each further one is broken."""
    page_size, pages = 65536, 200
    items = 10_000
    body = struct.pack(f"<{items}H", *range(page_size - 3, page_size - 3 - items, -1))
    meta = struct.pack("<8x4I4B2I", 0, 0x061561, 9, page_size, 0, 8, 0, 0, 0, pages).ljust(page_size, b"\0")
    hashes = [
        struct.pack("<8x3I2H2B", number, 0, 0, items, 0, 0, 13) + body + b"\1" * (page_size - 26 - 2 * items)
        for number in range(1, pages + 1)
    ]

    assert answer("var/lib/rpm/Packages", meta + b"".join(hashes)) == (0, 0, "more than 200000 packages or 1000 broken ones")


def test_pages_are_read_once_however_many_values_point_to_them() -> None:
    page_size = 65536
    meta = struct.pack("<8x4I4B2I", 0, 0x061561, 9, page_size, 0, 8, 0, 0, 0, 2).ljust(page_size, b"\0")
    pair = struct.pack("<BxxxII", 3, 2, page_size - 26) + b"\1key\1"
    count = 600
    offsets = [page_size - 5 - 17 * (index // 2) - 12 * (index % 2) for index in range(count)]
    bucket = struct.pack("<8x3I2H2B", 1, 0, 0, count, 0, 0, 13) + struct.pack(f"<{count}H", *offsets)
    value = struct.pack("<8x3I2H2B", 2, 0, 0, 1, page_size - 26, 0, 7).ljust(page_size, b"\0")

    found = list(_rpm_bdb.read_blobs(meta + bucket.ljust(page_size - 17 * (count // 2), b"\0") + pair * (count // 2) + value))

    assert [isinstance(blob, bytes) for blob in found] == [True] + [False] * (count // 2 - 1)

"""rpm databases, in each of the three forms."""

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers import _rpm_bdb, _rpm_ndb
from pratique.inventory.analyzers.rpm import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import ASSETS, layer_file, packages, read
from tests.support.rpm_databases import make_bdb, make_header, make_ndb, make_sqlite
from tests.support.rpm_headers import NDB, bash, facts, listed, string

BDB = "var/lib/rpm/Packages"
SQLITE = "usr/share/rpm/rpmdb.sqlite"
PATHS = (BDB, NDB, SQLITE)
REAL_BDB = (ASSETS / "rpm" / "Packages").read_bytes()
REAL_NDB = (ASSETS / "rpm" / "Packages.db").read_bytes()
HEADERS = [blob for blob in _rpm_ndb.read_blobs(REAL_NDB) if isinstance(blob, bytes)]

# Real databases


def test_a_berkeley_database_gives_packages_and_files() -> None:
    found, problem = read(parse, layer_file(BDB, REAL_BDB))

    assert problem == ""
    assert (
        Package(
            type="rpm",
            name="testpkg2",
            version="2:1.2-2.el9",
            architecture="noarch",
            qualifiers={"upstream": "testpkg2-1.2-2.el9.src.rpm"},
            vendor="Feas",
            licenses=("MIT",),
        )
        in found
    )
    details = {fact.name: fact for fact in found if isinstance(fact, PackageDetails)}
    assert {name: len(fact.files) for name, fact in details.items()} == {"testpkg1": 60, "testpkg2": 240, "testpkg3": 540}
    assert (details["testpkg2"].version, details["testpkg2"].architecture) == ("2:1.2-2.el9", "noarch")
    assert details["testpkg1"].files[0] == (
        "opt/t1/file-with-a-long-name-1.txt",
        "sha256:4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865",
    )


def test_the_three_forms_say_the_same(tmp_path: Path) -> None:
    contents = {BDB: REAL_BDB, NDB: REAL_NDB, SQLITE: make_sqlite(tmp_path, *HEADERS)}
    answers = [sorted(map(repr, parse(layer_file(path, content)))) for path, content in contents.items()]

    assert len(answers[0]) == 6
    assert answers[0] == answers[1] == answers[2]


def test_rpm_is_found_where_rpm_keeps_it() -> None:
    assert all(
        ANALYZER.paths.matches(f"{folder}/{name}")
        for folder in ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")
        for name in ("Packages", "Packages.db", "rpmdb.sqlite")
    )
    assert not ANALYZER.paths.matches("var/lib/rpm/Name")
    assert not ANALYZER.paths.matches("usr/lib/sysimage/rpm-ostree-base-db/rpmdb.sqlite")


# Damage


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\0" * 7,
        struct.pack(">II", 0, 0),
        struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF),
        bash()[:-1],
        bash() + b"\0",
        make_header(string(1001, "1"), string(1002, "1")),
        make_header(string(1000, "a"), string(1002, "1")),
        make_header(string(1000, "a"), string(1001, "1")),
        bash(string(1000, "a b")),
        bash(string(1000, "a\xff")),
        bash(string(1001, "1:2")),
        bash(string(1022, "x" * 600)),
        bash((1003, 6, 1, b"1\0")),
        bash((1003, 4, 1, b"\0")),
        bash((1000, 4, 1, b"\0\0\0\0")),
        bash((1000, 6, 1, b"endless")),
        bash((1000, 6, 0, b"a\0")),
        bash((1117, 8, 0xFFFFFFFF, b"a\0")),
        bash((1117, 8, 0xFFFFF, b"a\0")),
        bash((1117, 8, 1, b"")),
    ],
)
def test_a_broken_header_costs_one_package(header: bytes) -> None:
    found, problem = facts(header, bash(string(1022, "x86_64")))

    assert isinstance(found[-1], Package)
    assert found[-1].architecture == "x86_64"
    assert problem.startswith("1 broken packages, the first: ")


NONE_OF_THEM = [
    (BDB, b"", "got 0 bytes"),
    (BDB, b"\0" * 512, "got 00000000 for its mark"),
    (BDB, REAL_NDB, "for its mark"),
    (BDB, b"\0" * 12 + struct.pack("<I", 0x053162) + b"\0" * 500, "hash"),
    (BDB, REAL_BDB[:20] + b"\x01" + REAL_BDB[21:], "page size 4097"),
    (BDB, REAL_BDB[:24] + b"\x01" + REAL_BDB[25:], "encryption 1"),
    (BDB, REAL_BDB[:16] + b"\x63" + REAL_BDB[17:], "version 99"),
    (NDB, b"RpmP", "got 4 bytes"),
    (NDB, b"\0" * 4096, "got b'"),
    (NDB, REAL_BDB, "got b'"),
    (NDB, REAL_NDB[:4] + b"\x01" + REAL_NDB[5:], "version 1"),
    (NDB, REAL_NDB[:12] + b"\xff\xff\xff\xff" + REAL_NDB[16:], "truncated"),
    (NDB, REAL_NDB[:12] + b"\0\0\0\0" + REAL_NDB[16:], "truncated"),
    (NDB, REAL_NDB[:-1], "truncated"),
    (SQLITE, b"", "expected an SQLite database"),
    (SQLITE, b"SQLite format 3\0", "expected an SQLite database"),
    (SQLITE, b"SQLite format 3\0" + b"\0" * 100, "page size 0"),
    (SQLITE, REAL_NDB, "expected an SQLite database"),
]


@pytest.mark.parametrize(("path", "content", "expected"), NONE_OF_THEM)
def test_another_kind_of_file_never_looks_empty(path: str, content: bytes, expected: str) -> None:
    found, problem = packages(parse, layer_file(path, content))

    assert found == []
    assert expected in problem


def test_an_empty_ndb_file_is_what_rpm_makes_first() -> None:
    assert facts_of(NDB, b"") == ([], "")


def facts_of(path: str, content: bytes) -> tuple[list[str], str]:
    return packages(parse, layer_file(path, content))


@pytest.mark.parametrize(("path", "content"), [(BDB, REAL_BDB[:100_000]), (NDB, REAL_NDB[:100_000])])
def test_what_is_whole_in_a_truncated_database_is_read(path: str, content: bytes) -> None:
    found, problem = facts_of(path, content)

    assert 0 < len(found) < 3
    assert problem


def test_what_is_whole_in_a_truncated_sqlite_database_is_read(tmp_path: Path) -> None:
    content = make_sqlite(tmp_path, *[listed()] * 200)
    found, problem = facts_of(SQLITE, content[: len(content) // 2])

    assert 20 < len(found) < 180
    assert "truncated" in problem


# Berkeley DB


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("page_size", [512, 4096, 32768])
def test_both_byte_orders_and_values_inside_and_outside_of_the_page_are_read(order: str, page_size: int) -> None:
    headers = [bash(), *HEADERS, bash(string(1022, "x86_64"), string(1014, "x" * 300))]

    assert list(_rpm_bdb.read_blobs(make_bdb(*headers, order=order, page_size=page_size))) == headers


def test_a_value_that_runs_in_a_circle_is_broken() -> None:
    content = bytearray(make_bdb(HEADERS[0]))
    content[3 * 512 + 16 : 3 * 512 + 20] = struct.pack("<I", 2)

    found, problem = facts_of(BDB, bytes(content))

    assert found == []
    assert problem.startswith("1 broken packages, the first: page 2 of ")


def test_two_packages_cannot_share_a_value() -> None:
    content = bytearray(make_bdb(HEADERS[0], HEADERS[0]))
    second = bytes(content).index(struct.pack("<BxxxII", 3, 2, len(HEADERS[0])))
    other = bytes(content).index(b"\x03\0\0\0", 512)
    content[other : other + 12] = content[second : second + 12]

    found, problem = facts_of(BDB, bytes(content))

    assert len(found) == 1
    assert "was read before" in problem


def patched_bdb(offset: int, layout: str, value: int) -> bytes:
    content = bytearray(make_bdb(bash(), HEADERS[0]))
    struct.pack_into(layout, content, offset, value)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (patched_bdb(512 + 8, "<I", 7), "says that it is page 7"),
        (patched_bdb(512 + 20, "<H", 5), "got 5 items"),
        (patched_bdb(512 + 20, "<H", 60_000), "got 60000 items"),
        (patched_bdb(512 + 26, "<H", 10), "has an item from"),
        (patched_bdb(512 + 28, "<H", 65_535), "has an item from"),
        (patched_bdb(1024 + 25, "<B", 13), "broken packages"),
        (patched_bdb(1024 + 25, "<B", 9), "to hold the rest of a value"),
        (patched_bdb(1024 + 22, "<H", 60_000), "to hold the rest of a value"),
        (patched_bdb(32, "<I", 0xFFFFFFFF), "truncated"),
    ],
)
def test_a_damaged_berkeley_database_is_told(content: bytes, expected: str) -> None:
    assert expected in facts_of(BDB, content)[1]


# ndb


def test_a_blob_belongs_to_one_slot() -> None:
    content = bytearray(make_ndb(*HEADERS[:1], HEADERS[0]))
    for slot in range(3, 256):
        content[slot * 16 : slot * 16 + 16] = content[32:48]

    found, problem = facts_of(NDB, bytes(content))

    assert len(found) <= 2
    assert "are left for packages" in problem


@pytest.mark.parametrize(
    ("offset", "value", "expected"),
    [
        (32, b"Slop", "expected a slot, got b'Slop'"),
        (36, b"\x09", "expected package 9"),
        (40, b"\xff\xff\xff", "bytes at"),
        (44, b"\x01\0\0\0", "in 16 bytes at"),
        (4096, b"BlbX", "got b'BlbX'"),
        (4108, b"\x01\0\0\0", "package 1 of 1 bytes does not end in its"),
        (4108, b"\xff\xff\xff\xff", "does not end in its"),
    ],
)
def test_a_damaged_ndb_database_is_told(offset: int, value: bytes, expected: str) -> None:
    content = bytearray(make_ndb(bash(), HEADERS[0]))
    content[offset : offset + len(value)] = value

    assert expected in facts_of(NDB, bytes(content))[1]


# Arbitrary bytes


@settings(deadline=None)
@given(path=st.sampled_from(PATHS), content=st.binary(max_size=2048))
def test_arbitrary_bytes_are_an_input_error(path: str, content: bytes) -> None:
    only_facts(path, content)


@settings(deadline=None)
@given(header=st.binary(max_size=300), tags=st.integers(0, 20))
def test_arbitrary_headers_are_an_input_error(header: bytes, tags: int) -> None:
    only_facts(NDB, make_ndb(struct.pack(">II", tags, max(len(header) - 16 * tags, 0)) + header))


changes = st.lists(st.tuples(st.integers(0, 2**18), st.binary(min_size=1, max_size=8)), max_size=12)


@settings(max_examples=150, deadline=None)
@given(changes=changes, where=st.sampled_from([1, 64, 4096]), kind=st.sampled_from(["bdb", "ndb", "small"]))
def test_mutated_databases_are_facts_or_an_input_error(changes: list[tuple[int, bytes]], where: int, kind: str) -> None:
    path, original = {"bdb": (BDB, REAL_BDB), "ndb": (NDB, REAL_NDB), "small": (BDB, make_bdb(listed(), bash(), order=">"))}[kind]
    content = bytearray(original)
    for offset, value in changes:
        start = offset % max(len(content) // where, 1)  # small ones hit the structures at the beginning
        content[start : start + len(value)] = value
    only_facts(path, bytes(content))


@pytest.fixture(scope="session")
def small_sqlite(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_sqlite(tmp_path_factory.mktemp("rpm"), *[listed()] * 40, HEADERS[0], page_size=512)


@settings(max_examples=150, deadline=None)
@given(changes=changes, where=st.sampled_from([1, 16]))
def test_mutated_sqlite_databases_are_facts_or_an_input_error(small_sqlite: bytes, changes: list[tuple[int, bytes]], where: int) -> None:
    content = bytearray(small_sqlite)
    for offset, value in changes:
        start = 16 + offset % max(len(content) // where, 1)
        content[start : start + len(value)] = value
    only_facts(SQLITE, bytes(content))


def only_facts(path: str, content: bytes) -> None:
    found, _ = read(parse, LayerFile(path=path, content=content))

    assert all(isinstance(fact, (Package, PackageDetails)) for fact in found)
    assert all(fact.purl for fact in found if isinstance(fact, Package))

from __future__ import annotations

import gzip
import hashlib
import tarfile
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import DigestMismatch, InputError, LimitExceeded
from pratique.inventory.analyzer import Analyzer, Fact, LayerFile, PathPattern
from pratique.inventory.analyzers._every import ANALYZERS as REAL_ANALYZERS
from pratique.inventory.layer_contents import has_digest
from pratique.inventory.layer_links import resolve
from pratique.inventory.layer_pass import PassPlan, SecondLook, look_at_layer
from pratique.inventory.layer_paths import split_paths
from pratique.inventory.layer_result import Executable, LayerResult
from pratique.inventory.limits import LayerLimits
from pratique.inventory.package import Package
from pratique.inventory.path_index import PathIndex
from tests.support.hostile_layers import GAPS, HARMLESS, REFUSED
from tests.support.layer_analyzers import ANALYZERS, LINES, parse_lines
from tests.support.layer_blobs import COMPRESSIONS, Entry, cut, describe, make_tar

STATUS = "var/lib/db/status"
SYMLINK, HARD_LINK, DIRECTORY = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


def plan_of(limits: LayerLimits | None = None, analyzers: Iterable[Analyzer] = ANALYZERS, *, compares_contents: bool = False) -> PassPlan:
    return PassPlan(analyzers=tuple(analyzers), limits=limits or LayerLimits(), compares_contents=compares_contents)


def scan(
    tar: bytes, limits: LayerLimits | None = None, analyzers: Iterable[Analyzer] = ANALYZERS, *, compares_contents: bool = False
) -> LayerResult:
    """Look once, and a second time where the first look asks for it, as a pool does."""
    layer, plan = describe(tar), plan_of(limits, analyzers, compares_contents=compares_contents)
    found = look_at_layer(layer, cut(tar), plan)
    if isinstance(found, SecondLook):
        found = look_at_layer(layer, cut(tar), plan, second_look=found.paths)
    assert isinstance(found, LayerResult)
    return LayerResult.decode(found.encode())


def look_once(tar: bytes) -> LayerResult:
    """Look with nothing more to come: what a second look would find is a gap."""
    found = look_at_layer(describe(tar), cut(tar), plan_of(), second_look=())
    assert isinstance(found, LayerResult)
    return found


def names(result: LayerResult) -> dict[str, list[str]]:
    return {file.path: [package.name for package in file.packages] for file in result.files}


def reasons(result: LayerResult) -> list[str]:
    return [gap.reason for gap in result.gaps]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_layer_becomes_files_whiteouts_counts_and_hashes(compression: str) -> None:
    tar = make_tar(
        [
            Entry("var/lib/db", kind=DIRECTORY),
            Entry(STATUS, b"one\ntwo\n"),
            Entry("opt/x.lines", b"three\n"),
            Entry("opt/unwanted", b"x" * 5000),
            Entry("opt/.wh.gone"),
            Entry(".wh.top"),
            Entry("srv/.wh..wh..opq"),
            Entry(".wh..wh..opq"),
            Entry(".wh..wh.plnk/1.2"),
            Entry("refused/LINES", b"no\n"),
        ]
    )
    blob = COMPRESSIONS[compression](tar)
    result = look_at_layer(describe(blob, tar), cut(blob), plan_of())
    assert isinstance(result, LayerResult)
    assert names(result) == {STATUS: ["one", "two"], "opt/x.lines": ["three"]}
    assert {file.analyzer for file in result.files} == {"lines"}
    assert result.whiteouts == ("opt/gone", "top")
    assert result.opaque == ("srv", "")
    assert (result.bytes_compressed, result.bytes_uncompressed, result.entries) == (len(blob), len(tar), 10)
    assert result.gaps == ()
    assert split_paths(result.regular) == [STATUS, "opt/x.lines", "opt/unwanted", ".wh..wh.plnk/1.2", "refused/LINES"]
    assert split_paths(result.directories) == ["var/lib/db"]


def test_nothing_is_answered_for_bytes_that_were_not_promised() -> None:
    tar = make_tar([Entry(STATUS, b"one\n")])
    with pytest.raises(DigestMismatch):
        look_at_layer(describe(tar, b""), cut(tar), plan_of())


def test_the_last_entry_of_a_path_wins() -> None:
    tar = make_tar(
        [Entry(STATUS, b"old\n!\n"), Entry("etc/release", b"gone\n"), Entry(STATUS, b"new\n"), Entry("etc/release", kind=DIRECTORY)]
    )
    result = scan(tar)
    assert names(result) == {STATUS: ["new"]}
    assert result.gaps == ()


def test_what_was_read_before_a_parser_gave_up_counts() -> None:
    result = scan(make_tar([Entry(STATUS, b"one\n!\ntwo\n"), Entry("x.list", b"three\n?\n")]))
    assert names(result) == {STATUS: ["one"], "x.list": ["three"]}
    assert [(gap.name, gap.version, gap.status, gap.reason) for gap in result.gaps] == [
        ("lines", "3", "partial", f"{STATUS}: expected a name, got '!'"),
        ("lines", "3", "partial", "x.list: internal error KeyError"),
    ]


@pytest.mark.parametrize("name", ["", "/", "\ud800"])
def test_a_fact_that_cannot_be_stored_or_named_costs_one_file(name: str) -> None:
    def parse(_file: LayerFile) -> Iterator[Fact]:
        yield Package(type="npm", name="good", version="1")
        yield Package(type="npm", name=name, version="1")

    broken = Analyzer(name="broken", version=1, paths=PathPattern(names=frozenset({"x"})), parse=parse)
    result = scan(make_tar([Entry("x"), Entry("LINES", b"one\n")]), analyzers=[broken, LINES])
    assert names(result) == {"x": ["good"], "LINES": ["one"]}
    assert [reason.partition("Error")[0] for reason in reasons(result)] in (
        ["x: internal error Value"],
        ["x: internal error UnicodeEncode"],
    )


def test_a_pattern_that_fails_costs_one_file() -> None:
    broken = Analyzer(
        name="broken", version=1, paths=PathPattern(names=frozenset({"x"}), accept=lambda path: len(path) < 1 / 0), parse=parse_lines
    )
    result = scan(make_tar([Entry("x"), Entry("LINES", b"one\n")]), analyzers=[broken, LINES])
    assert names(result) == {"LINES": ["one"]}
    assert reasons(result) == ["x: internal error ZeroDivisionError in an analyzer's path pattern"]


@pytest.mark.parametrize("first", ["LINES", "elsewhere"])
@pytest.mark.parametrize("filler", [0, 1_000_000])
def test_a_hard_link_at_a_wanted_path_is_read(first: str, filler: int) -> None:
    tar = make_tar([Entry(first, b"one\n"), Entry("filler", bytes(filler)), Entry(STATUS, kind=HARD_LINK, target=first)])
    result = scan(tar)
    assert names(result)[STATUS] == ["one"]
    assert result.gaps == ()


def test_a_second_look_is_asked_for_only_what_a_link_needs() -> None:
    tar = make_tar([Entry("far/away", b"one\n"), Entry(STATUS, kind=HARD_LINK, target="far/away")])
    assert look_at_layer(describe(tar), cut(tar), plan_of()) == SecondLook(paths=frozenset({"far/away"}))


def test_without_a_second_look_a_link_is_a_gap() -> None:
    tar = make_tar([Entry("far/away", b"one\n"), Entry(STATUS, kind=HARD_LINK, target="far/away")])
    result = look_once(tar)
    assert reasons(result) == [f"{STATUS}: links to far/away, which could not be kept"]


@pytest.mark.parametrize(
    "links",
    [
        {STATUS: "real"},
        {STATUS: "../../../far/real"},
        {STATUS: "/far/real"},
        {STATUS: "/../../far/real"},
        {STATUS: "/a", "a": "b/real", "b": "far"},
        {"var/lib/db": "../../far", "far/status": "real"},
        {"var": "/far/var", "far/var/lib": "../x", "far/x/db": "..", "far/x/status": "../real", "far/status": "real"},
    ],
)
def test_a_symbolic_link_to_a_file_of_the_layer_is_read(links: dict[str, str]) -> None:
    files = (
        [Entry("far/real", b"one\n"), Entry("var/lib/db/real", b"one\n")] if links == {STATUS: "real"} else [Entry("far/real", b"one\n")]
    )
    tar = make_tar([*(Entry(path, kind=SYMLINK, target=target) for path, target in links.items()), *files])
    result = scan(tar)
    assert names(result) == {STATUS: ["one"]}
    assert result.gaps == ()


def test_a_link_to_another_wanted_path_is_no_gap() -> None:
    tar = make_tar([Entry("etc/release", kind=SYMLINK, target="../usr/lib/release"), Entry("usr/lib/release", b"one\n")])
    assert names(scan(tar)) == {"usr/lib/release": ["one"]}
    assert scan(tar).gaps == ()
    assert scan(make_tar([Entry("etc/release", kind=SYMLINK, target="../usr/lib/release")])).gaps == ()


def test_a_small_neighbour_of_a_wanted_path_needs_no_second_look() -> None:
    tar = make_tar([Entry("etc/os-name", b"one\n"), Entry("etc/release", kind=SYMLINK, target="os-name")])
    assert names(look_once(tar)) == {"etc/release": ["one"]}


def test_a_linked_directory_that_holds_nothing_wanted_is_no_gap() -> None:
    assert scan(make_tar([Entry("var/lib/db", kind=SYMLINK, target="/nowhere")])).gaps == ()


def test_links_are_resolved_as_a_kernel_does() -> None:
    assert resolve(b"a/b", {b"a": b"c", b"c": b"/d/e", b"d/e/b": b"../../../../f"}) == b"f"
    assert resolve(b"a", {b"a": b"b", b"b": b"a"}) is None
    assert resolve(b"a", {b"a": b"/" + b"x/" * 3000}) is None
    assert resolve(b"plain/path", {}) == b"plain/path"


@pytest.mark.parametrize("kind", REFUSED)
def test_a_hostile_layer_is_refused(kind: str) -> None:
    blob = REFUSED[kind]()
    with pytest.raises(InputError):
        look_at_layer(describe(blob), cut(blob), plan_of())


@pytest.mark.parametrize("kind", GAPS)
def test_a_hostile_layer_is_read_with_a_gap(kind: str) -> None:
    result = scan(GAPS[kind]())
    assert len(result.gaps) == 1, reasons(result)


@pytest.mark.parametrize("kind", HARMLESS)
def test_an_odd_layer_is_read_whole(kind: str) -> None:
    result = scan(HARMLESS[kind]())
    assert result.gaps == ()


def test_databases_of_random_bytes_end_in_gaps_of_the_real_analyzers() -> None:
    paths = ["var/lib/dpkg/status", "lib/apk/db/installed", "usr/lib/os-release", "x/package.json", "x.dist-info/METADATA"]
    result = scan(make_tar([Entry(path, bytes(range(256)) * 40) for path in paths]), analyzers=REAL_ANALYZERS)
    assert not any(package for file in result.files for package in file.packages)
    assert {gap.reason.partition(":")[0] for gap in result.gaps} >= {"var/lib/dpkg/status", "lib/apk/db/installed", "x/package.json"}


def test_names_that_are_not_utf8_can_be_stored_and_shown() -> None:
    tar = make_tar([Entry("caf\udce9/LINES", b"one\n"), Entry("\udcff/.wh.\udcfe")], tarfile.GNU_FORMAT)
    result = scan(tar)
    assert names(result) == {"caf\\xe9/LINES": ["one"]}
    assert result.whiteouts == ("\\xff/\\xfe",)


@pytest.mark.parametrize(
    ("limits", "entries"),
    [
        (LayerLimits(name_bytes=1000), [Entry(f".wh.{number}") for number in range(100)]),
        (LayerLimits(name_bytes=1000), [Entry(f"{number}/LINES", kind=HARD_LINK, target="x") for number in range(100)]),
        (LayerLimits(path_bytes=1000), [Entry(f"directory/{number}") for number in range(100)]),
        (LayerLimits(result_bytes=1000), [Entry(f"{number}/LINES", b"a\n") for number in range(100)]),
    ],
)
def test_what_is_held_is_bounded(limits: LayerLimits, entries: list[Entry]) -> None:
    with pytest.raises(LimitExceeded):
        scan(make_tar(entries), limits)


def test_facts_and_gaps_are_bounded() -> None:
    result = scan(make_tar([Entry("LINES", b"a\n" * 100)]), LayerLimits(facts=10))
    assert names(result) == {"LINES": ["a"] * 10}
    assert reasons(result) == ["LINES: more than 10 packages in one file"]
    result = scan(make_tar([Entry(f"{number}/LINES", b"!") for number in range(100)]), LayerLimits(gaps=10))
    assert len(result.gaps) == 11
    assert reasons(result)[-1] == "90 more gaps"


def test_too_many_symbolic_links_leave_a_gap_at_a_wanted_one() -> None:
    links = [Entry(f"link{number}", kind=SYMLINK, target="target") for number in range(100)]
    result = scan(make_tar([*links, Entry(STATUS, kind=SYMLINK, target="/x"), Entry("x", b"one\n")]), LayerLimits(symlink_bytes=500))
    assert reasons(result) == [f"{STATUS}: a link in a layer with too many symbolic links to resolve it"]


def test_kept_bodies_are_bounded() -> None:
    tar = make_tar([Entry("far/away", b"one\n" * 100), Entry(STATUS, kind=HARD_LINK, target="far/away")])
    assert reasons(scan(tar, LayerLimits(kept_bytes=100))) == [f"{STATUS}: links to far/away, which could not be kept"]


def test_a_chunk_source_that_fails_fails_the_scan() -> None:
    blob = gzip.compress(make_tar([Entry("a", b"x" * 100_000)]))

    def broken() -> Iterable[bytes]:
        yield blob[:50]
        raise ConnectionError("reset by peer")

    with pytest.raises(ConnectionError, match="reset by peer"):
        look_at_layer(describe(blob), broken(), plan_of())


ELF = b"\x7fELF" + bytes(12)


def parse_size(file: LayerFile) -> Iterator[Fact]:
    yield Package(type="generic", name=f"{len(file.content)}-of-{file.size}", version=f"{file.mode:o}")


def by_magic(**limits: int) -> Analyzer:
    return Analyzer(name="by-magic", version=1, paths=PathPattern(magics=(b"\x7fELF",)), parse=parse_size, **limits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "filler", [0, 1024 * 1024 - 1024 - 512]
)  # the second puts the header at the end of a block, and the body into the next
def test_an_analyzer_may_want_files_by_how_they_begin(filler: int) -> None:
    tar = make_tar([Entry("filler", bytes(filler)), Entry("bin/x", ELF + bytes(600)), Entry("bin/y", b"#!/bin/sh\n")])
    result = scan(tar, analyzers=[by_magic()])
    assert names(result) == {"bin/x": ["616-of-616"]}
    assert result.gaps == ()


def test_a_large_file_is_a_gap_or_gives_its_head() -> None:
    tar = make_tar([Entry("x", ELF + bytes(600))])
    assert reasons(scan(tar, analyzers=[by_magic(max_bytes=100)])) == ["x: file of 616 bytes; the limit is 100"]
    whole = Analyzer(name="whole", version=1, paths=PathPattern(names=frozenset({"x"})), parse=parse_size)
    assert names(scan(tar, analyzers=[by_magic(max_bytes=100, head_bytes=50)])) == {"x": ["50-of-616"]}
    result = scan(tar, analyzers=[by_magic(max_bytes=100, head_bytes=50), whole])
    assert sorted(package.name for file in result.files for package in file.packages) == ["50-of-616", "616-of-616"]


def test_what_can_run_is_listed() -> None:
    tar = make_tar(
        [
            Entry("bin/elf", ELF),
            Entry("lib/x.so", ELF),
            Entry("bin/script", b"#! /usr/bin/env python3 -u\n", mode=0o755),
            Entry("doc/script", b"#!/bin/sh\n"),
            Entry("x.dll", b"MZ\x90"),
            Entry("MZ.txt", b"MZ is not always DOS"),
            Entry("bin/replaced", ELF),
            Entry("bin/replaced", b"text"),
            Entry("bin/link", kind=HARD_LINK, target="bin/elf"),
        ]
    )
    assert scan(tar).executables == (
        Executable(path="bin/elf", size=16),
        Executable(path="lib/x.so", size=16),
        Executable(path="bin/script", size=27, interpreter="/usr/bin/env"),
        Executable(path="x.dll", size=3),
        Executable(path="bin/link", size=16),
    )
    result = scan(tar, LayerLimits(executables=2))
    assert len(result.executables) == 3  # the hard link is one of the two
    assert reasons(result) == ["more than 2 executable files: the rest is not listed"]


def test_contents_are_hashed_in_the_order_of_the_files() -> None:
    large = bytes(range(256)) * 10_000
    tar = make_tar([Entry("a", b"one"), Entry(".wh.b", b"body"), Entry("c"), Entry("d", large), Entry("e", kind=HARD_LINK, target="a")])
    result = scan(tar, compares_contents=True)
    records = [result.contents[start : start + 68] for start in range(0, len(result.contents), 68)]
    assert split_paths(result.regular) == ["a", "c", "d", "e"]
    for record, content in zip(records, [b"one", b"", large], strict=False):
        for name in ("md5", "sha1", "sha256"):
            assert has_digest(record, f"{name}:{hashlib.new(name, content).hexdigest().upper()}") is True
            assert has_digest(record, f"{name}:{hashlib.new(name, b'other').hexdigest()}") is False
    assert len(records) == 4
    assert has_digest(records[3], "md5:00") is None
    assert has_digest(records[0], "sha512:00") is None
    assert scan(tar).contents == b""


PART = st.sampled_from(["a", "b", "LINES", "status", "x.list", ".list", "etc"])
PATHS = st.lists(PART, min_size=1, max_size=3).map("/".join)
SUFFIXES = st.lists(st.sampled_from(["", ".list", "t", "LINES"]), max_size=2).map(tuple)
ACCEPT: st.SearchStrategy[Callable[[str], bool] | None] = st.sampled_from([None, lambda path: len(path) % 2 == 0])
PATTERNS = st.builds(
    PathPattern,
    paths=st.frozensets(PATHS),
    names=st.frozensets(PART),
    directories=st.frozensets(PATHS | st.just("")),
    suffixes=SUFFIXES,
    magics=st.lists(st.sampled_from([b"\x7fELF", b"MZ", b"M"]), max_size=2).map(tuple),
    accept=ACCEPT,
)


@given(st.lists(PATTERNS, max_size=4), PATHS, st.sampled_from([b"", b"M", b"MZ\x90\0", b"\x7fELF\x02", b"text"]))
def test_the_index_answers_as_the_patterns_do(patterns: list[PathPattern], path: str, head: bytes) -> None:
    analyzers = [Analyzer(name=str(number), version=1, paths=pattern, parse=parse_lines) for number, pattern in enumerate(patterns)]
    index = PathIndex(analyzers)
    expected = tuple(analyzer for analyzer in analyzers if analyzer.paths.matches(path, head))
    assert index.wanting(path, head) == expected
    directory, _, name = path.encode().rpartition(b"/")
    assert index.is_candidate(path.encode(), directory, name) or index.is_magic(head) or not expected
    assert set(expected) <= {*index.wanting(path), *index.with_magics(path)}

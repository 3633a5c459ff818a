"""Ranges with bounds that are no versions: packages that they may hold are a gap of coverage, and neither affected nor clean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pratique.advisories.advisory import Affected, Event, EventKind, FixState
from pratique.advisories.compiler import CompileReport, compile_database
from pratique.advisories.database import AdvisoryDatabase, MatchResult
from pratique.advisories.delta import compare_databases
from pratique.advisories.ecosystem_parts import EcosystemPart
from pratique.advisories.gaps import MAX_NAMED, MAX_VERSION_GAPS
from pratique.advisories.matching import INCOMPARABLE, match_singly
from pratique.advisories.ranges import MAX_POINTS
from pratique.advisories.statements import StatementSet, decode_statements, encode_statements, evaluate_statements
from pratique.advisories.versions import sort_key
from pratique.errors import InvalidVersion
from pratique.inventory.coverage import CoverageStatus
from pratique.inventory.package import Package
from tests.support.osv_mirror import make_affected, make_record, write_mirror

UNREADABLE = make_record("GHSA-1", make_affected("npm", "a", {"introduced": "1.0.0"}, {"fixed": "2.0.0-*"}))
REASON = "what GHSA-1 says of pkg:npm/a@1.5.0 cannot be compared: a bound of its is no version"


def npm(name: str, version: str) -> Package:
    return Package(type="npm", name=name, version=version, ecosystem="npm")


def build(folder: Path, *records: dict[str, Any], name: str = "a.db") -> tuple[Path, CompileReport]:
    report = compile_database(write_mirror(folder / f"mirror-{name}", npm=list(records)), folder / name)
    return folder / name, report


def ask(path: Path, *packages: Package) -> MatchResult:
    with AdvisoryDatabase.open(path) as database:
        return database.match_all(packages)


def test_what_a_range_without_readable_bounds_may_hold_is_a_gap_and_not_clean(tmp_path: Path) -> None:
    path, report = build(tmp_path, UNREADABLE)
    result = ask(path, npm("a", "1.5.0"), npm("a", "0.9.0"), npm("b", "1.5.0"))
    assert [len(findings) for findings in result.findings] == [0, 0, 0]
    assert [(gap.name, gap.status, gap.reason) for gap in result.gaps] == [("advisories/pkg:npm/a@1.5.0", CoverageStatus.PARTIAL, REASON)]
    assert [problem.reason for problem in report.problems] == ["1 ranges of a are bounded by what is no version there"]
    assert (report.advisories, report.affected, report.feeds[0].unreadable_ranges) == (1, 1, 1)


def test_the_fleet_is_told_of_it_and_whoever_asks_for_one_package(tmp_path: Path) -> None:
    path, _ = build(tmp_path, UNREADABLE)
    with AdvisoryDatabase.open(path) as database:
        assert [match.gap for match in match_singly(database, [npm("a", "1.5.0"), npm("a", "0.9.0")])] == [INCOMPARABLE, ""]
        with pytest.raises(InvalidVersion, match="GHSA-1"):
            database.match(npm("a", "1.5.0"))


def test_what_can_be_read_of_the_same_record_is_found(tmp_path: Path) -> None:
    readable = make_affected("npm", "a", {"introduced": "1.4.0"}, {"fixed": "1.6.0"})
    path, _ = build(tmp_path, {**UNREADABLE, "affected": [*UNREADABLE["affected"], readable]})
    result = ask(path, npm("a", "1.5.0"), npm("a", "1.7.0"))
    assert [[finding.fixed_in for finding in findings] for findings in result.findings] == [["1.6.0"], []]
    assert [gap.name for gap in result.gaps] == ["advisories/pkg:npm/a@1.7.0"]


def test_what_changes_in_a_range_that_cannot_be_read_is_in_the_delta(tmp_path: Path) -> None:
    old, _ = build(tmp_path, make_record("GHSA-2", make_affected("npm", "b", {"introduced": "0"})))
    new, _ = build(tmp_path, UNREADABLE, make_record("GHSA-2", make_affected("npm", "b", {"introduced": "0"})), name="b.db")
    assert compare_databases(old, new).packages == {("npm", "a")}
    assert compare_databases(new, old).packages == {("npm", "a")}


def test_a_record_of_more_points_than_can_be_read_is_a_gap_for_every_version(tmp_path: Path) -> None:
    path, report = build(tmp_path, make_record("GHSA-1", make_affected("npm", "a", versions=tuple(map(str, range(MAX_POINTS + 1))))))
    assert [gap.reason for gap in ask(path, npm("a", "1.5.0")).gaps] == [REASON]
    assert [problem.reason for problem in report.problems] == [f"more than {MAX_POINTS} events and versions for a"]


def test_a_record_whose_ranges_contradict_themselves_is_named(tmp_path: Path) -> None:
    records = [
        make_record("GHSA-1", make_affected("npm", "a", {"introduced": "3.6.5+1"}, {"fixed": "3.6.5"})),
        make_record("GHSA-2", make_affected("npm", "a")),
    ]
    path, report = build(tmp_path, *records)
    assert [(one.record, one.reason) for one in report.problems] == [("GHSA-1", "no version of a lies in 3.6.5+1 to 3.6.5")]
    assert report.affected == 0
    assert ask(path, npm("a", "3.6.5")).findings == ((),)


def test_of_many_advisories_that_cannot_be_compared_a_few_are_named(tmp_path: Path) -> None:
    path, _ = build(tmp_path, *({**UNREADABLE, "id": f"GHSA-{number}"} for number in range(1, MAX_NAMED + 3)))
    (gap,) = ask(path, npm("a", "1.5.0")).gaps
    assert gap.reason.startswith("what GHSA-1, GHSA-2, GHSA-3, GHSA-4, GHSA-5 and 2 more says")


def test_a_flood_of_packages_that_cannot_be_compared_does_not_flood_the_report(tmp_path: Path) -> None:
    path, _ = build(tmp_path, UNREADABLE)
    gaps = ask(path, *(npm("a", f"1.{number}.0") for number in range(MAX_VERSION_GAPS + 7))).gaps
    assert len(gaps) == MAX_VERSION_GAPS + 1
    assert gaps[-1].reason == "7 more packages have versions that cannot be compared"


def unreadable(**conditions: object) -> Affected:
    events = (Event(kind=EventKind.INTRODUCED, version="0"), Event(kind=EventKind.FIXED, version=""))
    return Affected(ecosystem="AlmaLinux:9", name="nodejs", ranges=(events,), **conditions)  # type: ignore[arg-type] # of tests


def test_a_range_that_cannot_be_read_leaves_those_in_no_doubt_whom_it_is_not_about() -> None:
    package = Package(type="rpm", name="nodejs", version="1:18-1", architecture="x86_64", ecosystem="AlmaLinux:9")
    for entry, is_doubtful in (
        (unreadable(), True),
        (unreadable(architectures=("s390x",)), False),
        (unreadable(module="nodejs:18"), False),
        (unreadable(state=FixState.NOT_AFFECTED), False),
    ):
        statements, count = evaluate_statements([entry])
        assert count == 1
        assert tuple(decode_statements(encode_statements(statements))) == statements
        said = StatementSet.of("AlmaLinux:9", statements)
        assert said.doubts_about(package, sort_key("AlmaLinux:9", "1:18-1")) is is_doubtful
        assert said.holding(package, sort_key("AlmaLinux:9", "1:18-1")) is None


def test_an_offer_that_cannot_be_read_leaves_no_doubt_where_somebody_speaks_of_what_everybody_has() -> None:
    doubtful, _ = evaluate_statements([unreadable()])
    public, _ = evaluate_statements([Affected(ecosystem="AlmaLinux:9", name="nodejs", versions=("1:17-1",))])
    offer, everybody = EcosystemPart("Ubuntu:Pro:22.04:LTS", "Ubuntu Pro"), EcosystemPart("Ubuntu:22.04:LTS")
    alone, beside = (
        StatementSet.of_parts("AlmaLinux:9", parts) for parts in ([(offer, doubtful)], [(everybody, public), (offer, doubtful)])
    )
    package = Package(type="rpm", name="nodejs", version="1:18-1", ecosystem="AlmaLinux:9")
    assert [said is not None and said.doubts_about(package, sort_key("AlmaLinux:9", "1:18-1")) for said in (alone, beside)] == [True, False]

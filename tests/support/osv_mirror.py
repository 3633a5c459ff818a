"""Small OSV mirrors for tests, the extract of real advisories, and a plain reading of OSV's evaluation algorithm to judge the matching by."""

from __future__ import annotations

import functools
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pratique.advisories.database import AdvisoryDatabase
from pratique.advisories.versions import compare, sort_key
from pratique.errors import InvalidVersion
from pratique.inventory.package import Package

EXTRACT = Path(__file__).parents[2] / "services/pratique_services/demo/assets/osv"


def make_record(identifier: str, *affected: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": identifier, "modified": "2024-01-02T03:04:05Z", "affected": list(affected), **fields}


def make_affected(
    ecosystem: str, name: str, *events: Mapping[str, str], versions: tuple[str, ...] = (), kind: str = "ECOSYSTEM"
) -> dict[str, Any]:
    ranges = [{"type": kind, "events": list(events)}] if events else []
    return {"package": {"ecosystem": ecosystem, "name": name}, "ranges": ranges, "versions": list(versions)}


def write_mirror(folder: Path, **ecosystems: list[dict[str, Any] | bytes]) -> Path:
    """Write `<Ecosystem>/all.zip` for each keyword; bytes are written as they are."""
    for ecosystem, records in ecosystems.items():
        target = folder / ecosystem.replace("crates_io", "crates.io")
        target.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for number, record in enumerate(records):
                name = f"broken-{number}" if isinstance(record, bytes) else record["id"]
                archive.writestr(f"{name}.json", record if isinstance(record, bytes) else json.dumps(record))
    return folder


def read_extract(ecosystem: str) -> Iterator[dict[str, Any]]:
    with zipfile.ZipFile(EXTRACT / ecosystem / "all.zip") as archive:
        for name in archive.namelist():
            yield json.loads(archive.read(name))


def naive_is_affected(affected: Mapping[str, Any], version: str) -> bool:
    """OSV schema, "Evaluation", word for word, one version at a time."""
    ecosystem = affected["package"]["ecosystem"]
    if any(_equal(ecosystem, version, listed) for listed in affected.get("versions") or ()):
        return True
    return any(_in_range(ecosystem, entry["events"], version) for entry in affected.get("ranges") or () if entry["type"] != "GIT")


def naive_fix(entries: list[Mapping[str, Any]], version: str) -> str | None:
    """The lowest fixed version of any entry that is above `version` and not affected by any entry."""
    ecosystem = entries[0]["package"]["ecosystem"]
    fixes = {
        event["fixed"]
        for entry in entries
        for range_ in entry.get("ranges") or ()
        if range_["type"] != "GIT"
        for event in range_["events"]
        if "fixed" in event
    }
    good = [fix for fix in fixes if compare(ecosystem, fix, version) > 0 and not any(naive_is_affected(entry, fix) for entry in entries)]
    return min(good, key=lambda fix: sort_key(ecosystem, fix), default=None)


Entries = dict[str, list[Mapping[str, Any]]]
"""What the records say about one package: record id to affected entries."""


def group_by_package(records: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Entries]:
    """The entries of records that are not withdrawn, by (ecosystem, normal name)."""
    packages: dict[tuple[str, str], Entries] = {}
    for record in records:
        for affected in record["affected"] if "withdrawn" not in record else ():
            package = affected["package"]
            name = re.sub(r"[-_.]+", "-", package["name"]).lower() if package["ecosystem"] == "PyPI" else package["name"]
            packages.setdefault((package["ecosystem"], name), {}).setdefault(record["id"], []).append(affected)
    return packages


def named_versions(records: Entries) -> set[str]:
    """The versions at which something begins or ends for a package."""
    ranges = [
        range_ for entries in records.values() for entry in entries for range_ in entry.get("ranges") or () if range_["type"] != "GIT"
    ]
    return {version for range_ in ranges for event in range_["events"] for version in event.values()} - {"*"}


def assert_same_answer(database: AdvisoryDatabase, package: Package, records: Entries) -> None:
    """Check a package's findings against the plain reading: the same records in all, joined or not, and the highest of the joined records' fixes."""
    affecting = {
        identifier for identifier, entries in records.items() if any(naive_is_affected(entry, package.version) for entry in entries)
    }
    findings = database.match(package)
    named = {name: finding for finding in findings for name in (finding.id, *finding.aliases)}
    assert affecting <= named.keys(), package
    assert {finding.id for finding in findings} <= affecting, package
    for finding in findings:
        fixes = [naive_fix(records[identifier], package.version) for identifier in affecting if named[identifier] is finding]
        known = [sort_key(package.ecosystem, fix) for fix in fixes if fix is not None]
        assert (finding.fixed_in is None) == (known == []), package
        assert finding.fixed_in is None or sort_key(package.ecosystem, finding.fixed_in) == max(known), package


def _equal(ecosystem: str, version: str, listed: str) -> bool:
    try:
        return compare(ecosystem, version, listed) == 0
    except InvalidVersion:
        return version == listed


def _in_range(ecosystem: str, events: list[dict[str, str]], version: str) -> bool:
    at_or_above = functools.partial(_at_or_above, ecosystem, version)
    limits = [event["limit"] for event in events if "limit" in event]
    if limits and not any(limit == "*" or not at_or_above(limit) for limit in limits):
        return False
    vulnerable = False
    for event in sorted(events, key=functools.cmp_to_key(_event_order(ecosystem))):
        if "introduced" in event and at_or_above(event["introduced"]):
            vulnerable = True
        elif any(at_or_above(event[end]) for end in ("fixed", "last_affected") if end in event):
            vulnerable = "last_affected" in event and vulnerable and compare(ecosystem, version, event["last_affected"]) == 0
    return vulnerable


def _at_or_above(ecosystem: str, version: str, bound: str) -> bool:
    return bound == "0" or compare(ecosystem, version, bound) >= 0


def _event_order(ecosystem: str) -> Callable[[dict[str, str], dict[str, str]], int]:
    def order(a: dict[str, str], b: dict[str, str]) -> int:
        first, second = next(iter(a.values())), next(iter(b.values()))
        if "0" in (first, second) or "*" in (first, second):
            return (first != "0") - (second != "0")
        return compare(ecosystem, first, second)

    return order

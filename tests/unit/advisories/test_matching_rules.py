"""Rules of matching that join several records: what a vendor clears, and whose severity counts. docs/matching.md lists them."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pratique.advisories.advisory import Affected, Event, EventKind, FixState
from pratique.advisories.compiler import compile_database
from pratique.advisories.database import AdvisoryDatabase
from pratique.advisories.delta import compare_databases
from pratique.advisories.ecosystem_parts import parts_of
from pratique.advisories.publishers import own_prefixes
from pratique.advisories.ratings import MAX_RATINGS, decode_ratings, encode_ratings, order_ratings
from pratique.advisories.statements import CLEARED, Affection, StatementSet, evaluate_statements
from pratique.advisories.versions import SCHEMES, sort_key
from pratique.errors import InvalidAdvisory
from pratique.findings import Rating, Severity
from pratique.inventory.coverage import Coverage
from pratique.inventory.package import InstalledPackage, Package
from pratique_services.cli.judging import Judge
from pratique_services.cli.target_inventory import TargetInventory
from tests.support.osv_mirror import make_affected, make_record, write_mirror

CVE = "CVE-2024-0001"
V2, V3, V4 = (
    "AV:N/AC:L/Au:N/C:P/I:N/A:N",
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
)
OPENSSL = Package(type="deb", name="libssl3", version="3.0.9-1", source_name="openssl", ecosystem="Debian:12")
MUSL = Package(type="apk", name="musl", version="1.2.3-r0", ecosystem="Alpine:v3.18")


def write_vendor(mirror: Path, source: str, document: Any) -> None:
    place = mirror / "vendor" / source / "feed.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(document))


def tracker(**flaws: dict[str, Any]) -> dict[str, Any]:
    """Debian's tracker about openssl in Debian 12; `_` stands for `-`."""
    said = {"repositories": {}, "urgency": "not yet assigned"}
    return {"openssl": {name.replace("_", "-"): {"releases": {"bookworm": said | state}} for name, state in flaws.items()}}


def dsa(*cves: str, identifier: str = "DSA-1-1") -> dict[str, Any]:
    return make_record(identifier, make_affected("Debian:12", "openssl", {"introduced": "0"}, {"fixed": "3.0.11-1"}), upstream=list(cves))


def ghsa(identifier: str, *vectors: str, word: str = "", aliases: tuple[str, ...] = (CVE,), name: str = "other") -> dict[str, Any]:
    kinds = {"CVSS:3": "CVSS_V3", "CVSS:4": "CVSS_V4"}
    severity = [{"type": kinds.get(vector[:6], "CVSS_V2"), "score": vector} for vector in vectors]
    affected = make_affected("npm", name, {"introduced": "0"})
    return make_record(identifier, affected, aliases=list(aliases), severity=severity, database_specific={"severity": word})


def open_database(folder: Path, vendor: dict[str, Any] | None = None, **feeds: list[dict[str, Any] | bytes]) -> AdvisoryDatabase:
    mirror = write_mirror(
        folder / "mirror", **{name.replace("_", " ").replace("crates io", "crates.io"): feed for name, feed in feeds.items()}
    )
    for source, document in (vendor or {}).items():
        write_vendor(mirror, source, document)
    compile_database(mirror, folder / "a.db")
    return AdvisoryDatabase.open(folder / "a.db")


# What a vendor clears

NOT_AFFECTED = {"status": "resolved", "fixed_version": "0"}
OPEN = {"status": "open"}


def test_what_a_vendor_says_is_not_affected_clears_the_same_cve_of_other_records(tmp_path: Path) -> None:
    vendor = {"debian-tracker": tracker(CVE_2024_0001=NOT_AFFECTED)}
    with open_database(tmp_path, vendor, Debian=[dsa(CVE)]) as database:
        assert database.match(OPENSSL) == ()


def test_alpine_s_version_0_clears_the_same_cve_of_other_records(tmp_path: Path) -> None:
    packages = [{"pkg": {"name": "musl", "secfixes": {"0": [CVE]}}}]
    record = make_record("x_1", make_affected("Alpine:v3.18", "musl", {"introduced": "0"}), aliases=[CVE])
    with open_database(tmp_path, {"alpine-secdb": {"distroversion": "v3.18", "packages": packages}}, Alpine=[record]) as database:
        assert database.match(MUSL) == ()


def test_an_update_loses_the_cve_that_is_cleared_and_keeps_the_others(tmp_path: Path) -> None:
    vendor = {"debian-tracker": tracker(CVE_2024_0001=NOT_AFFECTED, CVE_2024_0002=OPEN)}
    with open_database(tmp_path, vendor, Debian=[dsa(CVE, "CVE-2024-0002", "CVE-2024-0003")]) as database:
        found = database.match(OPENSSL)
        assert [(finding.id, finding.aliases) for finding in found] == [
            ("DEBIAN-CVE-2024-0002", ("CVE-2024-0002",)),
            ("DSA-1-1", ("CVE-2024-0002", "CVE-2024-0003")),
        ]


def test_what_is_cleared_in_another_release_or_of_another_package_is_not_cleared_here(tmp_path: Path) -> None:
    vendor = {
        "debian-tracker": {
            "zlib": {CVE: {"releases": {"bookworm": NOT_AFFECTED}}},
            "openssl": {CVE: {"releases": {"trixie": NOT_AFFECTED}}},
        }
    }
    with open_database(tmp_path, vendor, Debian=[dsa(CVE)]) as database:
        assert [finding.id for finding in database.match(OPENSSL)] == ["DSA-1-1"]


def test_a_package_that_the_vendor_cleared_clears_no_language_package(tmp_path: Path) -> None:
    """Those that it owns are not asked about at all; others answer for themselves."""
    vendor = {"debian-tracker": tracker(CVE_2024_0001=NOT_AFFECTED)}
    with open_database(tmp_path, vendor, npm=[ghsa("GHSA-1", name="openssl")], Debian=[dsa(CVE)]) as database:
        result = database.match_all([OPENSSL, Package(type="npm", name="openssl", version="1.0.0", ecosystem="npm")])
        assert [[finding.id for finding in findings] for findings in result.findings] == [[], ["GHSA-1"]]


def test_a_language_package_that_an_os_package_owns_has_no_findings(tmp_path: Path) -> None:
    """So whatever the vendor clears needs not be cleared there: the distribution answers, and it alone."""
    language = Package(type="npm", name="openssl", version="1.0.0", ecosystem="npm")
    owned = InstalledPackage(package=language, paths=("usr/share/a",), layer=None, owned_by=OPENSSL.purl)
    options = argparse.Namespace(target="dir:/x", policy=None, fail_on=None, fixable_only=False)
    with open_database(tmp_path, npm=[ghsa("GHSA-1", name="openssl")]) as database:
        for one, findings in ((owned, []), (replace(owned, owned_by=None), ["GHSA-1"])):
            found = TargetInventory(digest=None, platform=None, distributions=(), packages=(one,), coverage=Coverage(items=()))
            assert [finding.id for finding in Judge(options, database, None).report(found).findings] == findings


RHEL = "Red Hat:enterprise_linux:9"
BEGIN = Event(kind=EventKind.INTRODUCED, version="0")


def said(state: FixState = FixState.AFFECTED, fix: str = "", channel: str = "", module: str = "") -> Affected:
    events = (BEGIN, Event(kind=EventKind.FIXED, version=fix)) if fix else (BEGIN,)
    ranges = () if state is FixState.NOT_AFFECTED else (events,)
    return Affected(ecosystem=RHEL, name="a", ranges=ranges, state=state, channel=channel, module=module)


@pytest.mark.parametrize(
    ("base", "appstream", "answer"),
    [
        (said(FixState.NOT_AFFECTED), said(FixState.NOT_AFFECTED), CLEARED),
        (said(FixState.NOT_AFFECTED), said(FixState.WILL_NOT_FIX), (None, FixState.WILL_NOT_FIX, "")),
        (said(FixState.NOT_AFFECTED), said(fix="2-1"), ("2-1", FixState.AFFECTED, "")),
        (said(FixState.DEFERRED), said(fix="2-1"), ("2-1", FixState.AFFECTED, "")),
        (said(FixState.DEFERRED), said(fix="1-1"), None),
        (said(FixState.DEFERRED), said(fix="2-1", module="nodejs:18"), (None, FixState.DEFERRED, "")),
        (said(FixState.DEFERRED), said(fix="2-1", channel="eus-9.2"), ("2-1", FixState.AFFECTED, "eus-9.2")),
        (said(fix="2-1"), said(fix="3-1"), ("3-1", FixState.AFFECTED, "")),
    ],
)
def test_of_what_one_record_says_in_several_places_the_most_telling_counts(
    base: Affected, appstream: Affected, answer: Affection | None
) -> None:
    known = {RHEL: base, f"{RHEL}::appstream": appstream}
    parts = [(part, evaluate_statements([known[part.ecosystem]])[0]) for part in parts_of(RHEL, known)]
    package = Package(type="rpm", name="a", version="1-1", ecosystem=RHEL)
    for order in (parts, parts[::-1]):
        statements = StatementSet.of_parts(RHEL, order)
        assert statements is not None
        assert statements.holding(package, sort_key(RHEL, "1-1")) == answer


# Whose severity counts


def ratings_of(database: AdvisoryDatabase, package: Package) -> list[tuple[str, Severity, str]]:
    (found,) = database.match(package)
    assert (found.severity_source, found.severity) == (
        (found.ratings[0].source, found.ratings[0].severity) if found.ratings else ("", Severity.UNKNOWN)
    )
    return [(rating.source, rating.severity, rating.vector) for rating in found.ratings]


def test_a_rating_of_the_distribution_itself_counts_before_worse_ones_of_others(tmp_path: Path) -> None:
    vendor = {"debian-tracker": tracker(CVE_2024_0001=OPEN | {"urgency": "low"})}
    with open_database(tmp_path, vendor, npm=[ghsa("GHSA-1", V3, word="CRITICAL")]) as database:
        assert ratings_of(database, OPENSSL) == [
            (f"DEBIAN-{CVE}", Severity.LOW, ""),
            ("GHSA-1", Severity.CRITICAL, ""),
            ("CVSS:3.1 of GHSA-1", Severity.CRITICAL, V3),
        ]


def test_what_the_distribution_has_not_rated_takes_the_worst_rating_of_the_same_cve(tmp_path: Path) -> None:
    vendor = {"debian-tracker": tracker(CVE_2024_0001=OPEN)}
    ubuntu = make_record(f"UBUNTU-{CVE}", upstream=[CVE], severity=[{"type": "Ubuntu", "score": "medium"}])
    with open_database(tmp_path, vendor, npm=[ghsa("GHSA-1", word="LOW")], Ubuntu=[ubuntu]) as database:
        assert ratings_of(database, OPENSSL) == [(f"UBUNTU-{CVE}", Severity.MEDIUM, ""), ("GHSA-1", Severity.LOW, "")]


def test_what_nobody_has_rated_is_unknown(tmp_path: Path) -> None:
    with open_database(tmp_path, {"debian-tracker": tracker(CVE_2024_0001=OPEN)}) as database:
        assert ratings_of(database, OPENSSL) == []


def test_a_record_speaks_by_its_word_and_keeps_its_vectors_of_every_version(tmp_path: Path) -> None:
    record = ghsa("GHSA-1", V2, V3, V4, word="MODERATE", name="a")
    with open_database(tmp_path, npm=[record]) as database:
        found = ratings_of(database, Package(type="npm", name="a", version="1.0.0", ecosystem="npm"))
        assert found[0] == ("GHSA-1", Severity.MEDIUM, "")
        assert set(found[1:]) == {
            ("CVSS:4.0 of GHSA-1", Severity.CRITICAL, V4),
            ("CVSS:3.1 of GHSA-1", Severity.CRITICAL, V3),
            ("CVSS:2.0 of GHSA-1", Severity.MEDIUM, V2),
        }


def test_a_record_that_rates_each_release_apart_is_believed_for_each(tmp_path: Path) -> None:
    said_of = {"bookworm": OPEN | {"urgency": "low"}, "bullseye": OPEN | {"urgency": "high"}}
    releases = {name: {"repositories": {}, **state} for name, state in said_of.items()}
    with open_database(tmp_path, {"debian-tracker": {"openssl": {CVE: {"releases": releases}}}}) as database:
        assert ratings_of(database, OPENSSL) == [(f"DEBIAN-{CVE}", Severity.LOW, "")]
        bullseye = Package(type="deb", name="openssl", version="1.1.1-1", ecosystem="Debian:11")
        assert ratings_of(database, bullseye) == [(f"DEBIAN-{CVE}", Severity.HIGH, "")]


def test_records_of_one_group_keep_all_their_ratings(tmp_path: Path) -> None:
    affected = make_affected("PyPI", "a", {"introduced": "0"})
    pysec = make_record("PYSEC-1", affected, aliases=[CVE, "GHSA-1"], severity=[{"type": "CVSS_V2", "score": V2}])
    github = make_record("GHSA-1", affected, aliases=[CVE], database_specific={"severity": "CRITICAL"})
    with open_database(tmp_path, PyPI=[pysec, github]) as database:
        assert ratings_of(database, Package(type="pypi", name="a", version="1.0", ecosystem="PyPI")) == [
            ("CVSS:2.0 of PYSEC-1", Severity.MEDIUM, V2),
            ("GHSA-1", Severity.CRITICAL, ""),
        ]


def test_another_record_s_rating_of_the_same_cve_is_part_of_what_is_said(tmp_path: Path) -> None:
    """Whoever keeps matches has to match again when it changes."""
    for folder, word in (("old", "LOW"), ("new", "HIGH")):
        (tmp_path / folder).mkdir()
        open_database(tmp_path / folder, npm=[ghsa("GHSA-1", word=word)], Debian=[dsa(CVE)]).close()
    delta = compare_databases(tmp_path / "old" / "a.db", tmp_path / "new" / "a.db")
    assert delta.packages == {("Debian:12", "openssl"), ("npm", "other")}


def _rating(source: str, severity: Severity) -> Rating:
    return Rating(source=source, severity=severity)


def test_of_one_record_only_what_it_says_first_is_compared() -> None:
    ratings = (_rating("GHSA-1", Severity.LOW), _rating("CVSS:3.1 of GHSA-1", Severity.CRITICAL), _rating("BIT-1", Severity.MEDIUM))
    assert [rating.source for rating in order_ratings((), ratings)] == ["BIT-1", "CVSS:3.1 of GHSA-1", "GHSA-1"]
    assert [rating.source for rating in order_ratings(("GHSA-",), ratings)] == ["GHSA-1", "CVSS:3.1 of GHSA-1", "BIT-1"]


def test_a_flood_of_ratings_is_cut_and_keeps_the_one_that_counts() -> None:
    ratings = (*(_rating(f"x-{number}", Severity.CRITICAL) for number in range(1000)), _rating("DSA-1", Severity.LOW))
    kept = order_ratings(own_prefixes("Debian:12"), ratings)
    assert (len(kept), kept[0].source) == (MAX_RATINGS, "DSA-1")


def test_ratings_are_stored_as_they_are() -> None:
    ratings = (Rating(source="CVSS:3.1 of GHSA-1", severity=Severity.CRITICAL, vector=V3), _rating("DSA-1", Severity.LOW))
    assert decode_ratings(encode_ratings(ratings)) == ratings
    assert (encode_ratings(()), decode_ratings(b""), decode_ratings(None)) == (b"", (), ())
    for damaged in (b"\x00", encode_ratings(ratings)[:-1], b"\x91\x93\x63\xa1a\xa1b"):
        with pytest.raises(InvalidAdvisory):
            decode_ratings(damaged)


def test_publishers_are_those_of_ecosystems_that_are_matched() -> None:
    assert [name for name in ("Debian:12", "npm", "Red Hat:enterprise_linux:9", "Amazon Linux:2") if not own_prefixes(name)] == []
    assert own_prefixes("Maven") == ()
    assert all(own_prefixes(name) == own_prefixes(f"{name}:1") for name in SCHEMES)

"""Vendors' feeds, from the mirror into findings."""

import json
from pathlib import Path
from typing import Any

import pytest

from pratique.advisories.compiler import compile_database
from pratique.advisories.coverage import matching_coverage
from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import InvalidAdvisory
from pratique.inventory.package import Package
from tests.support.osv_mirror import make_affected, make_record, write_mirror

CVE = "CVE-2024-0001"


def tracker(**releases: Any) -> dict[str, Any]:
    return {"openssl": {CVE: {"description": "x", "scope": "remote", "releases": releases}}}


def state(status: str, **more: Any) -> dict[str, Any]:
    return {"status": status, "repositories": {"bookworm": "3.0.9-1"}, "urgency": "high", **more}


def compiled(folder: Path, document: Any, **feeds: Any) -> Path:
    mirror = write_mirror(folder / "mirror", **feeds)
    place = mirror / "vendor" / "debian-tracker" / "tracker.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(document))
    compile_database(mirror, folder / "a.db")
    return folder / "a.db"


OPENSSL = Package(type="deb", name="libssl3", version="3.0.9-1", source_name="openssl", ecosystem="Debian:12")


def test_a_vendor_tells_of_releases_that_osv_does_not_have_and_what_it_means_to_do(tmp_path: Path) -> None:
    path = compiled(tmp_path, tracker(bookworm=state("open", nodsa="Minor issue", nodsa_reason="postponed")))
    with AdvisoryDatabase.open(path) as database:
        (finding,) = database.match(OPENSSL)
        assert (finding.id, finding.cve, finding.status, finding.fixed_in) == (f"DEBIAN-{CVE}", CVE, "deferred", None)
        coverage = matching_coverage(database, [OPENSSL], ())
    assert [feed.name for feed in coverage.feeds] == ["debian-tracker"]


@pytest.mark.parametrize(("version", "found"), [("3.0.9-1", []), ("0", [])])
def test_where_a_vendor_and_osv_have_the_same_record_the_vendors_counts(tmp_path: Path, version: str, found: list[str]) -> None:
    osv = make_record(f"DEBIAN-{CVE}", make_affected("Debian:12", "openssl", {"introduced": "0"}), aliases=[CVE])
    path = compiled(tmp_path, tracker(bookworm=state("resolved", fixed_version=version)), Debian=[osv])
    with AdvisoryDatabase.open(path) as database:
        assert [finding.id for finding in database.match(OPENSSL)] == found
        assert [feed.name for feed in database.feeds_about(["Debian"])] == ["Debian", "debian-tracker"]


def test_a_broken_vendor_feed_keeps_the_old_database(tmp_path: Path) -> None:
    path = compiled(tmp_path, tracker(bookworm=state("open")))
    before = path.read_bytes()
    (tmp_path / "mirror" / "vendor" / "debian-tracker" / "tracker.json").write_text("<html>")
    with pytest.raises(InvalidAdvisory):
        compile_database(tmp_path / "mirror", path)
    assert path.read_bytes() == before


def test_a_mirror_that_holds_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    with pytest.raises(InvalidAdvisory, match="found none"):
        compile_database(tmp_path / "mirror", tmp_path / "a.db")

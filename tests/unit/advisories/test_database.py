"""Looking packages up in the compiled database."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pratique.advisories.compiler import compile_database
from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import InvalidAdvisory, InvalidVersion, SettingsError
from pratique.findings import FindingKind, Severity
from pratique.inventory.coverage import CoverageStatus, FeedState
from pratique.inventory.package import Package
from pratique.oci.digest import Digest
from tests.support.osv_mirror import (
    EXTRACT,
    assert_same_answer,
    group_by_package,
    make_affected,
    make_record,
    named_versions,
    read_extract,
    write_mirror,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("advisories") / "extract.db"
    compile_database(EXTRACT, target)
    return target


@pytest.fixture(scope="module")
def database(path: Path) -> AdvisoryDatabase:
    return AdvisoryDatabase.open(path)


def _pypi(name: str, version: str) -> Package:
    return Package(type="pypi", name=name, version=version, ecosystem="PyPI")


def _deb(version: str, ecosystem: str = "Debian:11") -> Package:
    return Package(
        type="deb",
        name="libssl1.1",
        version=version,
        namespace="debian",
        ecosystem=ecosystem,
        source_name="openssl",
        qualifiers={"distro": "debian-11"},
    )


def test_a_binary_package_is_matched_by_its_source(database: AdvisoryDatabase) -> None:
    findings = {finding.id: finding for finding in database.match(_deb("1.1.1n-0+deb11u3"))}
    assert findings.keys() == {"DSA-5343-1"}
    found = findings["DSA-5343-1"]
    assert found.kind is FindingKind.VULNERABILITY
    assert (found.installed, found.fixed_in, found.status) == ("1.1.1n-0+deb11u3", "1.1.1n-0+deb11u4", "fixed")
    assert found.recommendation == "update openssl to 1.1.1n-0+deb11u4"
    assert found.package == "pkg:deb/debian/libssl1.1@1.1.1n-0%2Bdeb11u3?distro=debian-11"
    assert found.cve.startswith("CVE-202")
    assert database.match(_deb("1.1.1n-0+deb11u4")) == ()


def test_a_source_version_that_differs_from_the_packages_own_is_the_one_compared(database: AdvisoryDatabase) -> None:
    package = Package(
        type="deb", name="libssl1.1", version="9:9", ecosystem="Debian:11", source_name="openssl", source_version="1.1.1n-0+deb11u3"
    )
    assert [finding.installed for finding in database.match(package)] == ["9:9"]


def test_severities_of_debian_come_from_records_that_rate_the_same_cve(database: AdvisoryDatabase) -> None:
    found = next(finding for finding in database.match(_deb("1.1.1d-0")) if finding.id == "DSA-4963-1")
    assert (found.severity, found.severity_source) == (Severity.CRITICAL, "CVSS:3.1 of RUSTSEC-2021-0097")


def test_python_names_match_in_any_spelling_and_the_worst_finding_comes_first(database: AdvisoryDatabase) -> None:
    findings = database.match(_pypi("Django", "3.2.12"))
    assert findings == tuple(sorted(findings, key=lambda finding: (-finding.severity, finding.id)))
    assert findings[0].severity is Severity.CRITICAL
    assert [finding.id for finding in findings] == [finding.id for finding in database.match(_pypi("django", "3.2.12"))]
    (searchor,) = (finding for finding in database.match(_pypi("searchor", "2.4.1")))
    assert (searchor.severity_source, searchor.fixed_in) == ("CVSS:3.1 of PYSEC-2023-262", "2.4.2")


def test_npm_and_alpine_packages_are_matched(database: AdvisoryDatabase) -> None:
    lodash = database.match(Package(type="npm", name="lodash", version="4.17.15", ecosystem="npm"))
    assert {"CVE-2020-8203", "CVE-2021-23337"} <= {finding.cve for finding in lodash}
    musl = Package(type="apk", name="musl-utils", source_name="musl", version="1.1.22-r2", ecosystem="Alpine:v3.10")
    assert [(finding.id, finding.fixed_in) for finding in database.match(musl)] == [("ALPINE-CVE-2019-14697", "1.1.22-r3")]


def test_a_scoped_npm_package_is_matched_with_its_scope(tmp_path: Path) -> None:
    record = make_record("GHSA-1", make_affected("npm", "@scope/a", {"introduced": "0"}))
    compile_database(write_mirror(tmp_path / "mirror", npm=[record]), tmp_path / "a.db")
    with AdvisoryDatabase.open(tmp_path / "a.db") as database:
        (found,) = database.match(Package(type="npm", namespace="@scope", name="a", version="1.0.0", ecosystem="npm"))
        assert (found.status, found.fixed_in, found.recommendation) == ("affected", None, "")
        assert database.match(Package(type="npm", name="a", version="1.0.0", ecosystem="npm")) == ()


@pytest.mark.parametrize("ecosystem", ["PyPI", "npm", "Alpine", "Debian"])
def test_findings_equal_a_plain_reading_of_the_records(database: AdvisoryDatabase, ecosystem: str) -> None:
    """Every package of the extract at every version its records name: the same advisories and fixes as the schema's algorithm, record by record."""
    checked = 0
    for (release, name), records in group_by_package(read_extract(ecosystem)).items():
        for version in sorted(named_versions(records))[:40]:
            assert_same_answer(database, Package(type="generic", name=name, version=version, ecosystem=release), records)
            checked += 1
    assert checked > 50


def test_versions_and_ecosystems_that_cannot_be_matched_are_gaps(database: AdvisoryDatabase) -> None:
    packages = [
        _pypi("django", "3.2.12"),
        _pypi("django", "unknown"),
        _pypi("nobody-has-advisories", "unknown"),
        _deb("1", "Debian:12"),
        _deb("2", "Debian:12"),
        Package(type="gem", name="rails", version="1", ecosystem="RubyGems"),
        Package(type="rpm", name="bash", version="1", namespace="fedora"),
    ]
    result = database.match_all(packages)
    assert [bool(findings) for findings in result.findings] == [True] + [False] * 6
    assert {gap.status for gap in result.gaps} == {CoverageStatus.PARTIAL}
    assert [(gap.name, gap.reason) for gap in result.gaps] == [
        ("advisories/Debian:12", "no advisories for Debian:12 in this database (newest of Debian: 2023-03-31): 2 packages not matched"),
        ("advisories/RubyGems", "no advisories for RubyGems in this database (no feed of RubyGems): 1 packages not matched"),
        ("advisories/rpm/fedora", "no advisory ecosystem is known for rpm/fedora: 1 packages not matched"),
        ("advisories/pkg:pypi/django@unknown", "version 'unknown' of pkg:pypi/django@unknown cannot be compared with its advisories"),
    ]
    with pytest.raises(InvalidVersion):
        database.match(_pypi("django", "unknown"))


def test_a_flood_of_versions_that_cannot_be_compared_does_not_flood_the_report(database: AdvisoryDatabase) -> None:
    result = database.match_all(_pypi("django", f"no-{number}") for number in range(200))
    assert len(result.gaps) == 51
    assert result.gaps[-1].reason.startswith("150 more")


def test_what_is_left_when_there_are_too_many_findings_is_a_gap_and_not_clean(database: AdvisoryDatabase) -> None:
    result = database.match_all([_pypi("django", "3.2.12")] * 3, limit=1)
    assert [bool(findings) for findings in result.findings] == [True]
    (gap,) = result.gaps
    assert (gap.name, gap.reason) == ("advisories/limit", "1 findings are the limit: 2 packages not matched")


def test_a_version_without_order_is_found_where_it_is_listed(tmp_path: Path) -> None:
    record = make_record("PYSEC-1", make_affected("PyPI", "a", {"introduced": "1.0"}, versions=("2004d",)))
    compile_database(write_mirror(tmp_path / "mirror", PyPI=[record]), tmp_path / "a.db")
    with AdvisoryDatabase.open(tmp_path / "a.db") as database:
        result = database.match_all([_pypi("a", "2004d"), _pypi("a", "2004e")])
        assert [len(findings) for findings in result.findings] == [1, 0]
        assert len(result.gaps) == 2


def test_it_knows_what_it_covers_and_how_old_it_is(database: AdvisoryDatabase) -> None:
    assert all(map(database.covers, ("Debian:11", "Debian:10", "Alpine:v3.11", "Bitnami", "PyPI", "npm")))
    assert not any(map(database.covers, ("Debian", "Debian:12", "Alpine:v3.18", "Android", "")))
    assert [feed.name for feed in database.feeds] == ["Alpine", "Bitnami", "Debian", "PyPI", "crates.io", "npm"]
    assert FeedState(name="Alpine", updated="2020-02-04T10:25:20Z") in database.feeds


def test_its_digest_is_that_of_the_file(database: AdvisoryDatabase, path: Path) -> None:
    assert database.digest == Digest.of(path.read_bytes())


def test_a_database_that_is_replaced_keeps_answering_and_the_new_one_has_its_own_digest(tmp_path: Path) -> None:
    target = tmp_path / "a.db"
    mirror = tmp_path / "mirror"
    compile_database(write_mirror(mirror, npm=[make_record("GHSA-1", make_affected("npm", "a", {"introduced": "0"}))]), target)
    package = Package(type="npm", name="a", version="1.0.0", ecosystem="npm")
    with AdvisoryDatabase.open(target) as old:
        compile_database(write_mirror(mirror, npm=[make_record("GHSA-2", make_affected("npm", "a", {"introduced": "0"}))]), target)
        with AdvisoryDatabase.open(target) as new:
            assert [finding.id for finding in old.match(package)] == ["GHSA-1"]
            assert [finding.id for finding in new.match(package)] == ["GHSA-2"]
            assert old.digest != new.digest


async def test_threads_can_share_it(database: AdvisoryDatabase) -> None:
    packages = [_pypi(name, f"{major}.{minor}") for name in ("django", "pillow", "jinja2") for major in range(1, 9) for minor in range(5)]
    answers = await asyncio.gather(*(asyncio.to_thread(database.match_all, packages) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)


def test_what_is_no_database_is_refused(tmp_path: Path, path: Path) -> None:
    with pytest.raises(SettingsError, match="found none"):
        AdvisoryDatabase.open(tmp_path / "missing.db")
    for name, content in (("empty", b""), ("text", b"no database at all" * 300), ("cut", path.read_bytes()[:5000])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidAdvisory):
            AdvisoryDatabase.open(tmp_path / name)
    with pytest.raises(InvalidAdvisory):
        AdvisoryDatabase.open(tmp_path)


def test_a_database_of_another_release_asks_to_be_built_again(tmp_path: Path, path: Path) -> None:
    target = tmp_path / "old.db"
    target.write_bytes(path.read_bytes())
    connection = sqlite3.connect(target)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SettingsError, match="schema 99"):
        AdvisoryDatabase.open(target)


def test_damaged_rows_are_refused_not_passed_over(tmp_path: Path, path: Path) -> None:
    target = tmp_path / "damaged.db"
    target.write_bytes(path.read_bytes())
    connection = sqlite3.connect(target)
    connection.execute("UPDATE affected SET statements = x'00'")
    connection.commit()
    connection.close()
    with AdvisoryDatabase.open(target) as database, pytest.raises(InvalidAdvisory):
        database.match(_deb("1.0"))


def test_looking_up_does_not_load_what_only_compiling_needs() -> None:
    program = "import sys, json; import pratique.advisories.database; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert {"cvss", "zipfile", "pratique.advisories.compiler"} & set(json.loads(done.stdout)) == set()

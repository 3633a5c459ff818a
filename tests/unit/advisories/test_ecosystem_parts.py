"""Ecosystems that are several: which of a database's speak about a package, and what they say together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pratique.advisories.compiler import compile_database
from pratique.advisories.database import AdvisoryDatabase
from pratique.advisories.delta import compare_databases
from pratique.advisories.ecosystem_parts import EcosystemPart, parts_of, wholes_of
from pratique.advisories.versions import base_ecosystem
from pratique.findings import Finding
from pratique.inventory.package import Package
from pratique.storage.packages import hash_matching
from tests.support.osv_mirror import make_affected, make_record, write_mirror

RHEL, SLES, JAMMY, PRO = "Red Hat:enterprise_linux:9", "SUSE:Linux Enterprise Server 15 SP5", "Ubuntu:22.04:LTS", "Ubuntu:Pro:22.04:LTS"
KNOWN = (
    *(RHEL, f"{RHEL}::appstream", f"{RHEL}::baseos", "Red Hat:enterprise_linux:90::baseos", "Red Hat:rhel_eus:9.2::baseos"),
    *("Red Hat:enterprise_linux:10.0", "Red Hat:enterprise_linux:10.1::appstream", "Red Hat:enterprise_linux:8::baseos"),
    *(SLES, "SUSE:Linux Enterprise Module for Basesystem 15 SP5", "SUSE:Linux Enterprise Module for Python 3 15 SP5"),
    *("SUSE:Linux Enterprise Module for Basesystem 15 SP4", "SUSE:Linux Enterprise Server 15 SP5-LTSS", "SUSE:Linux Enterprise Server 15"),
    *("SUSE:Linux Enterprise Server for SAP Applications 15 SP5", "SUSE:Linux Enterprise Micro 5.5", "openSUSE:Leap 15.5"),
    *("SUSE:Linux Enterprise Server 12 SP5", "SUSE:Linux Enterprise Software Development Kit 12 SP5"),
    *(JAMMY, PRO, "Ubuntu:20.04:LTS", "Ubuntu:Pro:20.04:LTS", "Ubuntu:Pro:FIPS:22.04:LTS", "Ubuntu:22.10"),
    *("Amazon Linux:2", "Amazon Linux:2023", "Debian:12", "VSCode:https://open-vsx.org", "VSCode", "npm"),
)


def names(ecosystem: str) -> list[str]:
    return [part.ecosystem for part in parts_of(ecosystem, KNOWN)]


@pytest.mark.parametrize(
    ("ecosystem", "parts"),
    [
        (RHEL, [RHEL, f"{RHEL}::appstream", f"{RHEL}::baseos"]),
        ("Red Hat:enterprise_linux:10", ["Red Hat:enterprise_linux:10.0", "Red Hat:enterprise_linux:10.1::appstream"]),
        ("Red Hat:enterprise_linux:7", []),
        (
            SLES,
            [
                *("SUSE:Linux Enterprise Module for Basesystem 15 SP5", "SUSE:Linux Enterprise Module for Python 3 15 SP5"),
                *(SLES, "SUSE:Linux Enterprise Server 15 SP5-LTSS"),
            ],
        ),
        ("SUSE:Linux Enterprise Server 15", ["SUSE:Linux Enterprise Server 15"]),
        (
            "SUSE:Linux Enterprise Server 12 SP5",
            ["SUSE:Linux Enterprise Server 12 SP5", "SUSE:Linux Enterprise Software Development Kit 12 SP5"],
        ),
        (JAMMY, [JAMMY, PRO]),
        (PRO, [JAMMY, PRO]),
        ("Ubuntu:22.10", ["Ubuntu:22.10"]),
        ("Amazon Linux:2", ["Amazon Linux:2"]),
        ("Amazon Linux:2023", ["Amazon Linux:2023"]),
        ("Debian:12", ["Debian:12"]),
        ("Alpine:edge", []),
        ("VSCode", ["VSCode", "VSCode:https://open-vsx.org"]),
        ("", []),
    ],
)
def test_parts_of_an_ecosystem_are_found_among_those_that_are_known(ecosystem: str, parts: list[str]) -> None:
    assert names(ecosystem) == parts


def test_sap_s_server_is_the_server_with_more() -> None:
    assert set(names("SUSE:Linux Enterprise Server for SAP Applications 15 SP5")) - set(names(SLES)) == {
        "SUSE:Linux Enterprise Server for SAP Applications 15 SP5"
    }


@pytest.mark.parametrize("ecosystem", KNOWN)
def test_a_part_is_found_by_the_hash_that_its_package_has(ecosystem: str) -> None:
    """A change in a part must lead to the packages: their hash knows the ecosystem without release only."""
    assert {base_ecosystem(part) for part in names(ecosystem)} <= {base_ecosystem(ecosystem)}
    assert {hash_matching(part, "openssl") for part in names(ecosystem)} <= {hash_matching(ecosystem, "openssl")}


@pytest.mark.parametrize("ecosystem", [*KNOWN, "Red Hat:enterprise_linux:10", "SUSE:Linux Enterprise Server for SAP Applications 12 SP5"])
def test_the_packages_that_a_part_speaks_about_are_found_from_its_name(ecosystem: str) -> None:
    """An ecosystem that comes or goes leads to the packages that have to be matched again."""
    assert all(ecosystem in wholes_of(name) for name in names(ecosystem))


@pytest.mark.parametrize("name", KNOWN)
def test_a_part_leads_to_few_other_packages(name: str) -> None:
    assert name in wholes_of(name)
    assert len(wholes_of(name)) <= 3
    assert {base_ecosystem(whole) for whole in wholes_of(name)} == {base_ecosystem(name)}


def test_what_has_to_be_paid_for_is_an_offer() -> None:
    assert parts_of(JAMMY, [PRO]) == (EcosystemPart(PRO, channel="Ubuntu Pro"),)
    assert parts_of(SLES, [f"{SLES}-LTSS"]) == (EcosystemPart(f"{SLES}-LTSS", channel="LTSS"),)
    assert all(not part.channel for part in parts_of(PRO, KNOWN))


# In a database


def open_database(folder: Path, **feeds: list[dict[str, Any] | bytes]) -> AdvisoryDatabase:
    named = {name.replace("_", " "): records for name, records in feeds.items()}
    compile_database(write_mirror(folder / "mirror", **named), folder / "a.db")
    return AdvisoryDatabase.open(folder / "a.db")


def entry(ecosystem: str, fix: str = "", name: str = "a") -> dict[str, Any]:
    return make_affected(ecosystem, name, {"introduced": "0"}, *([{"fixed": fix}] if fix else []))


def rpm(ecosystem: str, version: str = "1-1") -> Package:
    return Package(type="rpm", name="a", version=version, ecosystem=ecosystem)


def deb(ecosystem: str, version: str = "1") -> Package:
    return Package(type="deb", name="a", version=version, ecosystem=ecosystem)


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str | None, str]]:
    return [(finding.id, finding.fixed_in, finding.recommendation) for finding in findings]


def test_packages_of_rhel_meet_the_advisories_of_every_repository(tmp_path: Path) -> None:
    records = [make_record("RHSA-1", entry(f"{RHEL}::appstream", "2-1")), make_record("RHSA-2", entry(f"{RHEL}::baseos", "3-1"))]
    with open_database(tmp_path, Red_Hat=[*records, make_record("RHSA-3", entry("Red Hat:rhel_eus:9.2::baseos", "4-1"))]) as database:
        assert database.covers(RHEL)
        assert [(found.id, found.fixed_in) for found in database.match(rpm(RHEL))] == [("RHSA-1", "2-1"), ("RHSA-2", "3-1")]


def test_packages_of_sles_meet_the_advisories_of_every_module(tmp_path: Path) -> None:
    records = [
        make_record("SUSE-SU-1", entry("SUSE:Linux Enterprise Module for Basesystem 15 SP5", "2-1")),
        make_record("SUSE-SU-2", entry(SLES)),
    ]
    with open_database(tmp_path, SUSE=records) as database:
        assert [(found.id, found.fixed_in) for found in database.match(rpm(SLES))] == [("SUSE-SU-1", "2-1"), ("SUSE-SU-2", None)]


def test_long_term_support_of_suse_is_an_offer(tmp_path: Path) -> None:
    records = [make_record("SUSE-SU-1", entry(f"{SLES}-LTSS", "2-1")), make_record("SUSE-SU-2", entry(SLES, "2-1", name="b"))]
    with open_database(tmp_path, SUSE=records) as database:
        assert told(database.match(rpm(SLES))) == [("SUSE-SU-1", None, "update a to 2-1 (LTSS only)")]


@pytest.mark.parametrize("ecosystem", ["Amazon Linux:2", "Amazon Linux:2023"])
def test_packages_of_amazon_linux_meet_the_advisories_of_their_release(tmp_path: Path, ecosystem: str) -> None:
    both = [make_record("ALAS-1", entry("Amazon Linux:2", "2-1")), make_record("ALAS-2", entry("Amazon Linux:2023", "2-1"))]
    with open_database(tmp_path, Amazon_Linux=both) as database:
        assert [found.id for found in database.match(rpm(ecosystem))] == ["ALAS-1" if ecosystem.endswith(":2") else "ALAS-2"]


@pytest.mark.parametrize("ecosystem", [RHEL, SLES, JAMMY, "Amazon Linux:2", "Alpine:edge"])
def test_without_advisories_of_any_part_packages_stay_a_gap(tmp_path: Path, ecosystem: str) -> None:
    others = {
        "Red Hat": [make_record("RHSA-1", entry("Red Hat:enterprise_linux:8::baseos"))],
        "SUSE": [make_record("SUSE-1", entry(f"{SLES}-LTSS"))],
        "Ubuntu": [make_record("USN-1", entry(PRO))],
        "Alpine": [make_record("ALPINE-1", entry("Alpine:v3.20"))],
    }
    with open_database(tmp_path, **others) as database:
        (gap,) = database.match_all([Package(type="rpm", name="a", version="1-1", ecosystem=ecosystem)]).gaps
        assert gap.reason.startswith(f"no advisories for {ecosystem} in this database")


def test_alpine_edge_is_matched_where_there_is_a_feed_of_it(tmp_path: Path) -> None:
    package = Package(type="apk", name="a", version="1-r0", ecosystem="Alpine:edge")
    with open_database(tmp_path, Alpine=[make_record("ALPINE-CVE-2024-1", entry("Alpine:edge", "2-r0"))]) as database:
        result = database.match_all([package])
        assert ([len(found) for found in result.findings], result.gaps) == ([1], ())


def test_a_fix_in_one_repository_counts_before_what_is_said_of_the_release_in_general(tmp_path: Path) -> None:
    record = make_record("REDHAT-CVE-2024-1", entry(RHEL), entry(f"{RHEL}::appstream", "2-1"))
    with open_database(tmp_path, Red_Hat=[record]) as database:
        assert [found.fixed_in for found in database.match(rpm(RHEL))] == ["2-1"]
        assert database.match(rpm(RHEL, "2-1")) == ()


def test_a_change_in_one_repository_is_a_change_of_the_package(tmp_path: Path) -> None:
    for folder, fix in (("old", "2-1"), ("new", "3-1")):
        (tmp_path / folder).mkdir()
        open_database(tmp_path / folder, Red_Hat=[make_record("RHSA-1", entry(f"{RHEL}::baseos", fix))]).close()
    delta = compare_databases(tmp_path / "old" / "a.db", tmp_path / "new" / "a.db")
    assert {hash_matching(*pair) for pair in delta.packages} == {hash_matching(RHEL, "a")}


# Ubuntu Pro


def test_a_fix_of_ubuntu_pro_is_an_offer_to_images_without_it(tmp_path: Path) -> None:
    records = [make_record("USN-1", entry(PRO, "1+esm1")), make_record("USN-2", entry(JAMMY, "2", name="b"))]
    with open_database(tmp_path, Ubuntu=records) as database:
        assert told(database.match(deb(JAMMY))) == [("USN-1", None, "update a to 1+esm1 (Ubuntu Pro only)")]
        assert [finding.status for finding in database.match(deb(JAMMY))] == ["affected"]


def test_images_with_ubuntu_pro_get_its_fixes_and_everybody_s(tmp_path: Path) -> None:
    records = [make_record("USN-1", entry(PRO, "1+esm1")), make_record("USN-2", entry(JAMMY, "2"))]
    with open_database(tmp_path, Ubuntu=records) as database:
        assert [(found.id, found.fixed_in, found.status) for found in database.match(deb(PRO))] == [
            ("USN-1", "1+esm1", "fixed"),
            ("USN-2", "2", "fixed"),
        ]
        assert [found.id for found in database.match(deb(PRO, "1+esm1"))] == ["USN-2"]


def test_what_ubuntu_says_of_everybody_s_package_counts_before_what_pro_offers(tmp_path: Path) -> None:
    fixed = make_record("UBUNTU-CVE-2024-1", entry(JAMMY, "2"), entry(PRO, "3"))
    unfixed = make_record("UBUNTU-CVE-2024-2", entry(JAMMY), entry(PRO, "3"))
    with open_database(tmp_path, Ubuntu=[fixed, unfixed]) as database:
        assert told(database.match(deb(JAMMY, "1"))) == [
            ("UBUNTU-CVE-2024-1", "2", "update a to 2"),
            ("UBUNTU-CVE-2024-2", None, "update a to 3 (Ubuntu Pro only)"),
        ]
        assert [found.id for found in database.match(deb(JAMMY, "2"))] == ["UBUNTU-CVE-2024-2"]

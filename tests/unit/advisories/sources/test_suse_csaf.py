"""SUSE's CSAF documents."""

import pytest
from hypothesis import given, settings

from pratique.advisories.advisory import FixState
from pratique.advisories.sources.csaf import Place
from pratique.advisories.sources.suse_csaf import SOURCE, place_of_name
from pratique.inventory.distribution import ecosystem_of, other_ecosystems_of
from tests.support.mutated import mutated
from tests.support.vendor_feeds import ASSETS, answer_or_refuse, compress, pack_tar, read_feed, said

_ASSETS = [path.read_bytes() for path in sorted((ASSETS / "suse-csaf").glob("*.json"))]
_BASE = "SUSE:Linux Enterprise Module for Basesystem 15 SP5"


def test_a_vex_document_says_which_version_to_have_and_what_is_not_fixed() -> None:
    advisories, problems = read_feed(SOURCE)
    advisory = advisories["SUSE-CVE-2024-6387"]
    assert problems == []
    assert said(advisory.affected) == [
        ("openSUSE:Leap 15.5", "openssh", "8.4p1-150300.3.30.1", FixState.AFFECTED, ""),
        (_BASE, "openssh", "8.4p1-150300.3.30.1", FixState.AFFECTED, ""),
        ("SUSE:Linux Enterprise Server 15 SP4-LTSS", "openssh", "", FixState.WILL_NOT_FIX, "no_fix_planned"),
        ("SUSE:Linux Enterprise Server 15 SP5", "openssh-helpers", "-", FixState.NOT_AFFECTED, ""),
    ]
    assert advisory.aliases == advisory.equals == ("CVE-2024-6387",)
    assert [entry.channel for entry in advisory.affected] == ["", "", "ltss", ""]


def test_an_update_without_package_urls_is_read_by_the_names_of_its_packages() -> None:
    advisories, _ = read_feed(SOURCE)
    advisory = advisories["SUSE-SU-2023:3179-1"]
    assert said(advisory.affected) == [
        (_BASE, "openssl-1_1", "1.1.1l-150500.17.12.1", FixState.AFFECTED, ""),
        (_BASE, "libopenssl-1_1-devel-32bit", "1.1.1l-150500.17.12.1", FixState.AFFECTED, ""),
    ]
    assert (advisory.aliases, advisory.equals) == (("CVE-2023-3446", "CVE-2023-3817"), ())


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("SUSE Linux Enterprise Server 15 SP5", Place(ecosystem="SUSE:Linux Enterprise Server 15 SP5")),
        ("SUSE Linux Enterprise Server 12 SP5-LTSS", Place(ecosystem="SUSE:Linux Enterprise Server 12 SP5-LTSS", channel="ltss")),
        (
            "SUSE Linux Enterprise High Performance Computing 15 SP4-ESPOS",
            Place(ecosystem="SUSE:Linux Enterprise High Performance Computing 15 SP4-ESPOS", channel="espos"),
        ),
        ("openSUSE Leap 15.5", Place(ecosystem="openSUSE:Leap 15.5")),
        ("openSUSE Tumbleweed", Place(ecosystem="openSUSE:Tumbleweed")),
        ("Container suse/sle15:15.5", None),
        ("Image SLES15-SP5-Azure", None),
        ("SUSE ", None),
        ("", None),
    ],
)
def test_platforms_are_known_by_their_name(name: str, place: Place | None) -> None:
    assert place_of_name(name) == place


def test_an_image_s_ecosystems_are_named_as_the_documents_name_them() -> None:
    names = (
        "SUSE Linux Enterprise Server 15 SP5",
        "SUSE Linux Enterprise Server 15 SP5-LTSS",
        "SUSE Linux Enterprise Module for Basesystem 15 SP5",
    )
    assert {place.ecosystem for place in map(place_of_name, names) if place} <= set(other_ecosystems_of("sles", "15.5"))
    leap = place_of_name("openSUSE Leap 15.5")
    assert leap == Place(ecosystem=str(ecosystem_of("opensuse-leap", "15.5")))


@settings(deadline=None)  # files are written
@given(mutated(*_ASSETS))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    answer_or_refuse(SOURCE, {"csaf.tar.bz2": compress(pack_tar([("a.json", content)]), "bz2")})

"""Red Hat's VEX documents."""

import pytest
from hypothesis import given, settings

from pratique.advisories.advisory import FixState
from pratique.advisories.sources.csaf import Place
from pratique.advisories.sources.redhat_vex import SOURCE, place_of_cpe
from pratique.inventory.distribution import other_ecosystems_of
from tests.support.mutated import mutated
from tests.support.vendor_feeds import ASSETS, answer_or_refuse, compress, pack_tar, read_feed, said

_ASSET = (ASSETS / "redhat-csaf" / "cve-2023-38545.json").read_bytes()


def test_a_document_is_read_with_all_its_statements() -> None:
    advisories, problems = read_feed(SOURCE)
    advisory = advisories["REDHAT-CVE-2023-38545"]
    assert problems == []
    assert said(advisory.affected) == [
        ("Red Hat:enterprise_linux:9::baseos", "curl", "7.76.1-26.el9_3.2", FixState.AFFECTED, ""),
        ("Red Hat:rhel_eus:9.0::appstream", "libcurl", "1:7.76.1-14.el9_0.7", FixState.AFFECTED, ""),
        ("Red Hat:enterprise_linux:8::appstream", "nodejs", "1:18.19.0-1.module+el8.9.0", FixState.AFFECTED, ""),
        ("Red Hat:enterprise_linux:8::appstream", "npm", "9.1-1", FixState.AFFECTED, ""),
        ("Red Hat:enterprise_linux:6", "curl", "", FixState.END_OF_LIFE, "Out of support scope"),
        ("Red Hat:enterprise_linux:7", "curl", "", FixState.WILL_NOT_FIX, "Will not fix"),
        ("Red Hat:enterprise_linux:7", "libcurl", "", FixState.DEFERRED, "Fix deferred"),
        ("Red Hat:enterprise_linux:8", "mysql", "", FixState.AFFECTED, "Affected"),
        ("Red Hat:enterprise_linux:8", "curl", "-", FixState.NOT_AFFECTED, "vulnerable_code_not_present"),
    ]
    assert (advisory.aliases, advisory.equals, advisory.words) == (("CVE-2023-38545",), ("CVE-2023-38545",), ("Important",))
    assert advisory.modified == "2025-11-21T14:31:32Z"
    assert advisory.vectors == ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H",)
    assert advisory.references == (
        "https://security.access.redhat.com/data/csaf/v2/vex/2023/cve-2023-38545.json",
        "https://access.redhat.com/errata/RHSA-2023:6745",
    )


def test_modules_are_known_by_the_package_s_url_or_by_a_product_between() -> None:
    advisories, _ = read_feed(SOURCE)
    modules = {entry.name: entry.module for entry in advisories["REDHAT-CVE-2023-38545"].affected}
    assert (modules["nodejs"], modules["npm"], modules["curl"]) == ("nodejs:18", "nodejs:16", "")


def test_extended_support_is_a_channel() -> None:
    advisories, _ = read_feed(SOURCE)
    channels = {entry.ecosystem: entry.channel for entry in advisories["REDHAT-CVE-2023-38545"].affected if entry.channel}
    assert channels == {"Red Hat:rhel_eus:9.0::appstream": "eus-9.0"}


@pytest.mark.parametrize(
    ("cpe", "place"),
    [
        ("cpe:/o:redhat:enterprise_linux:9::baseos", Place(ecosystem="Red Hat:enterprise_linux:9::baseos")),
        ("cpe:/o:redhat:enterprise_linux:8", Place(ecosystem="Red Hat:enterprise_linux:8")),
        ("cpe:/o:redhat:enterprise_linux:8::", Place(ecosystem="Red Hat:enterprise_linux:8")),
        ("cpe:/o:redhat:enterprise_linux:10.0", Place(ecosystem="Red Hat:enterprise_linux:10.0")),
        ("cpe:/a:redhat:rhel_e4s:8.6::appstream", Place(ecosystem="Red Hat:rhel_e4s:8.6::appstream", channel="e4s-8.6")),
        ("cpe:/o:redhat:enterprise_linux_eus:10.0", Place(ecosystem="Red Hat:enterprise_linux_eus:10.0", channel="eus-10.0")),
        ("cpe:/a:redhat:rhel_eus_long_life:7.4", Place(ecosystem="Red Hat:rhel_eus_long_life:7.4", channel="eus-long-life-7.4")),
        ("cpe:/a:redhat:openshift:4.16::el9", Place(ecosystem="Red Hat:openshift:4.16::el9")),
        ("cpe:/a:redhat", None),
        ("cpe:/a:redhat:service_mesh", None),
        ("cpe:/o:centos:centos:8", None),
        ("", None),
    ],
)
def test_platforms_are_known_by_their_cpe(cpe: str, place: Place | None) -> None:
    assert place_of_cpe(cpe) == place


@pytest.mark.parametrize("version", ["8.9", "9.3"])
def test_the_repositories_of_an_image_are_named_as_the_documents_name_them(version: str) -> None:
    major = version[0]
    cpes = (f"cpe:/o:redhat:enterprise_linux:{major}::baseos", f"cpe:/a:redhat:enterprise_linux:{major}::appstream")
    places = {place.ecosystem for place in map(place_of_cpe, cpes) if place}
    assert len(places) == 2
    assert places <= set(other_ecosystems_of("rhel", version))


@settings(deadline=None)  # files are written
@given(mutated(_ASSET))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    answer_or_refuse(SOURCE, {"csaf_vex.tar.zst": compress(pack_tar([("a.json", content)]), "zst")})

"""SUSE's CSAF documents."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from pratique.advisories.advisory import FixState
from pratique.advisories.sources._csaf_tree import parse_rpm_purl
from pratique.advisories.sources.csaf import Place, parse_csaf
from pratique.advisories.sources.suse_csaf import DIALECT, SOURCE, place_of_name
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


_SERVER = "SUSE Linux Enterprise Server 12 SP4"


def _vex(products: dict[str, str], **flaw: Any) -> list[tuple[str, str, FixState]]:
    """What a document about products (id to URL) on one platform says: name, fixed version (empty: none; `-`: not affected) and state."""
    tree = [{"product": {"product_id": _SERVER, "name": _SERVER}}]
    tree += [
        {"product": {"product_id": name, "name": name, "product_identification_helper": {"purl": purl}}} for name, purl in products.items()
    ]
    flaw["product_status"] = {kind: [f"{_SERVER}:{name}" for name in names] for kind, names in flaw["product_status"].items()}
    document = {
        "document": {"tracking": {"id": "CVE-2018-1000", "current_release_date": "2026-08-22T02:37:48Z"}},
        "product_tree": {
            "branches": [{"branches": tree}],
            "relationships": [
                {
                    "full_product_name": {"product_id": f"{_SERVER}:{name}"},
                    "product_reference": name,
                    "relates_to_product_reference": _SERVER,
                }
                for name in products
            ],
        },
        "vulnerabilities": [{"cve": "CVE-2018-1000", **flaw}],
    }
    advisory, _ = parse_csaf(json.dumps(document).encode(), DIALECT)
    return [] if advisory is None else [(name, fix, state) for _, name, fix, state, _ in said(advisory.affected)]


@pytest.mark.parametrize(
    ("product", "purl", "name"),
    [
        ("libjavascriptcoregtk-4_0-18", "pkg:rpm/suse/libjavascriptcoregtk@4_0-18", "libjavascriptcoregtk-4_0-18"),
        ("typelib-1_0-WebKit2-4_0", "pkg:rpm/suse/typelib-1_0@WebKit2-4_0", "typelib-1_0-WebKit2-4_0"),
        ("libwebkit2gtk3-lang", "pkg:rpm/suse/libwebkit2gtk3-lang@?upstream=webkit2gtk3.src.rpm", "libwebkit2gtk3-lang"),
        ("libopenssl-3-fips-provider", "pkg:rpm/suse/libopenssl-3-fips-provider@?upstream=openssl-3.src.rpm", "libopenssl-3-fips-provider"),
        ("webkit2gtk3", "pkg:rpm/suse/webkit2gtk3@", "webkit2gtk3"),
        ("xz-5.6.2-1.1", "pkg:rpm/suse/xz@5.6.2-1.1?upstream=xz-5.6.2-1.1.src.rpm", "xz"),
        ("xz-5.6.2-1.1", "pkg:rpm/suse/xz@5.6.2-1.1", "xz"),
    ],
)
def test_a_name_that_its_url_has_in_two_is_taken_whole(product: str, purl: str, name: str) -> None:
    assert _vex({product: purl}, product_status={"known_affected": [product]}) == [(name, "", FixState.AFFECTED)]
    cleared = [] if name == "xz" else [(name, "-", FixState.NOT_AFFECTED)]  # of one build nothing follows for others
    assert _vex({product: purl}, product_status={"known_not_affected": [product]}) == cleared


def test_a_fix_is_of_a_package_whose_name_ends_in_numbers() -> None:
    build = "libjavascriptcoregtk-4_0-18-2.22.4-2.29.3"
    for purl in (
        "pkg:rpm/suse/libjavascriptcoregtk-4_0-18@2.22.4-2.29.3?upstream=webkit2gtk3-2.22.4-2.29.3.src.rpm",
        "pkg:rpm/suse/libjavascriptcoregtk-4_0-18@2.22.4-2.29.3",
    ):
        assert _vex({build: purl}, product_status={"recommended": [build]}) == [
            ("libjavascriptcoregtk-4_0-18", "2.22.4-2.29.3", FixState.AFFECTED)
        ]


_PCRE = {
    "libpcre1-8.39-8.3.1": "pkg:rpm/suse/libpcre1@8.39-8.3.1?upstream=pcre-8.39-8.3.1.src.rpm",
    "libpcrecpp0-8.45-8.7.1": "pkg:rpm/suse/libpcrecpp0@8.45-8.7.1?upstream=pcre-8.45-8.7.1.src.rpm",
    "libpcre1": "pkg:rpm/suse/libpcre1@?upstream=pcre.src.rpm",
    "pcre": "pkg:rpm/suse/pcre@",
    "pcre2": "pkg:rpm/suse/pcre2@",
}
_FIXED = [("libpcre1", "8.39-8.3.1", FixState.AFFECTED), ("libpcrecpp0", "8.45-8.7.1", FixState.AFFECTED)]
_BUILDS = ["libpcre1-8.39-8.3.1", "libpcrecpp0-8.45-8.7.1"]


def test_a_source_that_is_affected_beside_fixes_of_what_is_built_of_it_is_affected_up_to_them() -> None:
    status = {"recommended": _BUILDS, "known_affected": ["libpcre1", "pcre", "pcre2"]}
    assert _vex(_PCRE, product_status=status) == [*_FIXED, ("pcre", "8.45-8.7.1", FixState.AFFECTED), ("pcre2", "", FixState.AFFECTED)]


def test_a_source_that_will_not_be_fixed_stays_affected() -> None:
    remedy = {"category": "no_fix_planned", "details": "", "product_ids": [f"{_SERVER}:pcre"]}
    status = {"recommended": _BUILDS, "known_affected": ["pcre"]}
    assert _vex(_PCRE, product_status=status, remediations=[remedy]) == [*_FIXED, ("pcre", "", FixState.WILL_NOT_FIX)]


@pytest.mark.parametrize(
    ("purl", "source", "version"),
    [
        ("pkg:rpm/suse/a@1-2.1?upstream=b-1-2.1.src.rpm&epoch=3", "b", "3:1-2.1"),
        ("pkg:rpm/suse/a@1-2.1?upstream=b-c-1-2.1.nosrc.rpm", "b-c", "1-2.1"),
        ("pkg:rpm/suse/a@?upstream=b-c-d.src.rpm", "", ""),
        ("pkg:rpm/suse/a@1-2.1?upstream=b.src.rpm", "", ""),
        ("pkg:rpm/suse/a@1-2.1?upstream=b-1-2.1.x86_64.rpm", "", ""),
        ("pkg:rpm/suse/a@1-2.1", "", ""),
    ],
)
def test_a_url_tells_the_source_of_a_build(purl: str, source: str, version: str) -> None:
    name = parse_rpm_purl(purl)
    assert name is not None
    assert (name.source, name.source_version) == (source, version)


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

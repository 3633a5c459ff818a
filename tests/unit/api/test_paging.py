from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.findings import Finding, FindingKind, Severity
from pratique.inventory.package import InstalledPackage, Package
from pratique_services.api.answers import Problem
from pratique_services.api.paging import (
    AffectedKey,
    FindingKey,
    PackageKey,
    decode_cursor,
    encode_cursor,
    finding_key,
    package_key,
    page_of,
)

findings = st.lists(
    st.builds(
        Finding,
        kind=st.sampled_from(FindingKind),
        id=st.sampled_from(["CVE-1", "CVE-2", "x" * 300]),
        severity=st.sampled_from(Severity),
        package=st.sampled_from([None, "pkg:deb/debian/a@1", "pkg:deb/debian/b@1"]),
        fixed_in=st.sampled_from([None, "2"]),
        path=st.sampled_from([None, "etc/passwd"]),
    ),
    unique=True,
    max_size=30,
)


def read_all(items: list[Finding], limit: int) -> list[Finding]:
    seen: list[Finding] = []
    after: str | None = None
    while True:
        page = page_of(items, finding_key, after=decode_cursor(after, FindingKey), limit=limit)
        assert len(page.items) <= limit
        seen += page.items
        if page.next is None:
            return seen
        after = page.next


@given(findings, st.integers(1, 7))
def test_pages_show_every_finding_once_and_the_worst_first(items: list[Finding], limit: int) -> None:
    seen = read_all(items, limit)
    assert sorted(map(repr, seen)) == sorted(map(repr, items))
    assert [finding.severity for finding in seen] == sorted((finding.severity for finding in items), reverse=True)


def test_what_an_update_ends_comes_before_what_nothing_ends() -> None:
    common = {"kind": FindingKind.VULNERABILITY, "severity": Severity.HIGH}
    unfixed, fixed = Finding(id="CVE-1", **common), Finding(id="CVE-2", fixed_in="2", **common)
    assert read_all([unfixed, fixed], 1) == [fixed, unfixed]


def test_findings_that_come_between_two_pages_move_nothing() -> None:
    items = [Finding(kind=FindingKind.VULNERABILITY, id=f"CVE-{number}", severity=Severity.LOW) for number in range(4)]
    first = page_of(items, finding_key, after=None, limit=2)
    worse = Finding(kind=FindingKind.VULNERABILITY, id="CVE-9", severity=Severity.CRITICAL)
    second = page_of([worse, *items], finding_key, after=decode_cursor(first.next, FindingKey), limit=2)
    assert [finding.id for finding in (*first.items, *second.items)] == ["CVE-0", "CVE-1", "CVE-2", "CVE-3"]


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="/"), max_size=5000))
def test_a_cursor_fits_into_a_request_line_whatever_an_image_calls_its_packages(name: str) -> None:
    package = Package(type="npm", name=f"a{name}", version="1")
    cursor = encode_cursor(package_key(InstalledPackage(package=package, paths=("a",), layer=None)))
    assert len(cursor) < 2048
    assert decode_cursor(cursor, PackageKey) == package_key(InstalledPackage(package=package, paths=("a",), layer=None))


@pytest.mark.parametrize("text", ["x", "====", "bnVsbA", "W10", "WzEsMl0", encode_cursor(AffectedKey("a", "b", "c"))])
def test_a_cursor_of_another_list_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        decode_cursor(text, FindingKey)
    assert refusal.value.status == 400

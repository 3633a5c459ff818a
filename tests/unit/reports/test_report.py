"""Recommendations name the one version that ends all fixable findings of a package."""

from __future__ import annotations

from pratique.findings import Severity
from pratique.reports.report import MAX_RECOMMENDATIONS, sorted_findings
from tests.support.reports import ANGULAR, EOL, LIBSSL, SECRET, report, vulnerability


def test_the_latest_fix_of_a_package_is_recommended_once() -> None:
    fixes = ("1.1.1n-0+deb11u9", "1.1.1n-0+deb11u10", "1.1.1n-0+deb11u4")  # as text, u9 would be the latest
    found = report([vulnerability(f"CVE-{fix}", fixed_in=fix) for fix in fixes]).recommendations
    assert found == ("update openssl to 1.1.1n-0+deb11u10 or later (Debian:11)",)


def test_a_fix_that_is_no_version_does_not_cost_the_report() -> None:
    found = report([vulnerability("CVE-1", ANGULAR, fixed_in="x y"), vulnerability("CVE-2", ANGULAR, fixed_in="11.0.5")]).recommendations
    assert len(found) == 1


def test_advice_about_the_whole_image_comes_first() -> None:
    assert report([vulnerability("CVE-1"), EOL]).recommendations[0] == EOL.recommendation


def test_what_cannot_be_fixed_is_not_recommended() -> None:
    assert report([vulnerability("CVE-1", fixed_in=None), vulnerability("CVE-2", "pkg:deb/debian/gone@1"), SECRET]).recommendations == ()


def test_recommendations_are_bounded() -> None:
    advice = [vulnerability(f"CVE-{number}", None, recommendation=f"Do {number}") for number in range(MAX_RECOMMENDATIONS + 5)]
    assert len(report(advice).recommendations) == MAX_RECOMMENDATIONS


def test_the_worst_findings_come_first_and_the_order_does_not_depend_on_the_input() -> None:
    findings = [vulnerability("CVE-2", LIBSSL), vulnerability("CVE-1", LIBSSL), vulnerability("CVE-3", ANGULAR, Severity.CRITICAL), EOL]
    assert sorted_findings(findings) == sorted_findings(findings[::-1])
    assert [finding.id for finding in sorted_findings(findings)] == ["CVE-3", "EOL-debian-11", "CVE-1", "CVE-2"]

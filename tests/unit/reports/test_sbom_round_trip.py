"""What pratique writes, pratique reads: the same packages, in every format, from one to the other and back."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from pratique.inventory.coverage import Coverage
from pratique.inventory.package import InstalledPackage, Package
from pratique.reports.report import Report, Target
from pratique.sboms.contents import SbomContents
from pratique.sboms.reading import read_sbom
from tests.support.reports import COMPLETE, DEBIAN, DIGEST, LAYER, gap, vulnerability
from tests.support.sboms import RENDERERS, ROCKY, full_report


@pytest.fixture(params=RENDERERS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _described(packages: tuple[InstalledPackage, ...]) -> list[InstalledPackage]:
    """Without what formats may say in other words: licences in canonical form, suppliers, and sources that are the package itself."""
    plain = (replace(one, package=replace(one.package, licenses=(), vendor="", source_name=None, source_version=None)) for one in packages)
    return sorted(plain, key=lambda one: one.package.purl)


def _report_of(contents: SbomContents) -> Report:
    target = Target(reference="sbom:x", digest=str(contents.digest), platform=None, distribution=contents.distribution)
    target = replace(target, described=contents.reference)
    return Report(target=target, packages=contents.packages, findings=(), coverage=contents.inventory.coverage)


def test_every_package_comes_back_as_it_was(form: str) -> None:
    report = full_report()
    contents = read_sbom(RENDERERS[form](report))
    assert contents.problems == ()
    assert _described(contents.packages) == _described(report.packages)
    for found, given in zip(contents.packages, report.packages, strict=True):
        assert found.package.purl == given.package.purl
        assert (found.package.matching_name, found.package.matching_version) == (
            given.package.matching_name,
            given.package.matching_version,
        )
        assert found.package.ecosystem == given.package.ecosystem


def test_the_image_and_its_distribution_come_back(form: str) -> None:
    contents = read_sbom(RENDERERS[form](full_report()))
    assert (contents.reference, str(contents.digest)) == ("registry.example/team/app:v1", DIGEST)
    assert contents.distribution == DEBIAN
    other = replace(ROCKY, other_ecosystems=("One", "Two"))
    report = full_report()
    again = read_sbom(RENDERERS[form](replace(report, target=replace(report.target, distribution=other))))
    assert again.distribution == other


def test_licences_and_suppliers_survive(form: str) -> None:
    found = {one.package.name: one.package for one in read_sbom(RENDERERS[form](full_report())).packages}
    assert found["Six"].licenses == ("MIT",)
    assert "GPL-2.0-only" in " ".join(found["libfoo"].licenses)
    assert "MIT OR Apache-2.0" in " ".join(found["libfoo"].licenses)
    assert "foo@example.org" in found["libfoo"].vendor
    assert found["redis"].licenses == ("x" * 150, "a/b c", "a-b-c")
    assert found["nginx"].cpes == ("cpe:2.3:a:f5:nginx:1.25:*:*:*:*:*:*:*", "cpe:2.3:a:odd name:1")


@pytest.mark.parametrize("other", RENDERERS)
def test_formats_can_be_turned_into_each_other(form: str, other: str) -> None:
    first = read_sbom(RENDERERS[form](full_report()))
    second = read_sbom(RENDERERS[other](_report_of(first)))
    assert _described(second.packages) == _described(first.packages)
    assert (second.reference, second.digest, second.distribution) == (first.reference, first.digest, first.distribution)


def test_what_the_scan_could_not_read_is_a_gap_of_the_sbom_too(form: str) -> None:
    broken = full_report(coverage=Coverage(items=(COMPLETE, gap("rpm", "no reader for\nthis"))))
    assert read_sbom(RENDERERS[form](broken)).problems == ("the SBOM says it lacks something: rpm: no reader for this",)


def test_an_image_with_nothing_in_it_is_no_gap(form: str) -> None:
    assert read_sbom(RENDERERS[form](full_report(packages=()))).problems == ()


def test_the_same_report_gives_the_same_bytes(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    first, second = (RENDERERS[form](full_report()) for _ in range(2))
    assert first == second
    assert b'"1970-01-02T00:00:00Z"' in first
    assert RENDERERS[form](full_report(packages=full_report().packages[1:])) != first


@pytest.mark.parametrize("stated", ["", "x", "-1", "9" * 40, "²"])
def test_a_useless_source_date_is_passed_over(form: str, stated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", stated)
    assert time.strftime("%Y-", time.gmtime()).encode() in RENDERERS[form](full_report())


def test_findings_do_not_hinder_formats_that_have_no_place_for_them(form: str) -> None:
    assert read_sbom(RENDERERS[form](full_report(findings=(vulnerability("CVE-1"),)))).problems == ()


def test_4000_packages_are_written_and_read(form: str) -> None:
    packages = tuple(
        InstalledPackage(
            package=Package(
                type="deb",
                namespace="debian",
                name=f"lib{number:04}",
                version=f"1:2.{number}-3",
                ecosystem="Debian:11",
                qualifiers={"distro": "debian-11"},
                vendor=f"Team {number % 200} <team@example.org>",
                licenses=("GPL-2.0-only", "GPL-2+"),
            ),
            paths=("var/lib/dpkg/status",),
            layer=LAYER,
        )
        for number in range(4000)
    )
    content = RENDERERS[form](full_report(packages=packages))
    assert len(read_sbom(content).packages) == len(packages)

"""AlmaLinux packages that an update names beside its source, with versions of their own, and those of module streams."""

from __future__ import annotations

from pathlib import Path

from tests.support.almalinux import assert_same_findings, install

PERL = "perl-libs perl-interpreter perl-Errno=0:1.28 perl-IO=0:1.38 perl-Math-Complex=0:1.59 perl-IO-Zlib=1:1.10"


def test_packages_with_versions_of_their_own_are_found_before_the_fix_of_their_source(tmp_path: Path, database: Path) -> None:
    found = assert_same_findings(install({"perl 4 5.26.3 422.el8": PERL}, tmp_path), tmp_path, database)

    assert {name for _, name, _ in found} == {"perl", *(one.partition("=")[0] for one in PERL.split())}


def test_packages_with_versions_of_their_own_are_not_found_after_the_fix_of_their_source(tmp_path: Path, database: Path) -> None:
    assert assert_same_findings(install({"perl 4 5.26.3 423.el8_10": PERL}, tmp_path), tmp_path, database) == set()


def test_packages_of_a_module_stream_have_the_findings_of_their_stream(tmp_path: Path, database: Path) -> None:
    sources = {"nodejs 1 18.18.2 1.module_el8.8.0+3652+0e111ba0 nodejs:18:8080020231024:63b34585": "nodejs-docs nodejs-full-i18n"}

    found = assert_same_findings(install(sources, tmp_path), tmp_path, database)

    assert {record for record, _, _ in found} == {"ALSA-2024:1510", "ALSA-2024:2780", "ALSA-2024:6148", "ALSA-2025:1582"}


def test_updates_of_a_module_stream_are_not_for_packages_of_none(tmp_path: Path, database: Path) -> None:
    assert assert_same_findings(install({"perl 4 5.26.3 423.el8_10": "perl-libs"}, tmp_path), tmp_path, database) == set()

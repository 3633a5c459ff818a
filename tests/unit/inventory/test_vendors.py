"""Who built an OS package."""

import pytest

from pratique.inventory.package import Distribution, Package
from pratique.inventory.vendors import has_advisories, is_built_by


def built(ecosystem: str, kind: str, vendor: str, version: str = "1", package_ecosystem: str | None = None) -> bool:
    package = Package(
        type=kind, name="x", version=version, vendor=vendor, ecosystem=ecosystem if package_ecosystem is None else package_ecosystem
    )
    return is_built_by(Distribution(id="x", ecosystem=ecosystem or None), package)


@pytest.mark.parametrize(
    ("ecosystem", "kind", "vendor", "version"),
    [
        ("Debian:12", "deb", "Debian Python Team <team+python@tracker.debian.org>", "1.16.0-4"),
        ("Debian:12", "deb", "Matthias Klose <doko@debian.org>", "1"),
        ("Debian:11", "deb", "Debian Javascript Maintainers <pkg-javascript-devel@alioth-lists.debian.net>", "1+b1"),
        ("Debian:11", "deb", "doko@debian.org", "1"),
        ("Debian:12", "deb", "Theodore Y. Ts'o <tytso@mit.edu>", "1.47.0-2+deb12u1"),
        ("Ubuntu:22.04:LTS", "deb", "Ubuntu Developers <ubuntu-devel-discuss@lists.ubuntu.com>", "1.16.0-3ubuntu1"),
        ("Ubuntu:22.04:LTS", "deb", "Jonathan Nieder <jrnieder@gmail.com>", "1"),
        ("AlmaLinux:9", "rpm", "AlmaLinux", "1"),
        ("Amazon Linux:2023", "rpm", "Amazon Linux", "1"),
        ("Red Hat:enterprise_linux:9", "rpm", "Red Hat, Inc.", "1"),
        ("Red Hat:enterprise_linux:7", "rpm", "CentOS", "1"),
        ("Rocky Linux:9", "rpm", "Rocky Enterprise Software Foundation", "1"),
        ("openSUSE:Leap 15.6", "rpm", "SUSE LLC <https://www.suse.com/>", "1"),
        ("openSUSE:Leap 15.6", "rpm", "openSUSE", "1"),
        ("SUSE:Linux Enterprise Server 16.0", "rpm", "SUSE LLC <https://www.suse.com/>", "1"),
        ("Azure Linux:3", "rpm", "Microsoft Corporation", "3.12.3-5.azl3"),
        ("Photon OS:5.0", "rpm", "VMware, Inc.", "3.11.9-1.ph5"),
        ("openEuler:24.03-LTS", "rpm", "http://openeuler.org", "1"),
        ("Mageia:9", "rpm", "Mageia.Org", "1"),
        ("Alpine:v3.20", "apk", "", "1"),
        ("Wolfi", "apk", "", "1"),
    ],
)
def test_a_package_of_the_distribution_is_known_by_who_built_it(ecosystem: str, kind: str, vendor: str, version: str) -> None:
    assert built(ecosystem, kind, vendor, version)
    assert not built(ecosystem, kind, vendor, version, package_ecosystem="")


@pytest.mark.parametrize(
    ("ecosystem", "kind", "vendor", "version"),
    [
        ("Debian:12", "deb", "Ivan Iguaran <ivan@nodesource.com>", "18.20.4-1nodesource1"),
        ("Debian:12", "deb", "Docker <support@docker.com>", "5:24.0.7-1~debian.12~bookworm"),
        ("Debian:12", "deb", "", "1"),
        ("Debian:12", "deb", "Somebody <x@debian.org.example>", "1"),
        ("Debian:12", "deb", "Somebody <x@notdebian.org>", "1"),
        ("Debian:12", "deb", "x@debian.org <x@example.com>", "1"),
        ("Debian:12", "deb", "Ubuntu Developers <ubuntu-devel-discuss@lists.ubuntu.com>", "1"),
        ("Debian:12", "deb", "Debian PostgreSQL Maintainers <team+postgresql@tracker.debian.org>", "2.9.9-1.pgdg120+1"),
        ("Debian:12", "deb", "Debian PHP Maintainers <team+pkg-php@tracker.debian.org>", "8.2.14-1+0~20231222.29+debian12~1.gbp7fa4b7"),
        ("Ubuntu:22.04:LTS", "deb", "Matthias Klose <doko@ubuntu.com>", "3.12.1-1+jammy1"),
        ("Echo", "deb", "Matthias Klose <doko@debian.org>", "1"),
        ("AlmaLinux:9", "rpm", "Fedora Project", "1"),
        ("AlmaLinux:9", "rpm", "", "1"),
        ("Azure Linux:3", "rpm", "Microsoft Corporation", "8.0.8-1"),
        ("openSUSE:Leap 15.6", "rpm", "obs://build.opensuse.org/home:somebody", "1"),
        ("SUSE:Linux Enterprise Server 16.0", "rpm", "openSUSE", "1"),
        ("Alpine:v3.20", "deb", "Matthias Klose <doko@debian.org>", "1"),
        ("", "rpm", "Red Hat, Inc.", "1"),
        ("Red Hat:enterprise_linux:9", "rpm", "Fedora Project", "1"),
        ("", "rpm", "Fedora Project", "1"),
    ],
)
def test_in_doubt_a_package_is_a_third_party_s(ecosystem: str, kind: str, vendor: str, version: str) -> None:
    assert not built(ecosystem, kind, vendor, version)


@pytest.mark.parametrize(("ecosystem", "expected"), [("Debian:12", True), (None, False), ("Alpine:edge", False)])
def test_a_distribution_without_advisories_is_known(ecosystem: str | None, expected: bool) -> None:
    assert has_advisories(Distribution(id="x", ecosystem=ecosystem)) is expected
    assert not has_advisories(None)

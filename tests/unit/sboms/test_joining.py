"""What an attached SBOM says is added to what the scan found, and takes nothing away."""

from __future__ import annotations

from dataclasses import replace

from pratique.inventory.coverage import Coverage, CoverageStatus
from pratique.inventory.inventory import Inventory
from pratique.inventory.package import InstalledPackage, Package
from pratique.sboms.joining import join_sbom
from pratique.sboms.reading import read_sbom
from tests.support.reports import COMPLETE, DEBIAN, LAYER, LIBSSL, PACKAGES
from tests.support.sboms import cyclonedx, library

SCANNED = Inventory(
    distribution=DEBIAN,
    packages=tuple(
        sorted((InstalledPackage(package=one, paths=("x",), layer=LAYER) for one in PACKAGES), key=lambda found: found.package.purl)
    ),
    coverage=Coverage(items=(COMPLETE,)),
)


def _join(*purls: str, inventory: Inventory = SCANNED) -> Inventory:
    return join_sbom(inventory, read_sbom(cyclonedx(*map(library, purls))), "an SBOM")


def _added(joined: Inventory) -> list[str]:
    return [one.package.purl for one in joined.packages if one.layer is None]


def test_what_the_scan_found_stays_as_it_is() -> None:
    joined = _join(LIBSSL, "pkg:npm/%40angular/core@11.0.0", "pkg:pypi/requests@2.19.0")
    assert joined.packages == SCANNED.packages
    assert joined.coverage.status is CoverageStatus.COMPLETE
    assert joined.coverage.items[-1].reason == "an SBOM: CycloneDX 1.6, 3 packages, 0 of them found nowhere else"


def test_another_tool_s_name_of_the_release_makes_no_second_package() -> None:
    purl = "pkg:deb/debian/libssl1.1@1.1.1n-0%2Bdeb11u3?arch=amd64&distro=debian-11.7&upstream=openssl"
    without_architecture = "pkg:deb/debian/libstdc%2B%2B6@1:10.2.1-6?distro=debian-11"
    assert _added(_join(purl, without_architecture)) == []


def test_what_only_the_sbom_names_is_added_as_the_scan_would_name_it() -> None:
    joined = _join("pkg:npm/lodash@4.17.0", "pkg:deb/debian/new@1?arch=amd64&distro=debian-11.7", "pkg:npm/%40angular/core@12.0.0")
    assert _added(joined) == ["pkg:deb/debian/new@1?arch=amd64&distro=debian-11", "pkg:npm/%40angular/core@12.0.0", "pkg:npm/lodash@4.17.0"]
    assert [one.package.purl for one in joined.packages] == sorted(one.package.purl for one in joined.packages)
    assert "3 of them found nowhere else" in joined.coverage.items[-1].reason


def test_libraries_of_another_distribution_keep_theirs() -> None:
    assert _added(_join("pkg:rpm/almalinux/gcc@8?distro=almalinux-8.1")) == ["pkg:rpm/almalinux/gcc@8?distro=almalinux-8.1"]


def test_paths_layers_and_owners_of_an_sbom_are_not_believed() -> None:
    said = [
        {"name": f"pratique:{name}", "value": value}
        for name, value in (("ecosystem", "npm"), ("layer", LAYER), ("owned_by", LIBSSL), ("path", "a"))
    ]
    contents = read_sbom(cyclonedx(library("pkg:npm/x@1", properties=said)))
    added = next(one for one in join_sbom(SCANNED, contents, "x").packages if one.package.name == "x")
    assert (added.paths, added.layer, added.owned_by) == ((), None, None)


def test_what_was_found_in_other_images_is_not_added() -> None:
    elsewhere = InstalledPackage(package=Package(type="npm", name="lodash", version="1"), paths=(), layer=LAYER)
    contents = read_sbom(cyclonedx(library("pkg:npm/lodash@1")))
    assert join_sbom(SCANNED, contents, "x", found_elsewhere=[elsewhere]).packages == SCANNED.packages


def test_what_of_the_sbom_was_not_understood_is_a_gap() -> None:
    joined = _join("pkg:npm/a@1", "pkg:npm/")
    assert [gap.reason for gap in joined.coverage.gaps] == [
        "an SBOM: 1 components with an unreadable package URL, name or version: pkg:npm/"
    ]


def test_an_image_without_a_distribution_takes_packages_as_they_are() -> None:
    bare = replace(SCANNED, distribution=None, packages=())
    assert _added(_join("pkg:deb/debian/a@1?distro=debian-11.7", inventory=bare)) == ["pkg:deb/debian/a@1?distro=debian-11.7"]

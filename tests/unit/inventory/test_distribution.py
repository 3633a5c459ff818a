"""Ecosystems of distributions, and which file is believed."""

import pytest

from pratique.inventory.distribution import choose_distribution, ecosystem_of, package_type_of
from pratique.inventory.package import Distribution


@pytest.mark.parametrize(
    ("distribution_id", "version_id", "ecosystem"),
    [
        ("debian", "11", "Debian:11"),
        ("debian", "6.0", "Debian:6.0"),
        ("debian", "", None),
        ("alpine", "3.18.4", "Alpine:v3.18"),
        ("alpine", "3.9", "Alpine:v3.9"),
        ("alpine", "3.21.0_alpha20240923", "Alpine:edge"),
        ("alpine", "edge", "Alpine:edge"),
        ("alpine", "3", None),
        ("ubuntu", "22.04", "Ubuntu:22.04:LTS"),
        ("ubuntu", "6.06", "Ubuntu:6.06:LTS"),
        ("ubuntu", "23.10", "Ubuntu:23.10"),
        ("ubuntu", "23.04", "Ubuntu:23.04"),
        ("ubuntu", "22.10", "Ubuntu:22.10"),
        ("wolfi", "20230201", "Wolfi"),
        ("chainguard", "20230201", "Chainguard"),
        ("almalinux", "9.3", "AlmaLinux:9"),
        ("rocky", "9.3", "Rocky Linux:9"),
        ("photon", "4.0", "Photon OS:4.0"),
        ("opensuse-leap", "15.5", "openSUSE:Leap 15.5"),
        ("opensuse-tumbleweed", "20240101", "openSUSE:Tumbleweed"),
        ("fedora", "40", None),
        ("rhel", "9.3", None),
        ("raspbian", "11", None),
        ("kali", "2024.1", None),
        ("unheard-of", "1", None),
    ],
)
def test_a_release_has_the_ecosystem_that_advisories_name(distribution_id: str, version_id: str, ecosystem: str | None) -> None:
    assert ecosystem_of(distribution_id, version_id) == ecosystem


def test_alpine_edge_is_known_by_its_pretty_name_too() -> None:
    assert ecosystem_of("alpine", "3.20.0", "Alpine Linux edge") == "Alpine:edge"


@pytest.mark.parametrize(("distribution_id", "package_type"), [("ubuntu", "deb"), ("wolfi", "apk"), ("fedora", "rpm"), ("buildroot", None)])
def test_a_distribution_has_one_type_of_package(distribution_id: str, package_type: str | None) -> None:
    assert package_type_of(Distribution(id=distribution_id)) == package_type


def at(path: str, distribution_id: str = "debian", ecosystem: str | None = "Debian:11") -> Distribution:
    return Distribution(id=distribution_id, version_id="v", ecosystem=ecosystem, path=path)


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (["usr/lib/os-release", "etc/os-release"], "etc/os-release"),
        (["etc/debian_version", "usr/lib/os-release"], "usr/lib/os-release"),
        (["etc/debian_version"], "etc/debian_version"),
        (["etc/debian_version", "etc/alpine-release"], "etc/alpine-release"),
    ],
)
def test_the_most_trusted_file_is_believed(paths: list[str], chosen: str) -> None:
    assert choose_distribution([at(path) for path in paths]) == at(chosen)
    assert choose_distribution([at(path) for path in reversed(paths)]) == at(chosen)


def test_nothing_is_chosen_from_nothing() -> None:
    assert choose_distribution([]) is None


def test_the_repositories_of_alpine_outrank_its_os_release() -> None:
    found = choose_distribution([at("etc/os-release", "alpine", "Alpine:v3.18"), at("etc/apk/repositories", "alpine", "Alpine:v3.19")])

    assert found == at("etc/os-release", "alpine", "Alpine:v3.19")


def test_repositories_of_alpine_say_nothing_of_another_distribution() -> None:
    assert choose_distribution([at("etc/os-release"), at("etc/apk/repositories", "alpine", "Alpine:v3.19")]) == at("etc/os-release")

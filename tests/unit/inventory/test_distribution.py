"""Ecosystems of distributions, and which file is believed."""

import pytest

from pratique.advisories.ecosystem_parts import parts_of
from pratique.inventory.distribution import choose_distribution, ecosystem_of, other_ecosystems_of, package_type_of
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
        ("mariner", "2.0", "Azure Linux:2"),
        ("azurelinux", "3.0", "Azure Linux:3"),
        ("mageia", "9", "Mageia:9"),
        ("opensuse", "42.3", "openSUSE:Leap 42.3"),
        ("opensuse", "13.2", None),
        ("opensuse-leap-micro", "5.5", "openSUSE:Leap Micro 5.5"),
        ("sle-micro", "5.5", "SUSE:Linux Enterprise Micro 5.5"),
        ("sl-micro", "6.0", "SUSE:Linux Micro 6.0"),
        ("sles", "15.5", "SUSE:Linux Enterprise Server 15 SP5"),
        ("sles", "15.0", "SUSE:Linux Enterprise Server 15"),
        ("sles", "12.5", "SUSE:Linux Enterprise Server 12 SP5"),
        ("sles_sap", "15.5", "SUSE:Linux Enterprise Server for SAP Applications 15 SP5"),
        ("sles", "16.0", "SUSE:Linux Enterprise Server 16.0"),
        ("alpaquita", "23", "Alpaquita:23"),
        ("alpaquita", "stream", "Alpaquita:stream"),
        ("bellsoft-hardened-containers", "25", "BellSoft Hardened Containers:25"),
        ("minimos", "20241031", "MinimOS"),
        ("cleanstart", "1", "CleanStart"),
        ("echo", "1", "Echo"),
        ("amzn", "2023", "Amazon Linux:2023"),
        ("amzn", "2", "Amazon Linux:2"),
        ("amzn", "2018.03", "Amazon Linux:1"),
        ("ol", "9.3", None),
        ("arch", "", None),
        ("gentoo", "2.15", None),
        ("bottlerocket", "1.20.0", None),
        ("fedora", "40", None),
        ("rhel", "9.3", "Red Hat:enterprise_linux:9"),
        ("rhel", "10.0", "Red Hat:enterprise_linux:10"),
        ("rhel", "", None),
        ("centos", "7", "Red Hat:enterprise_linux:7"),
        ("raspbian", "11", None),
        ("kali", "2024.1", None),
        ("unheard-of", "1", None),
    ],
)
def test_a_release_has_the_ecosystem_that_advisories_name(distribution_id: str, version_id: str, ecosystem: str | None) -> None:
    assert ecosystem_of(distribution_id, version_id) == ecosystem


@pytest.mark.parametrize(
    ("pretty_name", "ecosystem"),
    [
        ("openEuler 22.03 (LTS-SP1)", "openEuler:22.03-LTS-SP1"),
        ("openEuler 22.03 LTS", None),
        ("openEuler 22.03 (LTS)", "openEuler:22.03-LTS"),
        ("openEuler 23.09", None),
    ],
)
def test_a_release_of_openeuler_is_told_by_its_pretty_name(pretty_name: str, ecosystem: str | None) -> None:
    assert ecosystem_of("openeuler", "22.03", pretty_name) == ecosystem


@pytest.mark.parametrize(
    ("distribution_id", "version_id", "expected"),
    [
        ("rhel", "9.3", "Red Hat:enterprise_linux:9::appstream"),
        ("rhel", "8.10", "Red Hat:enterprise_linux:8::baseos"),
        ("rhel", "7.9", "Red Hat:enterprise_linux:7::server"),
        ("sles", "15.5", "SUSE:Linux Enterprise Module for Basesystem 15 SP5"),
        ("sles", "15.4", "SUSE:Linux Enterprise Server 15 SP4-LTSS"),
        ("sles", "15", "SUSE:Linux Enterprise Server 15"),
        ("sles", "15.0", "SUSE:Linux Enterprise Server 15"),
        ("sles_sap", "12.5", "SUSE:Linux Enterprise Server for SAP Applications 12 SP5"),
    ],
)
def test_a_release_without_a_single_ecosystem_has_several(distribution_id: str, version_id: str, expected: str) -> None:
    others = other_ecosystems_of(distribution_id, version_id)
    ecosystem = ecosystem_of(distribution_id, version_id)
    assert expected in others
    assert ecosystem is not None
    assert {part.ecosystem for part in parts_of(ecosystem, others)} == set(others)


@pytest.mark.parametrize(
    ("distribution_id", "version_id"), [("debian", "12"), ("rhel", "10"), ("rhel", ""), ("sles", "16.0"), ("ubuntu", "22.04")]
)
def test_others_have_none_beside_their_own(distribution_id: str, version_id: str) -> None:
    assert other_ecosystems_of(distribution_id, version_id) == ()


def test_alpine_edge_is_known_by_its_pretty_name_too() -> None:
    assert ecosystem_of("alpine", "3.20.0", "Alpine Linux edge") == "Alpine:edge"


@pytest.mark.parametrize(
    ("distribution_id", "package_type"),
    [
        *(
            ("ubuntu", "deb"),
            ("wolfi", "apk"),
            ("fedora", "rpm"),
            ("arch", "alpm"),
            ("manjaro", "alpm"),
            ("endeavouros", "alpm"),
            ("artix", "alpm"),
        ),
        *(("gentoo", "ebuild"), ("openwrt", "opkg"), ("postmarketos", "apk"), ("buildroot", None), ("busybox", None)),
    ],
)
def test_a_distribution_has_one_type_of_package(distribution_id: str, package_type: str | None) -> None:
    assert package_type_of(Distribution(id=distribution_id)) == package_type


@pytest.mark.parametrize(
    ("version_id", "package_type"), [("23.05.3", "opkg"), ("24.10.0", "opkg"), ("25.12.0", "apk"), ("snapshot", "apk")]
)
def test_openwrt_has_changed_its_package_manager(version_id: str, package_type: str) -> None:
    assert package_type_of(Distribution(id="openwrt", version_id=version_id)) == package_type


def at(path: str, distribution_id: str = "debian", ecosystem: str | None = "Debian:11") -> Distribution:
    return Distribution(id=distribution_id, version_id="v", ecosystem=ecosystem, path=path)


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (["usr/lib/os-release", "etc/os-release"], "etc/os-release"),
        (["etc/debian_version", "usr/lib/os-release"], "usr/lib/os-release"),
        (["etc/debian_version"], "etc/debian_version"),
        (["etc/debian_version", "etc/alpine-release"], "etc/alpine-release"),
        (["etc/debian_version", "etc/lsb-release"], "etc/lsb-release"),
        (["etc/redhat-release", "etc/oracle-release"], "etc/oracle-release"),
        (["etc/redhat-release", "etc/system-release-cpe"], "etc/system-release-cpe"),
        (
            ["x86_64-bottlerocket-linux-gnu/sys-root/usr/lib/os-release", "etc/redhat-release"],
            "x86_64-bottlerocket-linux-gnu/sys-root/usr/lib/os-release",
        ),
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


def test_a_release_that_os_release_lacks_is_taken_from_the_next_file() -> None:
    old_distroless = Distribution(id="debian", pretty_name="Distroless", path="etc/os-release")
    version = Distribution(id="debian", version_id="10", ecosystem="Debian:10", path="etc/debian_version")

    found = choose_distribution([version, old_distroless])

    assert found is not None
    assert (found.path, found.pretty_name, found.version_id, found.ecosystem) == ("etc/os-release", "Distroless", "10", "Debian:10")


def test_a_release_is_not_taken_from_another_distribution() -> None:
    kali = Distribution(id="kali", path="etc/os-release")

    assert choose_distribution([kali, at("etc/debian_version")]) == kali


def test_ubuntu_pro_adds_the_ecosystem_of_its_updates() -> None:
    jammy = Distribution(id="ubuntu", version_id="22.04", ecosystem="Ubuntu:22.04:LTS", path="etc/os-release")
    pro = Distribution(id="ubuntu", path="var/lib/ubuntu-advantage/status.json")

    found = choose_distribution([pro, jammy])

    assert found is not None
    assert (found.ecosystem, found.other_ecosystems) == ("Ubuntu:Pro:22.04:LTS", ("Ubuntu:22.04:LTS",))


def test_ubuntu_pro_says_nothing_of_another_distribution() -> None:
    assert choose_distribution([at("etc/os-release"), Distribution(id="ubuntu", path="var/lib/ubuntu-advantage/status.json")]) == at(
        "etc/os-release"
    )

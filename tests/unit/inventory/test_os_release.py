"""Files that name the distribution."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidRecord
from pratique.inventory.analyzers.os_release import ANALYZER, parse
from pratique.inventory.distribution import DISTRIBUTION_PATHS
from pratique.inventory.package import Distribution
from tests.support.layer_results import asset_file, layer_file

OS_RELEASE = "etc/os-release"
UBUNTU_PRO = "var/lib/ubuntu-advantage/status.json"


def test_a_real_os_release_names_its_distribution() -> None:
    assert list(parse(asset_file("usr/lib/os-release", "debian-11-os-release"))) == [
        Distribution(
            id="debian", version_id="11", pretty_name="Debian GNU/Linux 11 (bullseye)", ecosystem="Debian:11", path="usr/lib/os-release"
        )
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("ID=alpine\nVERSION_ID=3.18.4\n", ("alpine", "3.18.4", "")),
        ("ID='ubuntu'\nVERSION_ID=\"22.04\"\n", ("ubuntu", "22.04", "")),
        ('ID="opensuse-leap"\nVERSION_ID="15.5"\nPRETTY_NAME="say \\"hi\\" for \\$5"', ("opensuse-leap", "15.5", 'say "hi" for $5')),
        ("# ID=other\n\n  ID=Debian  \r\nVERSION_ID=11\r\n", ("debian", "11", "")),
        ("ID=a\nID=b\n", ("b", "", "")),
        ("ID=debian\nVERSION_ID=$(reboot)\n", ("debian", "", "")),
        ('ID=debian\nVERSION_ID="1 2"\n', ("debian", "", "")),
        ("ID=debian\nnonsense\nPRETTY_NAME=unquoted words\n", ("debian", "", "")),
        ('ID=debian\nPRETTY_NAME="' + "x" * 5000 + '"', ("debian", "", "x" * 200)),
        ('ID=debian\nPRETTY_NAME="a\x1b[31mb"', ("debian", "", "a[31mb")),
    ],
)
def test_assignments_are_read_as_a_shell_would(content: str, expected: tuple[str, str, str]) -> None:
    (found,) = parse(layer_file(OS_RELEASE, content))

    assert (found.id, found.version_id, found.pretty_name) == expected


@pytest.mark.parametrize("content", ["", "NAME=x\n", "ID=\n", 'ID="a b"\n', "ID=../x\n", 'ID="debian\n', "ID=`id`\n"])
def test_an_os_release_without_an_id_is_an_error(content: str) -> None:
    with pytest.raises(InvalidRecord, match="names no distribution"):
        list(parse(layer_file(OS_RELEASE, content)))


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("etc/alpine-release", "3.18.4\n", ("alpine", "3.18.4", "Alpine:v3.18")),
        ("etc/alpine-release", "3.19_alpha20230901\n", ("alpine", "3.19_alpha20230901", "Alpine:edge")),
        ("etc/debian_version", "11.9\n", ("debian", "11", "Debian:11")),
        ("etc/debian_version", "6.0.10\n", ("debian", "6.0", "Debian:6.0")),
        ("etc/debian_version", "trixie/sid\n", ("debian", "", None)),
        (
            "etc/apk/repositories",
            "https://dl.example.org/alpine/v3.18/main\nhttps://dl.example.org/alpine/v3.18/community\n",
            ("alpine", "3.18", "Alpine:v3.18"),
        ),
        (
            "etc/apk/repositories",
            "http://dl.example.org/alpine/edge/main\n#http://dl.example.org/alpine/v3.18/main\n",
            ("alpine", "edge", "Alpine:edge"),
        ),
        (
            "etc/apk/repositories",
            "https://dl.example.org/alpine/v3.18/main\n@edge https://dl.example.org/alpine/edge/main\nhttps://dl.example.org/alpine/edge/testing\n",
            ("alpine", "3.18", "Alpine:v3.18"),
        ),
    ],
)
def test_older_files_name_a_distribution_too(path: str, content: str, expected: tuple[str, str, str | None]) -> None:
    (found,) = parse(layer_file(path, content))

    assert (found.id, found.version_id, found.ecosystem) == expected
    assert found.path == path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('NAME="Debian GNU/Linux"\nVERSION_ID="8"\nID_LIKE=debian\n', ("debian", "8", "Debian:8")),
        ("ID_LIKE=debian\nVERSION_ID=12\n", ("debian", "12", "Debian:12")),
        ('NAME="Rocky Linux"\nVERSION_ID="9.3"\nID=\n', ("rocky", "9.3", "Rocky Linux:9")),
        ("NAME=SLES\nVERSION_ID=15.5\n", ("sles", "15.5", "SUSE:Linux Enterprise Server 15 SP5")),
    ],
)
def test_a_missing_id_is_taken_from_a_known_name(content: str, expected: tuple[str, str, str | None]) -> None:
    (found,) = parse(layer_file(OS_RELEASE, content))

    assert (found.id, found.version_id, found.ecosystem) == expected


def test_a_derived_distribution_without_an_id_is_not_its_parent() -> None:
    with pytest.raises(InvalidRecord, match="names no distribution"):
        list(parse(layer_file(OS_RELEASE, "NAME=Mine\nVERSION_ID=8\nID_LIKE=debian\n")))


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("etc/lsb-release", 'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=22.04\nDISTRIB_DESCRIPTION="Ubuntu 22.04.4 LTS"\n', ("ubuntu", "22.04")),
        ("etc/lsb-release", 'DISTRIB_ID="Mariner"\nDISTRIB_RELEASE="2.0.20220226"\n', ("mariner", "2.0")),
        ("etc/lsb-release", "DISTRIB_ID=LinuxMint\nDISTRIB_RELEASE=21.3\n", ("linuxmint", "21.3")),
        ("etc/openwrt_release", "DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE='22.03.5'\n", ("openwrt", "22.03.5")),
        ("etc/system-release-cpe", "cpe:/o:centos:linux:6:GA\n", ("centos", "6")),
        ("etc/system-release-cpe", "cpe:/o:redhat:enterprise_linux:6server:ga:server\n", ("rhel", "6")),
        ("etc/system-release-cpe", "cpe:2.3:o:amazon:amazon_linux:2\n", ("amzn", "2")),
        ("etc/system-release-cpe", "cpe:/o:oracle:linux:8:3:server\n", ("ol", "8")),
        ("etc/redhat-release", "Red Hat Enterprise Linux Server release 7.9 (Maipo)\n", ("rhel", "7.9")),
        ("etc/redhat-release", "Scientific Linux release 7.9 (Nitrogen)\n", ("scientific", "7.9")),
        ("etc/centos-release", "CentOS release 5.7 (Final)\n", ("centos", "5.7")),
        ("etc/centos-release", "CentOS release 5 (Final)", ("centos", "5")),
        ("etc/rocky-release", "Rocky Linux release 8.10 (Green Obsidian)\n", ("rocky", "8.10")),
        ("etc/almalinux-release", "AlmaLinux release 8.10 (Cerulean Leopard)\n", ("almalinux", "8.10")),
        ("etc/oracle-release", "Oracle Linux Server release 8.3\n", ("ol", "8.3")),
        ("etc/fedora-release", "Fedora release 36 (Thirty Six)\n", ("fedora", "36")),
        ("etc/system-release", "Amazon Linux release 2 (Karoo)\n", ("amzn", "2")),
        ("etc/system-release", "Amazon Linux AMI release 2018.03\n", ("amzn", "2018.03")),
        ("usr/lib/system-release", "Amazon Linux release 2023.6.20241010 (Amazon Linux)\n", ("amzn", "2023")),
        ("etc/photon-release", "VMware Photon OS 3.0\nPHOTON_BUILD_NUMBER=26156e2\n", ("photon", "3.0")),
        ("etc/mariner-release", "CBL-Mariner 2.0.20220226\nMARINER_BUILD_NUMBER=0fcac9a\n", ("mariner", "2.0")),
        ("etc/SuSE-release", "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n", ("sles", "11.4")),
        ("etc/SuSE-release", "openSUSE 13.1 (x86_64)\nVERSION = 13.1\nCODENAME = Bottle\n", ("opensuse", "13.1")),
        ("etc/mageia-release", "Mageia release 9 (Official) for x86_64\n", ("mageia", "9")),
        ("etc/gentoo-release", "Gentoo Base System release 2.15\n", ("gentoo", "2.15")),
        ("etc/slackware-version", "Slackware 15.0\n", ("slackware", "15.0")),
        ("etc/arch-release", "", ("arch", "")),
        ("etc/arch-release", "Manjaro Linux\n", ("manjaro", "")),
    ],
)
def test_files_that_older_distributions_have_are_read(path: str, content: str, expected: tuple[str, str]) -> None:
    (found,) = parse(layer_file(path, content))

    assert (found.id, found.version_id) == expected


def test_a_stream_is_known_by_its_pretty_name() -> None:
    (found,) = parse(layer_file("etc/centos-release", "CentOS Stream release 9\n"))

    assert (found.id, found.version_id, found.pretty_name) == ("centos", "9", "CentOS Stream release 9")


@pytest.mark.parametrize(
    ("services", "is_on"),
    [
        ('[{"name": "esm-infra", "status": "enabled"}]', True),
        ('[{"name": "livepatch", "status": "n/a"}, {"name": "esm-apps", "status": "enabled"}]', True),
        ('[{"name": "esm-infra", "status": "disabled"}, {"name": "fips", "status": "enabled"}]', False),
        ("[]", False),
    ],
)
def test_ubuntu_pro_counts_while_it_is_switched_on(services: str, is_on: bool) -> None:
    found = list(parse(layer_file(UBUNTU_PRO, f'{{"attached": true, "services": {services}}}')))

    assert [distribution.id for distribution in found] == ["ubuntu"] * is_on


@pytest.mark.parametrize("content", ["", "[]", '{"services": {}}', '{"services": [' + "[" * 100_000])
def test_a_broken_status_of_ubuntu_pro_is_an_error(content: str) -> None:
    with pytest.raises(InvalidRecord, match="expected the status of Ubuntu Pro"):
        list(parse(layer_file(UBUNTU_PRO, content)))


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("etc/redhat-release", "Derived from Red Hat Enterprise Linux 8\n"),
        ("etc/redhat-release", ""),
        ("etc/system-release-cpe", "cpe:/o:centos:6:GA"),
        ("etc/system-release-cpe", "cpe:/o:nobody:linux:6:GA"),
        ("etc/lsb-release", "LSB_VERSION=1.4\n"),
        ("etc/lsb-release", "DISTRIB_ID=Unheard\nDISTRIB_RELEASE=1\n"),
        ("etc/SuSE-release", "\x00\x01"),
        ("etc/arch-release", "Unheard\n"),
        ("etc/debian_version", "kali-rolling\n"),
        ("etc/debian_version", ""),
        ("etc/alpine-release", "\x00"),
        ("etc/apk/repositories", "https://packages.wolfi.dev/os\n"),
        ("etc/apk/repositories", "https://dl.example.org/alpine/v3.18/main\nhttps://dl.example.org/alpine/v3.19/main\n"),
    ],
)
def test_a_fallback_that_names_nothing_is_silent(path: str, content: str) -> None:
    assert list(parse(layer_file(path, content))) == []


@pytest.mark.parametrize("path", ["opt/etc/os-release", "etc/os-release.bak", "etc/lsb-release.d/x"])
def test_only_known_places_are_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)


@given(
    path=st.sampled_from(DISTRIBUTION_PATHS),
    content=st.binary(max_size=200) | st.text(alphabet='ID=NAME"ubuntu0123456789. release\n\\:/{}', max_size=200),
)
def test_any_bytes_give_a_distribution_or_an_input_error(path: str, content: bytes | str) -> None:
    try:
        found = list(parse(layer_file(path, content)))
    except InputError:
        return
    assert len(found) <= 1

"""Files that name the distribution."""

import pytest

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers.os_release import ANALYZER, parse
from pratique.inventory.package import Distribution
from tests.support.layer_results import asset_file, layer_file

OS_RELEASE = "etc/os-release"


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
    ("path", "content"),
    [
        ("etc/debian_version", "kali-rolling\n"),
        ("etc/debian_version", ""),
        ("etc/alpine-release", "\x00"),
        ("etc/apk/repositories", "https://packages.wolfi.dev/os\n"),
        ("etc/apk/repositories", "https://dl.example.org/alpine/v3.18/main\nhttps://dl.example.org/alpine/v3.19/main\n"),
    ],
)
def test_a_fallback_that_names_nothing_is_silent(path: str, content: str) -> None:
    assert list(parse(layer_file(path, content))) == []


@pytest.mark.parametrize("path", ["opt/etc/os-release", "etc/os-release.bak", "etc/lsb-release"])
def test_only_known_places_are_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)

"""Snaps unpacked into an image."""

import gzip

import pytest
from hypothesis import given

from pratique.errors import InputError
from pratique.inventory.analyzers.snap import ANALYZER, parse
from pratique.inventory.package import Package
from tests.support.layer_results import layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

SNAP = """name: hello-world
version: 6.10
summary: The 'hello-world' of snaps
description: |
  a: b
architectures: [amd64]
base: core20
license: GPL-3.0
apps:
  env: {command: bin/env, version: "1"}
"""
MANIFEST = """snapcraft-version: 8.2.1
snapcraft-os-release-id: ubuntu
snapcraft-os-release-version-id: '24.04'
name: pc
version: 24-0.1
base: core24
primed-stage-packages:
- grub-efi-amd64-signed=1.202+2.12-1ubuntu7
- libc6:amd64=2.39-0ubuntu8
parts:
  grub:
    stage-packages: [other=1]
"""
DPKG_LIST = """Desired=Unknown/Install/Remove/Purge/Hold
| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend
|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)
||/ Name                Version             Architecture Description
+++-===================-===================-============-=================
ii  adduser             3.118ubuntu2        all          add and remove users and groups
ii  libc6:amd64         2.31-0ubuntu9.16    amd64        GNU C Library
rc  gone                1                   all          removed
"""
CHANGELOG = gzip.compress(b"linux (5.4.0-195.215) focal; urgency=medium\n\n  * focal/linux: 5.4.0-195.215\n" + b"x" * 5_000_000, mtime=0)
CHANGELOG_PATH = "snap/pc-kernel/1/doc/linux-modules-5.4.0-195-generic/changelog.Debian.gz"


def packages(path: str, content: bytes | str) -> tuple[list[Package], str]:
    facts, error = read(parse, layer_file(path, content))
    return [fact for fact in facts if isinstance(fact, Package)], error


def test_a_snap_keeps_its_version_as_text() -> None:
    (package,) = packages("snap/hello-world/29/meta/snap.yaml", SNAP)[0]

    assert package.purl == "pkg:generic/snap/hello-world@6.10?arch=amd64&base=core20"
    assert package.licenses == ("GPL-3.0",)


def test_staged_packages_belong_to_the_ubuntu_release_of_the_build() -> None:
    found, error = packages("snap/pc/1/snap/manifest.yaml", MANIFEST)

    assert [package.purl for package in found] == [
        "pkg:deb/ubuntu/grub-efi-amd64-signed@1.202%2B2.12-1ubuntu7?distro=ubuntu-24.04",
        "pkg:deb/ubuntu/libc6@2.39-0ubuntu8?arch=amd64&distro=ubuntu-24.04",
    ]
    assert {package.ecosystem for package in found} == {"Ubuntu:24.04:LTS"}
    assert not error


@pytest.mark.parametrize(
    ("base", "ecosystem"), [("core", "Ubuntu:16.04:LTS"), ("core18", "Ubuntu:18.04:LTS"), ("bare", ""), ("", ""), ("core22-x", "")]
)
def test_the_base_tells_the_release_where_nothing_else_does(base: str, ecosystem: str) -> None:
    (package,) = packages("snap/a/1/snap/manifest.yaml", f"name: a\nbase: '{base}'\nprimed-stage-packages: [b=1]\n")[0]

    assert (package.ecosystem, package.namespace) == (ecosystem, "ubuntu")


def test_the_lists_of_an_image_itself_leave_its_distribution_open() -> None:
    text = "package-repositories:\n- type: apt\n  ppa: x/y\npackages:\n- adduser=3.118ubuntu2\n- libc6:amd64=2.31-0ubuntu9.16\n"
    of_image, _ = packages("usr/share/snappy/dpkg.yaml", text)
    of_snap, _ = packages("snap/core20/1/usr/share/snappy/dpkg.yaml", text)

    assert [(package.namespace, package.name, package.version) for package in of_image] == [
        ("", "adduser", "3.118ubuntu2"),
        ("", "libc6", "2.31-0ubuntu9.16"),
    ]
    assert [package.namespace for package in of_snap] == ["ubuntu", "ubuntu"]


def test_a_list_of_dpkg_gives_what_is_installed() -> None:
    found, _ = packages("usr/share/snappy/dpkg.list", DPKG_LIST)

    assert [(package.name, package.version, package.architecture) for package in found] == [
        ("adduser", "3.118ubuntu2", "all"),
        ("libc6", "2.31-0ubuntu9.16", "amd64"),
    ]


def test_a_kernel_snap_tells_its_kernel_in_the_changelog() -> None:
    (package,) = packages(CHANGELOG_PATH, CHANGELOG)[0]

    assert (package.name, package.version, package.source_name) == ("linux-modules-5.4.0-195-generic", "5.4.0-195.215", "linux")
    assert package.ecosystem == "Ubuntu:20.04:LTS"


@pytest.mark.parametrize("content", ["name: a\n", "name: a\nversion:\n", "name: a\nversion: ''\n"])
def test_a_snap_without_version_is_neither_a_package_nor_a_gap(content: str) -> None:
    assert packages("meta/snap.yaml", content) == ([], "")


BROKEN = [
    ("meta/snap.yaml", "", "no name"),
    ("meta/snap.yaml", "version: 1\n", "no name"),
    ("meta/snap.yaml", "- a\n", "YAML mapping"),
    ("meta/snap.yaml", "a\n", "YAML mapping"),
    ("meta/snap.yaml", "name: [", "expected YAML"),
    ("meta/snap.yaml", "name: a\nversion: 1 || 2\n", "printable ASCII"),
    ("meta/snap.yaml", "a: " + "[" * 5_000, "deeper than|expected YAML"),
    ("meta/snap.yaml", "a: [" + "b," * 600_000 + "]", "more than 500000 nodes"),
    ("x/snap/manifest.yaml", "primed-stage-packages: [a, b=1, =2]\n", "2 entries"),
    ("x/snap/manifest.yaml", b"\xff\xfe\x00", "expected YAML"),
    (CHANGELOG_PATH, b"linux", "changelog"),
    (CHANGELOG_PATH, CHANGELOG[:15], "compressed data"),
    (CHANGELOG_PATH, gzip.compress(b"", mtime=0), "changelog"),
]


@pytest.mark.parametrize(("path", "content", "reason"), BROKEN)
def test_what_snapd_could_not_read_is_a_gap(path: str, content: bytes | str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        list(parse(layer_file(path, content)))


def test_aliases_do_not_multiply() -> None:
    laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 20))

    assert packages("x/snap/manifest.yaml", laughs) == ([], "")


def test_only_snaps_own_files_are_wanted() -> None:
    wanted = ("meta/snap.yaml", "snap/a/1/meta/snap.yaml", "snap/manifest.yaml", "usr/share/snappy/dpkg.list", CHANGELOG_PATH)
    others = (
        "snap.yaml",
        "chart/manifest.yaml",
        "usr/share/doc/linux-modules-6.1/changelog.Debian.gz",
        "usr/share/doc/a/changelog.Debian.gz",
    )

    assert all(map(ANALYZER.paths.matches, wanted))
    assert not any(map(ANALYZER.paths.matches, others))


@given(mutated(SNAP.encode(), MANIFEST.encode(), DPKG_LIST.encode(), gzip.compress(b"linux (5.4.0-195.215) focal; x\n")))
def test_any_bytes_give_facts_or_an_input_error(content: bytes) -> None:
    for path in ("meta/snap.yaml", "x/snap/manifest.yaml", "usr/share/snappy/dpkg.yaml", "usr/share/snappy/dpkg.list", CHANGELOG_PATH):
        answer_or_refuse(parse, layer_file(path, content))

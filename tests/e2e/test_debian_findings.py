"""The findings of Debian 11 images against dpkg's own reading: its database by `dpkg-query`, its versions by `dpkg --compare-versions`."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from isal import igzip

from tests.support.images import ImageLayout, debian_files, debian_rootfs, make_image, make_layer
from tests.support.osv_mirror import EXTRACT
from tests.support.osv_plainly import Stated, is_lower_for_dpkg, read_stated
from tests.support.scans import scan

STATUS = "var/lib/dpkg/status"
STATED = tuple(read_stated(EXTRACT / "Debian/all.zip", "Debian:11"))
RELEASED = {  # what Debian 11 had on the day it was released
    "dpkg": "1.20.9",
    "gnupg2": "2.2.27-2",
    "gnutls28": "3.7.1-5",
    "gzip": "1.10-4",
    "openssl": "1.1.1k-1",
    "util-linux": "2.36.1-7",
    "xz-utils": "5.2.5-2",
    "zlib": "1:1.2.11.dfsg-2",
}
MORE = """
Package: openssl
Status: install ok installed
Architecture: amd64
Version: 1.1.1k-1

Package: libssl-doc
Status: install ok half-configured
Architecture: amd64
Source: openssl
Version: 1.1.1k-1+deb11u1

Package: libcurl4
Status: deinstall ok installed
Architecture: amd64
Source: curl
Version: 7.74.0-1.3+b1

Package: curl
Status: deinstall ok config-files
Architecture: amd64
Version: 7.74.0-1.3

Package: libexpat1
Status: install ok installed
Architecture: amd64
Source: expat (2.2.10-2)
Version: 9:9.9

Package: libexpat1-dev
Status: install ok installed
Architecture: amd64
Source: expat (9:9.9)
Version: 2.2.10-2
"""
"""Packages that are no part of a minimal root: other states, other sources, other versions than their source's."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A package as dpkg reads it out of its database."""

    name: str
    version: str
    source: str
    source_version: str


def installed_in(status: bytes, folder: Path) -> Iterator[Installed]:
    """Ask dpkg what is on disk according to a status file."""
    for part in ("info", "updates"):
        (folder / part).mkdir(parents=True)
    (folder / "status").write_bytes(status)
    form = "${Package} ${Version} ${source:Package} ${source:Version} ${db:Status-Status}\\n"
    command = ["dpkg-query", f"--admindir={folder}", "--show", f"--showformat={form}"]
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        *fields, state = line.split()
        if state not in {"not-installed", "config-files"}:
            yield Installed(*fields)


def expected_findings(installed: list[Installed]) -> set[tuple[str, str, str, str | None]]:
    """(advisory, package, installed version, fixed version), by dpkg's comparison."""
    return {
        (stated.record, package.name, package.version, fixed_in(stated))
        for package in installed
        for stated in STATED
        if stated.name == package.source and stated.affects(package.source_version, is_lower_for_dpkg)
    }


def fixed_in(stated: Stated) -> str | None:
    ((_, fixed),) = stated.ranges
    return fixed


def assert_same_findings(layout: ImageLayout, status: bytes, folder: Path, advisories: Path) -> set[tuple[Any, ...]]:
    """Compare a scan with dpkg's reading of `status`; answer the findings."""
    installed = list(installed_in(status, folder / "admin"))

    done = scan(layout.reference, advisories)

    assert (done.code, done.reasons) == (0, ""), done.errors
    names = {package["purl"]: package["name"] for package in done.report["packages"]}
    assert {(package["name"], package["version"]) for package in done.report["packages"]} == {(one.name, one.version) for one in installed}
    found = [finding for finding in done.report["findings"] if finding["kind"] == "vulnerability"]
    keys = {(finding["id"], names[finding["package"]], finding["installed"], finding["fixed_in"]) for finding in found}
    assert keys == expected_findings(installed)
    assert len(keys) == len(found)
    joined = [alias for finding in found for alias in finding["aliases"] if alias.startswith(("DSA-", "DLA-"))]
    assert joined == [], "records that are joined would have to be looked for among the aliases"
    return keys


@pytest.fixture(scope="module")
def root() -> bytes:
    return debian_rootfs("bullseye").read_bytes()


@pytest.fixture(scope="module")
def status() -> str:
    with tarfile.open(debian_rootfs("bullseye")) as archive:
        file = archive.extractfile(f"./{STATUS}")
        assert file is not None
        return file.read().decode()


@pytest.mark.timeout(900)  # the root file system is made once
def test_a_debian_image_has_the_findings_that_dpkg_says_and_none_else(root: bytes, status: str, tmp_path: Path, advisories: Path) -> None:
    layout = make_image(tmp_path / "image", [igzip.compress(root, 1)])

    assert_same_findings(layout, status.encode(), tmp_path, advisories)


@pytest.mark.timeout(900)
def test_a_debian_image_with_versions_of_its_release_has_the_findings_that_dpkg_says(
    root: bytes, status: str, tmp_path: Path, advisories: Path
) -> None:
    earlier = "\n\n".join(map(set_back, status.strip().split("\n\n"))) + "\n" + MORE
    layout = make_image(tmp_path / "image", [igzip.compress(root, 1), make_layer({STATUS: earlier.encode()})])

    found = assert_same_findings(layout, earlier.encode(), tmp_path, advisories)

    vulnerable = {name for _, name, _, _ in found}
    assert vulnerable >= {
        "dpkg",
        "gpgv",
        "libgnutls30",
        "gzip",
        "liblzma5",
        "zlib1g",
        "openssl",
        "libssl1.1",
        "libssl-doc",
        "libcurl4",
        "libexpat1",
    }
    assert vulnerable >= {"bsdutils", "libuuid1", "mount"}  # of util-linux, the first with an epoch of its own
    assert vulnerable.isdisjoint({"curl", "libexpat1-dev", "bash"})


def test_each_advisory_begins_and_ends_where_dpkg_says(tmp_path: Path, advisories: Path) -> None:
    stanzas = [stanza for number, stated in enumerate(STATED) for stanza in boundaries(number, stated)]
    status = "\n\n".join(stanzas).encode() + b"\n"
    files = {**debian_files({}), STATUS: status}

    found = assert_same_findings(make_image(tmp_path / "image", [make_layer(files)]), status, tmp_path, advisories)

    assert {record for record, *_ in found} == {stated.record for stated in STATED}


def set_back(stanza: str) -> str:
    """A stanza of dpkg's database with the version that its source had when Debian 11 was released, binNMUs and epochs of its own kept."""
    fields = dict(line.split(": ", 1) for line in stanza.splitlines() if line[0] != " " and ": " in line)
    source, _, own = fields.get("Source", fields["Package"]).partition(" (")
    if source not in RELEASED:
        return stanza
    current = own.rstrip(")") or fields["Version"]
    version = fields["Version"].replace(current, RELEASED[source])
    assert version != fields["Version"]
    changed = stanza.replace(f"\nVersion: {fields['Version']}\n", f"\nVersion: {version}\n")
    return changed.replace(f"\nSource: {fields.get('Source')}\n", f"\nSource: {source} ({RELEASED[source]})\n") if own else changed


def boundaries(number: int, stated: Stated) -> Iterator[str]:
    """Packages at, just below and above the version that ends an advisory, with every way in which dpkg names a source."""
    fixed = fixed_in(stated)
    assert fixed is not None
    epoch, _, plain = fixed.rpartition(":")
    cases = {
        "at": (fixed, ""),
        "below": (f"{fixed}~", ""),
        "zero": ("0", ""),
        "above": (f"{fixed}+b1", ""),
        "rebuilt": (f"{fixed}+b1", fixed),
        "rebuilt-below": (f"{fixed}+b1", f"{fixed}~"),
        "own-version": ("9:9", f"{fixed}~~"),
        "own-low-version": ("0", fixed),
        "epoch": (f"{int(epoch or 0) + 1}:0", ""),
        "no-epoch": (plain, ""),
        "backport": (f"{fixed}~bpo10+1", ""),
    }
    for case, (version, source_version) in cases.items():
        source = f"{stated.name} ({source_version})" if source_version else stated.name
        yield (
            f"Package: {stated.name}-{number}-{case}\nStatus: install ok installed\nArchitecture: amd64\n"
            f"Source: {source}\nVersion: {version}\nDescription: made up"
        )

"""Findings of a scan beside those that a plain reading of the same real records gives."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from packageurl import PackageURL

from tests.support.images import Entry, File, Files, Symlink, make_image, make_layer
from tests.support.osv_plainly import Compare, Stated, read_stated
from tests.support.scans import Scan, scan

MIRROR = Path(__file__).parents[1] / "assets/advisories/osv"
"""Real records of packages that the tests install."""

Told = set[tuple[str, str, str]]
"""Record, package as its advisories call it, version."""


def stated_in(ecosystem: str, release: str = "") -> tuple[Stated, ...]:
    """What the real records of an ecosystem say, of one of its releases where it has any."""
    return tuple(read_stated(MIRROR / ecosystem / "all.zip", f"{ecosystem}:{release}" if release else ecosystem))


def read_records(archive: Path) -> Iterator[dict[str, Any]]:
    """The records of a zip as they are."""
    with zipfile.ZipFile(archive) as records:
        yield from (json.loads(records.read(name)) for name in records.namelist())


def expected(installed: Iterable[tuple[str, str]], stated: Iterable[Stated], is_lower: Compare) -> Told:
    """The records that affect what is installed (names as in the records, with versions)."""
    versions: dict[str, list[str]] = {}
    for name, version in installed:
        versions.setdefault(name, []).append(version)
    return {(one.record, one.name, version) for one in stated for version in versions.get(one.name, ()) if one.affects(version, is_lower)}


def scan_files(folder: Path, files: Files, database: Path) -> Scan:
    """Scan an image of one layer of these files."""
    return scan(make_image(folder / "image", [make_layer(files)]).reference, database)


def told(done: Scan, records: Iterable[Stated]) -> Told:
    """The records that the findings of a scan name, with the package and its version. Records about one flaw are one finding, which names the others as aliases."""
    assert (done.code, done.reasons) == (0, ""), (done.reasons, done.errors)
    known = {one.record for one in records}
    found = [finding for finding in done.report["findings"] if finding["kind"] == "vulnerability"]
    assert {finding["id"] for finding in found} <= known
    assert len({(finding["id"], finding["package"]) for finding in found}) == len(found)
    return {
        (name, name_in(finding["package"]), finding["installed"])
        for finding in found
        for name in (finding["id"], *finding["aliases"])
        if name in known
    }


def name_in(purl: str) -> str:
    """What advisories call the package: of a Go module its whole path, of an rpm the name alone."""
    package = PackageURL.from_string(purl)
    return f"{package.namespace}/{package.name}" if package.type == "golang" and package.namespace else package.name


def files_below(root: Path, prefix: str) -> dict[str, Entry]:
    """All files and links of a tree, as entries of a layer."""
    return {f"{prefix}/{path.relative_to(root)}": _entry(path) for path in sorted(root.rglob("*")) if path.is_symlink() or path.is_file()}


def _entry(path: Path) -> Entry:
    return Symlink(str(path.readlink())) if path.is_symlink() else File(content=path.read_bytes(), mode=path.stat().st_mode & 0o7777)


def semver_bounds(stated: Iterable[Stated], *, mark: str = "") -> set[tuple[str, str]]:
    """Every version at which a record begins or ends, and some just below and above it; `mark` stands before each."""
    found = set()
    for one in stated:
        bounds = {version for low, high in one.ranges for version in (low, high) if version and version != "0"}
        found |= {(one.name, f"{mark}{near}") for bound in bounds for near in _near(bound)}
    return found


def _near(version: str) -> Iterator[str]:
    plain = version.partition("+")[0]
    number, _, prerelease = plain.partition("-")
    start, _, patch = number.rpartition(".")
    yield from (
        plain,
        f"{number}-0",
        f"{number}-rc.1",
        number,
        f"{start}.{int(patch) + 1}-0.20201231235959-abcdef012345",
        f"{plain}+incompatible",
    )
    if prerelease:
        yield f"{plain}.0"
    if len(prerelease) > 1 and prerelease[-2:].isalnum():
        yield f"{number}-{prerelease[:-1]}"

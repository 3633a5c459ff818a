"""Whiteouts, links and replaced databases in images that were pushed to a real registry: packages, and the layer that introduced each, against the truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pratique_services.cli import main
from tests.support.images import Directory, Entry, Files, HardLink, Symlink, debian_files, make_image, make_layer, push, python_files
from tests.support.servers import DockerRegistry

STATUS, SITE = "var/lib/dpkg/status", "usr/lib/python3/dist-packages"
DATA = "data/dpkg/status"
RELEASE: dict[str, Entry] = {path: entry for path, entry in debian_files({}).items() if path != STATUS}
LOST = "its package database is missing"


def status(**versions: str) -> bytes:
    entry = debian_files(versions)[STATUS]
    assert isinstance(entry, bytes)
    return entry


OLD, NEW = status(bash="1", zlib="1"), status(bash="2", zlib="1")
BASE: dict[str, Entry] = {**RELEASE, STATUS: OLD}
LINKED_FILE: dict[str, Entry] = {**RELEASE, DATA: OLD, STATUS: Symlink("../../../data/dpkg/status")}
LINKED_DIRECTORY: dict[str, Entry] = {**RELEASE, DATA: OLD, "var/lib/dpkg": Symlink("/data/dpkg")}
HARD_LINKED: dict[str, Entry] = {**RELEASE, DATA: OLD, STATUS: HardLink(DATA)}
NOTHING: Mapping[str, tuple[str, int]] = {}
BEFORE = {"bash": ("1", 0), "zlib": ("1", 0)}
AFTER = {"bash": ("2", 1), "zlib": ("1", 0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The layers of an image, base first; of each package in it the version and the number of the layer that introduced it; and a word of each gap."""

    layers: tuple[Files, ...]
    packages: Mapping[str, tuple[str, int]]
    gaps: tuple[str, ...] = ()


CASES = {
    "nothing changed": Case(layers=(BASE, {"srv/x": b"x"}), packages=BEFORE),
    "database replaced": Case(layers=(BASE, {STATUS: NEW}), packages=AFTER),
    "database removed": Case(layers=(BASE, {"var/lib/dpkg/.wh.status": b""}), packages=NOTHING, gaps=(LOST,)),
    "directory removed": Case(layers=(BASE, {"var/.wh.lib": b""}), packages=NOTHING, gaps=(LOST,)),
    "removed and made again": Case(layers=(BASE, {"var/.wh.lib": b"", STATUS: NEW}), packages=AFTER),
    "made again and removed": Case(layers=(BASE, {STATUS: NEW, "var/.wh.lib": b""}), packages=AFTER),
    "away in between": Case(layers=(BASE, {"var/.wh.lib": b""}, {STATUS: NEW}), packages={"bash": ("2", 2), "zlib": ("1", 2)}),
    "opaque directory": Case(layers=(BASE, {"var/lib/.wh..wh..opq": b"", "var/lib/x": b""}), packages=NOTHING, gaps=(LOST,)),
    "opaque directory with a new database": Case(layers=(BASE, {STATUS: NEW, "var/lib/.wh..wh..opq": b""}), packages=AFTER),
    "opaque root": Case(layers=(BASE, {".wh..wh..opq": b"", **RELEASE, STATUS: NEW}), packages=AFTER),
    "package removed": Case(layers=(BASE, {STATUS: status(zlib="1")}), packages={"zlib": ("1", 0)}),
    "package removed and installed again": Case(
        layers=(BASE, {STATUS: status(zlib="1")}, {STATUS: OLD}), packages={"bash": ("1", 2), "zlib": ("1", 0)}
    ),
    "database emptied": Case(layers=(BASE, {STATUS: b""}), packages=NOTHING, gaps=(LOST,)),
    "a directory where the database was": Case(layers=(BASE, {STATUS: Directory()}), packages=NOTHING, gaps=(LOST,)),
    "another hard link to the database": Case(layers=(BASE, {STATUS: OLD, "srv/copy": HardLink(STATUS)}), packages=BEFORE),
    "database is a hard link": Case(layers=(HARD_LINKED,), packages=BEFORE),
    "what a hard link was made to is replaced": Case(layers=(HARD_LINKED, {DATA: NEW}), packages=BEFORE),
    "what a hard link was made to is removed": Case(layers=(HARD_LINKED, {"data/.wh.dpkg": b""}), packages=BEFORE),
    "hard link to a lower layer's file": Case(layers=({**RELEASE, DATA: OLD}, {STATUS: HardLink(DATA)}), packages=NOTHING, gaps=("no file of this layer",)),
    "database is a link": Case(layers=(LINKED_FILE,), packages=BEFORE),
    "what a link leads to is replaced": Case(layers=(LINKED_FILE, {DATA: NEW}), packages=NOTHING, gaps=("links to data/dpkg/status",)),
    "what a link leads to is removed": Case(layers=(LINKED_FILE, {"data/.wh.dpkg": b""}), packages=NOTHING, gaps=(LOST,)),
    "what a link leads to is replaced with the link": Case(
        layers=(LINKED_FILE, {DATA: NEW, STATUS: Symlink("../../../data/dpkg/status")}), packages=AFTER
    ),
    "link to a lower layer's file": Case(
        layers=({**RELEASE, DATA: OLD}, {STATUS: Symlink("/data/dpkg/status")}), packages=NOTHING, gaps=("no file of this layer",)
    ),
    "link to itself": Case(layers=(BASE, {STATUS: Symlink("status")}), packages=NOTHING, gaps=("links in a circle",)),
    "directory is a link": Case(layers=(LINKED_DIRECTORY,), packages=BEFORE),
    "directory is a link, and what it leads to is replaced": Case(
        layers=(LINKED_DIRECTORY, {DATA: NEW}), packages=NOTHING, gaps=("links to data/dpkg/status",)
    ),
    "directory becomes a link": Case(layers=(BASE, {DATA: NEW, "var/lib/dpkg": Symlink("/data/dpkg")}), packages=AFTER),
    "directory becomes a link to a lower layer's": Case(
        layers=({**BASE, DATA: NEW}, {"var/lib/dpkg": Symlink("/data/dpkg")}), packages=NOTHING, gaps=("links to data/dpkg/status",)
    ),
    "directory becomes a link to nothing": Case(layers=(BASE, {"var/lib/dpkg": Symlink("/nowhere")}), packages=NOTHING, gaps=(LOST,)),
    "directory is linked and a directory again": Case(
        layers=(BASE, {"var/lib/dpkg": Symlink("/nowhere")}, {"var/lib/dpkg": Directory(), STATUS: NEW}),
        packages={"bash": ("2", 2), "zlib": ("1", 2)},
    ),
    "language package removed": Case(
        layers=({**BASE, **python_files({"six": "1"}, prefix=SITE)}, {f"{SITE}/.wh.six-1.dist-info": b""}), packages=BEFORE
    ),
    "language package upgraded": Case(
        layers=(
            {**BASE, **python_files({"six": "1"}, prefix=SITE)},
            {f"{SITE}/.wh.six-1.dist-info": b"", **python_files({"six": "2"}, prefix=SITE)},
        ),
        packages={**BEFORE, "six": ("2", 1)},
    ),
    "directories of language packages become one": Case(
        layers=({**BASE, **python_files({"six": "1"}, prefix="lib/python3")}, {"lib": Symlink("usr/lib"), **python_files({"six": "1"}, prefix="usr/lib/python3")}),
        packages={**BEFORE, "six": ("1", 1)},
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    packages: Mapping[str, tuple[str, int]]
    owners: Mapping[str, str | None]
    gaps: str


@pytest.fixture
def look(capsys: pytest.CaptureFixture[str], shared_registry: DockerRegistry, repository: str, tmp_path: Path) -> Callable[..., Found]:
    def run(*layers: Files) -> Found:
        image = make_image(tmp_path, [make_layer(files) for files in layers])
        place = f"{shared_registry.host}/{repository}:1"
        push(image, place)
        capsys.readouterr()
        main(["sbom", place, "--format", "json", "--plain-http", "--no-cache"])
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        packages = {one["name"]: (one["version"], image.layers.index(one["layer"])) for one in report["packages"]}
        gaps = [item["reason"] for item in report["coverage"]["items"] if item["status"] != "complete"]
        owners = {one["name"]: one["owned_by"] for one in report["packages"]}
        return Found(packages=packages, owners=owners, gaps="\n".join(gaps))

    return run


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_final_image_has_what_unpacking_its_layers_gives(case: Case, look: Callable[..., Found]) -> None:
    found = look(*case.layers)

    assert found.packages == case.packages
    assert bool(found.gaps) == bool(case.gaps), found.gaps
    assert all(gap in found.gaps for gap in case.gaps), found.gaps


DEBIANS, NODESOURCE = "Debian Python Team <team+python@tracker.debian.org>", "Ivan Iguaran <ivan@nodesource.com>"
SIX = python_files({"six": "1.16.0"}, prefix=SITE)
OWNER = "pkg:deb/debian/python3-six@1.16.0-2?arch=amd64&distro=debian-11"


def installed(maintainer: str, *paths: str) -> dict[str, Entry]:
    """A Debian with one package that has these files."""
    content = status(**{"python3-six": "1.16.0-2"}).replace(b"Test <test@example.org>", maintainer.encode())
    listed = "".join(f"/{path}\n" for path in ("", *paths)).replace("//", "/.").encode()
    return {**RELEASE, STATUS: content, "var/lib/dpkg/info/python3-six.list": listed}


@pytest.mark.parametrize(
    ("layers", "owner"),
    [
        ([{**installed(DEBIANS, *SIX), **SIX}], OWNER),
        ([{"lib": Symlink("usr/lib"), **installed(DEBIANS, *(path.removeprefix("usr/") for path in SIX)), **SIX}], OWNER),
        ([{**installed(NODESOURCE, *SIX), **SIX}], None),
        ([{**installed(DEBIANS), **SIX}], None),
        ([{**installed(DEBIANS, *SIX), **SIX}, SIX], None),
        ([{**installed(DEBIANS, *SIX), **SIX}, {STATUS: b""}], None),
        ([{**installed(DEBIANS, *SIX), **SIX}, {"var/lib/dpkg/info/.wh.python3-six.list": b""}], None),
        ([{**installed(DEBIANS, *SIX), **SIX}, python_files({"six": "1.16.0"})], None),
        ([{**RELEASE, STATUS: b"", **SIX}, installed(DEBIANS, *SIX)], OWNER),
    ],
    ids=[
        "own",
        "through a link",
        "third party",
        "not listed",
        "written over",
        "removed",
        "list removed",
        "also elsewhere",
        "installed above",
    ],
)
def test_a_language_package_is_a_debian_package_s_only_where_that_answers_for_it(
    layers: list[Files], owner: str | None, look: Callable[..., Found]
) -> None:
    assert look(*layers).owners["six"] == owner

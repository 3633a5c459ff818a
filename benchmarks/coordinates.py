"""What Debian says the coordinates of its jars are: links of its Maven repository lead from `group/artifact/version` to the jars in usr/share/java."""

from __future__ import annotations

import json
import posixpath
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.bills import Bill
from benchmarks.image import BenchmarkImages

_REPOSITORY = "usr/share/maven-repo/"
_MAX_LINKS = 8  # from one to the next
_FAT_JAR = "opt/app/orders.jar/BOOT-INF/lib/"  # has all of them, too; Trivy lists those and not what a package of Debian owns

Coordinates = Mapping[str, frozenset[str]]
"""Jars by path, with each `group/artifact` that they are."""


def known_coordinates(images: BenchmarkImages) -> Coordinates:
    """Read the links out of the large image; kept beside it."""
    kept = images.folder / "coordinates.json"
    if not kept.exists():
        links: dict[str, str] = {}
        for layer in images.layers:
            links |= _links(images.large.folder / "blobs" / layer.digest.replace(":", "/"))
        kept.write_text(json.dumps(_named(links), indent=1))
    return {path: frozenset(names) for path, names in json.loads(kept.read_text()).items()}


def judge(bill: Bill, known: Coordinates) -> tuple[int, list[str], int]:
    """Count the jars that a tool names rightly, list those it names otherwise, and count those it does not name."""
    names: dict[str, set[str]] = {}
    for key, paths in bill.packages.items():
        for path in paths if key[0] == "maven" else ():
            names.setdefault(path, set()).add(key[1])
    right, wrong, absent = 0, [], 0
    for path, expected in sorted(known.items()):
        found = names.get(path) or names.get(_FAT_JAR + posixpath.basename(path))
        if not found:
            absent += 1
        elif found & expected:
            right += 1
        else:
            wrong.append(f"`{posixpath.basename(path)}`: {', '.join(sorted(found))}; it is {', '.join(sorted(expected))}")
    return right, wrong, absent


def _links(blob: Path) -> dict[str, str]:
    with tarfile.open(blob, "r|gz") as archive:
        links = (member for member in archive if member.issym() and member.name.endswith(".jar"))
        return {link.name.removeprefix("./"): _target(link) for link in links}  # long names begin so in the layers of Debian


def _target(link: tarfile.TarInfo) -> str:
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(link.name), link.linkname)).lstrip("/")


def _named(links: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for link in _in_repository(links):
        target = link
        for _ in range(_MAX_LINKS):
            target = links.get(target, target)
        group, artifact, _, _ = link.removeprefix(_REPOSITORY).rsplit("/", 3)
        found.setdefault(target, set()).add(f"{group.replace('/', '.')}/{artifact}")
    return {path: sorted(names) for path, names in sorted(found.items())}


def _in_repository(links: Iterable[str]) -> list[str]:
    return [link for link in links if link.startswith(_REPOSITORY)]

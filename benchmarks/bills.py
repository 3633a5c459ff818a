"""What the three tools list of an image, read from their CycloneDX and made comparable: (type, name, version), and where each was seen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_LOWER = frozenset({"pypi", "npm", "golang", "composer", "github", "deb", "apk"})  # types whose names mean the same in either case
_PLACES = re.compile(r"^(pratique:path|aquasecurity:trivy:FilePath|syft:location:\d+:path)$")

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one tool lists: packages with the paths it gives for them, and who in the tool found them where it says so."""

    packages: Mapping[Key, tuple[str, ...]]
    found_by: Mapping[Key, str]

    def count(self, kind: str) -> int:
        return sum(key[0] == kind for key in self.packages)


def read_bill(path: Path) -> Bill:
    """Read a CycloneDX document of pratique, Trivy or Syft."""
    packages: dict[Key, dict[str, None]] = {}
    found_by: dict[Key, str] = {}
    for component in _components(json.loads(path.read_bytes())):
        key = _key(component)
        if key is None:
            continue
        properties = [(entry["name"], entry["value"]) for entry in component.get("properties", ())]
        places = packages.setdefault(key, {})
        places.update(dict.fromkeys(value.lstrip("/") for name, value in properties if _PLACES.match(name)))
        found_by.setdefault(key, next((value for name, value in properties if name.endswith((":foundBy", ":PkgType"))), ""))
    return Bill(packages={key: tuple(places) for key, places in packages.items()}, found_by=found_by)


def _components(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for component in document.get("components", ()):
        yield component
        yield from _components(component)


def _key(component: Mapping[str, Any]) -> Key | None:
    """Name a component by its package URL without qualifiers; None for files and systems, which are no packages."""
    purl = component.get("purl", "")
    if not purl:
        version = component.get("version", "")
        return ("none", component["name"], version) if component["type"] in {"library", "application"} and version else None
    path, _, subpath = purl.removeprefix("pkg:").partition("#")
    path, _, qualifiers = path.partition("?")
    kind, _, rest = path.partition("/")
    name, _, version = rest.rpartition("@") if "@" in rest else (rest, "", "")
    name, version = unquote(name), unquote(version)
    if kind == "golang" and subpath:
        name = f"{name}/{unquote(subpath)}"
    if kind in {"deb", "rpm"} and (epoch := re.search(r"(?:^|&)epoch=(\d+)", qualifiers)):
        version = f"{epoch[1]}:{version.removeprefix(epoch[1] + ':')}"
    return kind, _plain(kind, name), version.removeprefix("v") if kind == "golang" else version


def _plain(kind: str, name: str) -> str:
    """Write a name as its ecosystem compares it."""
    name = name.lower() if kind in _LOWER else name
    if kind == "pypi":
        return re.sub(r"[-_.]+", "-", name)
    return name.partition("/")[2] if kind in {"deb", "rpm", "apk"} else name  # what comes first is the distribution, which is the image's

"""Snaps that were unpacked into an image: the snap itself, and the Ubuntu packages that were staged into it.

- `meta/snap.yaml` names the snap (snapd: "The snap format");
- `snap/manifest.yaml` lists the staged packages (snapcraft: `primed-stage-packages`);
- `usr/share/snappy/dpkg.yaml` and `dpkg.list` list those of base snaps (`core20`);
- `doc/linux-modules-…/changelog.Debian.gz` tells the kernel of kernel snaps.

Staged packages come from the Ubuntu release that the snap was built on, whatever distribution the image is, so they carry that release themselves. Their source packages are
not recorded. `snapcraft.yaml` is not read: it is a recipe without versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._inflate import inflated
from pratique.inventory.analyzers._recorded_paths import text_word
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.analyzers._yaml_fields import read_fields
from pratique.inventory.distribution import ecosystem_of
from pratique.inventory.package import Package

MAX_CHANGELOG_BYTES = 4 * 1024**2  # unpacked; only the first line counts: a decompression bomb costs this much time

_BASE = re.compile(r"core(\d\d)?")
_SERIES = {"xenial": "16.04", "bionic": "18.04", "focal": "20.04", "jammy": "22.04", "noble": "24.04"}
_CHANGELOG = re.compile(rb"(?P<source>[a-z0-9][a-z0-9+.-]+) \((?P<version>[^() ]+)\) (?P<series>[a-z]+)")
_CHANGELOG_PATH = re.compile(r"(?:.*/)?doc/(?P<package>linux-modules-[^/]+)/changelog\.Debian\.gz")
_DPKG_LIST = re.compile(
    rb"^.i. +(?P<name>[^ :\n]+)(?::[^ \n]+)? +(?P<version>[^ \n]+) +(?P<architecture>[^ \n]+)", re.MULTILINE
)  # dpkg-query(1), -l
_ROOT_LISTS = frozenset({"usr/share/snappy/dpkg.yaml", "usr/share/snappy/dpkg.list"})
_ENDS = ("/meta/snap.yaml", "/snap/manifest.yaml", "/usr/share/snappy/dpkg.yaml", "/usr/share/snappy/dpkg.list")


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the packages in the order of the file.

    Raises InvalidRecord for YAML that is broken or no mapping, and for a snap without name; after the readable ones for names and versions that are none.
    """
    name = file.path.rpartition("/")[2]
    if name == "snap.yaml":
        yield from _parse_snap(read_fields(file.content))
    elif name == "manifest.yaml":
        fields = read_fields(file.content)
        yield from _parse_staged(fields.get("primed-stage-packages", ()), _release_of(fields))
    elif name == "dpkg.yaml":
        yield from _parse_staged(read_fields(file.content).get("packages", ()), _release_at(file.path))
    elif name == "dpkg.list":
        lines = (found.groups() for found in _DPKG_LIST.finditer(file.content))
        entries = (
            f"{name.decode('latin-1')}:{architecture.decode('latin-1')}={version.decode('latin-1')}"
            for name, version, architecture in lines
        )
        yield from _parse_staged(entries, _release_at(file.path))
    else:
        yield from _parse_changelog(file)


def _parse_snap(fields: Mapping[str, list[str]]) -> Iterator[Package]:
    """A snap as Syft names it. Without a version, which snapd allows, there is nothing to look up."""
    name = text_word(_first(fields, "name"), "name of a snap")
    version = _first(fields, "version")
    architectures = fields.get("architectures", [])
    qualifiers = {key: text_word(_first(fields, key), key) for key in ("base", "type") if _first(fields, key)}
    if version:
        yield Package(
            type="generic",
            namespace="snap",
            name=name,
            version=text_word(version, f"version of {name}"),
            architecture=text_word(architectures[0], "architecture") if len(architectures) == 1 else "",
            qualifiers=qualifiers,
            licenses=known_lines([_first(fields, "license")]),
        )


def _first(fields: Mapping[str, list[str]], key: str) -> str:
    return fields.get(key, [""])[0]


def _release_of(manifest: Mapping[str, list[str]]) -> str | None:
    """The Ubuntu release of the build: as recorded, or else that of the base; empty if neither says."""
    if _first(manifest, "snapcraft-os-release-id") == "ubuntu":
        return _first(manifest, "snapcraft-os-release-version-id")
    base = _BASE.fullmatch(_first(manifest, "base"))
    return "" if base is None else f"{base[1] or 16}.04"


def _release_at(path: str) -> str | None:
    """None for a list of the image itself, whose distribution is known; empty for one of a base snap somewhere in it."""
    return None if path in _ROOT_LISTS else ""


def _parse_staged(entries: Iterable[str], release: str | None) -> Iterator[Package]:
    """Read `NAME[:ARCHITECTURE]=VERSION`."""
    broken = 0
    for entry in entries:
        qualified, _, version = entry.partition("=")
        name, _, architecture = qualified.partition(":")
        try:
            words = text_word(name, "name"), text_word(version, "version"), text_word(architecture or "?", "architecture")
        except InvalidRecord:
            broken += 1
        else:
            yield _deb(words[0], words[1], words[2] if architecture else "", release)
    if broken:
        raise InvalidRecord(f"{broken} entries that are not NAME=VERSION")


def _deb(name: str, version: str, architecture: str, release: str | None, source: str | None = None) -> Package:
    """A package of an Ubuntu release; of the image's own distribution for None, of an unknown release of Ubuntu for an empty one."""
    if release is None:
        return Package(type="deb", name=name, version=version, architecture=architecture, source_name=source)
    return Package(
        type="deb",
        namespace="ubuntu",
        name=name,
        version=version,
        architecture=architecture,
        source_name=source,
        ecosystem=ecosystem_of("ubuntu", release) or "",
        qualifiers={"distro": f"ubuntu-{release}"} if release else {},
    )


def _parse_changelog(file: LayerFile) -> Iterator[Package]:
    """Read the first line, `linux (5.4.0-195.215) focal; urgency=medium` (deb-changelog(5))."""
    found = _CHANGELOG_PATH.fullmatch(file.path)
    if found is None:
        return
    head = next(inflated(file.content, MAX_CHANGELOG_BYTES), b"")
    line = _CHANGELOG.match(head.lstrip()[:1024])
    if line is None:
        raise InvalidRecord(f"expected a Debian changelog, got {head[:40]!r}")
    version = text_word(line["version"].decode("ascii", "replace"), "version")
    yield _deb(text_word(found["package"], "package"), version, "", _SERIES.get(line["series"].decode(), ""), line["source"].decode())


def _is_wanted(path: str) -> bool:
    if f"/{path}".endswith(_ENDS):
        return True
    is_of_dpkg = "share/doc/" in path  # there it belongs to a package that dpkg has recorded
    return not is_of_dpkg and _CHANGELOG_PATH.fullmatch(path) is not None


ANALYZER = Analyzer(
    name="snap",
    version=1,
    paths=PathPattern(names=frozenset({"snap.yaml", "manifest.yaml", "dpkg.yaml", "dpkg.list", "changelog.Debian.gz"}), accept=_is_wanted),
    parse=parse,
    max_bytes=4 * 1024 * 1024,  # the longest manifests, which list a whole build environment, have 500 KB; YAML takes a second a megabyte
)

"""Flatpak: the applications and runtimes deployed in an installation, `flatpak/{app,runtime}/ID/ARCHITECTURE/BRANCH/COMMIT/`.

- An application's version is the newest release in its AppStream file, `export/share/metainfo/ID.metainfo.xml` or below `files/share`;
- a runtime's is its branch (`org.gnome.Platform//45`), shown by its `metadata`.

The libraries that an application bundles have no record of their own: `files/manifest.json`, where it is kept, names sources to build from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._recorded_paths import text_word
from pratique.inventory.analyzers._wording import known_lines, one_line
from pratique.inventory.package import Package, PackageDetails

MAX_XML_DEPTH = 100  # elements: real ones have 6; each takes memory

_DEPLOYMENT = r"((?:.*/)?flatpak/(app|runtime)/([^/]+)/([^/]+)/([^/]+)/[^/]+)/"
_METAINFO_PATH = re.compile(_DEPLOYMENT + r"(?:export|files)/share/(?:metainfo|appdata)/[^/]+\.(?:metainfo|appdata)\.xml")
_METADATA_PATH = re.compile(_DEPLOYMENT + r"metadata")
_ID, _LICENSE, _DEVELOPER = ["component", "id"], ["component", "project_license"], ["component", "developer_name"]
_RELEASE = ["component", "releases", "release"]


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the application or runtime, with its deployment as its tree.

    An AppStream file that speaks about another component than the deployment's (an extension), or of no release, means nothing: Flatpak needs neither.

    Raises InvalidRecord for broken XML and for `metadata` that does not name what its directory does.
    """
    found = _METAINFO_PATH.fullmatch(file.path)
    if found is not None:
        yield from _parse_metainfo(file.content, found)
        return
    found = _METADATA_PATH.fullmatch(file.path)
    if found is not None and found[2] == "runtime":
        if f"name={found[3]}".encode() not in file.content[:4096].splitlines():
            raise InvalidRecord(f"expected the metadata of {found[3][:80]}, got {file.content[:40]!r}")
        yield from _facts(found, found[5])


def _facts(deployment: re.Match[str], version: str, vendor: str = "", license_words: str = "") -> Iterator[Package | PackageDetails]:
    root, _, name, architecture, _ = deployment.groups()[:5]
    yield Package(
        type="flatpak",
        name=text_word(name, "name"),
        version=text_word(version, f"version of {name}"),
        architecture=text_word(architecture, f"architecture of {name}"),
        vendor=vendor,
        licenses=known_lines([license_words]),
    )
    yield PackageDetails(type="flatpak", name=name, version=version, architecture=architecture, directories=(root,))


def _parse_metainfo(content: bytes, deployment: re.Match[str]) -> Iterator[Package | PackageDetails]:
    """Read AppStream's `id` and the first `release`, which is the newest (AppStream, "Metainfo files", `<releases/>`)."""
    component = _Component()
    component.read(content)
    name = component.texts.get("id", "").strip()
    if deployment[3] in {name, name.removesuffix(".desktop")} and component.version:
        vendor = one_line(component.texts.get("developer_name"))
        yield from _facts(deployment, component.version, vendor, component.texts.get("project_license", ""))


class _Component:
    """What expat tells of one AppStream file."""

    def __init__(self) -> None:
        self.version = ""
        self.texts: dict[str, str] = {}
        self._open: list[str] = []

    def read(self, content: bytes) -> None:
        """Raises InvalidRecord for what is no XML, has a document type (entities multiply) or nests deeper than MAX_XML_DEPTH."""
        from xml.parsers import expat

        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(content, True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise InvalidRecord(f"expected XML: {error}") from error

    def _refuse(self, name: str, *rest: object) -> None:
        del rest
        raise InvalidRecord(f"expected XML without a document type, got {name[:40]!r}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        if len(self._open) > MAX_XML_DEPTH:
            raise InvalidRecord(f"XML nested deeper than {MAX_XML_DEPTH}")
        if self._open == _RELEASE and not self.version:
            self.version = attributes.get("version", "")

    def _end(self, name: str) -> None:
        del name
        self._open.pop()

    def _text(self, text: str) -> None:
        if self._open in (_ID, _LICENSE, _DEVELOPER):
            kept = self.texts.get(self._open[-1], "")
            self.texts[self._open[-1]] = (kept + text)[:1000]


def _is_wanted(path: str) -> bool:
    return "flatpak/" in path and (_METADATA_PATH.fullmatch(path) or _METAINFO_PATH.fullmatch(path)) is not None


ANALYZER = Analyzer(
    name="flatpak",
    version=1,
    paths=PathPattern(names=frozenset({"metadata"}), suffixes=(".metainfo.xml", ".appdata.xml"), accept=_is_wanted),
    parse=parse,
    max_bytes=8 * 1024 * 1024,  # the longest histories of releases, in 100 languages, have 1 MB
)

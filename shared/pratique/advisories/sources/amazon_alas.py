"""Amazon Linux's security bulletins (ALAS) as its repositories have them, `updateinfo.xml`, plain or compressed. Source: https://alas.aws.amazon.com/.

Any number of files, one a repository: core and, of Amazon Linux 2, extras, which are channels. A package is affected below the version that the bulletin names; names are those
of binary packages.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from xml.parsers import expat

from pratique.advisories.advisory import Advisory, Affected
from pratique.advisories.sources._fields import (
    by_version,
    checked_id,
    checked_name,
    fixed_in,
    highest,
    is_cve,
    is_version,
    links,
    title,
    utc_time,
)
from pratique.advisories.sources._files import list_files, read_blocks
from pratique.advisories.sources.source import Problem, Source, SourceLimits, printable, skipped
from pratique.errors import InvalidAdvisory, LimitExceeded

_NAME = "amazon-alas"
_SUFFIXES = (".xml", ".xml.gz", ".xml.xz", ".xml.bz2", ".xml.zst")
MAX_PACKAGES = 20_000  # of one bulletin, a kernel's has some hundreds; protects memory
MAX_CVES = 2000
_MAX_TEXT = 2000  # characters kept of one element's text; protects memory, titles are cut further
_ID = re.compile(r"ALAS(?P<release>20[0-9]{2}|2)?(?P<extra>[A-Z][A-Z0-9._-]*?)?-(?P<rest>[0-9]{4}-[0-9]{1,6})")
_COLLECTION = re.compile(r"amazon-linux-[0-9]+---(?P<extra>[a-z0-9._-]{1,60})")
_CORE = frozenset({"", "core", "amazonlinux"})
_MAX_VALUE = 600  # characters of an attribute; longer than any name, so that a cut one is refused as a name
MAX_TOKEN = 4 * 1024**2  # bytes of one tag; expat keeps it whole, and looks at it again with every block
_PACKAGE = ("name", "epoch", "version", "release", "arch")
_TEXTS = frozenset({"id", "title", "severity"})
_Item = TypeVar("_Item")


@dataclass(slots=True)
class _Update:
    """One `<update>`, as it is met."""

    texts: dict[str, str] = field(default_factory=dict)
    issued: str = ""
    updated: str = ""
    collection: str = ""
    kind: str = ""
    cves: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    packages: list[Mapping[str, str]] = field(default_factory=list)
    has_too_many: bool = False


class _Walker:
    """What expat tells. Whole updates are in `done` until they are fetched."""

    def __init__(self, limits: SourceLimits) -> None:
        self.done: list[_Update] = []
        self._limits = limits
        self._path: list[str] = []
        self._elements = 0
        self._update = _Update()

    def refuse(self, name: str, *rest: object) -> None:
        """Repositories have no document types; entities multiply."""
        del rest
        raise InvalidAdvisory(f"expected XML without a document type, got {name[:40]!r}")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        self._path.append(name)
        self._elements += 1
        if len(self._path) > self._limits.depth or self._elements > self._limits.elements:
            raise LimitExceeded(f"XML deeper than {self._limits.depth} or of more than {self._limits.elements} elements")
        update = self._update
        match name:
            case "update":
                self._update = _Update(kind=attributes.get("type", "")[:_MAX_VALUE])
            case "issued":
                update.issued = attributes.get("date", "")[:_MAX_VALUE]
            case "updated":
                update.updated = attributes.get("date", "")[:_MAX_VALUE]
            case "collection":
                update.collection = attributes.get("short", "")[:_MAX_VALUE]
            case "reference":
                self._refer(attributes)
            case "package":
                kept = {key: attributes[key][:_MAX_VALUE] for key in _PACKAGE if key in attributes}
                self._keep(update.packages, kept, MAX_PACKAGES)

    def end(self, name: str) -> None:
        """End an element."""
        self._path.pop()
        if name == "update":
            self.done.append(self._update)
            self._update = _Update()

    def text(self, text: str) -> None:
        """Keep the texts of an update's own elements."""
        if self._path[-1] in _TEXTS and self._path[-2:-1] == ["update"]:
            texts = self._update.texts
            texts[self._path[-1]] = (texts.get(self._path[-1], "") + text)[:_MAX_TEXT]

    def _refer(self, attributes: Mapping[str, str]) -> None:
        name = attributes.get("id") or attributes.get("title", "")
        if is_cve(name):
            self._keep(self._update.cves, name, MAX_CVES)
        elif url := attributes.get("href", ""):
            self._update.urls = [*self._update.urls, url[:_MAX_VALUE]][:20]

    def _keep(self, items: list[_Item], item: _Item, limit: int) -> None:
        if len(items) < limit:
            items.append(item)
        else:
            self._update.has_too_many = True


def read(folder: Path, limits: SourceLimits) -> Iterator[Advisory | Problem]:
    """Read the files of all repositories. A bulletin that another file had already is skipped if it is the same, and a problem otherwise."""
    paths = list_files(folder, _SUFFIXES, limits)
    if not paths:
        raise InvalidAdvisory(f"expected updateinfo.xml or .xml.gz in {folder.name}, found neither: fetch this feed again")
    seen: dict[str, int] = {}
    for path in paths:
        for update in _read_updates(path, limits):
            yield from _read_one(update, path, seen)


def _read_one(update: _Update, path: Path, seen: dict[str, int]) -> Iterator[Advisory | Problem]:
    name = update.texts.get("id", "").strip()
    try:
        advisory, unreadable = _advisory(name, update)
    except InvalidAdvisory as error:
        yield skipped(_NAME, f"{name[:100] or 'update without id'} in {path.name}", error)
        return
    if advisory is None:
        return
    if advisory.id in seen:
        if seen[advisory.id] != hash(advisory.affected):
            yield skipped(_NAME, advisory.id, f"there twice, and {path.name} differs")
        return
    seen[advisory.id] = hash(advisory.affected)
    yield advisory
    if unreadable:
        yield skipped(_NAME, advisory.id, f"{unreadable} packages without a readable version: left out")


def _read_updates(path: Path, limits: SourceLimits) -> Iterator[_Update]:
    walker = _Walker(limits)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = walker.refuse
    parser.StartElementHandler = walker.start
    parser.EndElementHandler = walker.end
    parser.CharacterDataHandler = walker.text
    with _translated(path):
        total = 0
        for block in read_blocks(path, limits):
            total += len(block)
            if total > limits.whole_bytes:
                raise LimitExceeded(f"{path.name} expands to more than {limits.whole_bytes} bytes")
            parser.Parse(bytes(block), False)
            if total - parser.CurrentByteIndex > MAX_TOKEN:
                raise LimitExceeded(f"{path.name} has a tag of more than {MAX_TOKEN} bytes")
            done, walker.done = walker.done, []
            yield from done
        parser.Parse(b"", True)
    yield from walker.done


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two: an encoding that Python does not have
        raise InvalidAdvisory(f"{path.name} is no XML: {error}") from error


def _advisory(name: str, update: _Update) -> tuple[Advisory | None, int]:
    """The bulletin, None for one that is not about security; and the number of its packages that have no readable version."""
    match = _ID.fullmatch(name)
    if match is None:
        raise InvalidAdvisory(f"expected an id such as ALAS2023-2024-1, got {name[:140]!r}")
    if update.has_too_many:
        raise InvalidAdvisory(f"more than {MAX_PACKAGES} packages or {MAX_CVES} CVEs")
    if update.kind not in {"", "security"}:
        return None, 0
    modified = utc_time(update.updated) or utc_time(update.issued)
    if not modified:
        raise InvalidAdvisory(f"expected a time as its date, got {update.updated[:64]!r}")
    extra = match["extra"] or ""
    release = match["release"] or ("2" if extra else "1")  # `ALASDOCKER-2021-1`: only Amazon Linux 2 has extras
    affected, unreadable = _affected(f"Amazon Linux:{release}", _channel(update.collection, extra), update.packages)
    cves = tuple(dict.fromkeys(update.cves))
    advisory = Advisory(
        id=checked_id(name),
        modified=modified,
        aliases=cves,
        equals=cves if len(cves) == 1 else (),
        title=title(update.texts.get("title", "")),
        references=links(update.urls),
        words=(printable(word, 40),) if (word := update.texts.get("severity", "").strip()) else (),
        vectors=(),
        affected=affected,
        published=utc_time(update.issued),
    )
    return advisory, unreadable


def _channel(collection: str, extra: str) -> str:
    match = _COLLECTION.fullmatch(collection)
    named = match["extra"] if match else ""
    return named if named not in _CORE else extra.lower()


def _affected(ecosystem: str, channel: str, packages: list[Mapping[str, str]]) -> tuple[tuple[Affected, ...], int]:
    fixes: dict[str, dict[str, str]] = defaultdict(dict)  # by name, then architecture
    unreadable = 0
    for package in packages:
        name, architecture, version = checked_name(package.get("name", "")), package.get("arch", ""), _version(package)
        if architecture in {"src", "nosrc"}:
            continue
        if not version or not is_version(ecosystem, version):
            unreadable += 1
            continue
        fixes[name][architecture] = highest(ecosystem, (version, fixes[name].get(architecture, version)))
    entries = [
        Affected(ecosystem=ecosystem, name=name, ranges=fixed_in(version), architectures=architectures, channel=channel)
        for name, versions in fixes.items()
        for version, architectures in by_version(versions)
    ]
    return tuple(entries), unreadable


def _version(package: Mapping[str, str]) -> str:
    version, release, epoch = package.get("version", ""), package.get("release", ""), package.get("epoch", "")
    if not version or not release:
        return ""
    return f"{epoch}:{version}-{release}" if epoch not in {"", "0"} else f"{version}-{release}"


SOURCE = Source(name=_NAME, ecosystems=("Amazon Linux",), read=read)

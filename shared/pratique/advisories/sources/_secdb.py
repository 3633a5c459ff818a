"""Reads security databases of the form that Alpine made up: per release and repository, which version of a package has the fixes of which flaws.

Source: https://secdb.alpinelinux.org/ and Alpine's `secdb` documentation. The lists name flaws only where a fix exists. Version `0` says that the package never was
affected.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern

import msgspec

from pratique.advisories.advisory import Advisory, Affected, FixState
from pratique.advisories.sources._fields import (
    check_density,
    checked_id,
    checked_name,
    fixed_in,
    highest,
    is_cve,
    is_version,
    modified_time,
)
from pratique.advisories.sources._files import list_files, read_whole
from pratique.advisories.sources.source import Problem, SourceLimits, skipped
from pratique.errors import InvalidAdvisory, LimitExceeded

NEVER_AFFECTED = "0"

_MAX_TEXT = 2000  # characters of one entry of a list; real ones name up to a dozen flaws
_CVE = re.compile(r"\bCVE[-_ ]?([0-9]{4})[-_]([0-9]{4,12})(?![0-9])", re.IGNORECASE)
_OTHER = re.compile(
    r"(?:GHSA(?:-[0-9a-z]{4}){3}|CGA(?:-[0-9a-z]{4}){3}|(?:XSA|ALPINE|ZBX|RUSTSEC|GO|PYSEC|VSV|GNUTLS-SA|TALOS|MAL|BIT|USN|TEMP)-[A-Za-z0-9-]{1,40})"
)


# what writes these files does not tell an empty list from an empty object
class _Package(msgspec.Struct, frozen=True):
    name: str
    secfixes: dict[str, list[str] | dict[str, str] | None] | list[str] | None = None


class _Entry(msgspec.Struct, frozen=True):
    pkg: _Package


class _Database(msgspec.Struct, frozen=True):
    packages: list[msgspec.Raw] | dict[str, msgspec.Raw] | None
    distroversion: str = ""


_DECODER = msgspec.json.Decoder(_Database)
_ENTRY_DECODER = msgspec.json.Decoder(_Entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Who publishes: `prefix` stands before CVEs and foreign ids, `own_ids` are already the publisher's; `ecosystem_of` answers by a file's `distroversion`."""

    source: str
    prefix: str
    own_ids: tuple[str, ...]
    page: str
    ecosystem_of: Callable[[str], str]


@dataclass(slots=True, kw_only=True)
class _Gathered:
    """By flaw, then by ecosystem and package, the version with the fix."""

    limit: int
    flaws: dict[str, dict[tuple[str, str], str]] = field(default_factory=lambda: defaultdict(dict))
    count: int = 0

    def add(self, flaw: str, ecosystem: str, name: str, version: str) -> None:
        """Note a statement; of several versions the highest counts: the fix was not whole before, and one that once was never affected is now."""
        self.count += 1
        if self.count > self.limit:
            raise LimitExceeded(f"more than {self.limit} statements of flaws and packages")
        packages = self.flaws[flaw]
        old = packages.get((ecosystem, name))
        if old is None or old == NEVER_AFFECTED:
            packages[ecosystem, name] = version
        elif version != NEVER_AFFECTED:
            packages[ecosystem, name] = highest(ecosystem, (old, version))


def read_secdb(folder: Path, limits: SourceLimits, publisher: Publisher) -> Iterator[Advisory | Problem]:
    """Read all JSON files of the folder. The advisories' `modified` is that of the latest file, as none is stated."""
    paths = list_files(folder, (".json",), limits)
    if not paths:
        raise InvalidAdvisory(f"expected JSON files in {folder.name}, found none: fetch this feed again")
    gathered = _Gathered(limit=limits.statements)
    for path in paths:
        yield from _gather(path, read_whole(path, limits.document_bytes), publisher, gathered)
    modified = max(map(modified_time, paths))
    for flaw, packages in gathered.flaws.items():
        yield _advisory(flaw, packages, modified, publisher)


def _gather(path: Path, content: bytes, publisher: Publisher, gathered: _Gathered) -> Iterator[Problem]:
    check_density(content)
    try:
        database = _DECODER.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidAdvisory(f"{path.name} is no security database: {error}") from error
    packages = database.packages or []
    if isinstance(packages, dict):
        raise InvalidAdvisory(f"{path.name} is no security database: expected a list of packages, got an object")
    ecosystem = publisher.ecosystem_of(database.distroversion)
    where = f"{path.parent.name}/{path.name}"
    for position, raw in enumerate(packages):
        try:
            name, fixes = _package(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeError, InvalidAdvisory) as error:
            yield skipped(publisher.source, f"{where}, package {position}", error)
            continue
        for version, texts in fixes:
            yield from _add(f"{where}, {name} {version}", (ecosystem, name, intern(version)), texts, publisher, gathered)


def _package(raw: msgspec.Raw) -> tuple[str, list[tuple[str, list[str]]]]:
    """A package's name, and what each version of it fixes."""
    package = _ENTRY_DECODER.decode(raw).pkg
    found: list[tuple[str, list[str]]] = []
    fixes = package.secfixes or {}
    if isinstance(fixes, list):
        raise InvalidAdvisory("expected versions with lists of flaws, got a list")
    for version, texts in fixes.items():
        if isinstance(texts, dict) and texts:
            raise InvalidAdvisory(f"expected a list of flaws for {version[:140]!r}, got an object")
        found.append((version, list(texts or ())))
    return intern(checked_name(package.name)), found


def _add(record: str, statement: tuple[str, str, str], texts: list[str], publisher: Publisher, gathered: _Gathered) -> Iterator[Problem]:
    ecosystem, name, version = statement
    if version != NEVER_AFFECTED and not is_version(ecosystem, version):
        yield skipped(publisher.source, record, "not a version: its fixes are left out")
        return
    for text in texts:
        flaws = names_in(text)
        if not flaws:
            yield skipped(publisher.source, record, f"names no flaw: {text[:140]!r}")
        for flaw in flaws:
            gathered.add(intern(flaw), ecosystem, name, version)


def names_in(text: str) -> tuple[str, ...]:
    """The flaws that one entry of a list names: its CVEs, or, where it has none, its other ids (`CVE-2020-1 XSA-3 (+ regression)` is one CVE)."""
    if len(text) > _MAX_TEXT:
        return ()
    cves = tuple(dict.fromkeys(f"CVE-{year}-{number}" for year, number in _CVE.findall(text)))
    return cves or tuple(dict.fromkeys(_OTHER.findall(text)))


def _advisory(flaw: str, packages: Mapping[tuple[str, str], str], modified: str, publisher: Publisher) -> Advisory:
    is_own = flaw.startswith(publisher.own_ids)
    aliases = () if is_own else (flaw,)
    return Advisory(
        id=checked_id(flaw if is_own else f"{publisher.prefix}{flaw}"),
        modified=modified,
        aliases=aliases,
        equals=aliases,
        title="",
        references=(f"{publisher.page}{flaw}",) if is_cve(flaw) else (),
        words=(),
        vectors=(),
        affected=tuple(_affected(ecosystem, name, version) for (ecosystem, name), version in packages.items()),
    )


def _affected(ecosystem: str, name: str, version: str) -> Affected:
    if version == NEVER_AFFECTED:
        return Affected(ecosystem=ecosystem, name=name, state=FixState.NOT_AFFECTED)
    return Affected(ecosystem=ecosystem, name=name, ranges=fixed_in(version))

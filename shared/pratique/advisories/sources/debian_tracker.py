"""Debian's security tracker, `data/json`: what Debian says of every CVE in every release. Source: https://security-tracker.debian.org/tracker/data/json,
security-tracker's `bin/tracker_data` and doc/security-team.d.o.

The file is one object, source package to CVE to statement, of some 80 MB. It is mapped, not loaded; where each statement is, is noted per CVE, and then one CVE
after the other is decoded, so that an advisory has all packages of its flaw.

1. `resolved` has the version with the fix; there, `0` says that the release never was affected.
2. `open` has no fix. Why not is in `nodsa_reason`: `ignored` will not be fixed, `postponed` later, and empty, with `nodsa`, only with a point release.
   Where a fixed version is named nevertheless, it counts.
3. `undetermined` says nothing and is left out, and so are sid and releases that are not known here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path

import msgspec

from pratique.advisories.advisory import Advisory, Affected, FixState
from pratique.advisories.sources._fields import (
    EVERY_VERSION,
    checked_id,
    checked_name,
    fixed_in,
    is_cve,
    is_version,
    modified_time,
    title,
)
from pratique.advisories.sources._files import list_files, translated
from pratique.advisories.sources._json_members import read_members
from pratique.advisories.sources.source import Problem, Source, SourceLimits, printable, skipped
from pratique.errors import InvalidAdvisory, LimitExceeded

_NAME = "debian-tracker"

_PAGE = "https://security-tracker.debian.org/tracker/"
_RELEASES = {
    "lenny": "5.0",
    "squeeze": "6.0",
    "wheezy": "7",
    "jessie": "8",
    "stretch": "9",
    "buster": "10",
    "bullseye": "11",
    "bookworm": "12",
    "trixie": "13",
    "forky": "14",
    "duke": "15",
}
_WITHOUT_NUMBER = frozenset({"sid", "experimental"})
_UNRATED = frozenset({"", "not yet assigned", "end-of-life"})
_END_OF_LIFE = "end-of-life"
_STATES = {"ignored": FixState.WILL_NOT_FIX, "postponed": FixState.DEFERRED}
_MAX_WORD = 40
MAX_STATEMENT = 1024**2  # bytes of what is said of one CVE in one package, some hundreds in truth; protects memory


class _Release(msgspec.Struct, frozen=True):
    status: str
    fixed_version: str | None = None
    urgency: str = ""
    nodsa: str | None = None
    nodsa_reason: str | None = None


class _Statement(msgspec.Struct, frozen=True):
    releases: dict[str, _Release] = {}
    description: str = ""


_DECODER = msgspec.json.Decoder(_Statement)


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where the file speaks of one flaw in one source package."""

    package: str
    start: int
    end: int


def read(folder: Path, limits: SourceLimits) -> Iterator[Advisory | Problem]:
    """Read the one JSON file of the folder. The advisories' `modified` is the file's own time, as the tracker states none."""
    files = list_files(folder, (".json",), limits)
    if len(files) != 1:
        raise InvalidAdvisory(f"expected one JSON file in {folder.name}, found {len(files)}: fetch this feed again")
    path = files[0]
    modified = modified_time(path)
    left_out: Counter[str] = Counter()
    with _mapped(path, limits) as buffer:
        for name, spots in _gather(buffer, limits).items():
            try:
                yield from _advisory(name, modified, _decoded(name, spots, buffer), left_out)
            except InvalidAdvisory as error:
                yield skipped(_NAME, name, error)
    for reason, count in sorted(left_out.items()):
        yield Problem(source=_NAME, record="", reason=reason, count=count, is_malformed=False)


@contextmanager
def _mapped(path: Path, limits: SourceLimits) -> Iterator[mmap]:
    with translated(path.name), path.open("rb") as file:
        size = path.stat().st_size
        if size > limits.whole_bytes:
            raise LimitExceeded(f"{path.name} has {size} bytes; the limit is {limits.whole_bytes}")
        if not size:
            raise InvalidAdvisory(f"{path.name} is empty")
        with mmap(file.fileno(), 0, access=ACCESS_READ) as buffer:
            yield buffer


def _gather(buffer: mmap, limits: SourceLimits) -> Mapping[str, list[_Spot]]:
    """Find the statements of each CVE, in the order in which the file names CVEs first."""
    spots: dict[str, list[_Spot]] = defaultdict(list)
    count = 0
    for package in read_members(buffer, 0, len(buffer)):
        for flaw in read_members(buffer, package.start, package.end):
            count += 1
            if count > limits.statements:
                raise LimitExceeded(f"more than {limits.statements} statements in the security tracker's file")
            spots[flaw.key].append(_Spot(package.key, flaw.start, flaw.end))
    if not spots:
        raise InvalidAdvisory("the security tracker's file names no CVE")
    return spots


def _decoded(name: str, spots: list[_Spot], buffer: mmap) -> list[tuple[str, _Statement]]:
    if (size := max(spot.end - spot.start for spot in spots)) > MAX_STATEMENT:
        raise InvalidAdvisory(f"statement of {size} bytes; the limit is {MAX_STATEMENT}")
    try:
        return [(checked_name(spot.package), _DECODER.decode(buffer[spot.start : spot.end])) for spot in spots]
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidAdvisory(f"not a statement about {name}: {error}") from error


def _advisory(name: str, modified: str, statements: list[tuple[str, _Statement]], left_out: Counter[str]) -> Iterator[Advisory | Problem]:
    identifier = checked_id(f"DEBIAN-{name}")
    entries: list[Affected] = []
    for package, statement in statements:
        for codename, release in statement.releases.items():
            try:
                entry = _entry(package, codename, release, left_out)
            except InvalidAdvisory as error:
                yield skipped(_NAME, identifier, error)
                continue
            if entry is not None:
                entries.append(replace(entry, words=_urgency(release)))
    if not entries:
        return
    aliases = (name,) if is_cve(name) else ()
    yield Advisory(
        id=identifier,
        modified=modified,
        aliases=aliases,
        equals=aliases,
        title=title(next((statement.description for _, statement in statements if statement.description), "")),
        references=(f"{_PAGE}{name}",),
        words=(),
        vectors=(),
        affected=tuple(entries),
    )


def _entry(package: str, codename: str, release: _Release, left_out: Counter[str]) -> Affected | None:
    number = _RELEASES.get(codename)
    if number is None:
        if codename not in _WITHOUT_NUMBER:
            left_out[f"release {printable(codename, _MAX_WORD)} is not known"] += 1
        return None
    if release.status == "undetermined":
        left_out["undetermined"] += 1
        return None
    if release.status not in {"open", "resolved"}:
        raise InvalidAdvisory(f"expected open, resolved or undetermined as status of {package} in {codename}, got {release.status[:64]!r}")
    if release.fixed_version:
        return _fixed(f"Debian:{number}", package, release.fixed_version)
    if release.status == "resolved":
        raise InvalidAdvisory(f"{package} is resolved in {codename}, but no version is named: left out")
    state, note = _plan(release)
    return Affected(ecosystem=f"Debian:{number}", name=package, ranges=EVERY_VERSION, state=state, note=note)


def _urgency(release: _Release) -> tuple[str, ...]:
    word = release.urgency.rstrip("*")  # which mark a guess
    return () if word in _UNRATED else (printable(word, _MAX_WORD),)


def _fixed(ecosystem: str, package: str, version: str) -> Affected:
    if version == "0":
        return Affected(ecosystem=ecosystem, name=package, state=FixState.NOT_AFFECTED)
    if not is_version(ecosystem, version):
        raise InvalidAdvisory(f"fixed version {version[:140]!r} of {package} in {ecosystem} is none: left out")
    return Affected(ecosystem=ecosystem, name=package, ranges=fixed_in(version))


def _plan(release: _Release) -> tuple[FixState, str]:
    """What Debian means to do, and its word for that."""
    if _END_OF_LIFE in {release.urgency, release.nodsa_reason}:
        return FixState.END_OF_LIFE, _END_OF_LIFE
    reason = release.nodsa_reason or ""
    if reason:
        return _STATES.get(reason, FixState.AFFECTED), printable(reason, _MAX_WORD)
    if release.nodsa is not None:
        return FixState.AFFECTED, "no-dsa"
    return FixState.AFFECTED, "unimportant" if release.urgency == "unimportant" else ""


SOURCE = Source(name=_NAME, ecosystems=("Debian",), read=read)

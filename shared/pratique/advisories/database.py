"""The compiled advisory database: which advisories affect a package. Read-only; one file, known by its digest."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import msgspec
from msgspec.structs import replace

from pratique.advisories.database_file import TRANSLATED, open_file
from pratique.advisories.ecosystem_parts import EcosystemPart, parts_of
from pratique.advisories.gaps import GapList
from pratique.advisories.grouping import Match, group_matches, without_cves
from pratique.advisories.naming import normal_name
from pratique.advisories.publishers import own_prefixes
from pratique.advisories.ratings import decode_ratings, order_ratings, rating_record, severity_of
from pratique.advisories.schema import SCHEMA_VERSION
from pratique.advisories.statements import CLEARED, Affection, StatementSet, decode_statements
from pratique.advisories.versions import SortKey, sort_key
from pratique.errors import InvalidVersion
from pratique.findings import Finding, FindingKind, Rating, Severity
from pratique.inventory.coverage import CoverageItem, FeedState
from pratique.inventory.eol_dates import builtin_dates, decode_dates
from pratique.inventory.package import Package
from pratique.oci.digest import Digest

_CACHED_PACKAGES = 8192  # names with their ranges, some 2 KB each; the kernel's is larger
_CACHED_ADVISORIES = 8192
MAX_FINDINGS = 200_000  # of one image: each is a row and a line of a report; protects memory against an image made of vulnerable packages
_CACHED_ECOSYSTEMS = 1024  # of packages; an SBOM may name any

_AFFECTED = "SELECT advisory, ecosystem, statements, ratings FROM affected WHERE name = ? AND ecosystem = ? ORDER BY advisory"
_AFFECTED_IN = """
SELECT advisory, ecosystem, statements, ratings FROM affected
WHERE name = ? AND ecosystem IN (SELECT value FROM json_each(?)) ORDER BY advisory, ecosystem
"""
_IS_PUBLISHED = "SELECT 1 FROM advisory WHERE name = ?"
_EXPLOIT = "SELECT kev, epss FROM exploit WHERE cve = ?"
_ADVISORY = """
SELECT a.name, a.aliases, a.equals, a.title, a.ratings, o.ratings, a.refs FROM advisory AS a LEFT JOIN opinion AS o ON o.id = a.opinion WHERE a.id = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchResult:
    """What a database says about packages: for each, in the order given, its findings (worst first); and what it could not answer.

    `findings` is shorter than the packages where there were too many: the last packages were then not matched at all, and a gap says so.
    """

    findings: tuple[tuple[Finding, ...], ...]
    gaps: tuple[CoverageItem, ...]


class PackageAnswer(NamedTuple):
    """What a database says about one package: its findings (worst first), whether it has advisories for the package's ecosystem, and whether all that it has about the
    package could be compared with its version.
    """

    findings: tuple[Finding, ...]
    is_covered: bool
    is_comparable: bool


class _Said(msgspec.Struct, frozen=True, gc=False):
    """What one advisory says about one package: `own` are its ratings of this package, if it rates each apart."""

    advisory: int
    statements: StatementSet
    own: tuple[Rating, ...]


class _Answer(NamedTuple):
    """What was found about a package: the joined matches, whether its version could be compared (true if there is nothing to compare it with), and the advisories that may
    affect it besides, whose own versions cannot be.
    """

    matches: tuple[Match, ...]
    is_comparable: bool
    doubtful: tuple[str, ...]


class AdvisoryDatabase:
    """Answers which advisories affect a package, in microseconds. Safe to share between threads; close it, or use it as a context manager."""

    def __init__(self, connection: sqlite3.Connection, digest: Digest) -> None:
        """Take over an open connection to a compiled file; use `open`."""
        self._connection = connection
        self._lock = threading.Lock()  # one statement at a time; look-ups are short and most answers come out of the caches
        self.digest = digest
        with TRANSLATED:
            feeds = connection.execute("SELECT name, updated, ecosystems FROM feed WHERE matched ORDER BY name").fetchall()
            eol = connection.execute("SELECT dates FROM eol").fetchone()
            self.eol_dates = decode_dates(eol[0]) if eol else builtin_dates()
            self._severity_only = frozenset(name for (name,) in connection.execute("SELECT name FROM feed WHERE NOT matched"))
            self._ecosystems: dict[str, int] = dict(connection.execute("SELECT name, id FROM ecosystem"))
            self._spoken_of = {name: frozenset(_texts(ecosystems)) for name, _, ecosystems in feeds}
        self.feeds = tuple(FeedState(name=name, updated=updated) for name, updated, _ in feeds)
        self._load_parts = lru_cache(maxsize=_CACHED_ECOSYSTEMS)(self._read_parts)
        self._load_cover = lru_cache(maxsize=_CACHED_ECOSYSTEMS)(self._read_cover)
        self._load_affected = lru_cache(maxsize=_CACHED_PACKAGES)(self._read_affected)
        self._load_exploit = lru_cache(maxsize=_CACHED_ADVISORIES)(self._read_exploit)
        self._load_advisory = lru_cache(maxsize=_CACHED_ADVISORIES)(self._read_advisory)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a compiled database.

        Raises SettingsError if there is none at `path` or another release compiled it, InvalidAdvisory for any other file.
        """
        connection, digest = open_file(path)
        try:
            return cls(connection, digest)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the file. Look-ups after that fail."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def feeds_about(self, ecosystems: Iterable[str]) -> tuple[FeedState, ...]:
        """The feeds that speak about one of these ecosystems, given without release."""
        asked = frozenset(ecosystems)
        return tuple(feed for feed in self.feeds if not asked.isdisjoint(self._spoken_of[feed.name]))

    def covers(self, ecosystem: str) -> bool:
        """Tell whether it has advisories for an ecosystem, release included (`Debian:11`, `PyPI`): in itself, or in a part of it that all its images have."""
        return self._load_cover(ecosystem)

    def publishes(self, advisory: str) -> bool:
        """Tell whether an advisory of this id is in the database: one that was withdrawn is not."""
        with self._lock, TRANSLATED:
            return self._connection.execute(_IS_PUBLISHED, (advisory,)).fetchone() is not None

    def exploit_of(self, cve: str) -> tuple[str, float | None]:
        """Since when a CVE is known to be exploited (an ISO date, empty: it is not), and how probable that is within 30 days (None: no forecast)."""
        return self._load_exploit(cve)

    def match(self, package: Package) -> tuple[Finding, ...]:
        """The findings of one package, worst first; none for an ecosystem that is not covered.

        Raises InvalidVersion if there are advisories for the package and its version cannot be compared with theirs. `match_all` answers both
        cases as gaps instead.
        """
        answer = self._match(package)
        if not answer.is_comparable:
            raise InvalidVersion(
                f"version {package.matching_version[:140]!r} of {package.name[:140]} has no place in the order of {package.ecosystem}"
            )
        if answer.doubtful:
            raise InvalidVersion(f"what {answer.doubtful[0]} says of {package.name[:140]} has no place in the order of {package.ecosystem}")
        return self._findings(package, answer.matches)

    def match_one(self, package: Package) -> PackageAnswer:
        """Match one package. Unlike `match` it answers what could not be compared without an error."""
        if not self.covers(package.ecosystem):
            return _UNCOVERED
        answer = self._match(package)
        return PackageAnswer(self._findings(package, answer.matches), True, answer.is_comparable and not answer.doubtful)

    def match_all(self, packages: Iterable[Package], *, limit: int = MAX_FINDINGS) -> MatchResult:
        """Match packages, and name what could not be answered: one gap for an ecosystem that is not covered, one for each package of which the version
        cannot be compared, or that of an advisory about it.

        Once there are `limit` findings the packages that are left are not matched, which is one more gap.
        """
        gaps = GapList(str(SCHEMA_VERSION))
        findings: list[tuple[Finding, ...]] = []
        count = 0
        for package in packages:
            if count >= limit:
                gaps.add_left(limit)
                continue
            found = self._match_into(gaps, package)
            findings.append(found)
            count += len(found)
        return MatchResult(findings=tuple(findings), gaps=gaps.items())

    def _match_into(self, gaps: GapList, package: Package) -> tuple[Finding, ...]:
        if not self.covers(package.ecosystem):
            gaps.add_uncovered(package, self._why_uncovered(package.ecosystem))
            return ()
        answer = self._match(package)
        if not answer.is_comparable:
            gaps.add_incomparable(package)
        elif answer.doubtful:
            gaps.add_doubts(package, answer.doubtful)
        return self._findings(package, answer.matches)

    def _match(self, package: Package) -> _Answer:
        ecosystem, names = package.ecosystem, package.matching_names
        matches: dict[int, Match] = {}
        cleared: set[int] = set()
        doubtful: set[int] = set()
        settled: set[int] = set()
        is_comparable = True
        # its own name first: what is said of a package itself counts before what is said of its source, whose epoch no rpm records
        for name, version in reversed(names):
            rows = self._load_affected(ecosystem, normal_name(ecosystem, name))
            if settled:
                rows = tuple(said for said in rows if said.advisory not in settled)
            key = _key_or_none(ecosystem, version) if rows else None
            is_comparable = is_comparable and (key is not None or not rows)
            for said in rows:
                found = said.statements.naming(package, version) if key is None else said.statements.holding(package, key)
                if found is CLEARED:
                    cleared.add(said.advisory)
                elif found is not None:
                    matches[said.advisory] = self._as_match(ecosystem, said, found)
                elif said.statements.doubts and key is not None and said.statements.doubts_about(package, key):
                    doubtful.add(said.advisory)
            if len(names) > 1:
                settled.update(said.advisory for said in rows if said.statements.is_about(package))
        left = self._without(ecosystem, cleared - matches.keys(), list(matches.values())) if cleared and matches else list(matches.values())
        doubts = (self._load_advisory(ecosystem, number).id for number in doubtful - matches.keys()) if doubtful else ()
        return _Answer(group_matches(ecosystem, left, partial(sort_key, ecosystem)), is_comparable, tuple(sorted(doubts)))

    def _without(self, ecosystem: str, cleared: Iterable[int], matches: list[Match]) -> list[Match]:
        """The matches without the CVEs of which another record of the publisher says that they do not affect the package."""
        told = [cves for number in cleared if len(cves := self._load_advisory(ecosystem, number).cves) == 1]
        return without_cves(matches, frozenset().union(*told))

    def _as_match(self, ecosystem: str, said: _Said, found: Affection) -> Match:
        match = self._load_advisory(ecosystem, said.advisory)
        if not said.own:
            return replace(match, fixed_in=found.fixed_in, state=found.state, channel=found.channel)
        others = tuple(rating for rating in match.others if rating_record(rating) != match.id)
        return replace(match, fixed_in=found.fixed_in, state=found.state, channel=found.channel, own=said.own, others=others, ratings=())

    def _read_parts(self, ecosystem: str) -> Mapping[int, EcosystemPart]:
        return {self._ecosystems[part.ecosystem]: part for part in parts_of(ecosystem, self._ecosystems)}

    def _read_cover(self, ecosystem: str) -> bool:
        return any(not part.channel for part in self._load_parts(ecosystem).values())

    def _read_affected(self, ecosystem: str, name: str) -> tuple[_Said, ...]:
        parts = self._load_parts(ecosystem)
        query: tuple[str, tuple[object, ...]] = (_AFFECTED_IN, (name, msgspec.json.encode(list(parts)).decode()))
        if len(parts) == 1:
            query = (_AFFECTED, (name, *parts))
        with self._lock, TRANSLATED:
            rows = self._connection.execute(*query).fetchall()
            if not rows:
                return ()
            groups = [(row,) for row in rows] if len(parts) == 1 else [tuple(group) for _, group in groupby(rows, key=itemgetter(0))]
            return tuple([said for group in groups if (said := _said(ecosystem, parts, group)) is not None])

    def _read_advisory(self, ecosystem: str, number: int) -> Match:
        with self._lock, TRANSLATED:
            name, aliases, equals, title, ratings, opinion, references = self._connection.execute(_ADVISORY, (number,)).fetchone()
            own, others = decode_ratings(ratings), decode_ratings(opinion)
            return Match(
                id=name,
                aliases=_texts(aliases),
                equals=_texts(equals),
                title=title,
                references=_texts(references),
                fixed_in=None,
                own=own,
                others=others,
                ratings=order_ratings(own_prefixes(ecosystem), (*own, *others)),
            )

    def _read_exploit(self, cve: str) -> tuple[str, float | None]:
        with self._lock, TRANSLATED:
            return self._connection.execute(_EXPLOIT, (cve,)).fetchone() or ("", None)

    def _findings(self, package: Package, matches: tuple[Match, ...]) -> tuple[Finding, ...]:
        if not matches:
            return ()
        purl = package.purl  # takes longer than the look-up itself
        return tuple(self._finding(package, purl, match) for match in matches)

    def _finding(self, package: Package, purl: str, match: Match) -> Finding:
        exploits = [self._load_exploit(cve) for cve in match.cves]
        severity, source = (match.ratings[0].severity, match.ratings[0].source) if match.ratings else (Severity.UNKNOWN, "")
        is_malware = match.is_malware
        if is_malware and severity is Severity.UNKNOWN:
            severity, source = Severity.CRITICAL, "malware"
        return Finding(
            kind=FindingKind.MALWARE if is_malware else FindingKind.VULNERABILITY,
            id=match.id,
            severity=severity,
            title=match.title,
            aliases=match.aliases,
            package=purl,
            installed=package.version,
            fixed_in=None if match.channel else match.fixed_in,
            status=_status(match),
            references=match.references,
            recommendation=_recommendation(package, match),
            severity_source=source,
            exploited_since=min((since for since, _ in exploits if since), default=None),
            epss=max((probability for _, probability in exploits if probability is not None), default=None),
            ratings=match.ratings,
        )

    def _why_uncovered(self, ecosystem: str) -> str:
        base = ecosystem.partition(":")[0]
        if base in self._severity_only:
            return f"versions of {base} are not matched by this database"
        newest = max((feed.updated[:10] for feed in self.feeds_about([base])), default=None)
        feed = f"newest of {base}: {newest}" if newest else f"no feed of {base}"
        return f"no advisories for {ecosystem} in this database ({feed})"


_UNCOVERED = PackageAnswer((), is_covered=False, is_comparable=True)


def _said(ecosystem: str, parts: Mapping[int, EcosystemPart], rows: Sequence[tuple[int, int, bytes, bytes]]) -> _Said | None:
    statements = StatementSet.of_parts(ecosystem, [(parts[number], decode_statements(content)) for _, number, content, _ in rows])
    if statements is None:
        return None
    ratings = [decode_ratings(content) for _, _, _, content in rows]
    own = ratings[0] if len(ratings) == 1 else max(ratings, key=severity_of)  # of several places the worst
    return _Said(rows[0][0], statements, own)


def _key_or_none(ecosystem: str, version: str) -> SortKey | None:
    try:
        return sort_key(ecosystem, version)
    except InvalidVersion:
        return None


def _status(match: Match) -> str:
    """`fixed` only where everybody who has the package gets the fix."""
    return "fixed" if match.fixed_in is not None and not match.channel else str(match.state)


def _recommendation(package: Package, match: Match) -> str:
    if match.is_malware:
        return f"remove {package.matching_name}: it was made to do harm"
    if match.fixed_in is None:
        return ""
    where = f" ({match.channel} only)" if match.channel else ""
    return f"update {package.matching_name} to {match.fixed_in}{where}"


_TEXTS = msgspec.json.Decoder(tuple[str, ...])


def _texts(content: str) -> tuple[str, ...]:
    return _TEXTS.decode(content)

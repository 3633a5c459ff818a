"""What one advisory says about one package: versions, and for whom, and what its publisher means to do. What a row of the compiled database holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from pratique.advisories.advisory import Affected, FixState
from pratique.advisories.ranges import AffectedVersions, Interval, VersionSet, evaluate_affected
from pratique.advisories.versions import SortKey, sort_key
from pratique.errors import InvalidAdvisory
from pratique.inventory.package import Package

_ALL_VERSIONS = AffectedVersions(intervals=(Interval(low=None, high=None),), versions=(), fixes=())
_ANY_ARCHITECTURE = frozenset({"", "all", "any", "noarch"})
MODULE_QUALIFIER = "rpmmod"  # how purls name the module stream that an rpm was built in (package-url, "rpm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Versions of a package that are affected, or with `FixState.NOT_AFFECTED` are not; the other fields are those of `Affected`."""

    versions: AffectedVersions
    state: FixState = FixState.AFFECTED
    note: str = ""
    architectures: tuple[str, ...] = ()
    module: str = ""
    channel: str = ""

    def is_about(self, package: Package) -> bool:
        """Tell whether the package is of the architectures and the module stream that the statement is about, whatever its version."""
        architecture = package.architecture
        fits = not self.architectures or architecture in _ANY_ARCHITECTURE or architecture in self.architectures
        return fits and (not self.module or _is_stream(package.qualifiers.get(MODULE_QUALIFIER, ""), self.module))


def evaluate_statements(entries: Sequence[Affected]) -> tuple[tuple[Statement, ...], int]:
    """Join all that one advisory says about one package, given as entries of one ecosystem and release: one statement for each set of conditions.

    Answers the number of ranges left out because a bound of theirs is no version there. Raises InvalidAdvisory for more points than `ranges.MAX_POINTS`.
    """
    groups: dict[tuple[object, ...], list[Affected]] = {}
    for entry in entries:
        groups.setdefault((entry.state, entry.note, entry.architectures, entry.module, entry.channel), []).append(entry)
    statements, unreadable = [], 0
    for group in groups.values():
        versions, count = evaluate_affected(group)
        unreadable += count
        first = group[0]
        if first.state is FixState.NOT_AFFECTED and not any(entry.ranges or entry.versions for entry in group):
            versions = _ALL_VERSIONS
        if versions.intervals or versions.versions:
            statements.append(
                Statement(
                    versions=versions,
                    state=first.state,
                    note=first.note,
                    architectures=first.architectures,
                    module=first.module,
                    channel=first.channel,
                )
            )
    return tuple(statements), unreadable


_Row = tuple[bytes, str, str, tuple[str, ...], str, str]
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[_Row])


def encode_statements(statements: Iterable[Statement]) -> bytes:
    """Serialise for a database row."""
    return _ENCODER.encode(
        [(one.versions.encode(), str(one.state), one.note, one.architectures, one.module, one.channel) for one in statements]
    )


def decode_statements(content: bytes) -> Iterator[Statement]:
    """Read what `encode_statements` wrote.

    Raises InvalidAdvisory.
    """
    try:
        for versions, state, note, architectures, module, channel in _DECODER.decode(content):
            yield Statement(
                versions=AffectedVersions.decode(versions),
                state=FixState(state),
                note=note,
                architectures=architectures,
                module=module,
                channel=channel,
            )
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidAdvisory(f"stored statements cannot be read: {error}") from error


class Affection(NamedTuple):
    """In what way a package is affected: the version that ends it, the `channel` that one has to have for it, and what is meant to happen where there is none."""

    fixed_in: str | None
    state: FixState
    channel: str


@dataclass(frozen=True, slots=True)
class StatementSet:
    """The statements of one advisory about one package with their sort keys computed, ready to be asked many times."""

    ecosystem: str
    parts: tuple[tuple[Statement, VersionSet], ...]

    @classmethod
    def of(cls, ecosystem: str, statements: Iterable[Statement]) -> StatementSet:
        """Compute the keys."""
        return cls(ecosystem, tuple((statement, VersionSet(ecosystem, statement.versions)) for statement in statements))

    def holding(self, package: Package, key: SortKey) -> Affection | None:
        """Tell in what way the package, whose version has this key, is affected; None if it is not.

        What says that a version is not affected beats what says that it is. It is fixed only by what ends all that holds; where that does not exist for
        everybody, a fix in a channel is told.
        """
        found: list[Affection] = []
        for statement, versions in self.parts:
            if statement.is_about(package) and versions.holds(key):
                if statement.state is FixState.NOT_AFFECTED:
                    return None
                found.append(Affection(versions.fix_above(key), statement.state, statement.channel))
        return self._sum_up(found) if found else None

    def naming(self, package: Package, version: str) -> Affection | None:
        """The same for a version that has no place in the order: it counts as affected where it is listed letter by letter."""
        about = (statement for statement, versions in self.parts if statement.is_about(package) and versions.names(version))
        return next((Affection(None, statement.state, "") for statement in about if statement.state is not FixState.NOT_AFFECTED), None)

    def _sum_up(self, found: Sequence[Affection]) -> Affection:
        public = [one for one in found if not one.channel]
        fixes = [one for one in public if one.fixed_in is not None]
        if fixes and len(fixes) == len(public):
            return max(fixes, key=lambda one: sort_key(self.ecosystem, one.fixed_in or ""))
        offered = (one for one in found if one.channel and one.fixed_in is not None)
        return next(offered, None) or (public or found)[0]._replace(fixed_in=None)


def _is_stream(label: str, module: str) -> bool:
    """Tell whether a label (`nodejs:18:9020020230327152102:rhel9`) is of a stream (`nodejs:18`)."""
    return label == module or label.startswith(f"{module}:")

"""What one advisory says about one package: versions, and for whom, and what its publisher means to do. What a row of the compiled database holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from pratique.advisories.advisory import MODULE_RELEASE, Affected, FixState
from pratique.advisories.ecosystem_parts import EcosystemPart
from pratique.advisories.ranges import AffectedVersions, Interval, VersionSet, evaluate_affected
from pratique.advisories.versions import SortKey, sort_key
from pratique.errors import InvalidAdvisory
from pratique.inventory.package import Package

_ALL_VERSIONS = AffectedVersions(intervals=(Interval(low=None, high=None),), versions=(), fixes=())
_ANY_ARCHITECTURE = frozenset({"", "all", "any", "noarch"})
MODULE_QUALIFIER = "rpmmod"  # how purls name the module stream that an rpm was built in (package-url, "rpm")


class Statement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Versions of a package that are affected, or with `FixState.NOT_AFFECTED` are not; the other fields are those of `Affected`.

    Where `is_doubtful` nobody can tell which of the versions are: a bound of what the publisher states is no version.
    """

    versions: AffectedVersions
    state: FixState = FixState.AFFECTED
    note: str = ""
    architectures: tuple[str, ...] = ()
    module: str = ""
    channel: str = ""
    is_doubtful: bool = False

    def is_about(self, package: Package) -> bool:
        """Tell whether the package is of the architectures and the module stream that the statement is about, whatever its version."""
        if not self.architectures and not self.module:
            return True
        architecture = package.architecture
        fits = not self.architectures or architecture in _ANY_ARCHITECTURE or architecture in self.architectures
        return fits and (not self.module or _is_of_stream(package, self.module))


EVERYTHING_DOUBTFUL = Statement(versions=_ALL_VERSIONS, is_doubtful=True)
"""Said where nothing can be read of what is stated about a package."""


def evaluate_statements(entries: Sequence[Affected]) -> tuple[tuple[Statement, ...], int]:
    """Join all that one advisory says about one package, given as entries of one ecosystem and release: one statement for each set of conditions, and one more for what
    of it cannot be compared.

    Answers the number of ranges left out because a bound of theirs is no version there. Raises InvalidAdvisory for more points than `ranges.MAX_POINTS`.
    """
    groups: dict[tuple[object, ...], list[Affected]] = {}
    for entry in entries:
        groups.setdefault((entry.state, entry.note, entry.architectures, entry.module, entry.channel), []).append(entry)
    statements, unreadable = [], 0
    for group in groups.values():
        versions, doubtful = evaluate_affected(group)
        unreadable += len(doubtful)
        if group[0].state is FixState.NOT_AFFECTED:
            doubtful = ()  # it could only take something away
            versions = versions if any(entry.ranges or entry.versions for entry in group) else _ALL_VERSIONS
        if versions.intervals or versions.versions:
            statements.append(_statement(group[0], versions))
        if doubtful:
            hulls = AffectedVersions(intervals=tuple(dict.fromkeys(doubtful)), versions=(), fixes=())
            statements.append(_statement(group[0], hulls, is_doubtful=True))
    return tuple(statements), unreadable


def _statement(entry: Affected, versions: AffectedVersions, *, is_doubtful: bool = False) -> Statement:
    return Statement(
        versions=versions,
        state=entry.state,
        note=entry.note,
        architectures=entry.architectures,
        module=entry.module,
        channel=entry.channel,
        is_doubtful=is_doubtful,
    )


_Row = tuple[bytes, str, str, tuple[str, ...], str, str, bool]
_STATES = {str(state): state for state in FixState}  # half the time that FixState(...) takes
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[_Row])


def encode_statements(statements: Iterable[Statement]) -> bytes:
    """Serialise for a database row."""
    return _ENCODER.encode(
        [
            (one.versions.encode(), str(one.state), one.note, one.architectures, one.module, one.channel, one.is_doubtful)
            for one in statements
        ]
    )


def decode_statements(content: bytes) -> list[Statement]:
    """Read what `encode_statements` wrote.

    Raises InvalidAdvisory.
    """
    try:
        return [
            Statement(
                versions=AffectedVersions.decode(versions),
                state=_STATES[state],
                note=note,
                architectures=architectures,
                module=module,
                channel=channel,
                is_doubtful=is_doubtful,
            )
            for versions, state, note, architectures, module, channel, is_doubtful in _DECODER.decode(content)
        ]
    except (msgspec.DecodeError, ValueError, KeyError) as error:
        raise InvalidAdvisory(f"stored statements cannot be read: {error}") from error


class Affection(NamedTuple):
    """In what way a package is affected: the version that ends it, the `channel` that one has to have for it, and what is meant to happen where there is none."""

    fixed_in: str | None
    state: FixState
    channel: str


_Keyed = tuple[tuple[Statement, VersionSet], ...]
CLEARED = Affection(None, FixState.NOT_AFFECTED, "")
"""Said of a package that its publisher says is not affected."""


class StatementSet(msgspec.Struct, frozen=True, gc=False):
    """The statements of one advisory about one package, ready to be asked many times.

    `offers` only add a fix: they are of channels that the package's image does not have, while what it has is spoken of, too. `is_union` tells that the statements are of
    several ecosystems which all speak about the package. `doubts` are what cannot be compared.
    """

    ecosystem: str
    parts: _Keyed
    offers: _Keyed = ()
    is_union: bool = False
    doubts: _Keyed = ()

    @classmethod
    def of(cls, ecosystem: str, statements: Iterable[Statement]) -> StatementSet:
        """Take the statements of one ecosystem."""
        keyed = _keyed(ecosystem, statements)
        doubts = [one for one in keyed if one[0].is_doubtful]
        if not doubts:
            return cls(ecosystem, keyed)
        return cls(ecosystem, tuple(one for one in keyed if not one[0].is_doubtful), doubts=tuple(doubts))

    @classmethod
    def of_parts(cls, ecosystem: str, parts: Sequence[tuple[EcosystemPart, Sequence[Statement]]]) -> StatementSet | None:
        """Join what one advisory says in the parts of an ecosystem; None if that is nothing about its packages."""
        if len(parts) == 1 and not parts[0][0].channel and not parts[0][0].own_channels:
            return cls.of(ecosystem, parts[0][1])
        heard = [one for one in parts if not one[0].channel] or parts  # where somebody speaks of what everybody has, offers leave no doubt
        doubts = _keyed(ecosystem, [statement for _, statements in heard for statement in statements if statement.is_doubtful])
        readable = [(part, statement) for part, statements in parts for statement in statements if not statement.is_doubtful]
        own = [_as_own(part, statement) for part, statement in readable if not part.channel]
        offers = [_as_offer(part, statement) for part, statement in readable if part.channel]
        affecting = [offer for offer in offers if offer.state is not FixState.NOT_AFFECTED]
        if not own:
            return cls(ecosystem, _keyed(ecosystem, affecting), doubts=doubts) if affecting or doubts else None
        return cls(ecosystem, _keyed(ecosystem, own), _keyed(ecosystem, affecting), is_union=len(parts) > 1, doubts=doubts)

    def is_about(self, package: Package) -> bool:
        """Tell whether anything that can be compared is said of the package's architecture and module stream, whatever its version."""
        return any(statement.is_about(package) for statement, _ in self.parts)

    def doubts_about(self, package: Package, key: SortKey) -> bool:
        """Tell whether the package, whose version has this key, may be affected by what cannot be compared."""
        return any(statement.is_about(package) and versions.holds(key) for statement, versions in self.doubts)

    def holding(self, package: Package, key: SortKey) -> Affection | None:
        """Tell in what way the package, whose version has this key, is affected; None if it is not, CLEARED if a publisher says so.

        What says that a version is not affected beats what says that it is. It is fixed only by what ends all that holds; where that does not exist for
        everybody, a fix in a channel is told.
        """
        about: Sequence[tuple[Statement, VersionSet]] = [one for one in self.parts if one[0].is_about(package)]
        if self.is_union:
            about = _most_telling(about)
        held = [one for one in about if one[1].holds(key)]
        if not held:
            return None
        if FixState.NOT_AFFECTED in [statement.state for statement, _ in held]:
            return CLEARED
        held += [one for one in self.offers if one[0].is_about(package) and one[1].holds(key)]
        return self._sum_up([Affection(versions.fix_above(key), statement.state, statement.channel) for statement, versions in held])

    def naming(self, package: Package, version: str) -> Affection | None:
        """The same for a version that has no place in the order: it counts as affected where it is listed letter by letter."""
        about = (statement for statement, versions in self.parts if statement.is_about(package) and versions.names(version))
        return next((Affection(None, statement.state, "") for statement in about if statement.state is not FixState.NOT_AFFECTED), None)

    def _sum_up(self, found: Sequence[Affection]) -> Affection:
        if len(found) == 1:
            return found[0]
        public = [one for one in found if not one.channel]
        fixes = [one for one in public if one.fixed_in is not None]
        if fixes and len(fixes) == len(public):
            return max(fixes, key=lambda one: sort_key(self.ecosystem, one.fixed_in or ""))
        offered = (one for one in found if one.channel and one.fixed_in is not None)
        return next(offered, None) or (public or found)[0]._replace(fixed_in=None)


def _keyed(ecosystem: str, statements: Iterable[Statement]) -> _Keyed:
    return tuple([(statement, VersionSet(ecosystem, statement.versions)) for statement in statements])


def _as_own(part: EcosystemPart, statement: Statement) -> Statement:
    return replace(statement, channel="") if statement.channel in part.own_channels else statement


def _as_offer(part: EcosystemPart, statement: Statement) -> Statement:
    return replace(statement, channel=part.channel)


def _most_telling(about: Sequence[tuple[Statement, VersionSet]]) -> Sequence[tuple[Statement, VersionSet]]:
    """Of what is said in several places about one package, which came from one of them: a fix counts before all else, as its place has the package; then what is affected.

    Publishers name a place in general for what they have not fixed (`enterprise_linux:9`), and the very repository for what they have.
    """
    if any(_is_ended(statement) for statement, _ in about):
        return [one for one in about if one[0].channel or _is_ended(one[0])]
    if any(statement.state is not FixState.NOT_AFFECTED and not statement.channel for statement, _ in about):
        return [one for one in about if one[0].state is not FixState.NOT_AFFECTED]
    return about


def _is_ended(statement: Statement) -> bool:
    is_open = any(interval.high is None for interval in statement.versions.intervals)
    return not is_open and statement.state is not FixState.NOT_AFFECTED and not statement.channel


def _is_of_stream(package: Package, module: str) -> bool:
    """Tell whether a package is of a module stream; one that was built in a stream and does not tell in which may be of any."""
    label = package.qualifiers.get(MODULE_QUALIFIER, "")
    return _is_stream(label, module) if label else MODULE_RELEASE in package.version


def _is_stream(label: str, module: str) -> bool:
    """Tell whether a label (`nodejs:18:9020020230327152102:rhel9`) is of a stream (`nodejs:18`)."""
    return label == module or label.startswith(f"{module}:")

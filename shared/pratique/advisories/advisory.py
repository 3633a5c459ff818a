"""What publishers state about packages, whatever form they state it in: values that every reader of advisories makes."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

MODULE_RELEASE = ".module"
"""Part of the release of every rpm that was built in a module stream."""

_OTHER_UPDATE = re.compile(r"(?:RH|AL|RL|RX)[BE]A-")


class EventKind(enum.StrEnum):
    """What begins or ends at a version. `LIMIT` ends a range without being a fix."""

    INTRODUCED = "introduced"
    FIXED = "fixed"
    LAST_AFFECTED = "last_affected"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One point of a range, as the record states it: the version `0` is before all others, the limit `*` after."""

    kind: EventKind
    version: str


class FixState(enum.StrEnum):
    """What a publisher means to do about a package that is affected and not fixed, or that it is not affected at all."""

    AFFECTED = "affected"
    WILL_NOT_FIX = "will-not-fix"
    DEFERRED = "deferred"
    END_OF_LIFE = "end-of-life"
    NOT_AFFECTED = "not-affected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """One package that a record speaks about.

    `ecosystem` is OSV's name with release (`Debian:12`), `name` what its advisories call the package (`Package.matching_name`). `git_ranges` counts ranges of
    commits, which say nothing about versions. `state` is what the publisher means to do where no fix is stated, `note` its own word for that (`no-dsa`, `needed`).
    `architectures` are the only ones affected, in the ecosystem's spelling, empty for all; `module` is the only module stream (`nodejs:18`); `channel` names
    the offer that has the fix where not everybody has it (`esm-infra`, `eus`). `words` and `vectors` are severities as in `Advisory`, of this package alone.
    """

    ecosystem: str
    name: str
    ranges: tuple[tuple[Event, ...], ...] = ()
    versions: tuple[str, ...] = ()
    git_ranges: int = 0
    state: FixState = FixState.AFFECTED
    note: str = ""
    architectures: tuple[str, ...] = ()
    module: str = ""
    channel: str = ""
    words: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """What a publisher states about ranges of versions.

    `aliases` are the other names of the same flaw and the CVEs among `upstream`, CVEs first; `equals` is the part of them that means the very same
    flaw, so without `upstream`, of which an update has many. `related` records are other flaws and are left out. `words` are the publisher's own severities, `vectors` CVSS vectors, both
    of the flaw in all packages.
    Times are RFC 3339 in UTC, `published` may be empty.
    """

    id: str
    modified: str
    aliases: tuple[str, ...]
    equals: tuple[str, ...]
    title: str
    references: tuple[str, ...]
    words: tuple[str, ...]
    vectors: tuple[str, ...]
    affected: tuple[Affected, ...]
    published: str = ""

    @property
    def is_about_a_flaw(self) -> bool:
        """Tell whether it is about security: updates of Red Hat and its rebuilds that fix bugs or add features (`RHBA-`, `ALEA-`) are not, unless they name a CVE."""
        return not _OTHER_UPDATE.match(self.id) or any(name.startswith("CVE-") for name in self.aliases)

    @property
    def is_malware(self) -> bool:
        """Tell whether it reports a package that was made to do harm (OSV's `MAL-` records): all that it names must go, not be updated."""
        return self.id.startswith("MAL-")

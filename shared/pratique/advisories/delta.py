"""What a newer advisory database says differently: so much, and no more, has to be matched again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import InvalidAdvisory

_CHANGED = """
SELECT e.name, p.name, p.digest FROM {one}.package AS p JOIN {one}.ecosystem AS e ON e.id = p.ecosystem
EXCEPT
SELECT e.name, p.name, p.digest FROM {other}.package AS p JOIN {other}.ecosystem AS e ON e.id = p.ecosystem
"""
_ECOSYSTEMS = "SELECT name FROM {one}.ecosystem EXCEPT SELECT name FROM {other}.ecosystem"
_EXPLOITED = "SELECT cve, kev FROM main.exploit WHERE kev <> '' EXCEPT SELECT cve, kev FROM old.exploit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """Differences of two databases.

    `packages` are pairs of an ecosystem with its release and a name as `normal_name` spells it, of which anything that is said has changed, came or went; times of
    records do not count, nor does exploitation. `ecosystems` (with release) are covered by one of the two only: all their packages are to be matched again.
    `exploited` are CVEs that are known to be exploited now, and were not, with the date (ISO 8601) since when.
    """

    packages: frozenset[tuple[str, str]]
    ecosystems: frozenset[str]
    exploited: dict[str, str]

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing has changed."""
        return not (self.packages or self.ecosystems or self.exploited)


def compare_databases(old: Path, new: Path) -> Delta:
    """Compare two compiled databases; takes about a second for a million packages. Blocking.

    Raises what `AdvisoryDatabase.open` raises for either.
    """
    for path in (old, new):
        AdvisoryDatabase.open(path).close()  # refuses what is none, before its tables are believed
    try:
        with closing(sqlite3.connect(_read_only(new), uri=True)) as connection:
            connection.execute("ATTACH DATABASE ? AS old", (_read_only(old),))
            pairs = (("main", "old"), ("old", "main"))
            packages = {row[:2] for one, other in pairs for row in connection.execute(_CHANGED.format(one=one, other=other))}
            ecosystems = {name for one, other in pairs for (name,) in connection.execute(_ECOSYSTEMS.format(one=one, other=other))}
            exploited = dict(connection.execute(_EXPLOITED).fetchall())
    except sqlite3.Error as error:
        raise InvalidAdvisory(f"advisory databases cannot be compared: {error}") from error
    return Delta(
        packages=frozenset(pair for pair in packages if pair[0] not in ecosystems), ecosystems=frozenset(ecosystems), exploited=exploited
    )


def _read_only(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro&immutable=1"

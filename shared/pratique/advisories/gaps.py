"""What matching could not answer, as coverage items: few of them, however many packages are behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pratique.inventory.coverage import CoverageItem, CoverageStatus
from pratique.inventory.package import Package

MAX_NAMED = 5  # advisories of one gap
MAX_VERSION_GAPS = 50  # named one by one; an image made to have thousands would make the report unreadable


class GapList:
    """Collects the gaps of one matching."""

    def __init__(self, version: str) -> None:
        """Start without gaps; `version` is what the items carry as theirs."""
        self._version = version
        self._uncovered: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._incomparable: dict[str, str] = {}
        self._more = 0
        self._left = 0
        self._limit = 0

    def add_uncovered(self, package: Package, reason: str) -> None:
        """Note a package of an ecosystem that the database has nothing about, because of `reason`."""
        name = package.ecosystem
        if not name:
            name = f"{package.type}/{package.namespace}" if package.is_os_package and package.namespace else package.type
            reason = f"no advisory ecosystem is known for {name}"
        self._uncovered[name] += 1
        self._reasons[name] = reason

    def add_incomparable(self, package: Package) -> None:
        """Note a package that has advisories, but a version that cannot be compared with theirs."""
        purl = package.purl
        if len(self._incomparable) >= MAX_VERSION_GAPS and purl not in self._incomparable:
            self._more += 1
            return
        self._incomparable[purl] = f"version {package.matching_version[:140]!r} of {purl[:300]} cannot be compared with its advisories"

    def add_doubts(self, package: Package, advisories: Sequence[str]) -> None:
        """Note a package that may be affected by advisories whose own versions cannot be compared."""
        purl = package.purl
        if len(self._incomparable) >= MAX_VERSION_GAPS and purl not in self._incomparable:
            self._more += 1
            return
        named = ", ".join(advisories[:MAX_NAMED]) + (f" and {len(advisories) - MAX_NAMED} more" if len(advisories) > MAX_NAMED else "")
        self._incomparable[purl] = f"what {named} says of {purl[:300]} cannot be compared: a bound of its is no version"

    def add_left(self, limit: int) -> None:
        """Note a package that was not matched, because those before it had `limit` findings."""
        self._left += 1
        self._limit = limit

    def items(self) -> tuple[CoverageItem, ...]:
        """The gaps, sorted by name."""
        uncovered = [
            self._item(name, f"{self._reasons[name]}: {count} packages not matched") for name, count in sorted(self._uncovered.items())
        ]
        incomparable = [self._item(purl[:300], reason) for purl, reason in sorted(self._incomparable.items())]
        if self._more:
            incomparable.append(self._item("versions", f"{self._more} more packages have versions that cannot be compared"))
        if self._left:
            incomparable.append(self._item("limit", f"{self._limit} findings are the limit: {self._left} packages not matched"))
        return (*uncovered, *incomparable)

    def _item(self, name: str, reason: str) -> CoverageItem:
        return CoverageItem(name=f"advisories/{name}", version=self._version, status=CoverageStatus.PARTIAL, reason=reason)

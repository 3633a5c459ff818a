"""Findings: facts about an image, and how severe they are."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


class Severity(enum.IntEnum):
    """How bad a finding is. `UNKNOWN` is no severity at all, not a low one: policy decides what it means."""

    UNKNOWN = 0
    NEGLIGIBLE = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @classmethod
    def parse(cls, text: str) -> Severity:
        """Parse a publisher's word in any case; words that no scale knows are UNKNOWN."""
        return _WORDS.get(text.strip().lower(), cls.UNKNOWN)

    def __str__(self) -> str:
        return self.name.lower()


_WORDS = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "important": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "moderate": Severity.MEDIUM,
    "low": Severity.LOW,
    "minor": Severity.LOW,
    "negligible": Severity.NEGLIGIBLE,
    "unimportant": Severity.NEGLIGIBLE,
    "none": Severity.NEGLIGIBLE,
}


class FindingKind(enum.StrEnum):
    """What sort of fact a finding is."""

    VULNERABILITY = "vulnerability"
    MISCONFIGURATION = "misconfiguration"
    SECRET = "secret"
    MALWARE = "malware"
    CRYPTO = "crypto"
    KUBERNETES = "kubernetes"
    EOL = "eol"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """How severe one source says that a flaw is. `source` names the record, `GHSA-…` for its own word and `CVSS:3.1 of GHSA-…` for a vector, which `vector` then is."""

    source: str
    severity: Severity
    vector: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fact about an image: this package is affected by that advisory, this key lies in that file.

    `id` is the advisory's or the rule's; `aliases` its other names (a CVE among them). `package` is a purl, `installed` and
    `fixed_in` versions in its ecosystem; `fixed_in` is None while there is no fix that everybody gets. `status` is `affected`, `fixed` (a fix exists),
    `will-not-fix`, `deferred` or `end-of-life`. `layer` is the digest of the blob that introduced it. `exploited_since` is the date (ISO 8601) at
    which CISA added one of its CVEs to the known exploited ones, `epss` the highest probability (0 to 1) that FIRST gives one of them for the next 30 days.
    `ratings` are what every source says of its severity; the first is the one that counts, and `severity` and `severity_source` are its own. There are none for what
    no publisher has rated, nor for what is no vulnerability.
    """

    kind: FindingKind
    id: str
    severity: Severity
    title: str = ""
    aliases: tuple[str, ...] = ()
    package: str | None = None
    installed: str | None = None
    fixed_in: str | None = None
    status: str = "affected"
    path: str | None = None
    layer: str | None = None
    references: tuple[str, ...] = ()
    recommendation: str = ""
    severity_source: str = ""
    exploited_since: str | None = None
    epss: float | None = None
    ratings: tuple[Rating, ...] = ()

    @property
    def is_fixable(self) -> bool:
        """Tell whether an update exists that ends this finding."""
        return self.fixed_in is not None

    @property
    def cve(self) -> str:
        """The first CVE among id and aliases, or the id where there is none: the name people know it by."""
        return next((name for name in (self.id, *self.aliases) if name.startswith("CVE-")), self.id)


def count_by_severity(findings: Iterable[Finding]) -> Mapping[str, int]:
    """Count findings per severity word, worst first, every word present."""
    counts = Counter(finding.severity for finding in findings)
    return {str(severity): counts[severity] for severity in sorted(Severity, reverse=True)}

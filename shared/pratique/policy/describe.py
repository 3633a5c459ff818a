"""Words for reasons: short, in a fixed order, and free of what an image's author could smuggle into a terminal or a page."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

from pratique.findings import Finding, Severity
from pratique.inventory.coverage import CoverageItem
from pratique.policy.policy import Waiver

_SHOWN = 3  # of any list: a reason is read in one look, the report has the rest
_MAX_TEXT = 120  # of any foreign text


_CAUSES = frozenset({"image", "manifest", "config", "layer"})
"""Coverage items that others follow from: an analyzer is incomplete because a layer could not be read."""


def clean(text: str, limit: int = 500) -> str:
    """Cut to `limit` and replace control and direction characters: names come from images and feeds."""
    shown = text[:limit]
    if not shown.isprintable():
        shown = "".join(character if character.isprintable() else "?" for character in shown)
    return f"{shown}…" if len(text) > limit else shown


def listed(texts: Iterable[str], total: int) -> str:
    """The first few of `texts`, and how many more of `total` there are."""
    shown = "; ".join(clean(text, 3 * _MAX_TEXT) for text in itertools.islice(texts, _SHOWN))
    return f"{shown}; and {total - _SHOWN} more" if total > _SHOWN else shown


def findings(found: Iterable[Finding], what: str) -> str:
    """`3 findings at or above high (1 critical, 2 high): CVE-… critical in openssl 3.0.1, fixed in 3.0.2; …`, the worst first."""
    worst = sorted(found, key=_urgency)
    counts = Counter(finding.severity for finding in worst)
    by_severity = ", ".join(f"{counts[severity]} {severity}" for severity in sorted(counts, reverse=True))
    noun = "finding" if len(worst) == 1 else "findings"
    return f"{len(worst)} {noun} {what} ({by_severity}): {listed(map(_finding, worst), len(worst))}"


def gaps(items: Sequence[CoverageItem], what: str) -> str:
    """`not everything could be read: rpm failed because …`."""
    ranked = sorted((item.name not in _CAUSES, f"{item.name} {item.status}: {item.reason}") for item in items)
    texts = [text for _, text in ranked]
    return f"{what}: {listed(texts, len(texts))}" if texts else what


def waivers(used: Iterable[Waiver]) -> str:
    """`CVE-… by team-a until 2026-12-31; …`, by expiry."""
    ordered = sorted(used, key=lambda waiver: (waiver.expires, waiver.id, waiver.owner))
    return listed((f"{waiver.id} by {waiver.owner} until {waiver.expires}" for waiver in ordered), len(ordered))


def duration(span: dt.timedelta) -> str:
    """Write a duration as a policy document does: `7d`, `12h`."""
    hours = int(span.total_seconds()) // 3600
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"


def _urgency(finding: Finding) -> tuple[int, bool, bool, str, str, str]:
    place = finding.package or finding.path or ""
    return (-finding.severity, finding.exploited_since is None, not finding.is_fixable, finding.cve, place, finding.fixed_in or "")


def _finding(finding: Finding) -> str:
    severity = f" {finding.severity}" if finding.severity is not Severity.UNKNOWN else ""
    place = finding.package.partition("?")[0] if finding.package else finding.path
    where = f" in {clean(place, _MAX_TEXT)}" if place else ""
    fix = f", fixed in {clean(finding.fixed_in, _MAX_TEXT)}" if finding.fixed_in else ""
    since = f", exploited since {clean(finding.exploited_since, _MAX_TEXT)}" if finding.exploited_since else ""
    return f"{clean(finding.cve, _MAX_TEXT)}{severity}{where}{fix}{since}"

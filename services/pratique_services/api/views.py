"""What the pages show, ready to be printed: rows with their links and words. All of it comes from images and is printed as text only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pratique.findings import Finding, FindingKind
from pratique.inventory.coverage import Coverage, FeedState
from pratique.reports.durations import duration
from pratique.reports.suppressed_lines import describe_statement
from pratique.storage.decisions import ActionRow
from pratique.storage.queries import ImageSummary
from pratique.storage.scans import ScanRow
from pratique.storage.text import utc_now
from pratique.vex.applying import SuppressedFinding
from pratique_services.api import words

_SHORT_DIGEST = 12  # hex digits: what other tools show
_MAX_LINK = 2000
_MAX_NAMES = 8
_TOLD_EPSS = 0.01  # nine of ten CVEs have less, which helps nobody to decide
_OS_TYPES = frozenset({"deb", "apk", "rpm"})
_WITHOUT_VERDICT = {"failed": "failed", "scanned": "none"}  # what is read and never judged is an artifact, or about to be judged


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRow:
    """A line of the list. `scan` is None when the newest scan is done."""

    path: str
    repository: str
    digest: str
    tags: tuple[str, ...]
    verdict: str
    criticals: int
    highs: int
    decided_at: dt.datetime | None
    scan: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """A line of the findings. `link` is "" where there is none that is safe to follow, `epss` where exploitation is improbable."""

    severity: str
    name: str
    also: str
    link: str
    package: str
    package_type: str
    package_url: str
    installed: str
    fixed_in: str
    layer: str
    path: str
    title: str
    kind: str
    exploited_since: str
    epss: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressedRow:
    """A finding that VEX takes away, and who says so: `reasons` in words, one a statement."""

    finding: FindingRow
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """An advisory feed and how old it is; `failure` says why it could not be synced since, where it could not."""

    name: str
    updated: str
    age: str
    is_stale: bool
    failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRowView:
    """An action in words."""

    what: str
    outcome: str
    detail: str
    attempts: int
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is different from the image that a tag pointed to before. Names are of the worst first, a few of them."""

    tag: str
    path: str
    digest: str
    new: int
    gone: int
    new_names: tuple[str, ...]


def image_path(host: str, repository: str, *, digest: str | None = None, tag: str | None = None) -> str:
    """Make the path of an image's page, as links in chat messages have it."""
    name = quote(f"{host}/{repository}")
    return f"/images/{name}@{digest}" if digest else f"/images/{name}:{tag}"


def short_digest(digest: str | None) -> str:
    """Shorten a digest to what tells it apart on a page."""
    return (digest or "").partition(":")[2][:_SHORT_DIGEST]


def image_row(image: ImageSummary, scan: ScanRow | None) -> ImageRow:
    """Make a line of the list; `scan` is the newest one, where there is something to say about it."""
    return ImageRow(
        path=image_path(image.host, image.repository, digest=image.digest, tag=next(iter(image.tags), "latest")),
        repository=f"{image.host}/{image.repository}",
        digest=short_digest(image.digest),
        tags=image.tags,
        verdict=image.verdict or _WITHOUT_VERDICT.get(image.scan_state, "pending"),
        criticals=image.counts.get("critical", 0),
        highs=image.counts.get("high", 0),
        decided_at=image.decided_at,
        scan=words.scan_line(scan) if scan else image.scan_state,
    )


def finding_row(finding: Finding) -> FindingRow:
    """Make a line of the findings."""
    return FindingRow(
        severity=str(finding.severity),
        name=finding.cve,
        also=finding.id if finding.id != finding.cve else "",
        link=_link(finding),
        package=package_name(finding.package),
        package_type=package_type(finding.package),
        package_url=finding.package or "",
        installed=finding.installed or "",
        fixed_in=finding.fixed_in or "",
        layer=short_digest(finding.layer),
        path=finding.path or "",
        title=finding.title,
        kind=str(finding.kind),
        exploited_since=finding.exploited_since or "",
        epss=f"{finding.epss:.0%}" if (finding.epss or 0) >= _TOLD_EPSS else "",
    )


def exploited_names(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Name what is known to be exploited, each once, in the order given."""
    return tuple(dict.fromkeys(finding.cve for finding in findings if finding.exploited_since is not None))


def suppressed_row(suppressed: SuppressedFinding) -> SuppressedRow:
    """Make a line of the findings that VEX takes away."""
    return SuppressedRow(finding=finding_row(suppressed.finding), reasons=tuple(map(describe_statement, suppressed.statements)))


def package_name(purl: str | None) -> str:
    """Shorten a package URL to the name that people install it by: without a distribution's name, with an npm scope or the path of a Go module."""
    kind, _, rest = _split_purl(purl)
    return unquote(rest.rpartition("/")[2] if kind in _OS_TYPES else rest)


def package_type(purl: str | None) -> str:
    """Tell the type in a package URL: `deb`, `npm`."""
    return _split_purl(purl)[0]


def is_safe_link(text: str) -> bool:
    """Tell whether a link from an advisory may be followed: http or https, to a host."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return len(text) <= _MAX_LINK and parts.scheme in {"http", "https"} and bool(parts.netloc)


def feed_row(feed: FeedState) -> FeedRow:
    """Make a line of the feeds; one without a readable date counts as stale."""
    updated = words.parse_moment(feed.updated)
    return FeedRow(
        name=feed.name,
        updated=words.moment(updated) if updated else feed.updated,
        age=duration((utc_now() - updated).total_seconds()) if updated else "unknown age",
        is_stale=updated is None or utc_now() - updated > dt.timedelta(days=words.STALE_FEED_DAYS),
        failure=feed.failure,
    )


def feed_rows(coverage: Coverage) -> tuple[FeedRow, ...]:
    """Make the lines of the feeds, by name."""
    return tuple(map(feed_row, sorted(coverage.feeds, key=lambda feed: feed.name)))


def action_row(action: ActionRow) -> ActionRowView:
    """Say what an action is about: `promote to team/app:prod`."""
    return ActionRowView(
        what=f"{action.kind}{_target(action.parameters)}",
        outcome=action.outcome,
        detail=action.detail,
        attempts=action.attempts,
        updated_at=action.updated_at,
    )


def compare(findings: Sequence[Finding], before: Iterable[Finding]) -> tuple[tuple[Finding, ...], int]:
    """Tell which findings an earlier image did not have, and how many of its findings are gone. A package's version does not count."""
    earlier = {_identity(finding) for finding in before}
    new = tuple(finding for finding in findings if _identity(finding) not in earlier)
    return new, len(earlier - {_identity(finding) for finding in findings})


def make_change(tag: str, path: str, digest: str, findings: Sequence[Finding], before: Iterable[Finding]) -> Change:
    """Describe the difference between two images."""
    new, gone = compare(findings, before)
    names = tuple(dict.fromkeys(f"{finding.cve} ({finding.severity})" for finding in new))[:_MAX_NAMES]
    return Change(tag=tag, path=path, digest=short_digest(digest), new=len({_identity(one) for one in new}), gone=gone, new_names=names)


def _split_purl(purl: str | None) -> tuple[str, str, str]:
    return (purl or "").removeprefix("pkg:").partition("?")[0].rpartition("@")[0].partition("/")


def _identity(finding: Finding) -> tuple[str, str, str]:
    package = f"{package_type(finding.package)}/{package_name(finding.package)}"
    return finding.cve, package, finding.path or "" if finding.package is None else ""


def _link(finding: Finding) -> str:
    found = next((link for link in finding.references if is_safe_link(link)), "")
    if not found and finding.kind is FindingKind.VULNERABILITY:
        return f"https://osv.dev/vulnerability/{quote(finding.id, safe='')}"
    return found


def _target(parameters: Mapping[str, Any]) -> str:
    repository, tag = parameters.get("repository"), parameters.get("tag")
    if repository and tag:
        return f" to {repository}:{tag}"
    tags = parameters.get("tags")
    return f" ({', '.join(map(str, tags))})" if isinstance(tags, list) and tags else ""

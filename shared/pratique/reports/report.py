"""The report on one target, which every format is made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pratique.errors import InvalidVersion
from pratique.findings import Finding
from pratique.inventory.coverage import Coverage
from pratique.inventory.file_account import FileAccount, FileEntry
from pratique.inventory.package import Distribution, InstalledPackage
from pratique.policy.verdict import Verdict

if TYPE_CHECKING:
    from pratique.vex.applying import SuppressedFinding  # takes time to import, and few reports have any

SCHEMA_VERSION = 1
MAX_RECOMMENDATIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What was looked at: as the user wrote it, its digest, its platform (several joined by `,`), its distribution and that one's end of life (ISO date).

    `described` is what an SBOM says that it is about, where the user named an SBOM.
    """

    reference: str
    digest: str | None
    platform: str | None
    distribution: Distribution | None
    eol: str | None = None
    described: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFiles:
    """What is known of the files of one image of the target, and all of them (by path) if they were asked for."""

    digest: str | None
    platform: str | None
    account: FileAccount
    files: tuple[FileEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything known about a target. `packages` are sorted by purl, `findings` worst first; `files` has an entry an image, or none where files were not looked at.

    `suppressed` are findings that VEX takes away, which neither `findings` nor the verdict has; `notes` are what people should know of how the findings came about.
    """

    target: Target
    packages: tuple[InstalledPackage, ...]
    findings: tuple[Finding, ...]
    coverage: Coverage
    verdict: Verdict | None = None
    files: tuple[ImageFiles, ...] = ()
    suppressed: tuple[SuppressedFinding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def recommendations(self) -> tuple[str, ...]:
        """What to do, in order of how much it helps: one line a package, naming the version that ends all its fixable findings."""
        advice = [finding.recommendation for finding in self.findings if finding.package is None and finding.recommendation]
        return tuple(dict.fromkeys([*advice, *_updates(self.findings, self.packages)]))[:MAX_RECOMMENDATIONS]


def sorted_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Worst first, of equal ones what is known to be exploited, then by package and id, so that two reports can be compared line by line."""
    return tuple(sorted(findings, key=_place))


def _place(finding: Finding) -> tuple[int, bool, str, str, str]:
    return (-finding.severity, finding.exploited_since is None, finding.package or "", finding.path or "", finding.id)


def _updates(findings: Sequence[Finding], packages: Sequence[InstalledPackage]) -> list[str]:
    known = {installed.package.purl: installed.package for installed in packages}
    updates: dict[tuple[str, str], str] = {}
    for finding in findings:
        package = known.get(finding.package or "")
        if package is None or finding.fixed_in is None:
            continue
        key = (package.ecosystem, package.matching_name)
        updates[key] = _later(package.ecosystem, updates.get(key), finding.fixed_in)
    return [f"update {name} to {version} or later ({ecosystem})" for (ecosystem, name), version in updates.items()]


def _later(ecosystem: str, one: str | None, other: str) -> str:
    if one is None:
        return other
    from pratique.advisories.versions import compare  # an inventory needs none of the schemes, which take a while to import

    try:
        return one if compare(ecosystem, one, other) >= 0 else other
    except InvalidVersion:
        return other

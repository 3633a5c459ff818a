"""From a reference to what is stored of its image; of an index, of all its platforms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import MissingError
from pratique.findings import Finding
from pratique.inventory.coverage import Coverage
from pratique.inventory.eol import eol_state
from pratique.inventory.inventory import Inventory
from pratique.inventory.package import Distribution, InstalledPackage
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.policy.subject import Subject
from pratique.policy.verdict import Verdict
from pratique.reports.file_document import read_account
from pratique.reports.report import ImageFiles, Report, Target, sorted_findings
from pratique.storage.evidence import load_evidence
from pratique.storage.images import ARTIFACT_KIND, load_files, load_image, load_index_children, load_inventory
from pratique.storage.queries import StatusView, load_status
from pratique.storage.suppressing import load_statements
from pratique.vex.applying import VexOutcome
from pratique.vex.trust import VexTrust

_MAX_DEPTH = 4  # indexes in indexes: one that names itself must end


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is installed in an image: packages by package URL, the platforms, and the first distribution found."""

    packages: tuple[InstalledPackage, ...]
    platforms: tuple[str, ...]
    distribution: Distribution | None


async def load_known(session: AsyncSession, reference: Reference) -> StatusView:
    """Load the state of a reference. Raises MissingError when it was never heard of."""
    status = await load_status(session, reference.host, reference.repository, tag=reference.tag, digest=reference.digest)
    if status is None:
        raise MissingError(f"{reference} was never heard of: push it, or ask for a scan of it")
    return status


async def load_scanned(session: AsyncSession, reference: Reference) -> tuple[StatusView, str]:
    """Load the state of a reference whose image has been read at least once, and the digest. Raises MissingError."""
    status = await load_known(session, reference)
    if status.digest is None or await load_image(session, status.digest) is None:
        state = f"its newest scan is {status.scan.state}" if status.scan else "no scan is known"
        raise MissingError(f"{reference} was not read yet: {state}")
    return status, status.digest


async def load_artifact_kind(session: AsyncSession, status: StatusView) -> str | None:
    """Name what the newest scan found where that is no image (`helm chart`); None for an image."""
    digest = status.scan.image_digest if status.scan else None
    image = await load_image(session, digest) if digest else None
    return str(image.config.get(ARTIFACT_KIND) or "artifact") if image is not None and image.kind == "artifact" else None


async def load_contents(session: AsyncSession, digest: str) -> Contents:
    """Load what is installed in an image, or in all platforms of an index."""
    found: dict[str, InstalledPackage] = {}
    platforms: list[str] = []
    distribution: Distribution | None = None
    for platform, inventory in await _load_inventories(session, digest):
        distribution = distribution or inventory.distribution
        platforms += [platform] if platform else []
        for installed in inventory.packages:
            known = found.get(installed.package.purl)
            paths = installed.paths if known is None else tuple(dict.fromkeys((*known.paths, *installed.paths)))
            found[installed.package.purl] = replace(known or installed, paths=paths)
    packages = tuple(found[purl] for purl in sorted(found))
    return Contents(packages=packages, platforms=tuple(dict.fromkeys(platforms)), distribution=distribution)


async def load_judged(session: AsyncSession, status: StatusView, digest: str, vex: VexTrust) -> tuple[VexOutcome, Coverage]:
    """Load the findings of an image as they are judged, and its coverage."""
    evidence = (await load_evidence(session, [digest]))[digest]
    said = (await load_statements(session, [digest], vex))[digest]
    return said.apply(evidence.findings, judged_subject(status, digest)), evidence.coverage


def judged_subject(status: StatusView, digest: str) -> Subject:
    """What the verdict on a digest in that place is about."""
    tags = {*status.tags, status.decision.tag} if status.decision and status.decision.tag else {*status.tags}
    return Subject(host=status.host, repository=status.repository, tags=tuple(sorted(tags)), digest=Digest.parse(digest))


async def load_report(session: AsyncSession, reference: Reference, status: StatusView, digest: str, vex: VexTrust) -> Report:
    """Load everything that a report shows of an image."""
    contents = await load_contents(session, digest)
    outcome, coverage = await load_judged(session, status, digest, vex)
    verdict = status.decision.verdict if status.decision else None
    report = make_report(str(reference), digest, contents, outcome.findings, coverage, verdict)
    return replace(report, files=await _load_files(session, digest), suppressed=outcome.suppressed, notes=outcome.notes)


def make_report(  # noqa: PLR0913, PLR0917
    reference: str, digest: str, contents: Contents, findings: Sequence[Finding], coverage: Coverage, verdict: Verdict | None
) -> Report:
    """Put a report together from what was loaded."""
    state = eol_state(contents.distribution)
    target = Target(
        reference=reference,
        digest=digest,
        platform=",".join(contents.platforms) or None,
        distribution=contents.distribution,
        eol=state.eol.isoformat() if state and state.eol else None,
    )
    return Report(target=target, packages=contents.packages, findings=sorted_findings(findings), coverage=coverage, verdict=verdict)


async def _load_inventories(session: AsyncSession, digest: str, depth: int = 0) -> list[tuple[str, Inventory]]:
    """Load the inventories behind a digest with their platforms; those that are missing are Coverage's to tell."""
    image = await load_image(session, digest)
    if image is None or depth == _MAX_DEPTH:
        return []
    inventory = await load_inventory(session, digest)
    if inventory is not None:
        return [(str(image.platform) if image.platform else "", inventory)]
    children = [child.digest for child in await load_index_children(session, digest) if not child.is_attestation]
    return [found for child in dict.fromkeys(children) for found in await _load_inventories(session, child, depth + 1)]


async def _load_files(session: AsyncSession, digest: str, depth: int = 0) -> tuple[ImageFiles, ...]:
    """Load what is known of the files of the images behind a digest."""
    image = await load_image(session, digest)
    if image is None or depth == _MAX_DEPTH:
        return ()
    document = await load_files(session, digest)
    if document is not None:
        platform = str(image.platform) if image.platform else None
        return (ImageFiles(digest=digest, platform=platform, account=read_account(document)),)
    children = [child.digest for child in await load_index_children(session, digest) if not child.is_attestation]
    return tuple([found for child in dict.fromkeys(children) for found in await _load_files(session, child, depth + 1)])

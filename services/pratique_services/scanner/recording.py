"""Recording what an inspection found: images, inventories, and the matches of packages not matched yet."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.advisories.coverage import matching_coverage, no_matching
from pratique.advisories.database import AdvisoryDatabase
from pratique.advisories.matching import match_singly
from pratique.errors import PratiqueError
from pratique.inventory.analyzers import ANALYZERS_KEY
from pratique.inventory.coverage import Coverage, CoverageStatus
from pratique.inventory.eol import eol_findings
from pratique.inventory.eol_dates import EolDates
from pratique.inventory.inventory import Inventory
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, ImageConfig, Index
from pratique.reports.file_document import account_document
from pratique.runtime.advisory_file import AdvisoryFile
from pratique.scanning import InspectedImage, Inspection
from pratique.storage.advisory_state import UNPLACED, begin_state
from pratique.storage.engine import Database
from pratique.storage.exploitations import exploits_of, record_exploits
from pratique.storage.findings import record_coverage, record_inspections
from pratique.storage.images import (
    ARTIFACT_KIND,
    RecordedImage,
    load_image,
    load_index_children,
    load_inventory,
    record_files,
    record_image,
    record_inventory,
)
from pratique.storage.match_changes import PackageMatch
from pratique.storage.matches import load_unmatched_packages, record_matches

MATCHING = "matching"
"""The coverage section of advisory matching."""

_PLACING_ATTEMPTS = 5  # while the advisor brings the fleet to a newer database, a scanner may have that one already, or the older one still
_PLACING_SECONDS = 1.0


class Recorder:
    """Writes inspections to the database; `advisories` is None where no database of advisories is configured: then coverage says so."""

    def __init__(self, database: Database, advisories: AdvisoryFile | None) -> None:
        self._database = database
        self._advisories = advisories

    async def record(self, digest: Digest, inspection: Inspection) -> str | None:
        """Record an inspection of `digest`, one transaction an image; answer the digest of the advisory database it was matched with.

        What could not be read is not recorded over what is known of that digest: the same bytes were read before, from this repository or another.
        """
        snapshot: str | None = None
        for image in inspection.images:
            for own, inventory in (await self._record_image(image.digest or digest, image)).items():
                snapshot = await self._match(own, inventory)
        for document in _documents(digest, inspection):
            async with self._database.transaction() as session:
                await record_image(session, document)
        return snapshot

    async def _record_image(self, digest: Digest, image: InspectedImage) -> Mapping[Digest, Inventory]:
        """Record one image; answer what is to be matched: its inventory, or those that stand in its place."""
        dates = await asyncio.to_thread(self._eol_dates)
        async with self._database.transaction() as session:
            known = await _load_known(session, digest) if image.config is None else None
            if known is not None:
                return known
            await record_image(session, _recorded_image(image, digest))
            await record_inventory(session, digest, image.inventory, ANALYZERS_KEY)
            if image.account is not None:
                await record_files(session, digest, account_document(image.account))
            await record_inspections(session, digest, eol_findings(image.inventory.distribution, dates=dates))
        return {digest: image.inventory}

    def _eol_dates(self) -> EolDates | None:
        """The dates that came with the advisories; None, for the built-in ones, where there are none. Blocking."""
        with contextlib.suppress(PratiqueError):  # what is wrong with the database is told where packages are matched
            return self._advisories.current().eol_dates if self._advisories else None
        return None

    async def _match(self, digest: Digest, inventory: Inventory) -> str | None:
        """Match the image's packages, those only that this advisory database has not met yet, and record what the matching covered."""
        if self._advisories is None:
            await self._record_coverage(digest, no_matching("no advisory database is configured: set PRATIQUE_ADVISORIES"))
            return None
        try:
            database = await asyncio.to_thread(self._advisories.current)
        except PratiqueError as error:
            await self._record_coverage(digest, no_matching(str(error)))
            return None
        for attempt in range(1, _PLACING_ATTEMPTS + 1):
            if await self._match_with(database, digest, inventory, is_last=attempt == _PLACING_ATTEMPTS):
                break
            await asyncio.sleep(_PLACING_SECONDS)
            database = await asyncio.to_thread(self._advisories.current)
        return str(database.digest)

    async def _match_with(self, database: AdvisoryDatabase, digest: Digest, inventory: Inventory, *, is_last: bool) -> bool:
        """Match what is not matched yet; False, and nothing is done, where the fleet is at another database and this is not the last attempt.

        The last one is recorded all the same, and the advisor does it again: until then the image's coverage says so.
        """
        async with self._database.reading() as session:
            unmatched = await load_unmatched_packages(session, digest)
        packages = [installed.package for installed in inventory.packages if installed.owned_by is None]
        coverage = await asyncio.to_thread(lambda: matching_coverage(database, packages, database.match_all(packages).gaps))
        found = await asyncio.to_thread(lambda: list(match_singly(database, (package for _, package in unmatched))))
        # what was left out for the number of findings stays unmatched: other images have those packages too
        matches = [
            PackageMatch(package_id=row, findings=one.findings, gap=one.gap) for (row, _), one in zip(unmatched, found, strict=False)
        ]
        async with self._database.transaction() as session:
            state = await begin_state(session, database.digest, database.feeds)
            is_placed = state.digest == str(database.digest)
            if is_placed or is_last:
                await record_matches(session, matches, position=state.position if is_placed else UNPLACED)
                await record_exploits(session, exploits_of(database, (finding for match in matches for finding in match.findings)))
                await record_coverage(session, digest, MATCHING, coverage)
        return is_placed

    async def _record_coverage(self, digest: Digest, coverage: Coverage) -> None:
        async with self._database.transaction() as session:
            await record_coverage(session, digest, MATCHING, coverage)


def _recorded_image(image: InspectedImage, root: Digest) -> RecordedImage:
    """An image's row. What could not even be fetched is recorded under the digest it was pushed as."""
    manifest, config = image.manifest, image.config
    return RecordedImage(
        digest=image.digest or root,
        media_type=manifest.descriptor.media_type if manifest else "",
        kind="image",
        size=sum(layer.size for layer in manifest.layers) if manifest else 0,
        platform=config.platform if config else None,
        config=_facts(config) if config else {},
        layers=tuple(layer.digest for layer in manifest.layers) if manifest else (),
    )


async def _load_known(session: AsyncSession, digest: Digest) -> Mapping[Digest, Inventory] | None:
    """The inventories that stand for a digest, an index's by its children; None when nothing of worth is known of it."""
    image = await load_image(session, digest)
    if image is None:
        return None
    children = await load_index_children(session, digest)
    members = [Digest.parse(child.digest) for child in children if not child.is_attestation] if image.kind == "index" else [digest]
    found = {member: await load_inventory(session, member) for member in members}
    known = {
        member: inventory for member, inventory in found.items() if inventory and inventory.coverage.status is not CoverageStatus.FAILED
    }
    return known if known or image.kind != "image" else None


def _documents(digest: Digest, inspection: Inspection) -> Iterator[RecordedImage]:
    """The rows of what is no image itself: the root, indexes below it, and artifacts that were seen to be some."""
    read = {image.digest or digest for image in inspection.images}
    for artifact in inspection.artifacts:
        found = artifact.descriptor
        if artifact.is_read and found.digest != digest:
            yield RecordedImage(
                digest=found.digest, media_type=found.media_type, kind="artifact", size=found.size, config={ARTIFACT_KIND: artifact.kind}
            )
    for index in inspection.nested:
        if index.descriptor.digest not in read:  # else it could not be read to its end
            yield _recorded_index(index.descriptor.digest, index, inspection)
    root = inspection.root
    if isinstance(root, Index):
        yield _recorded_index(digest, root, inspection)
    elif not inspection.images:
        yield RecordedImage(
            digest=digest,
            media_type=root.descriptor.media_type if root else "",
            kind="artifact",
            size=root.descriptor.size if root else 0,
            config={ARTIFACT_KIND: inspection.artifact_kind},
        )


def _recorded_index(digest: Digest, index: Index, inspection: Inspection) -> RecordedImage:
    is_artifact = digest == index.descriptor.digest and inspection.is_artifact
    return RecordedImage(
        digest=digest,
        media_type=index.descriptor.media_type,
        kind="artifact" if is_artifact else "index",
        size=index.descriptor.size,
        config={ARTIFACT_KIND: inspection.artifact_kind} if is_artifact else {},
        children=tuple(_as_found(child, inspection) for child in index.manifests),
    )


def _as_found(child: Descriptor, inspection: Inspection) -> Descriptor:
    """What its index marks as an attestation (`unknown/unknown`) and is an image or an index is listed as that: it would not be judged otherwise."""
    if child.platform is None or not child.platform.is_unknown:
        return child
    if any(index.descriptor.digest == child.digest for index in inspection.nested):
        return dataclasses.replace(child, platform=None)
    found = next((image for image in inspection.images if image.digest == child.digest), None)
    if found is None:
        return child
    return dataclasses.replace(child, platform=found.config.platform if found.config and not found.config.platform.is_unknown else None)


def _facts(config: ImageConfig) -> Mapping[str, Any]:
    """What the pages show of an image config; the environment is left out, because people keep secrets in it."""
    return {
        "created": config.created,
        "user": config.user,
        "entrypoint": list(config.entrypoint),
        "cmd": list(config.cmd),
        "working_dir": config.working_dir,
        "exposed_ports": list(config.exposed_ports),
        "labels": dict(config.labels),
    }

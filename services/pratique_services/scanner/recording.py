"""Recording what an inspection found: images, inventories, and the matches of packages not matched yet."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from pratique.advisories.coverage import matching_coverage, no_matching
from pratique.errors import PratiqueError
from pratique.inventory.analyzers import ANALYZERS_KEY
from pratique.inventory.coverage import Coverage
from pratique.inventory.eol import eol_findings
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, ImageConfig, Index
from pratique.runtime.advisory_file import AdvisoryFile
from pratique.scanning import InspectedImage, Inspection
from pratique.storage.engine import Database
from pratique.storage.findings import record_coverage, record_inspections
from pratique.storage.images import RecordedImage, has_inventory, record_image, record_inventory
from pratique.storage.matches import load_unmatched_packages, record_matches

MATCHING = "matching"
"""The coverage section of advisory matching."""


class Recorder:
    """Writes inspections to the database; `advisories` is None where no database of advisories is configured: then coverage says so."""

    def __init__(self, database: Database, advisories: AdvisoryFile | None) -> None:
        self._database = database
        self._advisories = advisories

    async def record(self, digest: Digest, inspection: Inspection) -> str | None:
        """Record an inspection of `digest`, one transaction an image; answer the digest of the advisory database it was matched with."""
        snapshot: str | None = None
        for image in inspection.images:
            own = image.digest or digest
            async with self._database.transaction() as session:
                await record_image(session, _recorded_image(image, digest))
                await record_inventory(session, own, image.inventory, ANALYZERS_KEY)
                await record_inspections(session, own, eol_findings(image.inventory.distribution))
            snapshot = await self._match(own, image)
        if not inspection.images or isinstance(inspection.root, Index):
            async with self._database.transaction() as session:
                await record_image(session, _recorded_root(digest, inspection))
        return snapshot

    async def record_unless_known(self, digest: Digest, inspection: Inspection) -> str | None:
        """Record an inspection that found nothing readable, but not over an inventory that is there."""
        async with self._database.reading() as session:
            if await has_inventory(session, digest, ANALYZERS_KEY):
                return None
        return await self.record(digest, inspection)

    async def _match(self, digest: Digest, image: InspectedImage) -> str | None:
        """Match the image's packages, those only that this advisory database has not met yet, and record what the matching covered."""
        if self._advisories is None:
            await self._record_coverage(digest, no_matching("no advisory database is configured: set PRATIQUE_ADVISORIES"))
            return None
        try:
            database = await asyncio.to_thread(self._advisories.current)
        except PratiqueError as error:
            await self._record_coverage(digest, no_matching(str(error)))
            return None
        snapshot = str(database.digest)
        async with self._database.reading() as session:
            unmatched = await load_unmatched_packages(session, digest, snapshot)
        fresh = await asyncio.to_thread(database.match_all, [package for _, package in unmatched])
        packages = [installed.package for installed in image.inventory.packages]
        gaps = (await asyncio.to_thread(database.match_all, packages)).gaps
        matches = [(row, findings) for (row, _), findings in zip(unmatched, fresh.findings, strict=True)]
        async with self._database.transaction() as session:
            await record_matches(session, snapshot, matches)
            await record_coverage(session, digest, MATCHING, matching_coverage(database, packages, gaps))
        return snapshot

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


def _recorded_root(digest: Digest, inspection: Inspection) -> RecordedImage:
    root = inspection.root
    return RecordedImage(
        digest=digest,
        media_type=root.descriptor.media_type if root else "",
        kind="artifact" if inspection.is_artifact else "index",
        size=root.descriptor.size if root else 0,
        children=tuple(_as_found(child, inspection) for child in root.manifests) if isinstance(root, Index) else (),
    )


def _as_found(child: Descriptor, inspection: Inspection) -> Descriptor:
    """An image that its index marks as an attestation (`unknown/unknown`) is listed as the image it is: it would not be judged otherwise."""
    found = next((image for image in inspection.images if image.digest == child.digest), None)
    if found is None or child.platform is None or not child.platform.is_unknown:
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

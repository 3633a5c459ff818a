"""What verdicts rest on: the findings and the coverage of images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

import msgspec
from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.advisories.coverage import NAME as ADVISORIES
from pratique.feeds.health import OWN_STEPS
from pratique.findings import Finding
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus, FeedState
from pratique.storage.advisory_state import UNPLACED, StateRow, load_state
from pratique.storage.coverages import load_sections_of
from pratique.storage.dialect import is_any
from pratique.storage.exploited_findings import load_exploited_findings
from pratique.storage.matches import is_to_match
from pratique.storage.members import Members, load_members_of
from pratique.storage.models import Image, ImagePackage, Inspection, Layer, PackageAdvisory, PackageModel
from pratique.storage.text import DigestLike, in_chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All findings of an image or of an index's images, and the coverage of all stages. `load_evidence` gives the worst findings first."""

    findings: tuple[Finding, ...]
    coverage: Coverage


async def load_evidence(session: AsyncSession, digests: Iterable[DigestLike]) -> Mapping[str, Evidence]:
    """Load the evidence about each of some images.

    Coverage is never complete where an image or child is missing or no image, has no inventory, or has packages that were never matched, or not with the
    database that the fleet is at: those are items of their own.
    """
    members = await load_members_of(session, digests)
    image_ids = sorted({number for found in members.values() for number in found.ids})
    matches = await _load_matches(session, image_ids)
    inspections = await load_inspections(session, image_ids)
    coverages = await load_coverages(session, members)
    return {
        digest: Evidence(
            findings=worst_first(finding for number in found.ids for finding in (*matches.get(number, ()), *inspections.get(number, ()))),
            coverage=coverages[digest],
        )
        for digest, found in members.items()
    }


async def load_coverages(session: AsyncSession, members: Mapping[str, Members]) -> Mapping[str, Coverage]:
    """Load the coverage of each of some images, given by what they stand for, as `load_evidence` tells it."""
    image_ids = sorted({number for found in members.values() for number in found.ids})
    sections = await load_sections_of(session, image_ids)
    gaps = await _load_gaps(session, image_ids)
    state = await load_state(session)
    joined: dict[tuple[int, ...], Coverage] = {}  # images share most sections
    coverages: dict[str, Coverage] = {}
    for digest, found in members.items():
        parts = [part for number in found.ids for part in sections.get(number, ())]
        key = tuple(map(id, parts))
        if key not in joined:
            joined[key] = _joined(parts, state)
        items = [*_member_gaps(digest, found), *(gap for number in found.ids for gap in gaps.get(number, ()))]
        coverages[digest] = joined[key].with_items(items) if items else joined[key]
    return coverages


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once, in the order in which they are told."""
    ranked = sorted(((_rank(finding), finding) for finding in findings), key=itemgetter(0))
    groups = ([finding for _, finding in group] for _, group in groupby(ranked, key=itemgetter(0)))
    # Nearly all groups are of one, and the hash of a finding takes longer than its rank.
    return tuple(finding for group in groups for finding in (group if len(group) == 1 else dict.fromkeys(group)))


def _rank(finding: Finding) -> tuple[int, str, str, str]:
    return -finding.severity, finding.id, finding.package or "", finding.path or ""


async def _load_matches(session: AsyncSession, image_ids: Sequence[int]) -> Mapping[int, Sequence[Finding]]:
    found: dict[int, list[Finding]] = defaultdict(list)
    layers = await _load_layers(session, image_ids)
    for piece in in_chunks(image_ids, 200):
        query = (
            select(ImagePackage.image_id, ImagePackage.package_id, ImagePackage.paths[0].as_string(), ImagePackage.layer_id)
            .where(ImagePackage.image_id.in_(piece), ImagePackage.owned_by.is_(None))
            .where(exists().where(PackageAdvisory.package_id == ImagePackage.package_id, PackageAdvisory.resolved_at.is_(None)))
        )
        rows = (await session.execute(query)).all()
        findings = await load_exploited_findings(session, {row[1] for row in rows})
        for image_id, package_id, path, layer_id in rows:
            found[image_id] += (replace(finding, path=path, layer=layers.get(layer_id)) for finding in findings[package_id])
    return found


async def _load_layers(session: AsyncSession, image_ids: Sequence[int]) -> Mapping[int, str]:
    found: dict[int, str] = {}
    for piece in in_chunks(image_ids):
        inside = select(ImagePackage.layer_id).where(ImagePackage.image_id.in_(piece))
        found.update(
            (number, digest) for number, digest in await session.execute(select(Layer.id, Layer.digest).where(Layer.id.in_(inside)))
        )
    return found


async def load_inspections(session: AsyncSession, image_ids: Sequence[int]) -> Mapping[int, Sequence[Finding]]:
    """Load the findings of images that are no package's."""
    found: dict[int, list[Finding]] = defaultdict(list)
    for piece in in_chunks(image_ids):
        query = select(Inspection.image_id, Inspection.finding).where(is_any(session, Inspection.image_id, piece))
        for image_id, content in await session.execute(query):
            found[image_id].append(msgspec.convert(content, Finding))
    return found


async def _load_gaps(session: AsyncSession, image_ids: Sequence[int]) -> Mapping[int, Sequence[CoverageItem]]:
    """What no stage could know: an inventory that is not there, packages that no match stands for."""
    found: dict[int, list[CoverageItem]] = defaultdict(list)
    for piece in in_chunks(image_ids):
        bare = (
            select(Image.id, Image.digest).where(is_any(session, Image.id, piece), Image.inventory_digest.is_(None)).order_by(Image.digest)
        )
        for image_id, digest in await session.execute(bare):
            found[image_id].append(_gap(digest, "its inventory is not recorded"))
        to_match = (
            select(ImagePackage.image_id, PackageModel.matched_position, func.count())
            .join(PackageModel, PackageModel.id == ImagePackage.package_id)
            .where(is_to_match(), is_any(session, ImagePackage.image_id, piece), ImagePackage.owned_by.is_(None))
            .group_by(ImagePackage.image_id, PackageModel.matched_position)
        )
        for image_id, position, count in await session.execute(to_match):
            found[image_id].append(_unmatched(position, count))
    return found


def _unmatched(position: int | None, count: int) -> CoverageItem:
    if position == UNPLACED:
        reason = f"{count} packages were matched with another advisory database than the one in force: the advisor matches them again"
        return CoverageItem(name="matching", version="", status=CoverageStatus.PARTIAL, reason=reason)
    return _gap("matching", f"{count} packages were never matched with advisories")


def _member_gaps(digest: str, members: Members) -> Iterable[CoverageItem]:
    yield from (_gap(missing, "it is not recorded") for missing in members.missing)
    yield from (_gap(stranger, "its index names it as an image, but it is an artifact") for stranger in members.strangers)
    if members.is_artifact:
        yield _gap(digest, "it is an artifact and no image")


def _gap(name: str, reason: str) -> CoverageItem:
    return CoverageItem(name=name, version="", status=CoverageStatus.FAILED, reason=reason)


def _joined(parts: Sequence[Coverage], state: StateRow | None) -> Coverage:
    """All parts as one, each item and feed once. Feeds are as old as they are now, whenever the image was matched; the matches follow them."""
    items = dict.fromkeys(_in_force(item, state) for part in parts for item in part.items)
    feeds = dict.fromkeys(feed for part in parts for feed in part.feeds)
    return Coverage(items=tuple(items), feeds=tuple(dict.fromkeys(_as_of_now(feed, state) for feed in feeds)))


def _in_force(item: CoverageItem, state: StateRow | None) -> CoverageItem:
    """Matches are those with the fleet's database: it is that one that an image is covered by."""
    return replace(item, version=state.digest) if state is not None and item.name == ADVISORIES and item.version else item


def _as_of_now(feed: FeedState, state: StateRow | None) -> FeedState:
    if state is None:
        return feed
    updated = next((known.updated for known in state.feeds if known.name == feed.name), feed.updated)
    failure = next((f"{known.reason} (since {known.since})" for known in state.failures if _is_of(known.name, feed.name)), "")
    return replace(feed, updated=updated, failure=failure)


def _is_of(failing: str, feed: str) -> bool:
    """Tell whether the synced feed (`osv/Debian`, `kev`) is what the database calls by that name (`Debian`, `KEV`), or what all feeds come by fails."""
    return failing in OWN_STEPS or failing.rpartition("/")[2].lower() == feed.lower()

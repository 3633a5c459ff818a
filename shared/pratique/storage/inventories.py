"""Inventories of images: their packages, distribution and coverage."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import MissingError
from pratique.inventory.inventory import Inventory
from pratique.inventory.package import Distribution, InstalledPackage, Package
from pratique.storage.coverages import load_section, record_section
from pratique.storage.dialect import insert_missing, is_any
from pratique.storage.members import load_members_of
from pratique.storage.models import Image, ImagePackage, Layer, PackageModel
from pratique.storage.packages import clean_package, hash_package, read_package, record_packages
from pratique.storage.text import DigestLike, clean_json, clean_text, hash_json, in_chunks, utc_now

SECTION = "inventory"
"""The coverage section that an inventory brings."""


class _Evidence(NamedTuple):
    """Where a package of an image comes from."""

    layer: str | None
    paths: list[str]
    owned_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """An inventory ready to be written: clean packages by key, with evidence, and the digest of all."""

    packages: Mapping[str, Package]
    evidence: Mapping[str, _Evidence]
    distribution: dict[str, Any] | None
    digest: str


async def record_inventory(session: AsyncSession, image_digest: DigestLike, inventory: Inventory, analyzers_key: str) -> str:
    """Store an image's inventory in place of an earlier one; answer its digest, which a Decision names.

    Distinct packages are shared between images. Use one transaction an image: two that record several images in different order can deadlock
    (DatabaseUnavailable). Raises MissingError for an image that `record_image` has not seen.
    """
    # 1. Hashing thousands of packages takes a while: other tasks go on meanwhile.
    prepared = await asyncio.to_thread(_prepare, inventory)
    query = select(Image.id, Image.inventory_digest).where(Image.digest == str(image_digest)).with_for_update()
    image = (await session.execute(query)).one_or_none()
    if image is None:
        raise MissingError(f"expected image {image_digest} to be recorded before its inventory")
    # 2. A re-scan mostly finds what is there already: 40 million rows are not written anew for that.
    if image.inventory_digest != prepared.digest:
        await _replace_packages(session, image.id, prepared)
    values = {
        "distribution": prepared.distribution,
        "analyzers_key": analyzers_key,
        "inventory_digest": prepared.digest,
        "inspected_at": utc_now(),
    }
    await session.execute(update(Image).where(Image.id == image.id).values(**values).execution_options(synchronize_session=False))
    await record_section(session, image.id, SECTION, inventory.coverage)
    return prepared.digest


async def load_inventory(session: AsyncSession, image_digest: DigestLike) -> Inventory | None:
    """Load an image's inventory with the coverage it was recorded with; None when there is none."""
    query = select(Image.id, Image.distribution).where(Image.digest == str(image_digest), Image.inventory_digest.is_not(None))
    image = (await session.execute(query)).one_or_none()
    if image is None:
        return None
    rows = (
        select(PackageModel, ImagePackage.paths, ImagePackage.owned_by, Layer.digest)
        .join(ImagePackage, ImagePackage.package_id == PackageModel.id)
        .outerjoin(Layer, Layer.id == ImagePackage.layer_id)
        .where(ImagePackage.image_id == image.id)
    )
    found = sorted((await session.execute(rows)).all(), key=lambda entry: (entry[0].purl, entry[0].key))
    return Inventory(
        distribution=None if image.distribution is None else msgspec.convert(image.distribution, Distribution),
        packages=tuple(
            InstalledPackage(package=read_package(row), paths=tuple(paths), layer=layer, owned_by=owned_by)
            for row, paths, owned_by, layer in found
        ),
        coverage=await load_section(session, image.id, SECTION),
    )


async def load_inventory_digest(session: AsyncSession, image_digest: DigestLike) -> str | None:
    """Load the digest that `record_inventory` answered; for an index, one over those of its children. None where one is missing."""
    return (await load_inventory_digests(session, [image_digest]))[str(image_digest)]


async def load_inventory_digests(session: AsyncSession, image_digests: Iterable[DigestLike]) -> Mapping[str, str | None]:
    """Load those of many images."""
    members = await load_members_of(session, image_digests)
    known: dict[int, tuple[str, str | None]] = {}
    for piece in in_chunks(sorted({number for found in members.values() for number in found.ids}), 5000):
        query = select(Image.id, Image.digest, Image.inventory_digest).where(is_any(session, Image.id, piece))
        known.update((number, (digest, inventory)) for number, digest, inventory in await session.execute(query))
    return {
        root: None if found.missing else _join_digests(root, [known[number] for number in found.ids]) for root, found in members.items()
    }


def _join_digests(root: str, images: Sequence[tuple[str, str | None]]) -> str | None:
    if not images or any(inventory is None for _, inventory in images):
        return None
    if len(images) == 1 and images[0][0] == root:
        return images[0][1]
    return f"sha256:{hash_json([list(image) for image in sorted(images, key=lambda image: image[0])])}"


def _prepare(inventory: Inventory) -> _Prepared:
    packages: dict[str, Package] = {}
    evidence: dict[str, _Evidence] = {}
    for installed in inventory.packages:
        package = clean_package(installed.package)
        key = hash_package(package)
        # Two that differ only in what the databases refuse are one after cleaning, and somebody's own if either is.
        owner = clean_text(installed.owned_by) if installed.owned_by else None
        known = evidence.get(key, _Evidence(installed.layer, [], owner))
        packages[key] = package
        paths = list(dict.fromkeys((*known.paths, *map(clean_text, installed.paths))))
        evidence[key] = _Evidence(known.layer, paths, owner and known.owned_by)
    distribution = None if inventory.distribution is None else clean_json(msgspec.to_builtins(inventory.distribution))
    content = [distribution, sorted((key, *where) for key, where in evidence.items()), _coverage_of(inventory)]
    return _Prepared(packages=packages, evidence=evidence, distribution=distribution, digest=f"sha256:{hash_json(content)}")


def _coverage_of(inventory: Inventory) -> Any:  # noqa: ANN401 - JSON
    return clean_json(msgspec.to_builtins(inventory.coverage.items))


async def _replace_packages(session: AsyncSession, image_id: int, prepared: _Prepared) -> None:
    layers = await _record_layers(session, {where.layer for where in prepared.evidence.values() if where.layer is not None})
    ids = await record_packages(session, prepared.packages)
    await session.execute(delete(ImagePackage).where(ImagePackage.image_id == image_id))
    rows = (
        {
            "image_id": image_id,
            "package_id": ids[key],
            "layer_id": None if where.layer is None else layers[where.layer],
            "paths": where.paths,
            "owned_by": where.owned_by,
        }
        for key, where in prepared.evidence.items()
    )
    await insert_missing(session, ImagePackage, sorted(rows, key=lambda row: row["package_id"]))


async def _record_layers(session: AsyncSession, digests: set[str]) -> dict[str, int]:
    ids = await _load_layer_ids(session, digests)
    missing = sorted(digests - ids.keys())
    if missing:
        await insert_missing(session, Layer, [{"digest": digest} for digest in missing])
        ids |= await _load_layer_ids(session, set(missing))
    return ids


async def _load_layer_ids(session: AsyncSession, digests: set[str]) -> dict[str, int]:
    ids: dict[str, int] = {}
    for piece in in_chunks(digests):
        ids.update((await session.execute(select(Layer.digest, Layer.id).where(Layer.digest.in_(piece)))).all())
    return ids

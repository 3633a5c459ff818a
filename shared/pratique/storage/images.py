"""Images and their inventories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.oci.manifest import Descriptor, Platform
from pratique.storage.dialect import insert_missing, upsert
from pratique.storage.inventories import load_inventory, load_inventory_digest, record_inventory
from pratique.storage.models import Image
from pratique.storage.models import IndexChild as IndexChildModel
from pratique.storage.text import DigestLike, utc_now

__all__ = [
    "ARTIFACT_KIND",
    "IndexChild",
    "RecordedImage",
    "load_files",
    "load_image",
    "load_index_children",
    "load_inventory",
    "load_inventory_digest",
    "record_files",
    "record_image",
    "record_inventory",
]

ARTIFACT_KIND = "artifact"
"""What `RecordedImage.config` calls the kind of an artifact: `helm chart`, `signature`."""

_FACTS = ("media_type", "kind", "size", "platform", "config", "layers")  # `recorded_at` stays the first time


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedImage:
    """A manifest or index by its digest. `kind` is `image`, `index` or `artifact`; `config` holds JSON facts of the image config, of an artifact its ARTIFACT_KIND.

    `layers` are the digests from the base up; `children` the platform manifests of an index (attestations included: they are told by their platform).
    """

    digest: DigestLike
    media_type: str
    kind: str
    size: int
    platform: Platform | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[DigestLike, ...] = ()
    children: tuple[Descriptor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexChild:
    """A platform manifest of an index."""

    digest: str
    media_type: str
    size: int
    platform: str | None
    is_attestation: bool


async def record_image(session: AsyncSession, image: RecordedImage) -> None:
    """Record an image, its layers' digests and its children; what was known of it is replaced, its inventory stays."""
    await upsert(session, Image, [_describe(image)], key=("digest",), update=_FACTS)
    image_id = (await session.execute(select(Image.id).where(Image.digest == str(image.digest)))).scalar_one()
    await session.execute(delete(IndexChildModel).where(IndexChildModel.image_id == image_id))
    await insert_missing(
        session, IndexChildModel, [_describe_child(image_id, number, child) for number, child in enumerate(image.children)]
    )


async def load_image(session: AsyncSession, image_digest: DigestLike) -> RecordedImage | None:
    """Load an image without its children."""
    query = select(Image).where(Image.digest == str(image_digest)).execution_options(populate_existing=True)
    row = (await session.execute(query)).scalar_one_or_none()
    if row is None:
        return None
    return RecordedImage(
        digest=row.digest,
        media_type=row.media_type,
        kind=row.kind,
        size=row.size,
        platform=None if row.platform is None else msgspec.convert(row.platform, Platform),
        config=row.config,
        layers=tuple(row.layers),
    )


async def record_files(session: AsyncSession, image_digest: DigestLike, files: Mapping[str, Any]) -> None:
    """Store the JSON summary of an image's files in place of an earlier one."""
    query = update(Image).where(Image.digest == str(image_digest)).values(files=dict(files))
    await session.execute(query.execution_options(synchronize_session=False))


async def load_files(session: AsyncSession, image_digest: DigestLike) -> Mapping[str, Any] | None:
    """Load the summary of an image's files; None where there is none."""
    return (await session.execute(select(Image.files).where(Image.digest == str(image_digest)))).scalar_one_or_none()


async def load_index_children(session: AsyncSession, image_digest: DigestLike) -> tuple[IndexChild, ...]:
    """Load the children of an index in its order; none for anything else."""
    query = (
        select(IndexChildModel)
        .join(Image, Image.id == IndexChildModel.image_id)
        .where(Image.digest == str(image_digest))
        .order_by(IndexChildModel.position)
    )
    rows = (await session.execute(query)).scalars()
    return tuple(
        IndexChild(digest=row.digest, media_type=row.media_type, size=row.size, platform=row.platform, is_attestation=row.is_attestation)
        for row in rows
    )


def _describe(image: RecordedImage) -> dict[str, Any]:
    return {
        "digest": str(image.digest),
        "media_type": image.media_type,
        "kind": image.kind,
        "size": image.size,
        "platform": None if image.platform is None else msgspec.to_builtins(image.platform),
        "config": dict(image.config),
        "layers": [str(layer) for layer in image.layers],
        "recorded_at": utc_now(),
    }


def _describe_child(image_id: int, position: int, child: Descriptor) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "position": position,
        "digest": str(child.digest),
        "media_type": child.media_type,
        "size": child.size,
        "platform": None if child.platform is None else str(child.platform),
        "is_attestation": child.platform is not None and child.platform.is_unknown,
    }

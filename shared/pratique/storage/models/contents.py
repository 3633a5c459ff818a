"""Contents: images, layers, packages, advisories and what was found. Keys are integers: these are the large tables.

There is no `layer_package`: a layer's packages with their paths lie in its `layer_result`, read as a whole, and the image's rows name the introducing layer.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from pratique.storage.models.base import Base, Serial


class Image(Base):
    """A manifest or index by its digest, with the facts that its inventory has besides packages."""

    __tablename__ = "image"
    __table_args__ = (CheckConstraint("kind IN ('image', 'index', 'artifact')", name="kind"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    media_type: Mapped[str]
    kind: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    platform: Mapped[dict[str, Any] | None]
    config: Mapped[dict[str, Any]]
    layers: Mapped[list[Any]]
    distribution: Mapped[dict[str, Any] | None]
    analyzers_key: Mapped[str | None]
    inventory_digest: Mapped[str | None]
    files: Mapped[dict[str, Any] | None]
    recorded_at: Mapped[dt.datetime]


class IndexChild(Base):
    """A manifest that an index names. It may not be recorded itself (yet)."""

    __tablename__ = "index_child"
    __table_args__ = (Index(None, "digest"),)

    image_id: Mapped[int] = mapped_column(Serial, ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    platform: Mapped[str | None]
    is_attestation: Mapped[bool]


class Layer(Base):
    """A layer's digest, so that the many rows that name it can be short."""

    __tablename__ = "layer"

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)


class StoredLayerResult(Base):
    """What one pass over a layer found, as `LayerResult.encode` wrote it."""

    __tablename__ = "layer_result"

    digest: Mapped[str] = mapped_column(primary_key=True)
    analyzers_key: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    recorded_at: Mapped[dt.datetime]


class PackageModel(Base):
    """A distinct package. `key` is a digest of all that tells it apart; `matching_key` one of (ecosystem, matching name); names may be of any length, digests fit an index.

    `matched_with` is the digest of the advisory database that its matches hold for: NULL for none ever, empty when a newer database speaks of it and it is to be matched again.
    """

    __tablename__ = "package"
    __table_args__ = (Index(None, "matching_key"), Index(None, "matched_with", "id"))

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    matching_key: Mapped[str]
    type: Mapped[str]
    namespace: Mapped[str]
    name: Mapped[str]
    version: Mapped[str]
    ecosystem: Mapped[str]
    architecture: Mapped[str]
    source_name: Mapped[str | None]
    source_version: Mapped[str | None]
    qualifiers: Mapped[dict[str, Any]]
    vendor: Mapped[str | None]
    licenses: Mapped[list[Any] | None]
    cpes: Mapped[list[Any] | None]
    purl: Mapped[str]
    matched_with: Mapped[str | None]


class ImagePackage(Base):
    """A package that is in an image after whiteouts, with the layer that introduced it and the paths of its evidence.

    `owned_by` is the purl of the OS package that brought it: such a package has no findings of its own.
    """

    __tablename__ = "image_package"
    __table_args__ = (Index(None, "package_id", "image_id"),)

    image_id: Mapped[int] = mapped_column(Serial, ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    package_id: Mapped[int] = mapped_column(Serial, ForeignKey("package.id"), primary_key=True)
    layer_id: Mapped[int | None] = mapped_column(Serial, ForeignKey("layer.id"))
    paths: Mapped[list[Any]]
    owned_by: Mapped[str | None]


class AdvisoryModel(Base):
    """What a publisher states, as far as findings show it."""

    __tablename__ = "advisory"

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    title: Mapped[str]
    links: Mapped[list[Any]]


class AdvisoryAlias(Base):
    """Every name that an advisory was ever seen under, its own included: what people look for."""

    __tablename__ = "advisory_alias"

    alias: Mapped[str] = mapped_column(primary_key=True)
    advisory_id: Mapped[int] = mapped_column(Serial, ForeignKey("advisory.id", ondelete="CASCADE"), primary_key=True)


class PackageAdvisory(Base):
    """A match: this package is affected by that advisory. Aliases are the match's: findings of several publishers are joined for each package."""

    __tablename__ = "package_advisory"
    __table_args__ = (Index(None, "advisory_id", "package_id"),)

    package_id: Mapped[int] = mapped_column(Serial, ForeignKey("package.id", ondelete="CASCADE"), primary_key=True)
    advisory_id: Mapped[int] = mapped_column(Serial, ForeignKey("advisory.id"), primary_key=True)
    severity: Mapped[int]
    severity_source: Mapped[str]
    aliases: Mapped[list[Any]]
    installed: Mapped[str | None]
    fixed_in: Mapped[str | None]
    status: Mapped[str]
    recommendation: Mapped[str]
    matched_with: Mapped[str]
    first_seen: Mapped[dt.datetime]


class Inspection(Base):
    """A finding that is no package's: misconfiguration, secret, malware and the like. `finding` is the whole of it."""

    __tablename__ = "inspection"
    __table_args__ = (Index(None, "rule"),)

    image_id: Mapped[int] = mapped_column(Serial, ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    rule: Mapped[str]
    severity: Mapped[int]
    finding: Mapped[dict[str, Any]]


class CoverageModel(Base):
    """What one stage (`inventory`, `inspection`, `matching`) covered of an image."""

    __tablename__ = "coverage"

    image_id: Mapped[int] = mapped_column(Serial, ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    section: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    items: Mapped[list[Any]]
    feeds: Mapped[list[Any]]

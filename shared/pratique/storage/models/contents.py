"""Contents: images, layers, packages, advisories and what was found. Keys are integers: these are the large tables.

There is no `layer_package`: a layer's packages with their paths lie in its `layer_result`, read as a whole, and the image's rows name the introducing layer.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Double, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from pratique.storage.models.base import Base, Serial

_HAS_SECOND = text("second_matching_key IS NOT NULL")
_IS_TO_MATCH = text("matched_position IS NULL OR matched_position = 0")
_IS_INCOMPLETE = text("section = 'inventory' AND status <> 'complete'")


class Image(Base):
    """A manifest or index by its digest, with the facts that its inventory has besides packages. `inspected_at` is when its inventory was last recorded."""

    __tablename__ = "image"
    __table_args__ = (
        CheckConstraint("kind IN ('image', 'index', 'artifact')", name="kind"),
        Index(None, "inspected_at", "id", "analyzers_key", "digest"),
    )

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
    inspected_at: Mapped[dt.datetime | None]


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
    """A distinct package. `key` is a digest of all that tells it apart; names may be of any length, digests fit an index.

    `matching_key` is a digest of (ecosystem without release, matching name), `second_matching_key` that of the other name that its advisories may use.
    `matched_position` is the position of the advisory state that it was last matched at: its matches hold until an advisory of its name changes. None: never matched;
    0: matched with another database than the state's, so the advisor matches it again. `matching_gap` is what matching could not answer about it.
    """

    __tablename__ = "package"
    __table_args__ = (
        Index(None, "matching_key"),
        Index("ix_package_second_matching_key", "second_matching_key", postgresql_where=_HAS_SECOND, sqlite_where=_HAS_SECOND),
        Index("ix_package_to_match", "id", postgresql_where=_IS_TO_MATCH, sqlite_where=_IS_TO_MATCH),
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    matching_key: Mapped[str]
    second_matching_key: Mapped[str | None]
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
    matched_position: Mapped[int | None] = mapped_column(BigInteger)
    matching_gap: Mapped[str | None]


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
    """A match: this package is, or was until `resolved_at`, affected by that advisory. Rows stay for ever.

    Aliases are the match's: findings of several publishers are joined for each package. `ratings` are what each source says of its severity.
    """

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
    ratings: Mapped[list[Any] | None]
    first_seen: Mapped[dt.datetime]
    resolved_at: Mapped[dt.datetime | None]


class MatchEvent(Base):
    """What became of a match at a position of the advisory state: `appeared`, `worsened`, `eased`, `exploited`, `fix-available`, `resolved`, `retracted`, `reopened`, `renamed`. Kept for ever."""

    __tablename__ = "match_event"
    __table_args__ = (Index(None, "package_id", "id"), Index(None, "advisory_id", "id"), Index(None, "position", "package_id"))

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    package_id: Mapped[int] = mapped_column(Serial, ForeignKey("package.id", ondelete="CASCADE"))
    advisory_id: Mapped[int] = mapped_column(Serial, ForeignKey("advisory.id"))
    kind: Mapped[str]
    position: Mapped[int] = mapped_column(BigInteger)
    detail: Mapped[str]
    at: Mapped[dt.datetime]


class Exploitation(Base):
    """What is known of the exploitation of a CVE: since when (an ISO date, CISA's catalogue), and how probable it is within 30 days (EPSS)."""

    __tablename__ = "exploitation"

    cve: Mapped[str] = mapped_column(primary_key=True)
    exploited_since: Mapped[str | None]
    epss: Mapped[float | None] = mapped_column(Double)


class AdvisoryState(Base):
    """The advisory database that the fleet's matches hold for: one row. Whoever records matches holds it; the advisor, for a change, alone.

    `feeds` are its feeds with their times and the ecosystems that each speaks about; `failures` those that could not be synced, with the reason and since when.
    """

    __tablename__ = "advisory_state"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str]
    feeds: Mapped[list[Any]]
    failures: Mapped[list[Any]]
    applied_at: Mapped[dt.datetime]


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
    __table_args__ = (Index("ix_coverage_incomplete", "image_id", postgresql_where=_IS_INCOMPLETE, sqlite_where=_IS_INCOMPLETE),)

    image_id: Mapped[int] = mapped_column(Serial, ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    section: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    items: Mapped[list[Any]]
    feeds: Mapped[list[Any]]

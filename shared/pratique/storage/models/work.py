"""Places and work: registries, repositories, tags, events, scans and the outbox. Keys are time-ordered text."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from pratique.storage.models.base import Base
from pratique.storage.text import new_id

_IS_OPEN = text("state IN ('queued', 'running')")


class Registry(Base):
    """A host that images are pushed to."""

    __tablename__ = "registry"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    host: Mapped[str] = mapped_column(unique=True)


class Repository(Base):
    """A repository of a registry."""

    __tablename__ = "repository"
    __table_args__ = (UniqueConstraint("registry_id", "name"), Index(None, "name"))

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    registry_id: Mapped[str] = mapped_column(ForeignKey("registry.id"))
    name: Mapped[str]


class Tag(Base):
    """Where a tag points to, by the newest word of it."""

    __tablename__ = "tag"
    __table_args__ = (UniqueConstraint("repository_id", "name"), Index(None, "digest", "repository_id"))

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    repository_id: Mapped[str] = mapped_column(ForeignKey("repository.id"))
    name: Mapped[str]
    digest: Mapped[str]
    moved_at: Mapped[dt.datetime]


class TagHistory(Base):
    """A digest that a tag came to point to."""

    __tablename__ = "tag_history"
    __table_args__ = (Index(None, "tag_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    tag_id: Mapped[str] = mapped_column(ForeignKey("tag.id"))
    digest: Mapped[str]
    moved_at: Mapped[dt.datetime]


class Scan(Base):
    """One wish to have a digest scanned, and what became of it.

    `target` keeps open scans apart: the digest, or `tag:<tag>` while the digest is unknown and nobody has asked the registry yet. From the moment somebody asks, a new push
    of that tag may mean another digest: the target becomes `resolving:<id>` until the digest is known. `subject` is what people look for: the digest, or `tag:<tag>` until then.
    `announced_at` is when the last message went out that its inventory is recorded.
    """

    __tablename__ = "scan"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'scanned', 'failed')", name="state"),
        CheckConstraint("priority IN ('push', 'demand', 'rescan')", name="priority"),
        Index("uq_scan_open_target", "repository_id", "target", unique=True, postgresql_where=_IS_OPEN, sqlite_where=_IS_OPEN),
        Index("ix_scan_open", "state", "queued_at", postgresql_where=_IS_OPEN, sqlite_where=_IS_OPEN),
        Index(None, "state", "announced_at"),
        Index(None, "repository_id", "subject", "id"),
        Index(None, "repository_id", "tag", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    repository_id: Mapped[str] = mapped_column(ForeignKey("repository.id"))
    target: Mapped[str]
    subject: Mapped[str]
    tag: Mapped[str | None]
    digest: Mapped[str | None]
    state: Mapped[str]
    priority: Mapped[str]
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None]
    lease_until: Mapped[dt.datetime | None]
    last_error: Mapped[str | None]
    correlation_id: Mapped[str]
    requested_by: Mapped[str]
    image_digest: Mapped[str | None]
    feed_snapshot: Mapped[str | None]
    created_at: Mapped[dt.datetime]
    queued_at: Mapped[dt.datetime]
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
    announced_at: Mapped[dt.datetime | None]


class Event(Base):
    """The intake ledger: every authenticated webhook event, once."""

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("source", "event_id"),
        CheckConstraint("state IN ('queued', 'coalesced', 'rejected')", name="state"),
        Index(None, "scan_id"),
        Index(None, "received_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    source: Mapped[str]
    event_id: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    repository_id: Mapped[str | None] = mapped_column(ForeignKey("repository.id"))
    scan_id: Mapped[str | None] = mapped_column(ForeignKey("scan.id"))
    tag: Mapped[str | None]
    digest: Mapped[str | None]
    media_type: Mapped[str | None]
    actor: Mapped[str | None]
    user_agent: Mapped[str | None]
    occurred_at: Mapped[dt.datetime | None]
    received_at: Mapped[dt.datetime]
    correlation_id: Mapped[str]
    raw: Mapped[bytes] = mapped_column(LargeBinary)


class Outbox(Base):
    """A message written with its cause, to be published after the commit."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_unpublished", "id", postgresql_where=text("published_at IS NULL"), sqlite_where=text("published_at IS NULL")),
        Index(None, "published_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    queue: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    correlation_id: Mapped[str]
    created_at: Mapped[dt.datetime]
    published_at: Mapped[dt.datetime | None]

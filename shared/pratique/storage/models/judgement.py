"""Judgement and word of it: policies, verdicts, decisions, actions, notifications, audit, tokens. Keys are time-ordered text."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from pratique.storage.models.base import Base, Serial
from pratique.storage.text import new_id

_IS_PENDING = text("state = 'pending'")


class PolicyModel(Base):
    """A policy document under its digest."""

    __tablename__ = "policy"

    digest: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    document: Mapped[str]
    recorded_at: Mapped[dt.datetime]


class VerdictModel(Base):
    """A policy applied to findings and coverage."""

    __tablename__ = "verdict"
    __table_args__ = (CheckConstraint("status IN ('pass', 'fail', 'incomplete')", name="status"), Index(None, "status"))

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    status: Mapped[str]
    reasons: Mapped[list[Any]]
    policy: Mapped[str]
    policy_digest: Mapped[str]
    waived: Mapped[int]


class DecisionModel(Base):
    """A verdict adopted for a digest in a repository. Only `announced_at` is ever written later, and once.

    `revision` is 0 for the decision on the scan itself, and counts those that newer advisories led to; `cause` says what they changed.
    """

    __tablename__ = "decision"
    __table_args__ = (
        UniqueConstraint("scan_id", "revision"),
        Index(None, "repository_id", "image_digest", "id"),
        Index(None, "image_digest"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    scan_id: Mapped[str] = mapped_column(ForeignKey("scan.id"))
    revision: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    repository_id: Mapped[str] = mapped_column(ForeignKey("repository.id"))
    verdict_id: Mapped[str] = mapped_column(ForeignKey("verdict.id"), unique=True)
    tag: Mapped[str | None]
    image_digest: Mapped[str]
    feed_snapshot: Mapped[str | None]
    inventory_digest: Mapped[str | None]
    waivers_digest: Mapped[str | None]
    counts: Mapped[dict[str, Any]]
    cause: Mapped[dict[str, Any] | None]
    created_at: Mapped[dt.datetime]
    announced_at: Mapped[dt.datetime | None]


class StandingDecision(Base):
    """The newest decision on an image (or index) in a repository, with its verdict: what a change of advisories may overturn."""

    __tablename__ = "standing_decision"
    __table_args__ = (Index(None, "repository_id", "image_id"),)

    image_id: Mapped[int] = mapped_column(Serial, ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    repository_id: Mapped[str] = mapped_column(ForeignKey("repository.id"), primary_key=True)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decision.id"))
    status: Mapped[str]


class ActionModel(Base):
    """What a decision causes. `key` is a digest of the parameters."""

    __tablename__ = "action"
    __table_args__ = (
        UniqueConstraint("decision_id", "kind", "key"),
        CheckConstraint("outcome IN ('planned', 'done', 'failed', 'refused', 'skipped')", name="outcome"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decision.id"))
    kind: Mapped[str]
    key: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    outcome: Mapped[str]
    detail: Mapped[str]
    attempts: Mapped[int]
    updated_at: Mapped[dt.datetime]


class NotificationKey(Base):
    """A finding that a line of a repository was told of, by the decision that told it first."""

    __tablename__ = "notification_key"
    __table_args__ = (Index(None, "decision_id"),)

    line: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decision.id"))
    claimed_at: Mapped[dt.datetime]


class Notification(Base):
    """A message to a channel, and how far its delivery is."""

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("decision_id", "channel"),
        CheckConstraint("state IN ('pending', 'delivered', 'failed')", name="state"),
        Index("ix_notification_due", "next_attempt_at", postgresql_where=_IS_PENDING, sqlite_where=_IS_PENDING),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decision.id"))
    channel: Mapped[str]
    title: Mapped[str]
    body: Mapped[str]
    payload: Mapped[dict[str, Any]]
    state: Mapped[str]
    attempts: Mapped[int]
    next_attempt_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime]


class Delivery(Base):
    """One attempt to deliver a notification."""

    __tablename__ = "delivery"
    __table_args__ = (CheckConstraint("outcome IN ('ok', 'failed')", name="outcome"), Index(None, "notification_id"))

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    notification_id: Mapped[str] = mapped_column(ForeignKey("notification.id"))
    outcome: Mapped[str]
    detail: Mapped[str]
    attempted_at: Mapped[dt.datetime]


class Audit(Base):
    """Who did what. A trigger refuses UPDATE and DELETE."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "subject", "id"), Index(None, "actor", "id"))

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[dt.datetime]
    actor: Mapped[str]
    verb: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
    correlation_id: Mapped[str]


class ApiToken(Base):
    """An API token, by the sha256 of its secret."""

    __tablename__ = "api_token"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[Any]]
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]


class Rejudgement(Base):
    """A standing decision that the change of advisories at `position` may overturn: work of the advisor. `is_covered_anew`: what matching covers of it has changed as well."""

    __tablename__ = "rejudgement"

    image_id: Mapped[int] = mapped_column(Serial, ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    repository_id: Mapped[str] = mapped_column(ForeignKey("repository.id"), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    is_covered_anew: Mapped[bool]


class VexDocument(Base):
    """A VEX document as it was attached to an image, or lies in the folder of the settings, by its digest."""

    __tablename__ = "vex_document"

    digest: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    recorded_at: Mapped[dt.datetime]


class ImageVex(Base):
    """A VEX document that counts for an image: attached to it, and signed by `signer`, whom the settings trust."""

    __tablename__ = "image_vex"

    image_id: Mapped[int] = mapped_column(Serial, ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    document: Mapped[str] = mapped_column(ForeignKey("vex_document.digest"), primary_key=True)
    signer: Mapped[str]

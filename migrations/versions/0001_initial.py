"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_TIME = sa.DateTime(timezone=True)
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _columns(kind: Any, *names: str, optional: bool = False) -> list[sa.Column[Any]]:  # noqa: ANN401 - a type or an instance
    return [sa.Column(name, kind, nullable=optional) for name in names]


def upgrade() -> None:
    """Change the schema on both databases. There is no way back but a backup: data that a change drops is gone."""
    create_work()
    create_contents()
    create_packages()
    create_decisions()
    create_word()
    guard_audit()


def create_work() -> None:
    """Places and work."""
    op.create_table(
        "registry",
        *_columns(sa.Text(), "id", "host"),
        sa.PrimaryKeyConstraint("id", name="pk_registry"),
        sa.UniqueConstraint("host", name="uq_registry_host"),
    )
    op.create_table(
        "repository",
        *_columns(sa.Text(), "id", "registry_id", "name"),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name="fk_repository_registry_id_registry"),
        sa.PrimaryKeyConstraint("id", name="pk_repository"),
        sa.UniqueConstraint("registry_id", "name", name="uq_repository_registry_id_name"),
    )
    op.create_index("ix_repository_name", "repository", ["name"])
    op.create_table(
        "tag",
        *_columns(sa.Text(), "id", "repository_id", "name", "digest"),
        sa.Column("moved_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_tag_repository_id_repository"),
        sa.PrimaryKeyConstraint("id", name="pk_tag"),
        sa.UniqueConstraint("repository_id", "name", name="uq_tag_repository_id_name"),
    )
    op.create_index("ix_tag_repository_id_digest", "tag", ["repository_id", "digest"])
    op.create_table(
        "tag_history",
        *_columns(sa.Text(), "id", "tag_id", "digest"),
        sa.Column("moved_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name="fk_tag_history_tag_id_tag"),
        sa.PrimaryKeyConstraint("id", name="pk_tag_history"),
    )
    op.create_index("ix_tag_history_tag_id_id", "tag_history", ["tag_id", "id"])
    op.create_table(
        "scan",
        *_columns(sa.Text(), "id", "repository_id", "target", "subject"),
        *_columns(sa.Text(), "tag", "digest", optional=True),
        *_columns(sa.Text(), "state", "priority"),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("lease_until", _TIME, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        *_columns(sa.Text(), "correlation_id", "requested_by"),
        *_columns(sa.Text(), "image_digest", "feed_snapshot", optional=True),
        *_columns(_TIME, "created_at", "queued_at"),
        *_columns(_TIME, "started_at", "finished_at", "announced_at", optional=True),
        sa.CheckConstraint("priority IN ('push', 'demand', 'rescan')", name=op.f("ck_scan_priority")),
        sa.CheckConstraint("state IN ('queued', 'running', 'scanned', 'failed')", name=op.f("ck_scan_state")),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_scan_repository_id_repository"),
        sa.PrimaryKeyConstraint("id", name="pk_scan"),
    )
    op.create_index(
        "ix_scan_open",
        "scan",
        ["state", "queued_at"],
        postgresql_where=sa.text("state IN ('queued', 'running')"),
        sqlite_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index("ix_scan_repository_id_subject_id", "scan", ["repository_id", "subject", "id"])
    op.create_index("ix_scan_repository_id_tag_id", "scan", ["repository_id", "tag", "id"])
    op.create_index("ix_scan_state_announced_at", "scan", ["state", "announced_at"])
    op.create_index(
        "uq_scan_open_target",
        "scan",
        ["repository_id", "target"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
        sqlite_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_table(
        "event",
        *_columns(sa.Text(), "id", "source", "event_id", "state", "reason"),
        *_columns(sa.Text(), "repository_id", "scan_id", "tag", "digest", "media_type", "actor", "user_agent", optional=True),
        sa.Column("occurred_at", _TIME, nullable=True),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("state IN ('queued', 'coalesced', 'rejected')", name=op.f("ck_event_state")),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_event_repository_id_repository"),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name="fk_event_scan_id_scan"),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.UniqueConstraint("source", "event_id", name="uq_event_source_event_id"),
    )
    op.create_index("ix_event_received_at", "event", ["received_at"])
    op.create_index("ix_event_scan_id", "event", ["scan_id"])
    op.create_table(
        "outbox",
        *_columns(sa.Text(), "id", "queue"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("published_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_published_at", "outbox", ["published_at"])
    op.create_index(
        "ix_outbox_unpublished",
        "outbox",
        ["id"],
        postgresql_where=sa.text("published_at IS NULL"),
        sqlite_where=sa.text("published_at IS NULL"),
    )


def create_contents() -> None:
    """Images and layers."""
    op.create_table(
        "image",
        sa.Column("id", _SERIAL, nullable=False),
        *_columns(sa.Text(), "digest", "media_type", "kind"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("platform", _JSON, nullable=True),
        sa.Column("config", _JSON, nullable=False),
        sa.Column("layers", _JSON, nullable=False),
        sa.Column("distribution", _JSON, nullable=True),
        *_columns(sa.Text(), "analyzers_key", "inventory_digest", optional=True),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.CheckConstraint("kind IN ('image', 'index', 'artifact')", name=op.f("ck_image_kind")),
        sa.PrimaryKeyConstraint("id", name="pk_image"),
        sa.UniqueConstraint("digest", name="uq_image_digest"),
    )
    op.create_table(
        "index_child",
        sa.Column("image_id", _SERIAL, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        *_columns(sa.Text(), "digest", "media_type"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=True),
        sa.Column("is_attestation", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_index_child_image_id_image", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_id", "position", name="pk_index_child"),
    )
    op.create_index("ix_index_child_digest", "index_child", ["digest"])
    op.create_table(
        "layer",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_layer"),
        sa.UniqueConstraint("digest", name="uq_layer_digest"),
    )
    op.create_table(
        "layer_result",
        *_columns(sa.Text(), "digest", "analyzers_key"),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", "analyzers_key", name="pk_layer_result"),
    )
    op.create_table(
        "inspection",
        sa.Column("image_id", _SERIAL, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        *_columns(sa.Text(), "kind", "rule"),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("finding", _JSON, nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_inspection_image_id_image", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_id", "position", name="pk_inspection"),
    )
    op.create_index("ix_inspection_rule", "inspection", ["rule"])
    op.create_table(
        "coverage",
        sa.Column("image_id", _SERIAL, nullable=False),
        *_columns(sa.Text(), "section", "status"),
        sa.Column("items", _JSON, nullable=False),
        sa.Column("feeds", _JSON, nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_coverage_image_id_image", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_id", "section", name="pk_coverage"),
    )


def create_packages() -> None:
    """Packages and matches."""
    op.create_table(
        "package",
        sa.Column("id", _SERIAL, nullable=False),
        *_columns(sa.Text(), "key", "matching_key", "type", "namespace", "name", "version", "ecosystem", "architecture"),
        *_columns(sa.Text(), "source_name", "source_version", optional=True),
        sa.Column("qualifiers", _JSON, nullable=False),
        sa.Column("purl", sa.Text(), nullable=False),
        sa.Column("matched_with", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_package"),
        sa.UniqueConstraint("key", name="uq_package_key"),
    )
    op.create_index("ix_package_matched_with_id", "package", ["matched_with", "id"])
    op.create_index("ix_package_matching_key", "package", ["matching_key"])
    op.create_table(
        "image_package",
        sa.Column("image_id", _SERIAL, nullable=False),
        sa.Column("package_id", _SERIAL, nullable=False),
        sa.Column("layer_id", _SERIAL, nullable=True),
        sa.Column("paths", _JSON, nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_image_package_image_id_image", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["layer_id"], ["layer.id"], name="fk_image_package_layer_id_layer"),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_image_package_package_id_package"),
        sa.PrimaryKeyConstraint("image_id", "package_id", name="pk_image_package"),
    )
    op.create_index("ix_image_package_package_id_image_id", "image_package", ["package_id", "image_id"])
    op.create_table(
        "advisory",
        sa.Column("id", _SERIAL, nullable=False),
        *_columns(sa.Text(), "name", "kind", "title"),
        sa.Column("links", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_advisory"),
        sa.UniqueConstraint("name", name="uq_advisory_name"),
    )
    op.create_table(
        "advisory_alias",
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("advisory_id", _SERIAL, nullable=False),
        sa.ForeignKeyConstraint(["advisory_id"], ["advisory.id"], name="fk_advisory_alias_advisory_id_advisory", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("alias", "advisory_id", name="pk_advisory_alias"),
    )
    op.create_table(
        "package_advisory",
        sa.Column("package_id", _SERIAL, nullable=False),
        sa.Column("advisory_id", _SERIAL, nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("severity_source", sa.Text(), nullable=False),
        sa.Column("aliases", _JSON, nullable=False),
        *_columns(sa.Text(), "installed", "fixed_in", optional=True),
        *_columns(sa.Text(), "status", "recommendation", "matched_with"),
        sa.Column("first_seen", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["advisory_id"], ["advisory.id"], name="fk_package_advisory_advisory_id_advisory"),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_package_advisory_package_id_package", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("package_id", "advisory_id", name="pk_package_advisory"),
    )
    op.create_index("ix_package_advisory_advisory_id_package_id", "package_advisory", ["advisory_id", "package_id"])


def create_decisions() -> None:
    """Policies and decisions."""
    op.create_table(
        "policy",
        *_columns(sa.Text(), "digest", "name", "document"),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_policy"),
    )
    op.create_table(
        "waiver",
        *_columns(sa.Text(), "id", "finding", "owner", "reason"),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("document", _JSON, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_waiver"),
    )
    op.create_index("ix_waiver_expires_at", "waiver", ["expires_at"])
    op.create_table(
        "verdict",
        *_columns(sa.Text(), "id", "status"),
        sa.Column("reasons", _JSON, nullable=False),
        *_columns(sa.Text(), "policy", "policy_digest"),
        sa.Column("waived", sa.Integer(), nullable=False),
        sa.CheckConstraint("status IN ('pass', 'fail', 'incomplete')", name=op.f("ck_verdict_status")),
        sa.PrimaryKeyConstraint("id", name="pk_verdict"),
    )
    op.create_index("ix_verdict_status", "verdict", ["status"])
    op.create_table(
        "decision",
        *_columns(sa.Text(), "id", "scan_id", "repository_id", "verdict_id"),
        sa.Column("tag", sa.Text(), nullable=True),
        sa.Column("image_digest", sa.Text(), nullable=False),
        *_columns(sa.Text(), "feed_snapshot", "inventory_digest", "waivers_digest", optional=True),
        sa.Column("counts", _JSON, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("announced_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_decision_repository_id_repository"),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name="fk_decision_scan_id_scan"),
        sa.ForeignKeyConstraint(["verdict_id"], ["verdict.id"], name="fk_decision_verdict_id_verdict"),
        sa.PrimaryKeyConstraint("id", name="pk_decision"),
        sa.UniqueConstraint("scan_id", name="uq_decision_scan_id"),
        sa.UniqueConstraint("verdict_id", name="uq_decision_verdict_id"),
    )
    op.create_index("ix_decision_image_digest", "decision", ["image_digest"])
    op.create_index("ix_decision_repository_id_image_digest_id", "decision", ["repository_id", "image_digest", "id"])
    op.create_table(
        "action",
        *_columns(sa.Text(), "id", "decision_id", "kind", "key"),
        sa.Column("parameters", _JSON, nullable=False),
        *_columns(sa.Text(), "outcome", "detail"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.CheckConstraint("outcome IN ('planned', 'done', 'failed', 'refused', 'skipped')", name=op.f("ck_action_outcome")),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name="fk_action_decision_id_decision"),
        sa.PrimaryKeyConstraint("id", name="pk_action"),
        sa.UniqueConstraint("decision_id", "kind", "key", name="uq_action_decision_id_kind_key"),
    )


def create_word() -> None:
    """Word of them, the audit trail, tokens."""
    op.create_table(
        "notification_key",
        *_columns(sa.Text(), "line", "key", "decision_id"),
        sa.Column("claimed_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name="fk_notification_key_decision_id_decision"),
        sa.PrimaryKeyConstraint("line", "key", name="pk_notification_key"),
    )
    op.create_index("ix_notification_key_decision_id", "notification_key", ["decision_id"])
    op.create_table(
        "notification",
        *_columns(sa.Text(), "id", "decision_id", "channel", "title", "body"),
        sa.Column("payload", _JSON, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", _TIME, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name=op.f("ck_notification_state")),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name="fk_notification_decision_id_decision"),
        sa.PrimaryKeyConstraint("id", name="pk_notification"),
        sa.UniqueConstraint("decision_id", "channel", name="uq_notification_decision_id_channel"),
    )
    op.create_index(
        "ix_notification_due",
        "notification",
        ["next_attempt_at"],
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "delivery",
        *_columns(sa.Text(), "id", "notification_id", "outcome", "detail"),
        sa.Column("attempted_at", _TIME, nullable=False),
        sa.CheckConstraint("outcome IN ('ok', 'failed')", name=op.f("ck_delivery_outcome")),
        sa.ForeignKeyConstraint(["notification_id"], ["notification.id"], name="fk_delivery_notification_id_notification"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
    )
    op.create_index("ix_delivery_notification_id", "delivery", ["notification_id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        *_columns(sa.Text(), "actor", "verb", "subject"),
        sa.Column("detail", _JSON, nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_actor_id", "audit", ["actor", "id"])
    op.create_index("ix_audit_subject_id", "audit", ["subject", "id"])
    op.create_table(
        "api_token",
        *_columns(sa.Text(), "id", "name", "token_hash"),
        sa.Column("scopes", _JSON, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        *_columns(_TIME, "expires_at", "revoked_at", optional=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.UniqueConstraint("token_hash", name="uq_api_token_token_hash"),
    )


def guard_audit() -> None:
    """Make the audit trail append-only, for everybody but who may drop the trigger."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_refuses_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
    )

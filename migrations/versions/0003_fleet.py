"""What the whole fleet's matches hold for, what became of each match, which decision stands, and VEX."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_TIME = sa.DateTime(timezone=True)
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_HAS_SECOND = sa.text("second_matching_key IS NOT NULL")
_IS_TO_MATCH = sa.text("matched_position IS NULL OR matched_position = 0")
_IS_INCOMPLETE = sa.text("section = 'inventory' AND status <> 'complete'")


def upgrade() -> None:
    """Change the schema. Packages that were matched count as matched with an unknown database: the advisor matches them again when it starts."""
    alter_packages()
    alter_matches()
    alter_decisions()
    create_rejudgements()
    create_state()
    create_vex()
    prepare_rescans()


def prepare_rescans() -> None:
    """When an image was inspected, and the indexes by which those to be scanned again are found with the tags that point to them."""
    op.add_column("image", sa.Column("inspected_at", _TIME, nullable=True))
    op.drop_table("waiver")  # waivers stand in the policy document
    op.execute("UPDATE image SET inspected_at = recorded_at WHERE analyzers_key IS NOT NULL")
    op.create_index("ix_image_inspected_at_id_analyzers_key_digest", "image", ["inspected_at", "id", "analyzers_key", "digest"])
    op.create_index("ix_coverage_incomplete", "coverage", ["image_id"], postgresql_where=_IS_INCOMPLETE, sqlite_where=_IS_INCOMPLETE)
    op.drop_index("ix_tag_repository_id_digest", "tag")
    op.create_index("ix_tag_digest_repository_id", "tag", ["digest", "repository_id"])


def alter_packages() -> None:
    """A position in place of a digest, and the second name."""
    op.add_column("package", sa.Column("matched_position", sa.BigInteger(), nullable=True))
    op.add_column("package", sa.Column("matching_gap", sa.Text(), nullable=True))
    op.add_column("package", sa.Column("second_matching_key", sa.Text(), nullable=True))
    op.execute("UPDATE package SET matched_position = 0 WHERE matched_with IS NOT NULL")
    op.drop_index("ix_package_matched_with_id", "package")
    op.execute("ALTER TABLE package DROP COLUMN matched_with")
    op.create_index(
        "ix_package_second_matching_key", "package", ["second_matching_key"], postgresql_where=_HAS_SECOND, sqlite_where=_HAS_SECOND
    )
    op.create_index("ix_package_to_match", "package", ["id"], postgresql_where=_IS_TO_MATCH, sqlite_where=_IS_TO_MATCH)


def alter_matches() -> None:
    """Matches that end stay, with what became of them."""
    op.add_column("package_advisory", sa.Column("ratings", _JSON, nullable=True))
    op.add_column("package_advisory", sa.Column("resolved_at", _TIME, nullable=True))
    op.execute("ALTER TABLE package_advisory DROP COLUMN matched_with")
    op.create_table(
        "match_event",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("package_id", _SERIAL, nullable=False),
        sa.Column("advisory_id", _SERIAL, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_match_event_package_id_package", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["advisory_id"], ["advisory.id"], name="fk_match_event_advisory_id_advisory"),
        sa.PrimaryKeyConstraint("id", name="pk_match_event"),
    )
    op.create_index("ix_match_event_package_id_id", "match_event", ["package_id", "id"])
    op.create_index("ix_match_event_advisory_id_id", "match_event", ["advisory_id", "id"])
    op.create_index("ix_match_event_position_package_id", "match_event", ["position", "package_id"])


def alter_decisions() -> None:
    """A scan may have several decisions; the newest of an image in a repository stands."""
    with op.batch_alter_table("decision") as batch:
        batch.add_column(sa.Column("revision", sa.BigInteger(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("cause", _JSON, nullable=True))
        batch.drop_constraint("uq_decision_scan_id", type_="unique")
        batch.create_unique_constraint("uq_decision_scan_id_revision", ["scan_id", "revision"])
    op.create_table(
        "standing_decision",
        sa.Column("image_id", _SERIAL, nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_standing_decision_image_id_image", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_standing_decision_repository_id_repository"),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name="fk_standing_decision_decision_id_decision"),
        sa.PrimaryKeyConstraint("image_id", "repository_id", name="pk_standing_decision"),
    )
    op.create_index("ix_standing_decision_repository_id_image_id", "standing_decision", ["repository_id", "image_id"])
    op.execute(
        "INSERT INTO standing_decision (image_id, repository_id, decision_id, status) "
        "SELECT i.id, d.repository_id, d.id, v.status FROM decision d JOIN image i ON i.digest = d.image_digest JOIN verdict v ON v.id = d.verdict_id "
        "WHERE d.id = (SELECT max(n.id) FROM decision n WHERE n.repository_id = d.repository_id AND n.image_digest = d.image_digest)"
    )


def create_rejudgements() -> None:
    """What a change of advisories may overturn."""
    op.create_table(
        "rejudgement",
        sa.Column("image_id", _SERIAL, nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("is_covered_anew", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_rejudgement_image_id_image", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_rejudgement_repository_id_repository"),
        sa.PrimaryKeyConstraint("image_id", "repository_id", name="pk_rejudgement"),
    )


def create_state() -> None:
    """The database that matches hold for, and exploitation."""
    op.create_table(
        "advisory_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("feeds", _JSON, nullable=False),
        sa.Column("failures", _JSON, nullable=False),
        sa.Column("applied_at", _TIME, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_advisory_state_one")),
        sa.PrimaryKeyConstraint("id", name="pk_advisory_state"),
    )
    op.create_table(
        "exploitation",
        sa.Column("cve", sa.Text(), nullable=False),
        sa.Column("exploited_since", sa.Text(), nullable=True),
        sa.Column("epss", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("cve", name="pk_exploitation"),
    )


def create_vex() -> None:
    """VEX documents, and the images that they count for."""
    op.create_table(
        "vex_document",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_vex_document"),
    )
    op.create_table(
        "image_vex",
        sa.Column("image_id", _SERIAL, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("signer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_image_vex_image_id_image", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["document"], ["vex_document.digest"], name="fk_image_vex_document_vex_document"),
        sa.PrimaryKeyConstraint("image_id", "document", name="pk_image_vex"),
    )

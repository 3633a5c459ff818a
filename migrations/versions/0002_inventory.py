"""What packages are beside name and version, who owns them, and what is known of an image's files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Add columns that are empty in what older versions recorded: no table is written anew."""
    op.add_column("package", sa.Column("vendor", sa.Text(), nullable=True))
    op.add_column("package", sa.Column("licenses", _JSON, nullable=True))
    op.add_column("package", sa.Column("cpes", _JSON, nullable=True))
    op.add_column("image_package", sa.Column("owned_by", sa.Text(), nullable=True))
    op.add_column("image", sa.Column("files", _JSON, nullable=True))

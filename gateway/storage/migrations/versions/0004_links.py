"""Stored links, their downloads, and revocations."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "links",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("task_id", sa.String(128), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("filename", sa.String(255)),
        sa.Column("mode", sa.String(16)),
        sa.Column("max_downloads", sa.Integer),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_links_task_id", "links", ["task_id", "created_at", "id"])
    op.create_index("ix_links_expires_at", "links", ["expires_at"])
    op.create_table(
        "link_downloads",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("link_id", sa.String(16), nullable=False),
        sa.Column("reserved_until", sa.BigInteger, nullable=False),
        sa.Column("completed_at", sa.BigInteger),
    )
    op.create_index("ix_link_downloads_link_id", "link_downloads", ["link_id"])
    op.create_table(
        "revocations",
        sa.Column("link_id", sa.String(64), primary_key=True),
        sa.Column("revoked_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_revocations_revoked_at", "revocations", ["revoked_at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("revocations")
    op.drop_table("link_downloads")
    op.drop_table("links")

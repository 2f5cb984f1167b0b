"""Which objects are being deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table of running deletions."""
    op.create_table(
        "deletions",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("began_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("deletions")

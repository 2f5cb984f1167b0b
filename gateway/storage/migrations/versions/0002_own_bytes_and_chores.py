"""Which objects are nowhere else, and when chores are due."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Mark objects that were put in, and note when each chore is due."""
    op.add_column("objects", sa.Column("own", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "chores",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("due_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Forget both."""
    op.drop_table("chores")
    op.drop_column("objects", "own")

"""People who are nudged over channels besides push."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "nudge",
        sa.Column("step_run_key", _BIG, autoincrement=False, nullable=False),
        sa.Column("channel", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("member_key", _BIG, autoincrement=False, nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("status", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("step_run_key", "channel", "member_key", name=op.f("pk_nudge")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_nudge_member_key", "nudge", ["member_key"])

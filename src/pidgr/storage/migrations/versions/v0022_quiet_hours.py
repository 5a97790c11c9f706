"""Quiet hours, and the pushes that are held back in them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WAITING = sa.text("settled_at is null")


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "lane", sa.Column("held", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.create_table(
        "quiet_hours",
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("start_minute", sa.Integer(), nullable=False),
        sa.Column("end_minute", sa.Integer(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_quiet_hours_organization_key_organization"),
        ),
        sa.PrimaryKeyConstraint("organization_key", name=op.f("pk_quiet_hours")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "held_push",
        sa.Column("step_run_key", _BIG, autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pushing_run_key", _BIG, autoincrement=False, nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("held_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(
            "step_run_key", "ordinal", "pushing_run_key", name=op.f("pk_held_push")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_held_push_due_at",
        "held_push",
        ["due_at"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )

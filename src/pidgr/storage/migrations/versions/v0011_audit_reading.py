"""Receipts by time, and exports of the audit trail."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    for moment in ("read_at", "acted_at"):
        op.create_index(
            f"ix_delivery_{moment}",
            "delivery",
            ["organization_key", moment, "step_run_key", "ordinal"],
            sqlite_where=sa.text(f"{moment} is not null"),
            postgresql_where=sa.text(f"{moment} is not null"),
        )
    op.create_table(
        "audit_export",
        sa.Column("key", _BIG, sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("format", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("start_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("member_key", _BIG, nullable=True),
        sa.Column("error", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_audit_export_organization_key_organization"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_audit_export")),
        sa.UniqueConstraint("id", name=op.f("uq_audit_export_id")),
    )
    op.create_index(
        "ix_audit_export_organization_key_key", "audit_export", ["organization_key", "key"]
    )

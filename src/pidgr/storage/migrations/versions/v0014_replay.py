"""Recordings of sessions."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ZERO = sa.text("0")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "recording",
        sa.Column("key", _BIG, sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("campaign_key", _BIG, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("next_batch", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.Column("size", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.Column("first_at", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.Column("last_at", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.Column("interactions", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_recording_organization_key_organization"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_recording")),
        sa.UniqueConstraint("id", name=op.f("uq_recording_id")),
        sa.UniqueConstraint("digest", name=op.f("uq_recording_digest")),
    )
    op.create_index(
        "ix_recording_organization_key_started_at",
        "recording",
        ["organization_key", "started_at", "key"],
    )
    op.create_index(
        "ix_recording_campaign_key_started_at", "recording", ["campaign_key", "started_at", "key"]
    )

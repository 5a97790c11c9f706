"""What people have asked about their data."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_EMPTY = sa.text("('')")
_FALSE = sa.text("(false)")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "privacy_request",
        sa.Column("key", _BIG, sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("member_key", _BIG, nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("request_type", sa.Text(), server_default=_EMPTY, nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("anonymize", sa.Boolean(), server_default=_FALSE, nullable=False),
        sa.Column("was_restricted", sa.Boolean(), server_default=_FALSE, nullable=False),
        sa.Column("asker_key", _BIG, nullable=True),
        sa.Column("facts", sa.Text(), server_default=_EMPTY, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_privacy_request_organization_key_organization"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_privacy_request")),
        sa.UniqueConstraint("id", name=op.f("uq_privacy_request_id")),
    )
    op.create_index(
        "ix_privacy_request_organization_key_key", "privacy_request", ["organization_key", "key"]
    )
    op.create_index("ix_privacy_request_member_key_key", "privacy_request", ["member_key", "key"])

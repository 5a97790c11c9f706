"""Links by which people join an organization."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "invite_link",
        sa.Column("key", _BIG, sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=False),
        sa.Column("role_key", _BIG, nullable=False),
        sa.Column("max_uses", sa.Integer(), nullable=False),
        sa.Column("use_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "data_governance_region", sa.Text(), server_default=sa.text("('')"), nullable=False
        ),
        sa.Column("created_by", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_invite_link_organization_key_organization"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_invite_link")),
        sa.UniqueConstraint("id", name=op.f("uq_invite_link_id")),
        sa.UniqueConstraint("digest", name=op.f("uq_invite_link_digest")),
    )
    op.create_index(
        "ix_invite_link_organization_key_key", "invite_link", ["organization_key", "key"]
    )

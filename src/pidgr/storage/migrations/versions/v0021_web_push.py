"""Browsers that receive pushes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "web_push_subscription",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("member_key", _BIG, nullable=False),
        sa.Column("push_token", sa.Text(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_web_push_subscription_organization_key"),
        ),
        sa.ForeignKeyConstraint(
            ["member_key"], ["member.key"], name=op.f("fk_web_push_subscription_member_key")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_push_subscription")),
    )
    op.create_index("ix_web_push_subscription_member_key", "web_push_subscription", ["member_key"])

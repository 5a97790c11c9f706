"""Chats in Telegram that members have opened with the bot."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "telegram_chat",
        sa.Column("member_key", _BIG, autoincrement=False, nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("link_digest", sa.LargeBinary(), nullable=True),
        sa.Column("link_expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_key"], ["member.key"], name=op.f("fk_telegram_chat_member_key")
        ),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_telegram_chat_organization_key"),
        ),
        sa.PrimaryKeyConstraint("member_key", name=op.f("pk_telegram_chat")),
        sa.UniqueConstraint("link_digest", name=op.f("uq_telegram_chat_link_digest")),
    )
    op.create_index("ix_telegram_chat_chat_id", "telegram_chat", ["chat_id"])

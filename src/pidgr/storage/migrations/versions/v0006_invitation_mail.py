"""Invitations on their way to people's mailboxes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "invitation_mail",
        sa.Column("member_key", _BIG, autoincrement=False, nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_key"], ["member.key"], name=op.f("fk_invitation_mail_member_key")
        ),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_invitation_mail_organization_key"),
        ),
        sa.PrimaryKeyConstraint("member_key", name=op.f("pk_invitation_mail")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_invitation_mail_batch_member_key",
        "invitation_mail",
        ["batch", "member_key"],
        unique=False,
    )

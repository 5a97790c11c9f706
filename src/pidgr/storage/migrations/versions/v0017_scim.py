"""What directories say about members and groups."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_EMPTY = sa.text("('')")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "scim_user",
        sa.Column("member_key", _BIG, autoincrement=False, nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("user_name", sa.Text(), server_default=_EMPTY, nullable=False),
        sa.Column("user_name_folded", sa.Text(), server_default=_EMPTY, nullable=False),
        sa.Column("external_id", sa.Text(), server_default=_EMPTY, nullable=False),
        sa.Column("emails", sa.Text(), server_default=_EMPTY, nullable=False),
        sa.Column("phone_numbers", sa.Text(), server_default=_EMPTY, nullable=False),
        sa.Column("withdrawn", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_key"], ["member.key"], name=op.f("fk_scim_user_member_key_member")
        ),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_scim_user_organization_key_organization"),
        ),
        sa.PrimaryKeyConstraint("member_key", name=op.f("pk_scim_user")),
        sqlite_with_rowid=False,
    )
    _index("uq_scim_user", "scim_user", "user_name_folded", "user_name_folded <> ''")
    _index("ix_scim_user", "scim_user", "external_id", "external_id <> ''")
    _index("ix_scim_user", "scim_user", "member_key", "withdrawn")
    for collective in ("recipient_group", "team"):
        version = sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False)
        op.add_column(collective, version)
    external_id = sa.Column("external_id", sa.Text(), server_default=_EMPTY, nullable=False)
    op.add_column("recipient_group", external_id)
    _index("ix_recipient_group", "recipient_group", "external_id", "external_id <> ''")


def _index(prefix: str, table: str, column: str, condition: str) -> None:
    op.create_index(
        f"{prefix}_organization_key_{column}",
        table,
        ["organization_key", column],
        unique=prefix.startswith("uq"),
        sqlite_where=sa.text(condition),
        postgresql_where=sa.text(condition),
    )

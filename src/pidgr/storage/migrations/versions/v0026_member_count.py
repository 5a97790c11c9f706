"""How many members an organization has, kept instead of counted at every page of them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0026"
down_revision: str | None = "0025"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "member_count",
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("members", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_member_count_organization_key_organization"),
        ),
        sa.PrimaryKeyConstraint("organization_key", name=op.f("pk_member_count")),
        sqlite_with_rowid=False,
    )
    op.execute("""
        insert into member_count (organization_key, members)
        select organization_key, count(*) from member group by organization_key
    """)

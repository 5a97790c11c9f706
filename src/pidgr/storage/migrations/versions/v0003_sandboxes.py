"""Who made a sandbox."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("organization", sa.Column("creator_subject", sa.Text(), nullable=True))
    op.create_index(
        "ix_organization_creator_subject",
        "organization",
        ["creator_subject"],
        unique=False,
        sqlite_where=sa.text("creator_subject is not null"),
        postgresql_where=sa.text("creator_subject is not null"),
    )

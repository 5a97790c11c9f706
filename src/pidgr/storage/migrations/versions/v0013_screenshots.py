"""Pictures of screens."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "screenshot",
        sa.Column("key", _BIG, sa.Identity(always=False), nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("screen_name", sa.Text(), nullable=False),
        sa.Column("app_version", sa.Text(), nullable=False),
        sa.Column("blob_name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_screenshot_organization_key_organization"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_screenshot")),
        sa.UniqueConstraint("blob_name", name=op.f("uq_screenshot_blob_name")),
        sa.UniqueConstraint(
            "organization_key",
            "screen_name",
            "app_version",
            name=op.f("uq_screenshot_organization_key_screen_name_app_version"),
        ),
    )

"""Short codes of campaigns, and the keys that sign links."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "short_code",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("campaign_key", _BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_key"], ["campaign.key"], name=op.f("fk_short_code_campaign_key_campaign")
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_short_code")),
        sa.UniqueConstraint("campaign_key", name=op.f("uq_short_code_campaign_key")),
    )
    op.create_table(
        "link_key",
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rotated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_link_key_organization_key_organization"),
        ),
        sa.PrimaryKeyConstraint("organization_key", name=op.f("pk_link_key")),
    )

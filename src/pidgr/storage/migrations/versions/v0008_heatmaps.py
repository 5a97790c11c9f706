"""Touches of screens, without people."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "touch_screen",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_touch_screen_organization_key"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_touch_screen")),
        sa.UniqueConstraint(
            "organization_key", "name", name=op.f("uq_touch_screen_organization_key_name")
        ),
    )
    op.create_table(
        "touch_upkeep",
        sa.Column(
            "organization_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("packing_due", sa.BigInteger(), nullable=True),
        sa.Column("expired_before", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_touch_upkeep_organization_key"),
        ),
        sa.PrimaryKeyConstraint("organization_key", name=op.f("pk_touch_upkeep")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "touch_batch",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "screen_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "campaign_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("events", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_touch_batch_organization_key")
        ),
        sa.ForeignKeyConstraint(
            ["screen_key"], ["touch_screen.key"], name=op.f("fk_touch_batch_screen_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_touch_batch")),
    )
    with op.batch_alter_table("touch_batch", schema=None) as batch_op:
        batch_op.create_index(
            "ix_touch_batch_organization_key_screen_key_day",
            ["organization_key", "screen_key", "day"],
            unique=False,
        )

    op.create_table(
        "touch_block",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "screen_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "campaign_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("events", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_touch_block_organization_key")
        ),
        sa.ForeignKeyConstraint(
            ["screen_key"], ["touch_screen.key"], name=op.f("fk_touch_block_screen_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_touch_block")),
    )
    with op.batch_alter_table("touch_block", schema=None) as batch_op:
        batch_op.create_index(
            "ix_touch_block_organization_key_screen_key_day",
            ["organization_key", "screen_key", "day"],
            unique=False,
        )

    op.create_table(
        "touch_grid",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "screen_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("cell", sa.SmallInteger(), nullable=False),
        sa.Column("days", sa.SmallInteger(), nullable=False),
        sa.Column("start_day", sa.Integer(), nullable=False),
        sa.Column(
            "campaign_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("event_type", sa.SmallInteger(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_touch_grid_organization_key")
        ),
        sa.ForeignKeyConstraint(
            ["screen_key"], ["touch_screen.key"], name=op.f("fk_touch_grid_screen_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_touch_grid")),
        sa.UniqueConstraint(
            "organization_key",
            "screen_key",
            "cell",
            "days",
            "start_day",
            "campaign_key",
            "event_type",
            name="uq_touch_grid_place",
        ),
    )

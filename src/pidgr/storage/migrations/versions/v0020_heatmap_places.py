"""Blocks of touches keep places apart from minutes.

PostgreSQL is told not to compress what does not become smaller.
"""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NUMBER: Final = "<u2"
_UNCOMPRESSED: Final = (
    ("touch_block", "places"),
    ("touch_block", "minutes"),
    ("touch_grid", "counts"),
)
_NEXT: Final = sa.text("""
    select key, organization_key, screen_key, campaign_key, day, size, events
    from touch_block_before where key > :key order by key limit 1
""")
_INSERT: Final = sa.text("""
    insert into touch_block (organization_key, screen_key, campaign_key, day, size, places, minutes)
    values (:organization_key, :screen_key, :campaign_key, :day, :size, :places, :minutes)
""")


def upgrade() -> None:
    """Apply."""
    op.execute("create table touch_block_before as select * from touch_block")
    op.drop_table("touch_block")
    _create()
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for table, column in _UNCOMPRESSED:
            op.execute(f"alter table {table} alter column {column} set storage external")
    key = 0
    while row := connection.execute(_NEXT, {"key": key}).mappings().one_or_none():
        key = row["key"]
        places, minutes = _converted(bytes(row["events"]))
        connection.execute(_INSERT, {**row, "places": places, "minutes": minutes})
    op.drop_table("touch_block_before")


def _create() -> None:
    op.create_table(
        "touch_block",
        sa.Column("key", _BIG, sa.Identity(always=False), nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("screen_key", _BIG, nullable=False),
        sa.Column("campaign_key", _BIG, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("places", sa.LargeBinary(), nullable=False),
        sa.Column("minutes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_touch_block_organization_key")
        ),
        sa.ForeignKeyConstraint(
            ["screen_key"], ["touch_screen.key"], name=op.f("fk_touch_block_screen_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_touch_block")),
    )
    op.create_index(
        "ix_touch_block_organization_key_screen_key_day",
        "touch_block",
        ["organization_key", "screen_key", "day"],
    )


def _converted(events: bytes) -> tuple[bytes, bytes]:
    """Return the places and the minutes of a block: runs of kinds instead of a kind each."""
    # Not before it is needed: every start looks through the migrations, and numpy takes 16 MB.
    import numpy as np  # noqa: PLC0415

    minute, x, y, kind = np.frombuffer(events, dtype=_NUMBER).reshape(4, -1)
    order = np.lexsort((minute, y, x, kind))
    kinds, lengths = np.unique(kind, return_counts=True)
    places = ([len(kinds)], kinds, lengths, x[order], y[order])
    return np.concatenate(places).astype(_NUMBER).tobytes(), minute[order].tobytes()

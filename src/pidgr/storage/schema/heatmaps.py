"""Touches of screens; nothing tells whose they are."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from pidgr.storage.schema.columns import (
    BIG,
    ZERO,
    key,
    metadata,
    organization_key,
    time,
)


def _screen_key() -> Column[int]:
    return Column("screen_key", BIG, ForeignKey("touch_screen.key"), nullable=False)


# 0 where no message was open. No foreign key: every batch that comes in would look it up again.
def _campaign_key() -> Column[int]:
    return Column("campaign_key", BIG, nullable=False)


touch_screen = Table(
    "touch_screen",
    metadata,
    key(),
    organization_key(),
    Column("name", Text, nullable=False),
    UniqueConstraint("organization_key", "name"),
)

# What came in and has not been packed yet: the touches of one request, see
# pidgr.heatmaps.touches for the bytes. Days are counted from 1970.
touch_batch = Table(
    "touch_batch",
    metadata,
    key(),
    organization_key(),
    _screen_key(),
    _campaign_key(),
    Column("day", Integer, nullable=False),
    Column("events", LargeBinary, nullable=False),
    Index(
        "ix_touch_batch_organization_key_screen_key_day", "organization_key", "screen_key", "day"
    ),
)

# Packed: the touches of many requests, sorted, see pidgr.heatmaps.blocks for the bytes.
touch_block = Table(
    "touch_block",
    metadata,
    key(),
    organization_key(),
    _screen_key(),
    _campaign_key(),
    Column("day", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("places", LargeBinary, nullable=False),
    Column("minutes", LargeBinary, nullable=False),
    Index(
        "ix_touch_block_organization_key_screen_key_day", "organization_key", "screen_key", "day"
    ),
)

# Sums of the packed ones over one day or 32, by cell and bucket, see pidgr.heatmaps.grids.
touch_grid = Table(
    "touch_grid",
    metadata,
    key(),
    organization_key(),
    _screen_key(),
    Column("cell", SmallInteger, nullable=False),
    Column("days", SmallInteger, nullable=False),
    Column("start_day", Integer, nullable=False),
    _campaign_key(),
    Column("event_type", SmallInteger, nullable=False),
    Column("counts", LargeBinary, nullable=False),
    UniqueConstraint(
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

touch_upkeep = Table(
    "touch_upkeep",
    metadata,
    Column(
        "organization_key",
        BIG,
        ForeignKey("organization.key"),
        primary_key=True,
        autoincrement=False,
    ),
    # When a task packs what came in; empty while none is waiting.
    time("packing_due", optional=True),
    # The days before this one have been deleted.
    Column("expired_before", Integer, nullable=False, server_default=ZERO),
    sqlite_with_rowid=False,
)

# Pictures of screens; the pixels are in the blob store.
screenshot = Table(
    "screenshot",
    metadata,
    key(),
    organization_key(),
    Column("screen_name", Text, nullable=False),
    Column("app_version", Text, nullable=False),
    Column("blob_name", Text, nullable=False, unique=True),
    time("created_at"),
    UniqueConstraint("organization_key", "screen_name", "app_version"),
)

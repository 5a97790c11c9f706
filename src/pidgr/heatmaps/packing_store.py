"""SQL of packing: batches out, blocks and sums in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class Scope:
    """Where touches belong: every statement here is bound to all three."""

    organization_key: int
    screen_key: int
    campaign_key: int

    @property
    def parameters(self) -> dict[str, object]:
        """The same as parameters of a statement."""
        return {
            "organization_key": self.organization_key,
            "screen_key": self.screen_key,
            "campaign_key": self.campaign_key,
        }


@dataclass(frozen=True, slots=True)
class TakenBatch:
    """A batch that is no longer in the table."""

    campaign_key: int
    day: int
    events: bytes


@dataclass(frozen=True, slots=True)
class OpenBlock:
    """A block that has room left."""

    key: int
    day: int
    places: bytes
    minutes: bytes


@dataclass(frozen=True, slots=True)
class GridPlace:
    """Which sum of a scope: by side of the cells, days, first day and type."""

    cell: int
    days: int
    start_day: int
    event_type: int


# Batches refer to their screen, and their coming in must not wait for this.
_LOCK_SCREEN: Final = Statement(
    "select key from touch_screen where organization_key = :organization_key and key = :screen_key",
    postgresql="""
    select key from touch_screen where organization_key = :organization_key and key = :screen_key
    for no key update
    """,
)
_NEXT_SCREEN: Final = Statement("""
    select min(screen_key) from touch_batch where organization_key = :organization_key
""")
_TAKE: Final = Statement("""
    delete from touch_batch where key in (
      select key from touch_batch
      where organization_key = :organization_key and screen_key = :screen_key
      order by day, key limit :most
    )
    returning campaign_key, day, events
""")
_OF_SCOPE: Final = """
    organization_key = :organization_key and screen_key = :screen_key
    and campaign_key = :campaign_key
"""
_OPEN_BLOCKS: Final = Statement(
    f"""
    select key, day, places, minutes from touch_block
    where {_OF_SCOPE} and size < :capacity and day in (select value from json_each(:days))
    """,
    postgresql=f"""
    select key, day, places, minutes from touch_block
    where {_OF_SCOPE} and size < :capacity and day = any(:days)
    """,
)
_DELETE_BLOCKS: Final = Statement(
    f"""
    delete from touch_block
    where {_OF_SCOPE} and key in (select value from json_each(:keys))
    """,
    postgresql=f"delete from touch_block where {_OF_SCOPE} and key = any(:keys)",
)
_OF_DAYS: Final = "days = :days and start_day in (select value from json_each(:starts))"
_GRIDS: Final = Statement(
    f"""
    select cell, days, start_day, event_type, counts from touch_grid
    where {_OF_SCOPE} and {_OF_DAYS}
    """,
    postgresql=f"""
    select cell, days, start_day, event_type, counts from touch_grid
    where {_OF_SCOPE} and days = :days and start_day = any(:starts)
    """,
)
_WRITE_GRID: Final = Statement("""
    insert into touch_grid (organization_key, screen_key, campaign_key, cell, days, start_day,
                            event_type, counts)
    values (:organization_key, :screen_key, :campaign_key, :cell, :days, :start_day, :event_type,
            :counts)
    on conflict (organization_key, screen_key, cell, days, start_day, campaign_key, event_type)
    do update set counts = excluded.counts
""")


def next_screen(reader: Reader, organization_key: int) -> int | None:
    """Return a screen with batches to pack, or None."""
    key: int | None = reader.value(_NEXT_SCREEN, {"organization_key": organization_key})
    return key


def lock_screen(transaction: Transaction, organization_key: int, screen_key: int) -> None:
    """Make those who pack touches of a screen come one after another."""
    parameters = {"organization_key": organization_key, "screen_key": screen_key}
    transaction.value(_LOCK_SCREEN, parameters)


def take_batches(
    transaction: Transaction, organization_key: int, screen_key: int, most: int
) -> list[TakenBatch]:
    """Remove the oldest batches of a screen and return them."""
    parameters = {"organization_key": organization_key, "screen_key": screen_key, "most": most}
    return transaction.records(TakenBatch, _TAKE, parameters)


def open_blocks(
    reader: Reader, scope: Scope, days: Sequence[int], capacity: int
) -> dict[int, OpenBlock]:
    """Return a block with room for each day that has one."""
    parameters = scope.parameters | {"capacity": capacity, "days": reader.array(days)}
    return {block.day: block for block in reader.records(OpenBlock, _OPEN_BLOCKS, parameters)}


def replace_blocks(
    transaction: Transaction,
    scope: Scope,
    replaced: Sequence[int],
    written: Iterable[tuple[int, int, bytes, bytes]],
) -> None:
    """Delete blocks by key and write others: day, number of touches, places, minutes."""
    if replaced:
        parameters = scope.parameters | {"keys": transaction.array(replaced)}
        transaction.execute(_DELETE_BLOCKS, parameters)
    where = (scope.organization_key, scope.screen_key, scope.campaign_key)
    transaction.bulk_insert(
        "touch_block",
        ("organization_key", "screen_key", "campaign_key", "day", "size", "places", "minutes"),
        [(*where, *block) for block in written],
    )


def grids(
    reader: Reader, scope: Scope, starts: Iterable[tuple[int, int]]
) -> Iterator[tuple[GridPlace, bytes]]:
    """Yield the sums of some lengths and first days, both in days."""
    by_length: dict[int, list[int]] = {}
    for days, start in starts:
        by_length.setdefault(days, []).append(start)
    for days, first_days in by_length.items():
        parameters = scope.parameters | {"days": days, "starts": reader.array(first_days)}
        for *place, counts in reader.rows(_GRIDS, parameters):
            yield GridPlace(*place), bytes(counts)


def write_grids(transaction: Transaction, scope: Scope, written: Mapping[GridPlace, bytes]) -> None:
    """Write sums, instead of what was there: some 16 for each day that touches came in of."""
    for place, counts in written.items():
        parameters = scope.parameters | {
            "cell": place.cell,
            "days": place.days,
            "start_day": place.start_day,
            "event_type": place.event_type,
            "counts": counts,
        }
        transaction.execute(_WRITE_GRID, parameters)

"""SQL that reads what answers a question."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pidgr.heatmaps.question import Question
from pidgr.heatmaps.ranges import SPAN_DAYS, Cover
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader


class Part(IntEnum):
    """Where a piece of an answer comes from."""

    GRID = 1
    BLOCK = 2
    BATCH = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """Stored bytes that belong to the answer; ``day`` is the first one they are about.

    ``minutes`` are those of a block of a day that the question cuts.
    """

    part: Part
    day: int
    content: bytes
    minutes: bytes | None


_ALL_CAMPAIGNS: Final = -1
_EVERY_TYPE: Final = ~0
# No kept sum: no grid has this side length.
_NO_CELL: Final = 0

_SCREEN: Final = Statement(
    "select key from touch_screen where organization_key = :organization_key and name = :name"
)


def _of(table: str, days: str) -> str:
    return f"""
        organization_key = :organization_key and screen_key = :screen_key and {days}
        and (:campaign_key = {_ALL_CAMPAIGNS} or {table}.campaign_key = :campaign_key)
    """


# Each grid is in one of three ranges of days. Blocks are read for cut days, and for the other days
# when no sum is kept for cells of this size. The first select gives the columns their types.
_PIECES: Final = Statement(f"""
    select {Part.BLOCK}, day, places, minutes from touch_block
      where {_of("touch_block", "day in (:cut_first, :cut_last)")}
    union all
    select {Part.BLOCK}, day, places, null from touch_block
      where {_of("touch_block", "day between :read_first and :read_last")}
    union all
    select {Part.GRID}, start_day, counts, null from touch_grid
      where cell = :cell and days = {SPAN_DAYS} and (:types & (1 << event_type)) <> 0
      and {_of("touch_grid", "start_day between :spans_first and :spans_last")}
    union all
    select {Part.GRID}, start_day, counts, null from touch_grid
      where cell = :cell and days = 1 and (:types & (1 << event_type)) <> 0
      and {_of("touch_grid", "start_day between :before_first and :before_last")}
    union all
    select {Part.GRID}, start_day, counts, null from touch_grid
      where cell = :cell and days = 1 and (:types & (1 << event_type)) <> 0
      and {_of("touch_grid", "start_day between :after_first and :after_last")}
    union all
    select {Part.BATCH}, day, events, null from touch_batch
      where {_of("touch_batch", "day between :first_day and :last_day")}
""")


def pieces(
    reader: Reader, organization_key: int, question: Question, parts: Cover, kept: int | None
) -> Iterator[Piece]:
    """Yield every piece of an answer, from one snapshot and while it is still being read.

    Args:
        reader: of the unit of work.
        organization_key: whose screens.
        question: what is asked.
        parts: the range of it.
        kept: side length of the cells whose sums can be used; None for the touches themselves.
    """
    named = {"organization_key": organization_key, "name": question.screen_name}
    screen_key = reader.value(_SCREEN, named)
    if screen_key is None:
        return
    first_day, last_day = parts.days
    types = sum(1 << number for number in question.event_types) or _EVERY_TYPE
    campaign_key = question.campaign_key
    parameters = {
        "organization_key": organization_key,
        "screen_key": screen_key,
        "campaign_key": _ALL_CAMPAIGNS if campaign_key is None else campaign_key,
        "types": types,
        "cell": _NO_CELL if kept is None else kept,
        "spans_first": parts.spans[0],
        "spans_last": parts.spans[1],
        "before_first": parts.days_before[0],
        "before_last": parts.days_before[1],
        "after_first": parts.days_after[0],
        "after_last": parts.days_after[1],
        "cut_first": parts.cut[0],
        "cut_last": parts.cut[1],
        "read_first": 1 if kept else parts.whole[0],
        "read_last": 0 if kept else parts.whole[1],
        "first_day": first_day,
        "last_day": last_day,
    }
    for part, day, content, minutes in reader.each(_PIECES, parameters):
        yield Piece(Part(part), day, content, minutes)

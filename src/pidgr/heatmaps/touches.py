"""What is kept of a touch: four small numbers, little-endian, column by column.

* the minute of the day it happened in (0 to 1,439), UTC;
* x and y in ten-thousandths of the screen (0 to 10,000), rounded to the nearest;
* its type and its cohort bucket as one number.

A run of touches of one screen, campaign and day is four columns one after another, each of two
bytes a touch.
"""

import struct
from collections.abc import Sequence
from typing import Final

from pidgr.clock import MINUTE

UNITS: Final = 10_000
"""Steps from one edge of the screen to the other; less than a pixel on any screen so far."""
MINUTES_PER_DAY: Final = 1_440
BUCKET_BITS: Final = 12
BUCKET_MASK: Final = (1 << BUCKET_BITS) - 1

Touch = tuple[int, int, int, int]
"""Minute of the day, x, y, kind."""


def kind_of(event_type: int, bucket: int) -> int:
    """Return a type and a bucket as one number."""
    return event_type << BUCKET_BITS | bucket


def units(share: float) -> int:
    """Return a share of the screen, 0 to 1, in ten-thousandths."""
    return round(share * UNITS)


def minute_of(moment: int) -> tuple[int, int]:
    """Return the day since 1970 and the minute of that day for a time in microseconds."""
    return divmod(moment // MINUTE, MINUTES_PER_DAY)


def encode(touches: Sequence[Touch]) -> bytes:
    """Return the columns of some touches."""
    columns = [value for column in zip(*touches, strict=True) for value in column]
    return struct.pack(f"<{len(columns)}H", *columns)

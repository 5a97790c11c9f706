"""Touches as arrays: the batches that come in, and the blocks they are packed into.

A block is sorted by kind (type and cohort bucket), so that its kinds are a few runs instead of a
number for each touch. It is stored as two byte strings of little-endian numbers of two bytes, so
that minutes are only read for days that a question cuts:

* places: how many runs there are, the kind of each, the length of each, every x, every y;
* minutes: of every touch, in the same order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pidgr.heatmaps.touches import BUCKET_BITS, BUCKET_MASK

CAPACITY: Final = 65_535
"""Touches of one block: what is written anew when some are added, and what fits a processor's
cache while it is counted. The length of a run has two bytes."""

Column = npt.NDArray[np.uint16]
_NUMBER: Final = "<u2"
_COLUMNS: Final = 4


@dataclass(frozen=True, slots=True)
class Touches:
    """Columns of equal length."""

    minute: Column
    x: Column
    y: Column
    kind: Column

    def __len__(self) -> int:
        return len(self.minute)

    @property
    def event_type(self) -> Column:
        """The types, numbers of the contract."""
        return self.kind >> np.uint16(BUCKET_BITS)

    @property
    def bucket(self) -> Column:
        """The cohort buckets."""
        return self.kind & np.uint16(BUCKET_MASK)

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Touches":
        """Return the touches that are chosen."""
        if chosen.all():
            return self
        return Touches(self.minute[chosen], self.x[chosen], self.y[chosen], self.kind[chosen])

    def within(self, first_minute: int, last_minute: int) -> "Touches":
        """Return the touches of some minutes of the day, both included."""
        return self.where((self.minute >= first_minute) & (self.minute <= last_minute))


@dataclass(frozen=True, slots=True)
class Block:
    """Touches sorted by kind: ``lengths`` are those of the runs of ``kinds``.

    ``minute`` is None where it was not read.
    """

    kinds: Column
    lengths: npt.NDArray[np.integer]
    x: Column
    y: Column
    minute: Column | None

    def touches(self) -> Touches:
        """Return the same as columns.

        Raises:
            ValueError: the minutes were not read.
        """
        if self.minute is None:
            raise ValueError("a block without its minutes")
        return Touches(self.minute, self.x, self.y, np.repeat(self.kinds, self.lengths))

    def ends(self) -> list[int]:
        """Return where each run ends."""
        ends: list[int] = np.cumsum(self.lengths, dtype=np.int64).tolist()
        return ends


def read_batch(stored: bytes) -> Touches:
    """Return the touches of a batch, see ``touches``."""
    return Touches(*np.frombuffer(stored, dtype=_NUMBER).reshape(_COLUMNS, -1))


def decode(places: bytes, minutes: bytes | None = None) -> Block:
    """Return a block, with its minutes if these are given."""
    numbers = np.frombuffer(places, dtype=_NUMBER)
    runs = int(numbers[0])
    begin = 1 + 2 * runs
    middle = (begin + len(numbers)) // 2
    return Block(
        kinds=numbers[1 : 1 + runs],
        lengths=numbers[1 + runs : begin],
        x=numbers[begin:middle],
        y=numbers[middle:],
        minute=None if minutes is None else np.frombuffer(minutes, dtype=_NUMBER),
    )


def encode(touches: Touches) -> tuple[bytes, bytes]:
    """Return the places and the minutes of touches that are sorted by kind, at most a block's."""
    kinds, lengths = np.unique(touches.kind, return_counts=True)
    places = (np.array([len(kinds)]), kinds, lengths, touches.x, touches.y)
    return (
        b"".join(column.astype(_NUMBER).tobytes() for column in places),
        touches.minute.astype(_NUMBER).tobytes(),
    )


def joined(parts: list[Touches]) -> Touches:
    """Return the touches of all parts, one after another."""
    columns = zip(*((p.minute, p.x, p.y, p.kind) for p in parts), strict=True)
    return Touches(*(np.concatenate(column) for column in columns))


def together(parts: list[Touches]) -> Touches:
    """Return the touches of all parts by kind, in an order that tells nothing of the parts."""
    touches = joined(parts)
    # One number for each touch; sorting these is several times as fast as sorting by four columns.
    numbers = touches.kind.astype(np.uint64)
    for column in (touches.x, touches.y, touches.minute):
        numbers = numbers << np.uint64(16) | column
    numbers.sort()
    kind, x, y, minute = (
        (numbers >> np.uint64(shift)).astype(np.uint16) for shift in (48, 32, 16, 0)
    )
    return Touches(minute, x, y, kind)


def split(touches: Touches) -> Iterator[Touches]:
    """Yield touches in pieces that fill a block; the last may be shorter."""
    for start in range(0, len(touches), CAPACITY):
        part = slice(start, start + CAPACITY)
        yield Touches(touches.minute[part], touches.x[part], touches.y[part], touches.kind[part])

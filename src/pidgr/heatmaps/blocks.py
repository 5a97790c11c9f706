"""The bytes of ``touches`` as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pidgr.heatmaps.touches import BUCKET_BITS, BUCKET_MASK

CAPACITY: Final = 16_384
"""Touches of one block: what is written anew when some are added, and what a reader skips by."""

Column = npt.NDArray[np.uint16]
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


def decode(stored: bytes) -> Touches:
    """Return the touches of a batch or block."""
    columns = np.frombuffer(stored, dtype="<u2").reshape(_COLUMNS, -1)
    return Touches(columns[0], columns[1], columns[2], columns[3])


def encode(touches: Touches) -> bytes:
    """Return touches as they are stored."""
    columns = (touches.minute, touches.x, touches.y, touches.kind)
    return b"".join(column.astype("<u2").tobytes() for column in columns)


def together(parts: list[Touches]) -> Touches:
    """Return the touches of all parts in an order that tells nothing of the parts."""
    joined = [
        np.concatenate(columns).astype(np.uint64)
        for columns in zip(*((p.minute, p.x, p.y, p.kind) for p in parts), strict=True)
    ]
    # One number for each touch; sorting these is several times as fast as sorting by four columns.
    numbers = joined[0]
    for column in joined[1:]:
        numbers = numbers << np.uint64(16) | column
    numbers.sort()
    minute, x, y, kind = (
        (numbers >> np.uint64(shift)).astype(np.uint16) for shift in (48, 32, 16, 0)
    )
    return Touches(minute, x, y, kind)


def split(touches: Touches) -> Iterator[Touches]:
    """Yield touches in runs that fill a block; the last may be shorter."""
    for start in range(0, len(touches), CAPACITY):
        part = slice(start, start + CAPACITY)
        yield Touches(touches.minute[part], touches.x[part], touches.y[part], touches.kind[part])

"""Counts by cohort bucket and cell.

Cells are numbered from the top left, row by row; a grid has one such sheet of cells for each
bucket, so that cell ``c`` of bucket ``b`` is number ``b * cells + c``. Side lengths are in
ten-thousandths of the screen.

Stored, a grid begins with one byte: how many bytes a count has (1, 2 or 4), plus 8 when only the
numbers that have a count are there. Then come the counts of all numbers up to the last that has
one; or the numbers, four bytes each, and their counts. Little-endian.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pidgr.heatmaps.blocks import Column, Touches
from pidgr.heatmaps.touches import UNITS

FINE: Final = 50
COARSE: Final = 200
CELLS: Final = (FINE, COARSE)
"""Side lengths that sums are kept for: the finest one may ask for, and the usual one. Every
multiple of one can be answered from it exactly; see :func:`kept_cell`."""

_SPARSE: Final = 8

Counts = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of those numbers that have one, in ascending order.

    What is packed at once may be a few touches of each of a hundred days. As whole sheets they
    would take gigabytes.
    """

    numbers: npt.NDArray[np.int64]
    counts: Counts

    def plus(self, other: "Tally") -> "Tally":
        """Return the sum of two; faster where the other is the smaller one."""
        place = np.searchsorted(self.numbers, other.numbers)
        new = np.append(self.numbers, -1)[place] != other.numbers
        counts = self.counts.copy()
        counts[place[~new]] += other.counts[~new]
        return Tally(
            np.insert(self.numbers, place[new], other.numbers[new]),
            np.insert(counts, place[new], other.counts[new]),
        )


def side(cell: int) -> int:
    """Return how many cells there are from edge to edge; the last may be cut by the edge."""
    return -(-UNITS // cell)


def kept_cell(cell: int) -> int | None:
    """Return the largest kept side length that divides another; None when touches must be read.

    With ``cell = n * kept``, the cell of a touch is a whole number of kept cells, because
    ``floor(floor(x / kept) / n) == floor(x / cell)``.
    """
    return next((kept for kept in reversed(CELLS) if cell % kept == 0), None)


def numbers(x: Column, y: Column, cell: int) -> Column:
    """Return the number of each touch's cell; there are 40,000 at most."""
    length = side(cell)
    number = y // np.uint16(cell)
    column = x // np.uint16(cell)
    if UNITS % cell == 0:
        # What lies on the right or lower edge belongs to the last cell.
        last = np.uint16(length - 1)
        np.minimum(number, last, out=number)
        np.minimum(column, last, out=column)
    number *= np.uint16(length)
    number += column
    return number


def count(touches: Touches, cell: int) -> Tally:
    """Return the counts of touches."""
    number = touches.bucket.astype(np.int64)
    number *= side(cell) ** 2
    number += numbers(touches.x, touches.y, cell)
    found, counts = np.unique(number, return_counts=True)
    return Tally(found, counts.astype(np.uint32))


def merge(counts: Counts, kept: int, cell: int) -> Counts:
    """Return counts of kept cells as counts of cells that are a multiple of them."""
    factor = cell // kept
    if factor == 1:
        return counts
    fine, coarse = side(kept), side(cell)
    sheets = counts.reshape(-1, fine, fine)
    edges = np.arange(0, fine, factor)
    rows = np.add.reduceat(sheets, edges, axis=1)
    return np.add.reduceat(rows, edges, axis=2).reshape(-1, coarse * coarse)


def encode(tally: Tally) -> bytes:
    """Return counts as they are stored, in the shorter of the two forms."""
    if not len(tally.numbers):
        return b"\x01"
    width = _width(tally.counts)
    length = int(tally.numbers[-1]) + 1
    if len(tally.numbers) * (4 + width) < length * width:
        some = tally.counts.astype(f"<u{width}").tobytes()
        return bytes([width | _SPARSE]) + tally.numbers.astype("<u4").tobytes() + some
    flat = np.zeros(length, dtype=np.uint32)
    flat[tally.numbers] = tally.counts
    return _encode_all(flat)


def encode_sum(stored: bytes, tally: Tally) -> bytes:
    """Return stored counts, and at least one more, as they are stored."""
    numbers, counts = _read(stored)
    if numbers is None and tally.numbers[-1] < len(counts):
        # Where most numbers have a count, all of them are added up faster than the pairs.
        flat = counts.astype(np.uint32)
        flat[tally.numbers] += tally.counts
        return _encode_all(flat)
    if numbers is None:
        counted = np.flatnonzero(counts)
        numbers, counts = counted, counts[counted]
    return encode(Tally(numbers.astype(np.int64), counts.astype(np.uint32)).plus(tally))


def _encode_all(flat: Counts) -> bytes:
    width = _width(flat)
    return bytes([width]) + flat.astype(f"<u{width}").tobytes()


def _width(counts: Counts) -> int:
    highest = int(counts.max())
    return 1 if highest < 1 << 8 else 2 if highest < 1 << 16 else 4


def add(total: Counts, stored: bytes) -> Counts:
    """Add a stored grid to counts of the same cells, in place, and return them.

    Where the grid has more buckets, what is returned is larger.
    """
    numbers, values = _read(stored)
    cells = total.shape[1]
    if numbers is None:
        total = grown(total, -(-len(values) // cells))
        total.reshape(-1)[: len(values)] += values
    else:
        total = grown(total, int(numbers[-1]) // cells + 1)
        # Twice as fast as ``+=``, given these very types.
        np.add.at(total.reshape(-1), numbers.astype(np.intp), values.astype(np.uint32))
    return total


def _read(stored: bytes) -> tuple[npt.NDArray[np.integer] | None, npt.NDArray[np.unsignedinteger]]:
    """Return the numbers that have a count, or None where all up to the last are there; counts."""
    width = stored[0] & ~_SPARSE
    kind = f"<u{width}"
    body = memoryview(stored)[1:]
    if not stored[0] & _SPARSE:
        return None, np.frombuffer(body, dtype=kind)
    entries = len(body) // (4 + width)
    numbers = np.frombuffer(body[: 4 * entries], dtype="<u4")
    return numbers, np.frombuffer(body[4 * entries :], dtype=kind)


def plus(one: Counts, other: Counts) -> Counts:
    """Return the sum of two, with as many buckets as the larger has."""
    total = grown(one, len(other))
    total[: len(other)] += other
    return total


def empty(cell: int, buckets: int = 1) -> Counts:
    """Return counts of nothing."""
    return np.zeros((buckets, side(cell) ** 2), dtype=np.uint32)


def grown(counts: Counts, buckets: int) -> Counts:
    """Return counts with at least so many buckets."""
    if buckets <= len(counts):
        return counts
    more = np.zeros((buckets - len(counts), counts.shape[1]), dtype=np.uint32)
    return np.concatenate((counts, more))

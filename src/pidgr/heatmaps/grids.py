"""Counts by cohort bucket and cell.

Cells are numbered from the top left, row by row; a grid has one such sheet of cells for each
bucket, so that cell ``c`` of bucket ``b`` is number ``b * cells + c``. Side lengths are in
ten-thousandths of the screen.

Stored, a grid begins with one byte: how many bytes a count has (1, 2 or 4), plus 8 when only the
numbers that have a count are there. Then come the counts of all numbers up to the last that has
one; or the numbers, four bytes each, and their counts. Little-endian.
"""

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


def count(touches: Touches, cell: int, buckets: int) -> Counts:
    """Return the counts of touches, as one row of cells for each bucket."""
    cells = side(cell) ** 2
    number = touches.bucket.astype(np.int32)
    number *= cells
    number += numbers(touches.x, touches.y, cell)
    counted = np.bincount(number, minlength=buckets * cells)
    return counted.astype(np.uint32).reshape(buckets, cells)


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


def encode(counts: Counts) -> bytes:
    """Return counts as they are stored, in the shorter of the two forms."""
    flat = counts.reshape(-1)
    numbers = np.flatnonzero(flat)
    if not len(numbers):
        return b"\x01"
    highest = int(flat.max())
    width = 1 if highest < 1 << 8 else 2 if highest < 1 << 16 else 4
    kind = f"<u{width}"
    length = int(numbers[-1]) + 1
    if len(numbers) * (4 + width) < length * width:
        some = flat[numbers].astype(kind).tobytes()
        return bytes([width | _SPARSE]) + numbers.astype("<u4").tobytes() + some
    return bytes([width]) + flat[:length].astype(kind).tobytes()


def add(total: Counts, stored: bytes) -> Counts:
    """Add a stored grid to counts of the same cells, in place, and return them.

    Where the grid has more buckets, what is returned is larger.
    """
    width = stored[0] & ~_SPARSE
    kind = f"<u{width}"
    body = memoryview(stored)[1:]
    cells = total.shape[1]
    if stored[0] & _SPARSE:
        entries = len(body) // (4 + width)
        numbers = np.frombuffer(body[: 4 * entries], dtype="<u4")
        total = grown(total, int(numbers[-1]) // cells + 1)
        values = np.frombuffer(body[4 * entries :], dtype=kind)
        # Twice as fast as ``+=``, given these very types.
        np.add.at(total.reshape(-1), numbers.astype(np.intp), values.astype(np.uint32))
        return total
    values = np.frombuffer(body, dtype=kind)
    total = grown(total, -(-len(values) // cells))
    total.reshape(-1)[: len(values)] += values
    return total


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

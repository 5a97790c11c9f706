"""Adds up touches on a grid: from sums where they fit, from the touches themselves where not."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pidgr.contract.v1.heatmap_pb import HeatmapMode
from pidgr.heatmaps import answer_store, blocks, grids
from pidgr.heatmaps.answer_store import Part, Piece
from pidgr.heatmaps.blocks import Touches
from pidgr.heatmaps.counting import Counter
from pidgr.heatmaps.grids import Counts
from pidgr.heatmaps.question import Question
from pidgr.heatmaps.ranges import Cover, cover
from pidgr.heatmaps.touches import MINUTES_PER_DAY, UNITS
from pidgr.storage.transaction import Reader

FEWEST_BUCKETS: Final = 5
"""With fewer cohorts a median would tell about one of them (SEMANTICS section 8)."""

Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heatmap:
    """An answer: the centre of each cell above 0 as shares of the screen, and its value.

    Cells come row by row.
    """

    x: Shares
    y: Shares
    value: Shares
    cohort_enabled: bool


_NO_CELLS: Final[Shares] = np.empty(0)


def answer(reader: Reader, organization_key: int, question: Question) -> Heatmap:
    """Return the heatmap of a screen; of an unknown one, nothing.

    All of it is read by one statement, so that nothing is counted twice or not at all while a task
    packs what came in.
    """
    if question.last_minute < question.first_minute:
        return _without_cells(cohort_enabled=False)
    parts = cover(question.first_minute, question.last_minute)
    kept = grids.kept_cell(question.cell)
    pieces = answer_store.pieces(reader, organization_key, question, parts, kept)
    counts, buckets = _counts(pieces, question, parts, kept)
    enabled = buckets >= FEWEST_BUCKETS
    if question.mode is not HeatmapMode.MEDIAN:
        values: Shares = counts[0].astype(np.float64)
    elif enabled:
        values = _median(counts)
    else:
        return _without_cells(cohort_enabled=False)
    return _heatmap(values, question.cell, cohort_enabled=enabled)


def _without_cells(*, cohort_enabled: bool) -> Heatmap:
    return Heatmap(_NO_CELLS, _NO_CELLS, _NO_CELLS, cohort_enabled)


def _counts(
    pieces: Iterable[Piece], question: Question, parts: Cover, kept: int | None
) -> tuple[Counts, int]:
    """Return how often cells were touched, and how many cohorts did.

    For a median there is a row for each of these cohorts, otherwise one row for all.
    """
    by_bucket = question.mode is HeatmapMode.MEDIAN
    counter = Counter(question.cell, question.event_types, by_bucket=by_bucket)
    sums = grids.empty(kept or question.cell)
    loose: list[Touches] = []
    for piece in pieces:
        if piece.part is Part.GRID:
            sums = grids.add(sums, piece.content)
        elif piece.part is Part.BATCH:
            loose.append(_wanted(blocks.read_batch(piece.content), piece.day, parts))
        elif piece.minutes is None:
            counter.add_block(blocks.decode(piece.content))
        else:
            touches = blocks.decode(piece.content, piece.minutes).touches()
            counter.add(_wanted(touches, piece.day, parts))
    if loose:
        counter.add(blocks.joined(loose))
    buckets = sorted(counter.buckets.union(np.flatnonzero(sums.any(axis=1)).tolist()))
    if not by_bucket:
        sums = sums.sum(axis=0, keepdims=True, dtype=np.uint32)
    merged = grids.merge(sums, kept or question.cell, question.cell)
    counts = grids.plus(merged, counter.counts())
    return counts[buckets] if by_bucket else counts, len(buckets)


def _wanted(touches: Touches, day: int, parts: Cover) -> Touches:
    if day not in parts.cut:
        return touches
    first = max(parts.first_minute - day * MINUTES_PER_DAY, 0)
    last = min(parts.last_minute - day * MINUTES_PER_DAY, MINUTES_PER_DAY)
    return touches.within(first, last)


def _median(touched: Counts) -> Shares:
    """Return the median of each column; sorting whole rows is faster than ``np.median``."""
    ordered = np.sort(touched, axis=0)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return np.asarray(ordered[middle], dtype=np.float64)
    return np.asarray(ordered[middle - 1 : middle + 1].mean(axis=0), dtype=np.float64)


def _heatmap(values: Shares, cell: int, *, cohort_enabled: bool) -> Heatmap:
    length = grids.side(cell)
    starts = np.arange(length) * cell
    # The last cell ends at the edge of the screen.
    centres = (starts + np.minimum(starts + cell, UNITS)) / (2 * UNITS)
    (numbers,) = np.nonzero(values)
    rows, columns = np.divmod(numbers, length)
    return Heatmap(centres[columns], centres[rows], values[numbers], cohort_enabled)

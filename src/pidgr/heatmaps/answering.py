"""Adds up touches on a grid: from sums where they fit, from the touches themselves where not."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from pidgr.contract.v1.heatmap_pb import HeatmapMode
from pidgr.heatmaps import answer_store, blocks, grids
from pidgr.heatmaps.answer_store import Part, Piece
from pidgr.heatmaps.blocks import Touches
from pidgr.heatmaps.grids import Counts
from pidgr.heatmaps.question import NOTHING, Heatmap, Question
from pidgr.heatmaps.ranges import Cover, cover
from pidgr.heatmaps.touches import MINUTES_PER_DAY, UNITS
from pidgr.storage.transaction import Reader

FEWEST_BUCKETS: Final = 5
"""With fewer cohorts a median would tell about one of them (SEMANTICS section 8)."""


def answer(reader: Reader, organization_key: int, question: Question) -> Heatmap:
    """Return the heatmap of a screen; of an unknown one, nothing.

    All of it is read by one statement, so that nothing is counted twice or not at all while a task
    packs what came in.
    """
    if question.last_minute < question.first_minute:
        return NOTHING
    parts = cover(question.first_minute, question.last_minute)
    kept = grids.kept_cell(question.cell)
    pieces = answer_store.pieces(reader, organization_key, question, parts, kept)
    counts = _counts(pieces, question, parts, kept)
    touched = counts[counts.any(axis=1)]
    if not len(touched):
        return NOTHING
    enabled = len(touched) >= FEWEST_BUCKETS
    if question.mode is not HeatmapMode.MEDIAN:
        values: npt.NDArray[np.float64] = touched.sum(axis=0, dtype=np.float64)
    elif enabled:
        values = _median(touched)
    else:
        return Heatmap([], len(touched), cohort_enabled=False)
    return Heatmap(_points(values, question.cell), len(touched), enabled)


def _counts(pieces: Iterable[Piece], question: Question, parts: Cover, kept: int | None) -> Counts:
    """Return how often each cohort touched each cell."""
    sums = grids.empty(kept or question.cell)
    direct = grids.empty(question.cell)
    for piece in pieces:
        if piece.part is Part.GRID:
            sums = grids.add(sums, piece.content)
        else:
            touches = _wanted(blocks.decode(piece.content), piece.day, question, parts)
            if len(touches):
                buckets = max(len(direct), int(touches.bucket.max()) + 1)
                direct = grids.plus(direct, grids.count(touches, question.cell, buckets))
    return grids.plus(grids.merge(sums, kept or question.cell, question.cell), direct)


def _wanted(touches: Touches, day: int, question: Question, parts: Cover) -> Touches:
    first = parts.first_minute - day * MINUTES_PER_DAY
    last = parts.last_minute - day * MINUTES_PER_DAY
    if first > 0 or last < MINUTES_PER_DAY - 1:
        minute = touches.minute.astype(np.int64)
        touches = touches.where((minute >= first) & (minute <= last))
    if question.event_types:
        touches = touches.where(np.isin(touches.event_type, list(question.event_types)))
    return touches


def _median(touched: Counts) -> npt.NDArray[np.float64]:
    """Return the median of each column; sorting whole rows is faster than ``np.median``."""
    ordered = np.sort(touched, axis=0)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return np.asarray(ordered[middle], dtype=np.float64)
    return np.asarray(ordered[middle - 1 : middle + 1].mean(axis=0), dtype=np.float64)


def _points(values: npt.NDArray[np.float64], cell: int) -> list[tuple[float, float, float]]:
    length = grids.side(cell)
    starts = np.arange(length) * cell
    # The last cell ends at the edge of the screen.
    centres = (starts + np.minimum(starts + cell, UNITS)) / (2 * UNITS)
    (numbers,) = np.nonzero(values)
    rows, columns = np.divmod(numbers, length)
    found = (centres[columns].tolist(), centres[rows].tolist(), values[numbers].tolist())
    return list(zip(*found, strict=True))

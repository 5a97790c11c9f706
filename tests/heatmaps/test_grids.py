"""Sums as they are stored, beside a naive sum; and that few touches of many days stay few."""

import tracemalloc
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pidgr.heatmaps import grids
from pidgr.heatmaps.blocks import Touches
from pidgr.heatmaps.grids import Tally
from pidgr.heatmaps.packing import counts_of
from pidgr.heatmaps.touches import kind_of

CELLS = grids.side(grids.COARSE) ** 2

numbers = st.one_of(st.integers(0, 12), st.integers(0, 5 * CELLS - 1))
counted = st.dictionaries(numbers, st.sampled_from([1, 255, 256, 65_535, 65_536]), min_size=1)


def tally(values: dict[int, int]) -> Tally:
    inside = sorted(values)
    counts = np.array([values[one] for one in inside], dtype=np.uint32)
    return Tally(np.array(inside, dtype=np.int64), counts)


def read(stored: bytes) -> dict[int, int]:
    flat = grids.add(grids.empty(grids.COARSE), stored).reshape(-1)
    return {int(one): int(flat[one]) for one in np.flatnonzero(flat)}


@given(st.lists(counted, min_size=1, max_size=4))
def test_sums_are_stored_and_read_as_they_are(parts: list[dict[int, int]]) -> None:
    wanted = sum(map(Counter, parts), Counter[int]())
    stored = grids.encode(tally(parts[0]))
    together = tally(parts[0])
    for part in parts[1:]:
        stored = grids.encode_sum(stored, tally(part))
        together = together.plus(tally(part))
    assert read(stored) == wanted
    assert read(grids.encode(together)) == wanted


def test_few_touches_of_many_days_are_few_counts() -> None:
    """As whole sheets, those of one day of the last cohort alone would take 160 MB."""
    column = np.array([9_999, 0], dtype=np.uint16)
    kinds = np.array([kind_of(1, 999), kind_of(4, 0)], dtype=np.uint16)
    days = {20_000 + day: Touches(column % 1_440, column, column, kinds) for day in range(100)}
    tracemalloc.start()
    try:
        found = counts_of(days)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(int(one.counts.sum()) for one in found.values()) == 100 * 2 * 2 * 2
    assert peak < 5_000_000

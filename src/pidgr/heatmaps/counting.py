"""Counts touches, millions at a time.

The cells of a grid have numbers of two bytes (see ``grids``), so that a block is numbered inside
the processor's cache. They are counted bucket by bucket and not block by block, because the table
of one bucket's counts fits there too, and going through it costs as much as some 20,000 touches.
"""

from collections import defaultdict
from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np

from pidgr.heatmaps import grids
from pidgr.heatmaps.blocks import Block, Column, Touches
from pidgr.heatmaps.grids import Counts
from pidgr.heatmaps.touches import BUCKET_BITS, BUCKET_MASK

_WAITING: Final = 60_000
"""Touches of a bucket, on average, that are counted at once."""
_EVERYBODY: Final = 0


class Counter:
    """Counts the touches of some types in cells: by cohort bucket, or of everybody together."""

    def __init__(self, cell: int, event_types: AbstractSet[int], *, by_bucket: bool) -> None:
        """Begin with nothing; no types means all."""
        self.buckets: Final[set[int]] = set()
        """The cohorts that touched anything."""
        self._cell = cell
        self._event_types = event_types
        self._by_bucket = by_bucket
        self._counts = grids.empty(cell)
        self._waiting: defaultdict[int, list[Column]] = defaultdict(list)
        self._waiting_size = 0

    def add_block(self, block: Block) -> None:
        """Count every touch of a block."""
        numbers = grids.numbers(block.x, block.y, self._cell)
        buckets = (block.kinds & BUCKET_MASK).tolist()
        if self._event_types or self._by_bucket:
            types = (block.kinds >> BUCKET_BITS).tolist()
            start = 0
            for event_type, bucket, end in zip(types, buckets, block.ends(), strict=True):
                if not self._event_types or event_type in self._event_types:
                    self._take(bucket, numbers[start:end])
                start = end
        else:
            self.buckets.update(buckets)
            self._waiting[_EVERYBODY].append(numbers)
            self._waiting_size += len(numbers)
        if self._waiting_size >= _WAITING * len(self._waiting):
            self._count()

    def _take(self, bucket: int, numbers: Column) -> None:
        self.buckets.add(bucket)
        self._waiting[bucket if self._by_bucket else _EVERYBODY].append(numbers)
        self._waiting_size += len(numbers)

    def add(self, touches: Touches) -> None:
        """Count touches that are in no order."""
        if not len(touches):
            return
        order = np.argsort(touches.kind, kind="stable")
        kinds, lengths = np.unique(touches.kind, return_counts=True)
        self.add_block(Block(kinds, lengths, touches.x[order], touches.y[order], None))

    def counts(self) -> Counts:
        """Return the counts, a row for each bucket or one for all."""
        self._count()
        return self._counts

    def _count(self) -> None:
        if not self._waiting:
            return
        self._counts = grids.grown(self._counts, max(self._waiting) + 1)
        cells = self._counts.shape[1]
        for row, parts in self._waiting.items():
            # Adding other types is not in place without a cast that numpy has to be allowed.
            counted = np.bincount(np.concatenate(parts), minlength=cells)
            np.add(self._counts[row], counted, out=self._counts[row], casting="unsafe")
        self._waiting.clear()
        self._waiting_size = 0

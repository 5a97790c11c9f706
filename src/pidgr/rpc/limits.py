"""Token buckets: how often an organization, or an anonymous address, may call."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from pidgr.errors import ResourceExhaustedError

# Idle buckets are full buckets, so forgetting the longest-unused one changes nothing but memory.
_REMEMBERED_BUCKETS: Final = 100_000


class RateLimiter:
    """One bucket per key, refilled continuously and capped at the burst."""

    def __init__(
        self, per_second: float, burst: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Take one call out of a key's bucket.

        Raises:
            ResourceExhaustedError: the bucket is empty; it carries the seconds until the next call.
        """
        now = self._monotonic()
        tokens, since = self._buckets.get(key, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        if tokens < 1:
            self._buckets[key] = (tokens, now)
            wait = (1 - tokens) / self._per_second
            raise ResourceExhaustedError(
                f"too many requests: the limit is {self._per_second:g} per second with a burst of "
                f"{self._burst}; try again in {math.ceil(wait)} s",
                retry_after_seconds=wait,
            )
        self._buckets[key] = (tokens - 1, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _REMEMBERED_BUCKETS:
            self._buckets.popitem(last=False)

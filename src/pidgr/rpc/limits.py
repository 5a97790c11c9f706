"""Limits on requests: how often an organization, a person or a client address may call.

The generic cell rate algorithm (ITU-T I.371): one moment per name says when its allowance will be
whole again. A call moves it one interval further, and is refused while that would take it further
than the burst from now. It admits what a token bucket admits and computes in whole microseconds,
so that what a refusal says about waiting is exact.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Protocol

from pidgr.clock import MINUTE, SECOND, Clock
from pidgr.errors import ResourceExhaustedError

# An idle name has its whole allowance, so forgetting the longest-unused one changes nothing but
# memory.
REMEMBERED_NAMES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Rate:
    """How often one name may call: ``burst`` times at once, and once more each ``interval``.

    ``interval`` is in microseconds.
    """

    interval: int
    burst: int

    @classmethod
    def of(cls, per_second: float, burst: int) -> "Rate":
        """Return the nearest rate in whole microseconds that is no faster."""
        return cls(math.ceil(SECOND / per_second), burst)

    def exhausted(self, wait: int) -> ResourceExhaustedError:
        """Return the error of a call that must wait so many microseconds."""
        pace = f"{SECOND / self.interval:g} per second"
        if self.interval > SECOND:
            pace = f"{MINUTE / self.interval:g} per minute"
        return ResourceExhaustedError(
            f"too many requests: the limit is {pace} with a burst of {self.burst}; try again in "
            f"{math.ceil(wait / SECOND)} s",
            retry_after_seconds=wait / SECOND,
        )


class Limiter(Protocol):
    """Counts calls by name."""

    async def take(self, name: str) -> None:
        """Count one call.

        Raises:
            ResourceExhaustedError: too many; it carries the seconds until the next one.
        """


class MemoryLimiter:
    """Counts in this process alone."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self.rate: Final = rate
        self._steady = clock.steady
        # A name may be so far ahead of its allowance and still call once more.
        self._tolerance = (rate.burst - 1) * rate.interval
        self._whole_at: OrderedDict[str, int] = OrderedDict()

    async def take(self, name: str) -> None:
        """See :class:`Limiter`."""
        self.take_now(name)

    def take_now(self, name: str) -> None:
        """Do the same without a coroutine."""
        now = self._steady()
        whole_at = self._whole_at.get(name, now)
        whole_at = max(whole_at, now)
        wait = whole_at - self._tolerance - now
        if wait > 0:
            raise self.rate.exhausted(wait)
        self._whole_at[name] = whole_at + self.rate.interval
        self._whole_at.move_to_end(name)
        if len(self._whole_at) > REMEMBERED_NAMES:
            self._whole_at.popitem(last=False)

    def has_room(self, name: str) -> bool:
        """Tell whether a call would pass now, without counting it."""
        return self._whole_at.get(name, 0) <= self._steady() + self._tolerance


@dataclass(frozen=True, slots=True)
class Limits:
    """Every allowance of one process."""

    organizations: Limiter
    """By organization; for people without one, by subject."""
    sign_in: Limiter
    """By client address, for ``/auth/...`` and ``/oauth/...``."""
    invites: Limiter
    """By client address, for ValidateInviteLink (SEMANTICS 6.5)."""
    public: Limiter
    """By client address, for RPCs that need no credential, and for reflection."""
    documents: MemoryLimiter
    """By client address, for keys and metadata, which are answered from memory."""
    bad_credentials: MemoryLimiter
    """By client address, for credentials nobody was ever given."""
    refusals: MemoryLimiter
    """By client address, for calls without a good credential, that are answered at once."""

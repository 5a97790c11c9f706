"""The one source of time: services ask a clock, tests turn its hands."""

import time
from datetime import UTC, datetime, timedelta

from protobuf.wkt import Timestamp

MICROSECOND = 1
MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """Wall-clock time as microseconds since 1970-01-01T00:00:00Z, the unit of every stored time."""

    def now(self) -> int:
        """Return the current time in microseconds."""
        return time.time_ns() // 1_000

    def steady(self) -> int:
        """Return microseconds since some moment, never running backwards: for pauses only."""
        return time.monotonic_ns() // 1_000

    def database_now(self) -> int | None:
        """Return what a database that others share is to take for now; None: its own clock."""
        return None


class ManualClock(Clock):
    """A clock that stands still until a test moves it."""

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        """Return the time the test has set, in microseconds."""
        return self._now

    def steady(self) -> int:
        """Return the same: what the test advances is both."""
        return self._now

    def database_now(self) -> int | None:
        """Return the same."""
        return self._now

    def advance(self, microseconds: int) -> None:
        """Move the hands forward."""
        self._now += microseconds


def to_datetime(microseconds: int) -> datetime:
    """Return the UTC datetime of a stored time, exact to the microsecond."""
    return _EPOCH + timedelta(microseconds=microseconds)


def from_datetime(moment: datetime) -> int:
    """Return the stored form of an aware datetime, in microseconds."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_timestamp(microseconds: int) -> Timestamp:
    """Return the wire form of a stored time."""
    return Timestamp.from_nanos(microseconds * 1_000)

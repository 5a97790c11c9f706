"""How quickly this process's pushes have gone of late, and whether a lane may wait for its own.

The rows of other lanes wait meanwhile (docs/decisions/0036-slow-push-providers.md).
"""

import time
from typing import Final

# Pushes may keep rows waiting as long as they go quickly: after a second, at this pace at least. A
# gateway of one's own takes many times as many, Apple and Google take fewer.
_QUICK_PER_SECOND: Final = 10_000
_SECONDS_TO_TELL: Final = 1.0
# How long it is remembered that they do not: lanes do not try meanwhile, except for what is one
# batch to a provider that is slow and not away.
_SLOW_SECONDS: Final = 30.0
_AWAY_SECONDS: Final = 10.0


class TooSlowError(Exception):
    """A lane's pushes do not go quickly; another task goes on after ``pause`` microseconds."""

    def __init__(self, pause: int = 0) -> None:
        super().__init__()
        self.pause = pause


class PushPace:
    """What is remembered. Threads may overwrite each other's: it is never more than a hint."""

    def __init__(self) -> None:
        self._slow_until = 0.0
        self._away_until = 0.0

    def require_quick(self, *, is_long: bool) -> None:
        """Check that pushes have gone quickly, before the first of a lane with several batches.

        Raises:
            TooSlowError: they have not.
        """
        now = time.monotonic()
        if now < self._away_until or (is_long and now < self._slow_until):
            raise TooSlowError

    def require_steady(self, pushes: int, seconds: float) -> None:
        """Check that a lane's pushes go quickly.

        Raises:
            TooSlowError: they do not.
        """
        if seconds > _SECONDS_TO_TELL and pushes < seconds * _QUICK_PER_SECOND:
            self._slow_until = time.monotonic() + _SLOW_SECONDS
            raise TooSlowError

    def note_away(self) -> None:
        """Remember that a provider is away."""
        self._away_until = time.monotonic() + _AWAY_SECONDS

"""Small instruments of a connection: a deadline that costs nothing to move, and a quiet log."""

import asyncio
import logging
import time
from collections.abc import Callable

logger = logging.getLogger("pidgr.rpc.server")

REFUSAL_LOG_SECONDS = 10.0


class Deadline:
    """Calls ``on_expiry`` once the time set last has passed.

    Moving a deadline further away only stores a number: the timer that is already running looks
    again when it fires. A busy connection moves it with every request.
    """

    __slots__ = ("_armed_for", "_expires_at", "_handle", "_loop", "_on_expiry")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_expiry: Callable[[], None]) -> None:
        self._loop = loop
        self._on_expiry = on_expiry
        self._expires_at: float | None = None
        self._armed_for = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Expire in ``seconds`` from now."""
        expires_at = self._expires_at = self._loop.time() + seconds
        if self._handle is not None:
            if self._armed_for <= expires_at:
                return
            self._handle.cancel()
        self._arm(expires_at)

    def set_no_later(self, seconds: float) -> None:
        """Expire in ``seconds`` from now unless it already expires before that."""
        if self._expires_at is None or self._expires_at > self._loop.time() + seconds:
            self.set(seconds)

    def clear(self) -> None:
        """Do not expire, until set again."""
        self._expires_at = None

    def close(self) -> None:
        """Never fire again and let go of the owner."""
        self._expires_at = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, at: float) -> None:
        self._armed_for = at
        self._handle = self._loop.call_at(at, self._fire)

    def _fire(self) -> None:
        self._handle = None
        if self._expires_at is None:
            return
        if self._loop.time() < self._expires_at:
            self._arm(self._expires_at)
            return
        self._expires_at = None
        self._on_expiry()


class RefusalLog:
    """Tells about refused input at most once per ten seconds, with a count.

    Anybody who reaches the port can send garbage; a line for each would let them fill the disk.
    """

    def __init__(self) -> None:
        self._silent_until = 0.0
        self._unreported = 0

    def report(self, client: tuple[str, int] | None, reason: str) -> None:
        """Count one refused input and write a warning unless one was written just now."""
        self._unreported += 1
        now = time.monotonic()
        if now < self._silent_until:
            return
        self._silent_until = now + REFUSAL_LOG_SECONDS
        count, self._unreported = self._unreported, 0
        logger.warning(
            "refused malformed input from %s: %s (%d since the last such line)",
            client[0] if client else "an unknown peer",
            reason,
            count,
        )

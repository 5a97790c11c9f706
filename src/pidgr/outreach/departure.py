"""The start of pushes: who may still start, and who is about to.

A push starts when the first byte of its request leaves. What comes before, a wait for one's turn or
for a connection, can still be given up; what comes after, the provider's answer, nobody need wait
for. The HTTP client tells of both moments in its trace events.
"""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pidgr.errors import UnavailableError

_STARTS: Final = ".send_request_headers.started"
_HAS_STARTED: Final = (
    ".send_request_body.complete",
    ".send_request_body.failed",
    ".send_request_headers.failed",
)


class NotStartedError(Exception):
    """The push was about to start and must not."""


class Departure:
    """One batch of pushes on its way out. Safe to use from several threads.

    It is closed once and for all: for good when it is ``stopped``, or until the batch is sent
    again. Closed and ``is_quiet``, none of its pushes starts any more.
    """

    def __init__(self) -> None:
        self.is_stopped = False
        self._lock = threading.Lock()
        self._is_open = True
        self._starting = 0
        self._good_until = math.inf

    def begin(self) -> None:
        """Note that a push is about to start.

        Raises:
            NotStartedError: it must not.
        """
        with self._lock:
            if not self._may_begin():
                raise NotStartedError
            self._starting += 1

    def end(self) -> None:
        """Note that a push that was about to start has left."""
        with self._lock:
            self._starting -= 1

    @contextmanager
    def start(self) -> Iterator[None]:
        """Let one leave within a block.

        Raises:
            NotStartedError: it must not.
        """
        self.begin()
        try:
            yield
        finally:
            self.end()

    def require_open(self) -> None:
        """Check that pushes may start, before work is done for one.

        Raises:
            NotStartedError: they must not.
        """
        if not self._may_begin():
            raise NotStartedError

    def _may_begin(self) -> bool:
        return self._is_open and time.monotonic() < self._good_until

    @property
    def is_quiet(self) -> bool:
        """Whether no push starts any more, and none is about to."""
        return not self._is_open and not self._starting

    def good_until(self, moment: float) -> None:
        """Let pushes start until a moment of ``time.monotonic()``, in seconds."""
        self._good_until = moment

    def close(self) -> None:
        """Start no more pushes."""
        with self._lock:
            self._is_open = False

    def stop(self) -> None:
        """Start no more pushes, of which the rest is not wanted later either."""
        with self._lock:
            self.is_stopped = True
            self._is_open = False

    def require_stopped(self) -> None:
        """Check that pushes that have not started are not wanted later either.

        Raises:
            UnavailableError: they are.
        """
        if not self.is_stopped:
            raise UnavailableError("a batch of pushes was interrupted")

    def request(self) -> dict[str, Any]:
        """Return the ``extensions`` of the request of one push (or batch) for ``httpx.Client``."""
        return {"trace": _Request(self).note}

    def async_request(self) -> dict[str, Any]:
        """Return the same for ``httpx.AsyncClient``."""
        return {"trace": _Request(self).note_async}


class _Request:
    """One request as its client's events tell of it; it may be begun again on a new connection."""

    def __init__(self, departure: Departure) -> None:
        self._departure = departure
        self._is_starting = False

    def note(self, event: str, _info: object) -> None:
        if event.endswith(_STARTS):
            self._departure.begin()
            self._is_starting = True
        elif self._is_starting and event.endswith(_HAS_STARTED):
            self._is_starting = False
            self._departure.end()

    async def note_async(self, event: str, info: object) -> None:
        self.note(event, info)

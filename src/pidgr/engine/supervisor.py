"""Looks after tasks that nobody runs any more, once a second, and forgets old ones."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import sqlalchemy
import structlog

from pidgr.clock import DAY, SECOND
from pidgr.engine import rows
from pidgr.engine.liveness import Liveness
from pidgr.engine.pump import Slots
from pidgr.errors import UnavailableError
from pidgr.storage.database import Database

_log = structlog.get_logger("pidgr.engine")

_TICK_SECONDS: Final = 1.0
_SWEEP_SECONDS: Final = 600.0
_RETENTION: Final = 7 * DAY
# Long enough for a claim to reach its thread and for an outcome to be written.
_STRANDED_AFTER: Final = 10 * SECOND


class Supervisor:
    """A thread of its own, so that a slow database never delays a handler."""

    def __init__(
        self, database: Database, liveness: Liveness, slots: Slots, wake: Callable[[], None]
    ) -> None:
        self.liveness: Final = liveness
        self._database = database
        self._slots = slots
        self._wake = wake
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="pidgr-engine-supervisor", daemon=True
        )
        self._suspects: set[tuple[str, str]] = set()
        self._next_sweep = 0.0
        self._reachable = True

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_TICK_SECONDS):
            try:
                self._tick()
                self._note(reachable=True)
            except (UnavailableError, sqlalchemy.exc.DBAPIError) as error:
                self._note(reachable=False, error=repr(error))
            except Exception:  # noqa: BLE001
                # Without this thread nobody takes over from the dead.
                _log.exception("engine supervisor failed")

    def _note(self, *, reachable: bool, error: str | None = None) -> None:
        if reachable and not self._reachable:
            _log.info("engine reaches the database again")
        elif self._reachable and not reachable:
            _log.warning("engine cannot reach the database", error=error)
        self._reachable = reachable

    def _tick(self) -> None:
        taken_over = self.liveness.check()
        if taken_over:
            _log.warning("took over tasks of a dead process", tasks=taken_over)
        if taken_over + self._revive_stranded():
            self._wake()
        if time.monotonic() >= self._next_sweep:
            self._sweep()
            self._next_sweep = time.monotonic() + _SWEEP_SECONDS

    def _revive_stranded(self) -> int:
        """Queue again what is recorded as running here and is not.

        The library leaves such a row behind when it cannot hand a claim to a thread or cannot
        record an outcome. Seen twice in a row, it is no execution between two states.
        """
        claimed = set(
            self._database.read_now(
                lambda reader: rows.claimed(reader, self.liveness.executor, _STRANDED_AFTER)
            )
        )
        active = set(self._slots.activeList())
        idle = {(key, owner) for key, owner in claimed if key not in active}
        stranded, self._suspects = idle & self._suspects, idle
        for key, owner in stranded:
            self._database.write_now(partial(rows.requeue, key=key, owner=owner))
            _log.warning("task had no execution, queued again", key=key)
        return len(stranded)

    def _sweep(self) -> None:
        while not self._stop.is_set() and self._database.write_now(
            lambda transaction: rows.sweep(transaction, _RETENTION)
        ):
            pass

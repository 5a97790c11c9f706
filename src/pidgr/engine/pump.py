"""Feeds queued tasks to the library's threads as soon as there are any.

The library's own queue threads only poll: each hop of a campaign would wait for half an interval,
a freed slot for the next poll, and a poll costs 3 ms of processor time (SQL built in Python). We
run the same loop (``dbos._queue.queue_worker_thread``) with an event that can also be woken: by a
commit of this process, by a slot that became free, and by one cheap look at the queues, which finds
other processes' tasks and timers: when the bell rings, and every tenth of a second.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from dbos import DBOS
from dbos._core import ActiveWorkflowById, QueueBucket
from dbos._queue import _INTERNAL_QUEUE_CONSTRUCTION, Queue, queue_worker_thread

from pidgr.engine import rows
from pidgr.engine.bell import Bell
from pidgr.errors import UnavailableError
from pidgr.storage.database import Database

_WATCH_SECONDS: Final = 0.1
# Only in case that looking fails while polling works.
_POLL_SECONDS: Final = 5.0
_JOIN_SECONDS: Final = 10.0

_log = structlog.get_logger("pidgr.engine")


class _Pulse(threading.Event):
    """A stop event whose ``wait`` also ends when it is woken, without being set."""

    def __init__(self) -> None:
        super().__init__()
        self._stopped = False

    def is_set(self) -> bool:
        return self._stopped

    def set(self) -> None:
        self._stopped = True
        super().set()

    def wake(self) -> None:
        super().set()

    def wait(self, timeout: float | None = None) -> bool:
        super().wait(timeout)
        # Cleared before the caller polls, so a wake-up during that poll leads to another one.
        super().clear()
        return self._stopped


class Slots(ActiveWorkflowById):
    """The library's list of running tasks, which also tells when one has ended."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        super().__init__()
        self._ended = ended

    def _remove(self, key: str, bucket: QueueBucket) -> None:
        super()._remove(key, bucket)
        if bucket is not None:
            self._ended(bucket[0])


class Pumps:
    """One polling thread per queue, and one that watches all queues."""

    def __init__(self, database: Database, concurrency: Mapping[str, int]) -> None:
        self._database = database
        self._concurrency: Final = concurrency
        self._pulses: Final = {name: _Pulse() for name in concurrency}
        self._threads: Final[list[threading.Thread]] = []
        self._stopping: Final = threading.Event()

    def start(self, library: DBOS, slots: Slots) -> None:
        """Begin to poll."""
        for name, pulse in self._pulses.items():
            queue = Queue(
                name,
                worker_concurrency=self._concurrency[name],
                polling_interval_sec=_POLL_SECONDS,
                token=_INTERNAL_QUEUE_CONSTRUCTION,
            )
            self._run(f"pidgr-engine-{name}", queue_worker_thread, pulse, library, queue)
        self._run("pidgr-engine-watch", self._watch, slots)

    def _run(self, name: str, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _watch(self, slots: Slots) -> None:
        bell = Bell(self._database, self._stopping)
        while not self._stopping.is_set():
            try:
                bell.wait(_WATCH_SECONDS)
                self._wake_queued(slots)
            except UnavailableError:
                # The supervisor says so; here it would be said ten times a second.
                continue
            except Exception:  # noqa: BLE001
                # Without this thread tasks wait for seconds.
                _log.exception("engine watch failed")
                self._stopping.wait(_WATCH_SECONDS)
        bell.close()

    def _wake_queued(self, slots: Slots) -> None:
        """Poll the queues in which something waits."""
        for name in self._database.read_now(rows.queued):
            # A full queue is polled as soon as there is room.
            if slots.count_for_queue(name) < self._concurrency[name]:
                self.wake(name)

    def wake(self, name: str) -> None:
        """Poll one queue now. A no-op for queues of the library itself."""
        pulse = self._pulses.get(name)
        if pulse is not None:
            pulse.wake()

    def wake_all(self) -> None:
        """Poll every queue now."""
        for pulse in self._pulses.values():
            pulse.wake()

    def stop(self) -> None:
        """Take no more tasks."""
        self._stopping.set()
        for pulse in self._pulses.values():
            pulse.set()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

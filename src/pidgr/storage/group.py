"""Units of work that wait at the same moment share one commit.

On SQLite a commit waits for the disk, and writes are made one after another: under load that wait
is most of what a small write costs (docs/decisions/0004-group-commit.md). PostgreSQL does the same
by itself, for commits of different connections.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final

# So that the first in a group does not wait long for the last.
_LARGEST_GROUP: Final = 64

Work = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one unit of work: its result, or the error that it alone was undone for."""

    result: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    work: Work
    future: asyncio.Future[Any]


class GroupWriter:
    """A thread that commits what coroutines hand to it.

    Args:
        commit: runs units of work in order and commits them together, and returns the outcome of
            each. If it raises, none of them has happened.
        name: of the thread.
    """

    def __init__(self, commit: Callable[[Sequence[Work]], list[Outcome]], name: str) -> None:
        self._commit = commit
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    async def write(self, work: Work) -> Any:  # noqa: ANN401 - whatever the work returns
        """Run a unit of work and return its result once it is committed."""
        if self._thread is None:
            self._start()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, future))
        return await future

    def close(self) -> None:
        """Finish what was handed over and end the thread."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            group = [first]
            last = self._gather(group)
            # A caller who has hung up by now gets nothing written; later than this, everything.
            self._write([job for job in group if not job.future.cancelled()])
            if last:
                return

    def _gather(self, group: list[_Job]) -> bool:
        """Add to the group what waits already; True when nothing will come after it."""
        with contextlib.suppress(Empty):
            while len(group) < _LARGEST_GROUP:
                job = self._jobs.get_nowait()
                if job is None:
                    return True
                group.append(job)
        return False

    def _write(self, group: list[_Job]) -> None:
        try:
            outcomes = self._commit([job.work for job in group])
        except BaseException as error:  # noqa: BLE001 - raised in the callers, who wait for it
            outcomes = [Outcome(error=error)] * len(group)
        settled: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
        for job, outcome in zip(group, outcomes, strict=True):
            settled.setdefault(job.future.get_loop(), []).append((job.future, outcome))
        for loop, outcomes_of_loop in settled.items():
            # A loop that is closed has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, outcomes_of_loop)


def _settle(outcomes: Sequence[tuple[asyncio.Future[Any], Outcome]]) -> None:
    for future, outcome in outcomes:
        if future.done():
            continue
        if outcome.error is None:
            future.set_result(outcome.result)
        else:
            future.set_exception(outcome.error)

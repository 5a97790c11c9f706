"""One attempt at a task, and what follows from how it ended."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import psycopg
import sqlalchemy
import structlog
from prometheus_client import Counter

from pidgr.clock import SECOND
from pidgr.engine import rows
from pidgr.engine.port import FailureHook, ProgressError, Queue, StoppingError, Task, TaskStatus
from pidgr.errors import UnavailableError
from pidgr.storage.database import Database

_log = structlog.get_logger("pidgr.engine")

_ATTEMPTS: Final = Counter(
    "pidgr_engine_attempts",
    "Attempts at tasks by how they ended: succeeded, retried (a defect), postponed (something"
    " could not be reached), failed (the last attempt).",
    ("handler", "outcome"),
)

# Not defects of a handler: what it needs is away and will be back.
_OUTAGES: Final = (
    UnavailableError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.TimeoutError,
)
_LONGEST_OUTAGE_DELAY: Final = 60 * SECOND
_DATABASE_RETRY_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)


class TaskFailedError(Exception):
    """What the library stores as the outcome of a task whose last attempt failed."""


class _HandedOverError(BaseException):
    """Ends the library's execution without an outcome, because the row already has its next state.

    Not an ``Exception``: the library would record one as the task's end.
    """


@dataclass(frozen=True, slots=True)
class Registration:
    """A handler and what to do when it has failed for good."""

    handler: Callable[..., Any]
    on_failure: FailureHook | None


@dataclass(frozen=True, slots=True)
class _Attempt:
    task: Task
    owner: str
    failures: int
    outages: int


class Runner:
    """Runs handlers in the library's threads.

    ``turns`` has how many of a queue may run at once. More may have been taken, on purpose or
    because the library counts a task only once its thread has begun.
    """

    def __init__(
        self,
        database: Database,
        registrations: dict[str, Registration],
        turns: Mapping[str, threading.Semaphore],
        retry_delays: Sequence[int],
        stopping: threading.Event,
    ) -> None:
        self._database = database
        self._registrations = registrations
        self._turns = turns
        self._retry_delays = retry_delays
        self._stopping = stopping

    def run(self, key: str, owner: str, handler: str, arguments: tuple[int | str, ...]) -> None:
        """Make one attempt.

        Raises:
            TaskFailedError: it was the last one and it failed.
        """
        attempt = self._begin(key, owner, handler, arguments)
        try:
            self._handle(attempt)
        except StoppingError:
            self._hand_back(attempt, delay=0)
        except _OUTAGES as error:
            self._postpone(attempt, error)
        except Exception as error:  # noqa: BLE001 - the place where a handler's defects end
            self._retry_or_fail(attempt, error)
        _ATTEMPTS.labels(handler, "succeeded").inc()
        self._leave_if_cancelled(key, owner)

    def _handle(self, attempt: _Attempt) -> None:
        """Call the handler as soon as it may run."""
        task = attempt.task
        turn = self._turns[task.queue]
        may_run = turn.acquire(blocking=False)
        if not may_run:
            turn.acquire()
        try:
            if self._stopping.is_set():
                raise StoppingError
            if not may_run:
                self._leave_if_cancelled(task.key, attempt.owner)
            self._registration(task.handler).handler(*task.arguments)
        finally:
            turn.release()

    def _registration(self, handler: str) -> Registration:
        registration = self._registrations.get(handler)
        if registration is None:
            # Usual while a new version is rolled out, so it is worth the usual retries.
            message = f"no handler is registered for {handler!r}"
            raise LookupError(message)
        return registration

    def _begin(
        self, key: str, owner: str, handler: str, arguments: tuple[int | str, ...]
    ) -> _Attempt:
        claim = self._insist(lambda: self._database.read_now(lambda r: rows.find(r, key)))
        if claim is None or claim.status is not TaskStatus.RUNNING or claim.owner != owner:
            # Cancelled, or taken over, between being taken and now.
            raise _HandedOverError
        task = Task(handler, key, arguments, Queue(claim.queue or Queue.STEPS))
        return _Attempt(task, owner, claim.failures, claim.outages)

    def _leave_if_cancelled(self, key: str, owner: str) -> None:
        """End an execution whose task was cancelled or taken over while it waited or ran.

        To record an outcome that it no longer owns, the library would wait, in one of its threads,
        for whoever owns it now.
        """
        try:
            claim = self._database.read_now(lambda reader: rows.find(reader, key))
        except _OUTAGES:
            # The library insists on recording the outcome, so it is the one to wait.
            return
        if claim is None or claim.owner != owner:
            raise _HandedOverError

    def _postpone(self, attempt: _Attempt, error: Exception) -> NoReturn:
        _ATTEMPTS.labels(attempt.task.handler, "postponed").inc()
        # At once the first time: when the database itself was away, it is back once the row can
        # be written.
        outages = 0 if isinstance(error, ProgressError) else attempt.outages
        delay = min((SECOND << outages) // 2, _LONGEST_OUTAGE_DELAY) if outages else 0
        if isinstance(error, UnavailableError):
            delay = max(delay, error.pause)
        _log.warning("task postponed", **_fields(attempt), error=repr(error), delay=delay)
        self._hand_back(attempt, delay=delay, outages=outages + 1)

    def _retry_or_fail(self, attempt: _Attempt, error: Exception) -> NoReturn:
        if attempt.failures < len(self._retry_delays):
            _ATTEMPTS.labels(attempt.task.handler, "retried").inc()
            delay = self._retry_delays[attempt.failures]
            _log.warning(
                "task failed, will be retried", **_fields(attempt), delay=delay, exc_info=error
            )
            self._hand_back(attempt, delay=delay, failures=attempt.failures + 1, outages=0)
        self._report_failure(attempt, error)
        _ATTEMPTS.labels(attempt.task.handler, "failed").inc()
        _log.error("task failed", **_fields(attempt), exc_info=error)
        # Our own class, so that nothing of the handler's state is stored with it.
        message = f"{type(error).__name__}: {error}"
        raise TaskFailedError(message) from None

    def _report_failure(self, attempt: _Attempt, error: Exception) -> None:
        registration = self._registrations.get(attempt.task.handler)
        if registration is None or registration.on_failure is None:
            return
        try:
            registration.on_failure(attempt.task, error)
        except _OUTAGES as outage:
            # The last attempt is repeated, and with it the report.
            self._postpone(attempt, outage)
        except Exception as defect:  # noqa: BLE001 - the task has failed either way
            _log.error("failure hook failed", **_fields(attempt), exc_info=defect)

    def _hand_back(
        self, attempt: _Attempt, *, delay: int, failures: int | None = None, outages: int = 0
    ) -> NoReturn:
        self._insist(
            lambda: self._database.write_now(
                lambda transaction: rows.postpone(
                    transaction,
                    attempt.task.key,
                    attempt.owner,
                    delay=delay,
                    failures=attempt.failures if failures is None else failures,
                    outages=outages,
                )
            )
        )
        raise _HandedOverError

    def _insist(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the work returns
        """Do the work however long the database is away, or leave the row to be taken over."""
        for pause in _pauses():
            try:
                return work()
            except _OUTAGES:
                if self._stopping.wait(pause):
                    break
        raise _HandedOverError


def _pauses() -> Any:  # noqa: ANN401 - an endless iterator of seconds
    yield from _DATABASE_RETRY_SECONDS
    while True:
        yield _DATABASE_RETRY_SECONDS[-1]


def _fields(attempt: _Attempt) -> dict[str, object]:
    return {
        "handler": attempt.task.handler,
        "key": attempt.task.key,
        "failures": attempt.failures,
        "outages": attempt.outages,
    }

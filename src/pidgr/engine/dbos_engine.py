"""The engine port on DBOS: a durable dispatcher of short, idempotent handlers.

Why DBOS, what of it we use, and which of its defaults would lose work: see
docs/decisions/0002-durable-engine.md. In short: one workflow function for every task, so there is
nothing to register twice; the handler's name and arguments are its arguments; nothing ever waits
inside a workflow.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

import structlog
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, WorkflowSerializationFormat
from dbos._context import assert_current_dbos_context

from pidgr.clock import MINUTE, SECOND
from pidgr.engine import bell, rows, schema
from pidgr.engine.connections import create_library_engine
from pidgr.engine.liveness import AdvisoryLocks, Liveness, SingleProcess
from pidgr.engine.logs import adopt_library_log
from pidgr.engine.port import FailureHook, Queue, StoppingError, Task, TaskStatus
from pidgr.engine.pump import Pumps, Slots
from pidgr.engine.runner import Registration, Runner
from pidgr.engine.supervisor import Supervisor
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

if TYPE_CHECKING:
    import sqlalchemy

_log = structlog.get_logger("pidgr.engine")

_WORKFLOW: Final = "pidgr.task"
_APPLICATION: Final = "pidgr"
# Tasks of another version are never run, so this changes only together with a migration of rows.
_VERSION: Final = "1"

_CONCURRENCY: Final[Mapping[str, int]] = {
    Queue.STEPS: 4,
    # Lanes are bound by the processor and the database; more of them only wait for each other.
    Queue.LANES: min(8, max(2, os.cpu_count() or 2)),
    Queue.PUSHES: 4,
    Queue.CALLS: 8,
    Queue.NUDGES: 2,
}
# A lane that has been taken begins in the moment in which another one ends; to take it then would
# keep a core waiting for 15 to 25 ms each time (measured at 125,000 recipients a second).
_TAKEN_AHEAD: Final[Mapping[str, int]] = {Queue.LANES: 1}
_MOST_TAKEN: Final[Mapping[str, int]] = {
    name: count + _TAKEN_AHEAD.get(name, 0) for name, count in _CONCURRENCY.items()
}
# Executions that the library parks until another process has recorded their outcome keep a thread.
_SPARE_THREADS: Final = 16

RETRY_DELAYS: Final = (SECOND, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE)


class DbosEngine:
    """The durable engine of one process.

    Args:
        database: where tasks are rows beside the application's.
        run_handlers: whether this process executes tasks or only adds them. On SQLite exactly one
            process executes; on PostgreSQL any number may.
        retry_delays: pauses after each failed attempt but the last, in microseconds.
        drain_seconds: how long :meth:`stop` waits for running handlers. What still runs then is
            run again by the next process.
    """

    # The library keeps one instance per process in a global.
    _executing: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        database: Database,
        *,
        run_handlers: bool,
        retry_delays: Sequence[int] = RETRY_DELAYS,
        drain_seconds: float = 10.0,
    ) -> None:
        adopt_library_log()
        self._database = database
        self._run_handlers = run_handlers
        self._drain_seconds = drain_seconds
        self._registrations: dict[str, Registration] = {}
        self._stopping = threading.Event()
        turns = {name: threading.Semaphore(count) for name, count in _CONCURRENCY.items()}
        self._runner = Runner(database, self._registrations, turns, retry_delays, self._stopping)
        self._client = DBOSClient(
            # Only lends its dialect, for which the library compiles its statements once.
            system_database_engine=database.engine,
            dbos_system_schema=schema.SCHEMA,
            application_name=_APPLICATION,
            lazy=True,
        )
        self._pumps = Pumps(database, _MOST_TAKEN)
        self._slots = Slots(self._pumps.wake)
        self._started = False
        self._pool: sqlalchemy.Engine | None = None
        self._supervisor: Supervisor | None = None

    def register(
        self, name: str, handler: Callable[..., Any], on_failure: FailureHook | None = None
    ) -> None:
        """Give tasks of this name a handler; see the port."""
        if self._started:
            message = "handlers are registered before the engine starts"
            raise RuntimeError(message)
        if name in self._registrations:
            message = f"{name!r} has a handler already"
            raise ValueError(message)
        self._registrations[name] = Registration(handler, on_failure)

    def enqueue(self, transaction: Transaction, task: Task) -> None:
        """Add a task that comes into being if and when the transaction commits; see the port."""
        options: EnqueueOptions = {
            "workflow_name": _WORKFLOW,
            "workflow_id": task.key,
            "queue_name": task.queue.value,
            "app_version": _VERSION,
            # JSON, so that a row's arguments can be read and no pickle is ever loaded.
            "serialization_type": WorkflowSerializationFormat.PORTABLE,
        }
        if task.delay > 0:
            options["delay_seconds"] = task.delay / SECOND
        self._client.enqueue_in_transaction(
            transaction.connection, options, task.handler, *task.arguments
        )
        if task.delay <= 0:
            bell.ring(transaction)
            transaction.after_commit.append(lambda: self._pumps.wake(task.queue))

    def cancel(self, transaction: Transaction, keys: Sequence[str]) -> None:
        """Keep tasks from starting once the transaction commits; see the port."""
        rows.cancel(transaction, keys)

    def move(self, transaction: Transaction, key: str, delay: int) -> None:
        """Let a waiting task start ``delay`` microseconds from now instead; see the port."""
        rows.move(transaction, key, delay)
        if delay <= 0:
            bell.ring(transaction)
            transaction.after_commit.append(self._pumps.wake_all)

    def status(self, key: str) -> TaskStatus | None:
        """Return what has become of a task, or None when the engine does not know the key."""
        claim = self._database.read_now(lambda reader: rows.find(reader, key))
        return None if claim is None else claim.status

    def checkpoint(self) -> None:
        """Raise StoppingError when the engine is stopping; see the port."""
        if self._stopping.is_set():
            raise StoppingError

    def start(self) -> None:
        """Begin to accept tasks and, in a process that executes, to run them.

        Raises:
            FailedPreconditionError: the tables are missing or old, or another process executes on
                this SQLite file.
            RuntimeError: an engine of this process executes already, or this one has been started.
        """
        if self._started:
            message = "an engine starts once; make another one"
            raise RuntimeError(message)
        schema.verify(self._database)
        if self._run_handlers:
            if not self._executing.acquire(blocking=False):
                message = "one engine executes per process: stop the other one first"
                raise RuntimeError(message)
            try:
                self._launch()
            except BaseException:
                self._shut_down()
                raise
        self._started = True

    def stop(self) -> None:
        """Finish the handlers in hand and hand back everything else. Harmless to repeat."""
        self._stopping.set()
        if not self._started or not self._run_handlers or self._pool is None:
            return
        self._pumps.stop()
        deadline = time.monotonic() + self._drain_seconds
        while self._slots.activeList() and time.monotonic() < deadline:
            time.sleep(0.01)
        left = self._slots.activeList()
        if left:
            _log.warning("tasks still running at stop, left to the next process", keys=left)
        self._shut_down()

    def _launch(self) -> None:
        self._pool = create_library_engine(self._database)
        liveness: Liveness = (
            SingleProcess(self._database)
            if self._database.dialect == "sqlite"
            else AdvisoryLocks(self._database, self._pool.connect)
        )
        self._supervisor = Supervisor(self._database, liveness, self._slots, self._pumps.wake_all)
        # Before the first task is taken: a peer that found ours without it would take them over.
        liveness.acquire()
        library = DBOS(config=self._config(liveness.executor))
        library._active_workflows_set = self._slots  # noqa: SLF001 - see pump.Slots
        # Unlimited attempts: the library counts a deploy as one, and gives up on the hundredth.
        DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=None)(_workflow(self._runner))
        # None of its own polling threads for our queues; see pump.
        DBOS.listen_queues([])
        DBOS.launch()
        self._pumps.start(library, self._slots)
        self._supervisor.start()

    def _config(self, executor: str) -> DBOSConfig:
        return {
            "name": _APPLICATION,
            "system_database_engine": self._pool,
            "dbos_system_schema": schema.SCHEMA,
            "run_migrations": False,
            "use_listen_notify": False,
            # Also how long a stop waits for that thread; it looks at memory only.
            "notification_listener_polling_interval_sec": 0.2,
            # For cron-like schedules, of which there are none.
            "scheduler_polling_interval_sec": 3600.0,
            "application_version": _VERSION,
            "executor_id": executor,
            "max_executor_threads": sum(_MOST_TAKEN.values()) + _SPARE_THREADS,
            "log_level": "WARNING",
            "enable_otlp": False,
        }

    def _shut_down(self) -> None:
        self._pumps.stop()
        if self._supervisor is not None:
            self._supervisor.stop()
        # The registry holds our workflow function, and the next engine brings its own.
        DBOS.destroy(destroy_registry=True)
        if self._supervisor is not None:
            self._supervisor.liveness.release()
        if self._pool is not None:
            self._pool.dispose()
            self._pool = None
        self._executing.release()


def _workflow(runner: Runner) -> Callable[..., None]:
    """Return a plain function: the library sets attributes on what it decorates."""

    def execute(handler: str, *arguments: int | str) -> None:
        context = assert_current_dbos_context()
        runner.run(context.workflow_id, context.owner_xid or "", handler, arguments)

    return execute

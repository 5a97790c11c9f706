"""Everything the application may know of the durable engine.

A task is a row that commits with the caller's own rows and then runs a registered handler at
least once, in some process, at some time after its delay. Handlers are synchronous, short and
idempotent by the application's own tables, so the engine behind this port stays replaceable.
"""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pidgr.errors import UnavailableError
from pidgr.storage.transaction import Transaction


class Queue(enum.StrEnum):
    """Tasks of one queue share a limit on how many run at once in each process."""

    STEPS = "steps"
    """Milliseconds of database work: one workflow step."""
    LANES = "lanes"
    """Seconds to minutes of database work: one part of a fan-out."""
    PUSHES = "pushes"
    """Minutes of waiting for push providers, which no other fan-out must wait behind."""
    CALLS = "calls"
    """Waiting for somebody else's server."""
    NUDGES = "nudges"
    """Minutes of handing messages to somebody else's server, which codes to sign in with and
    webhooks must not wait behind."""


class TaskStatus(enum.StrEnum):
    """What has become of a task."""

    WAITING = "waiting"
    """Its delay, or the pause before another attempt, has not passed yet."""
    QUEUED = "queued"
    """It runs as soon as a process has room for it."""
    RUNNING = "running"
    """A process has taken it; if that process died, another one is about to take it."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Every attempt raised; it does not run again."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Task:
    """One call of a handler, to be made after the surrounding transaction has committed."""

    handler: str
    """The name a handler is registered under."""
    key: str
    """Idempotency key: while the engine remembers a task (a week after its end), enqueueing
    another one under the same key does nothing. What must never happen twice, however late, is
    for the application's own tables to prevent."""
    arguments: tuple[int | str, ...] = ()
    queue: Queue = Queue.STEPS
    delay: int = 0
    """Microseconds from now by the wall clock; timers start up to 1.3 seconds late, never early."""


Handler = Callable[..., None]
"""Called with a task's arguments. Any exception means the attempt has failed.

Failures to reach something (``UnavailableError`` and the drivers' operational errors) are tried
again without limit, after the pause they ask for at the earliest; any other exception is taken for
a defect and tried a few times more.
"""


class ProgressError(UnavailableError):
    """Something could not be reached, after the handler had got further than its last attempt.

    The pauses between attempts grow while nothing moves; this one begins them anew.
    """


FailureHook = Callable[[Task, Exception], None]
"""Called once, after the last attempt, before the task becomes FAILED. Idempotent like handlers:
a crash at that moment repeats the last attempt."""


class StoppingError(BaseException):
    """The engine is stopping: let it through, and the task runs again in the next process.

    Not an ``Exception``, so that no handler's ``except Exception`` takes it for a failure.
    """


class Engine(Protocol):
    """Runs tasks. One object per process."""

    def register(
        self, name: str, handler: Callable[..., Any], on_failure: FailureHook | None = None
    ) -> None:
        """Give tasks of this name a handler.

        Raises:
            ValueError: the name is taken.
            RuntimeError: the engine has been started.
        """

    def enqueue(self, transaction: Transaction, task: Task) -> None:
        """Add a task that comes into being if and when the transaction commits.

        Under a key that is already known nothing happens, whatever became of that task.
        """

    def cancel(self, transaction: Transaction, keys: Sequence[str]) -> None:
        """Keep tasks from starting once the transaction commits.

        A task that is running is not interrupted, but does not start again after a crash or a
        failed attempt. Unknown and finished keys are ignored.
        """

    def move(self, transaction: Transaction, key: str, delay: int) -> None:
        """Let a waiting task start ``delay`` microseconds from now instead.

        0 or less starts it at once. Ignored unless the task is WAITING.
        """

    def status(self, key: str) -> TaskStatus | None:
        """Return what has become of a task, or None when the engine does not know the key.

        Raises:
            UnavailableError: the database cannot be reached.
        """

    def checkpoint(self) -> None:
        """Called by long handlers where they can be interrupted, for example between batches.

        Raises:
            StoppingError: the engine is stopping.
        """

    def start(self) -> None:
        """Begin to accept tasks and, in a process that executes, to run them."""

    def stop(self) -> None:
        """Finish the handlers in hand and hand back everything else."""

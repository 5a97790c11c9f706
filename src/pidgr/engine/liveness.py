"""Who is alive: so that a dead process's tasks are taken over, and a living one's are not.

PostgreSQL: each executing process holds an advisory lock on its own session. When the process
dies, its socket closes and the lock is free at once, so there are no heartbeats to write and no
timeouts to guess. SQLite: one executing process at a time, by a lock on a file beside the
database; what is found running when it starts was a dead process's.
"""

import fcntl
import hashlib
import os
import socket
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TextIO

import sqlalchemy

from pidgr.engine import rows
from pidgr.errors import FailedPreconditionError
from pidgr.storage.database import Database

_TRY_LOCK: Final = sqlalchemy.text("select pg_try_advisory_lock(:lock)")
_UNLOCK: Final = sqlalchemy.text("select pg_advisory_unlock(:lock)")
_PING: Final = sqlalchemy.text("select 1")


class Liveness(Protocol):
    """This process's sign of life, and its eye on the others'."""

    executor: str
    """The name under which this process takes tasks."""

    def acquire(self) -> None:
        """Show that this process lives, before it takes its first task."""

    def check(self) -> int:
        """Renew the sign if it was lost and take over from the dead; return how many tasks."""

    def release(self) -> None:
        """Let others take over what this process still has."""


class SingleProcess(Liveness):
    """SQLite: the one process that executes."""

    executor = "local"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._file: TextIO | None = None

    def acquire(self) -> None:
        """Lock the file, then queue again whatever the last process was running.

        Raises:
            FailedPreconditionError: another process executes on this database.
        """
        # The file stays behind: removing it would let two processes lock two different ones.
        file = _lock_path(self._database).open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            error = _occupied(self._database, _holder(file))
            file.close()
            raise error from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file
        self._database.write_now(lambda transaction: rows.revive(transaction, self.executor))

    def check(self) -> int:
        """Return 0: there is nobody to take over from."""
        return 0

    def release(self) -> None:
        """Unlock the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def occupant(database: Database) -> str | None:
    """Return the process (its pid) that executes on this SQLite database, and change nothing."""
    path = _lock_path(database)
    if not path.exists():
        return None
    with path.open(encoding="ascii") as file:
        try:
            # Shared, so that two who look at once do not see each other.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _holder(file)
    return None


def require_unoccupied(database: Database) -> None:
    """Check that no process executes on this SQLite database.

    Raises:
        FailedPreconditionError: one does.
    """
    pid = occupant(database)
    if pid is not None:
        raise _occupied(database, pid)


def _lock_path(database: Database) -> Path:
    return Path(f"{database.url.database}.lock")


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip() or "unknown"


def _occupied(database: Database, pid: str) -> FailedPreconditionError:
    return FailedPreconditionError(
        f"another process (pid {pid}) is running on {database.url.database}:"
        " SQLite serves one process; stop that one, or use PostgreSQL"
    )


class AdvisoryLocks(Liveness):
    """PostgreSQL: any number of processes, each with a name of its own."""

    def __init__(self, database: Database, connect: Callable[[], sqlalchemy.Connection]) -> None:
        self.executor = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._database = database
        self._connect = connect
        self._connection: sqlalchemy.Connection | None = None

    def acquire(self) -> None:
        """Lock this process's name on a session of its own."""
        connection = self._connect().execution_options(isolation_level="AUTOCOMMIT")
        # Out of the pool for good: the lock lives as long as this session does.
        connection.detach()
        self._connection = connection
        # Fails only while a peer, taking us for dead, is at our rows; the next check repeats it.
        if not self._try_lock(self.executor):
            self._drop()

    def check(self) -> int:
        """Renew the sign if it was lost and take over from the dead; return how many tasks.

        Raises:
            sqlalchemy.exc.OperationalError: the database cannot be reached.
            UnavailableError: the same.
        """
        try:
            if self._connection is None:
                self.acquire()
            else:
                self._connection.execute(_PING)
            others = set(self._database.read_now(rows.executors)) - {self.executor}
            return sum(self._take_over_if_dead(executor) for executor in others)
        except sqlalchemy.exc.DBAPIError:
            self._drop()
            raise

    def _take_over_if_dead(self, executor: str) -> int:
        if self._connection is None or not self._try_lock(executor):
            return 0
        try:
            return self._database.write_now(lambda transaction: rows.revive(transaction, executor))
        finally:
            self._connection.execute(_UNLOCK, {"lock": _lock_number(executor)})

    def _try_lock(self, executor: str) -> bool:
        assert self._connection is not None  # noqa: S101
        return bool(self._connection.execute(_TRY_LOCK, {"lock": _lock_number(executor)}).scalar())

    def _drop(self) -> None:
        if self._connection is not None:
            # Detached, so this ends the session. Invalidating would only forget it.
            self._connection.close()
            self._connection = None

    def release(self) -> None:
        """End the session, and the lock with it."""
        self._drop()


def _lock_number(executor: str) -> int:
    digest = hashlib.sha256(f"pidgr.engine.{executor}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)

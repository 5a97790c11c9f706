"""Connections and units of work on both databases.

Stores are synchronous functions of a transaction; the server runs them from its event loop
through :meth:`Database.read` and :meth:`Database.write`, workflows call :meth:`Database.read_now`
and :meth:`Database.write_now` from their own threads. One code path serves both, and a thread hop
with a synchronous driver costs no more than the asynchronous driver (research: 86 us against
167 us a point read on PostgreSQL, 9 us inline on SQLite).
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any, Final, TypeVar

import psycopg
import pysqlite3.dbapi2 as sqlite
import sqlalchemy
import structlog
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from pidgr.errors import SetupError, UnavailableError
from pidgr.storage.gate import WriteGate
from pidgr.storage.group import GroupWriter, Outcome, Work
from pidgr.storage.sql import Dialect, Statement
from pidgr.storage.transaction import Reader, Transaction

Result = TypeVar("Result")

log = structlog.get_logger("pidgr.storage")

# Enough to keep two cores and a local PostgreSQL busy; each thread holds at most two connections.
_POSTGRESQL_THREADS: Final = 6
_FAILURES: Final = (psycopg.OperationalError, sqlalchemy.exc.OperationalError)
# A server that has vanished without a word is given up after half a minute; without these the
# operating system waits for two hours. The database's URL may say otherwise.
_NETWORK: Final[Mapping[str, int]] = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# Of a write that the database undoes before its commit.
_MOST_ATTEMPTS: Final = 3
_SQLITE_THREADS: Final = 2
_SQLITE_BUSY_MILLISECONDS: Final = 30_000
_SQLITE_SWITCH_PAUSE_SECONDS: Final = 0.005
# Of each connection, and each thread may have two. The commit of another connection empties it, and
# what it does not hold is in the system's cache: a fan-out is as fast with it as with 8 MiB, which
# took 14 MB more.
_SQLITE_CACHE_KIB: Final = 1_024
_URL_FORMS: Final = "use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"

_POSTGRESQL_CHANGE_TIME: Final = Statement(
    "select 0", postgresql="select (extract(epoch from clock_timestamp()) * 1000000)::bigint"
)


def normalise_url(url: str) -> sqlalchemy.URL:
    """Return the SQLAlchemy form of a database URL.

    Raises:
        SetupError: neither ``sqlite:///FILE`` nor ``postgresql://...``.
    """
    try:
        parsed = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise SetupError(f"the database URL cannot be read; {_URL_FORMS}") from error
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in {None, "", ":memory:"}:
            raise SetupError(f"a database in memory would be one per connection; {_URL_FORMS}")
        return parsed.set(drivername="sqlite")
    if parsed.get_backend_name() in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise SetupError(f"{parsed.drivername!r} databases are not supported; {_URL_FORMS}")


def create_engine(url: sqlalchemy.URL) -> sqlalchemy.Engine:
    """Return an engine with this project's settings and no pool: threads keep their connections."""
    if url.get_backend_name() == "sqlite":
        engine = sqlalchemy.create_engine(
            url, module=sqlite, poolclass=NullPool, connect_args={"check_same_thread": False}
        )
        event.listen(engine, "connect", prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
        return engine
    defaults = {name: value for name, value in _NETWORK.items() if name not in url.query}
    return sqlalchemy.create_engine(
        url,
        poolclass=NullPool,
        connect_args={"application_name": "pidgr", "prepare_threshold": 2, **defaults},
    )


def _switch_to_wal(connection: Any) -> None:  # noqa: ANN401 - a DBAPI connection
    """Make the file a WAL database, which it then stays.

    The switch needs the file for itself and does not wait for its turn, whatever the busy timeout:
    of several processes that open a new file at once, the others are told it is locked.
    """
    deadline = time.monotonic() + _SQLITE_BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("pragma journal_mode=WAL")
        except sqlite.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_SQLITE_SWITCH_PAUSE_SECONDS)
        else:
            return


def prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
    """Give a new connection this project's settings; for the pool's "connect" event."""
    connection.isolation_level = None
    # WAL and synchronous=FULL: a commit survives kill -9 and power loss (0.12 ms a commit here).
    connection.execute(f"pragma busy_timeout={_SQLITE_BUSY_MILLISECONDS}")
    _switch_to_wal(connection)
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        f"cache_size=-{_SQLITE_CACHE_KIB}",
        "temp_store=MEMORY",
    ):
        connection.execute(f"pragma {pragma}")


def _begin_immediate(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class Database:
    """The database of one process."""

    def __init__(self, url: str) -> None:
        self.url: Final = normalise_url(url)
        self.dialect: Final[Dialect] = (
            "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"
        )
        self.gate: Final = WriteGate()
        # The durable engine compiles its statements for this engine's dialect object.
        self.engine: Final = create_engine(self.url)
        self._local = threading.local()
        self._connections: list[sqlalchemy.Connection] = []
        self._connections_lock = threading.Lock()
        self._group = GroupWriter(self._write_group, "pidgr-database-writer")
        # On SQLite for reads that may return many rows, on PostgreSQL for everything.
        threads = _SQLITE_THREADS if self.dialect == "sqlite" else _POSTGRESQL_THREADS
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="pidgr-database")
        self._last_change = 0

    def close(self) -> None:
        """Finish the work in hand and close every connection."""
        self._group.close()
        self._threads.shutdown()
        with self._connections_lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self.engine.dispose()

    async def read(self, work: Callable[[Reader], Result], *, heavy: bool = False) -> Result:
        """Run a read-only unit of work. ``heavy`` ones may return thousands of rows."""
        if self.dialect == "sqlite" and not heavy:
            return self.read_now(work)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.read_now, work)

    async def write(self, work: Callable[[Transaction], Result], *, durable: bool = True) -> Result:
        """Run a unit of work that writes, ahead of background writers, and commit it.

        On SQLite units that wait at the same moment share a commit, which is durable for all of
        them; each is undone by itself. On PostgreSQL ``durable`` is as for :meth:`write_now`.
        """
        if self.dialect == "sqlite":
            written: Result = await self._group.write(work)
            return written
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, lambda: self.write_now(work, durable=durable)
        )

    def read_now(self, work: Callable[[Reader], Result]) -> Result:
        """Run a read-only unit of work in the calling thread.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        try:
            return self._read_once(work)
        except _FAILURES:
            # The server may have restarted since this thread last spoke to it; reads may repeat.
            self._drop("reader")
        try:
            return self._read_once(work)
        except _FAILURES as error:
            self._drop("reader")
            raise _unavailable() from error

    def _read_once(self, work: Callable[[Reader], Result]) -> Result:
        driver = self._connection("reader").connection.driver_connection
        if self.dialect == "postgresql":
            return work(Reader(driver, self.dialect))
        assert driver is not None  # noqa: S101 - NullPool hands out live connections
        driver.execute("begin")
        try:
            return work(Reader(driver, self.dialect))
        finally:
            driver.execute("commit")

    def write_now(
        self, work: Callable[[Transaction], Result], *, urgent: bool = False, durable: bool = True
    ) -> Result:
        """Run a unit of work that writes in the calling thread, and commit it.

        A unit that the database undoes before its commit, because the connection was lost or to
        end a deadlock, is done again: what it does to anything but the transaction must bear that.

        Args:
            work: the unit of work.
            urgent: go ahead of background writers.
            durable: whether to wait until the commit is on the disk. If not, a power cut may undo
                it, but never without undoing everything that was committed after it, and the next
                durable commit, of anybody, makes it durable too.

        Raises:
            UnavailableError: the database cannot be reached. Whether a commit in flight when the
                connection broke took effect is unknown, as with any database.
        """
        for _ in range(_MOST_ATTEMPTS - 1):
            try:
                return self._write_once(work, urgent=urgent, durable=durable)
            except _UndoneError as error:
                log.warning("a transaction is done again", error=type(error.__cause__).__name__)
        try:
            return self._write_once(work, urgent=urgent, durable=durable)
        except _UndoneError as error:
            raise _unavailable() from error

    def _write_once(
        self, work: Callable[[Transaction], Result], *, urgent: bool, durable: bool
    ) -> Result:
        with self._writing(urgent=urgent, durable=durable) as connection:
            transaction = Transaction(connection, self.dialect, self._change_time)
            result = work(transaction)
        _call(transaction.after_commit)
        return result

    def _write_group(self, works: Sequence[Work]) -> list[Outcome]:
        """Run units of work one after another and commit them together; SQLite only.

        Raises:
            UnavailableError: the database failed, and none of them has happened.
        """
        try:
            return self._write_group_once(works)
        except _UndoneError as error:
            raise _unavailable() from error

    def _write_group_once(self, works: Sequence[Work]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        callbacks: list[Callable[[], None]] = []
        with self._writing(urgent=True) as connection:
            driver = connection.connection.driver_connection
            assert driver is not None  # noqa: S101 - NullPool hands out live connections
            for work in works:
                transaction = Transaction(connection, self.dialect, self._change_time)
                driver.execute("savepoint unit")
                try:
                    outcomes.append(Outcome(work(transaction)))
                except sqlalchemy.exc.OperationalError:
                    raise
                except Exception as error:  # noqa: BLE001 - raised in the caller, who waits for it
                    driver.execute("rollback to unit")
                    outcomes.append(Outcome(error=error))
                else:
                    callbacks += transaction.after_commit
                driver.execute("release unit")
        _call(callbacks)
        return outcomes

    @contextmanager
    def _writing(self, *, urgent: bool, durable: bool = True) -> Iterator[sqlalchemy.Connection]:
        """Open a transaction of this thread for the length of a block.

        Raises:
            _UndoneError: the database failed before the commit was asked for.
            UnavailableError: it cannot be reached, or failed at the commit.
        """
        undone: Exception | None = None
        try:
            with self.gate.turn(urgent=urgent) if self.dialect == "sqlite" else nullcontext():
                connection = self._connection("writer")
                with self._commits(connection, durable=durable), connection.begin():
                    try:
                        if not durable and self.dialect == "postgresql":
                            connection.exec_driver_sql("set local synchronous_commit = off")
                        yield connection
                    except _FAILURES as error:
                        undone = error
                        raise
        except _FAILURES as error:
            self._drop("writer")
            # The rollback of a lost connection fails too, which is no news.
            if undone is not None:
                raise _UndoneError from undone
            raise _unavailable() from error

    @contextmanager
    def _commits(self, connection: sqlalchemy.Connection, *, durable: bool) -> Iterator[None]:
        """Let SQLite's commits within a block not wait for the disk, unless they are durable."""
        if durable or self.dialect == "postgresql":
            yield
            return
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - NullPool hands out live connections
        driver.execute("pragma synchronous=NORMAL")
        try:
            yield
        finally:
            driver.execute("pragma synchronous=FULL")

    def _change_time(self, transaction: Transaction) -> int:
        if self.dialect == "postgresql":
            moment: int = transaction.value(_POSTGRESQL_CHANGE_TIME)
            return moment
        # Called inside the write gate, so commits carry increasing times.
        self._last_change = max(time.time_ns() // 1_000, self._last_change + 1)
        return self._last_change

    def _connection(self, role: str) -> sqlalchemy.Connection:
        connection: sqlalchemy.Connection | None = getattr(self._local, role, None)
        if connection is None:
            connection = self._connect(role)
            setattr(self._local, role, connection)
            with self._connections_lock:
                self._connections.append(connection)
        return connection

    def session(self) -> sqlalchemy.Connection:
        """Open a connection of the caller's own, whose statements commit by themselves.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        return self._open().execution_options(isolation_level="AUTOCOMMIT")

    def _open(self) -> sqlalchemy.Connection:
        try:
            return self.engine.connect()
        except sqlalchemy.exc.OperationalError as error:
            raise _unavailable() from error

    def _connect(self, role: str) -> sqlalchemy.Connection:
        connection = self._open()
        if role == "writer":
            return connection
        if self.dialect == "sqlite":
            driver = connection.connection.driver_connection
            assert driver is not None  # noqa: S101
            driver.execute("pragma query_only=ON")
            return connection
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("set default_transaction_read_only = on")
        return connection

    def _drop(self, role: str) -> None:
        connection: sqlalchemy.Connection | None = getattr(self._local, role, None)
        if connection is None:
            return
        setattr(self._local, role, None)
        with self._connections_lock:
            self._connections.remove(connection)
        connection.invalidate()
        connection.close()


class _UndoneError(Exception):
    """The database has undone a unit of work whose commit had not been asked for."""


def _call(callbacks: Iterable[Callable[[], None]]) -> None:
    """Do what follows a commit. Whatever fails, the unit of work has happened and must say so."""
    for callback in callbacks:
        try:
            callback()
        except Exception:
            log.exception("what follows a commit has failed")


def _unavailable() -> UnavailableError:
    return UnavailableError("the database cannot be reached; try again shortly")

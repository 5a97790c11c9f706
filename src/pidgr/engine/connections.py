"""The engine library's own connections, set up so that they live well beside ours.

On SQLite every write of the process passes ``database.gate``. The library opens its transactions
itself and begins most of them with a SELECT, so its connections take their turn at the gate with
the first statement that writes and give it back when that transaction ends; polling stays free.
"""

from typing import Any, Final

import pysqlite3.dbapi2 as sqlite
import sqlalchemy
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from pidgr.storage.database import Database, prepare_sqlite
from pidgr.storage.gate import WriteGate

# Inbox reads look for the oldest writer of ours in flight; this name keeps the library's
# second-long advisory-lock transactions out of that.
APPLICATION_NAME: Final = "pidgr-engine"

_READS: Final = ("SELECT", "PRAGMA", "WITH", "EXPLAIN")
_SQLITE_CACHE_KIB: Final = 2_048


class _GatedCursor(sqlite.Cursor):  # type: ignore[misc]
    def execute(self, sql: str, parameters: Any = ()) -> Any:  # noqa: ANN401
        return self.connection.gated(sql, super().execute, parameters)

    def executemany(self, sql: str, parameters: Any) -> Any:  # noqa: ANN401
        return self.connection.gated(sql, super().executemany, parameters)


class _GatedConnection(sqlite.Connection):  # type: ignore[misc]
    """Holds the gate from its first write to the end of that transaction."""

    gate: WriteGate
    _holding = False

    def cursor(self, factory: type[Any] = _GatedCursor) -> Any:  # noqa: ANN401
        return super().cursor(factory)

    def gated(self, sql: str, run: Any, parameters: Any) -> Any:  # noqa: ANN401
        if not self._holding and not sql.lstrip()[:8].upper().startswith(_READS):
            self.gate.acquire()
            self._holding = True
        try:
            return run(sql, parameters)
        finally:
            self._release_outside_transaction()

    def commit(self) -> None:
        try:
            super().commit()
        finally:
            self._release_outside_transaction()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self._release_outside_transaction()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._release()

    def _release_outside_transaction(self) -> None:
        if not self.in_transaction:
            self._release()

    def _release(self) -> None:
        if self._holding:
            self._holding = False
            self.gate.release()


def create_library_engine(database: Database) -> sqlalchemy.Engine:
    """Return the connection pool to hand to the library."""
    if database.dialect == "sqlite":
        return _create_sqlite(database)
    return sqlalchemy.create_engine(
        database.url,
        pool_size=5,
        max_overflow=15,
        pool_pre_ping=True,
        connect_args={
            "application_name": APPLICATION_NAME,
            "connect_timeout": 10,
            # A vanished peer is noticed within about ten seconds, not after the system's hours.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
        },
    )


def _create_sqlite(database: Database) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(
        database.url,
        module=sqlite,
        poolclass=QueuePool,
        pool_size=10,
        max_overflow=20,
        connect_args={"check_same_thread": False, "factory": _GatedConnection},
    )

    def prepare(connection: Any, record: object) -> None:  # noqa: ANN401 - a DBAPI connection
        connection.gate = database.gate
        prepare_sqlite(connection, record)
        connection.execute(f"pragma cache_size=-{_SQLITE_CACHE_KIB}")
        # The library expects the driver to begin transactions, and only before a write.
        connection.isolation_level = "IMMEDIATE"

    event.listen(engine, "connect", prepare)
    return engine

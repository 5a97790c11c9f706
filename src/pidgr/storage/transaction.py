"""One unit of work: what a store may do with the database."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeVar

import psycopg
import pysqlite3.dbapi2 as sqlite
import sqlalchemy
from sqlalchemy.dialects import postgresql

from pidgr.storage.sql import Dialect, Statement

Record = TypeVar("Record")
Parameters = Mapping[str, object]
Row = tuple[Any, ...]

_POSTGRESQL: Final[sqlalchemy.Dialect] = postgresql.dialect()  # type: ignore[no-untyped-call]
_NO_PARAMETERS: Final[Parameters] = {}


@lru_cache
def _column_types(table: str, columns: tuple[str, ...]) -> list[str]:
    """Return the names PostgreSQL has for the types of a table's columns."""
    from pidgr.storage.schema import metadata  # noqa: PLC0415 - 2.5 MB, and SQLite needs no types

    types = (metadata.tables[table].c[name].type for name in columns)
    # Without a collation, which is no part of the type.
    return [
        str(one.compile(dialect=_POSTGRESQL)).lower().partition(" collate ")[0] for one in types
    ]


class UniqueViolationError(Exception):
    """A row with the same unique key exists.

    The unit of work can only be rolled back now, or to a savepoint.
    """


class Reader:
    """Reads inside one unit of work. Statements run on the driver, not through the SQL toolkit."""

    def __init__(self, driver_connection: Any, dialect: Dialect) -> None:  # noqa: ANN401 - two drivers
        self._driver = driver_connection
        self.dialect: Final = dialect

    def _cursor(self, statement: Statement, parameters: Parameters) -> Any:  # noqa: ANN401
        try:
            if self.dialect == "sqlite":
                return self._driver.execute(statement.sqlite, parameters)
            return self._driver.execute(statement.postgresql, parameters, binary=True)
        except (psycopg.errors.UniqueViolation, sqlite.IntegrityError) as error:
            if isinstance(error, sqlite.IntegrityError) and "UNIQUE" not in str(error):
                raise
            raise UniqueViolationError from error

    def rows(self, statement: Statement, parameters: Parameters = _NO_PARAMETERS) -> list[Row]:
        """Return every row."""
        found: list[Row] = self._cursor(statement, parameters).fetchall()
        return found

    def each(self, statement: Statement, parameters: Parameters = _NO_PARAMETERS) -> Iterator[Row]:
        """Yield every row while the database is still finding the next; for many megabytes.

        PostgreSQL sends values in their binary form and is a processor of its own meanwhile. Until
        the last row nothing else can be asked there.
        """
        if self.dialect == "sqlite":
            yield from self._cursor(statement, parameters)
            return
        with self._driver.cursor() as cursor:
            yield from cursor.stream(statement.text(self.dialect), parameters, binary=True)

    def row(self, statement: Statement, parameters: Parameters = _NO_PARAMETERS) -> Row | None:
        """Return the first row, or None."""
        found: Row | None = self._cursor(statement, parameters).fetchone()
        return found

    def value(self, statement: Statement, parameters: Parameters = _NO_PARAMETERS) -> Any:  # noqa: ANN401
        """Return the first column of the first row, or None."""
        found = self.row(statement, parameters)
        return None if found is None else found[0]

    def records(
        self,
        record: Callable[..., Record],
        statement: Statement,
        parameters: Parameters = _NO_PARAMETERS,
    ) -> list[Record]:
        """Return every row as ``record(*columns)``."""
        return [record(*row) for row in self._cursor(statement, parameters).fetchall()]

    def record(
        self,
        record: Callable[..., Record],
        statement: Statement,
        parameters: Parameters = _NO_PARAMETERS,
    ) -> Record | None:
        """Return the first row as ``record(*columns)``, or None."""
        row = self._cursor(statement, parameters).fetchone()
        return None if row is None else record(*row)

    def array(self, values: Sequence[object]) -> object:
        """Return a list parameter for ``json_each(:x)`` on SQLite and ``any(:x)`` on PostgreSQL."""
        return json.dumps(values) if self.dialect == "sqlite" else list(values)


class Transaction(Reader):
    """A unit of work that writes. It commits when its function returns and not before."""

    def __init__(
        self,
        connection: sqlalchemy.Connection,
        dialect: Dialect,
        change_time: Callable[["Transaction"], int],
    ) -> None:
        super().__init__(connection.connection.driver_connection, dialect)
        # The durable engine enqueues on this same connection, so that business rows and the next
        # workflow commit together.
        self.connection: Final = connection
        self.after_commit: Final[list[Callable[[], None]]] = []
        self._read_change_time = change_time
        self._change_time: int | None = None

    def change_time(self) -> int:
        """Return this transaction's position in the order of inbox changes, in microseconds.

        It is database time, not the service clock: on SQLite strictly increasing per commit, on
        PostgreSQL a moment after the transaction's start, which an inbox cursor can compare with
        the oldest transaction still in flight (see ``pidgr.inbox.store``).
        """
        if self._change_time is None:
            self._change_time = self._read_change_time(self)
        return self._change_time

    def execute(self, statement: Statement, parameters: Parameters = _NO_PARAMETERS) -> int:
        """Run a statement and return how many rows it touched."""
        count: int = self._cursor(statement, parameters).rowcount
        return count

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo a block that fails, and only that, so that the unit of work can go on."""
        self._driver.execute("savepoint part")
        try:
            yield
        except BaseException:
            self._driver.execute("rollback to savepoint part")
            raise
        finally:
            self._driver.execute("release savepoint part")

    def bulk_insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert many rows by the driver's fastest way: COPY or one prepared statement."""
        names = ", ".join(columns)
        try:
            if self.dialect == "sqlite":
                marks = ", ".join("?" for _ in columns)
                text = f"insert into {table} ({names}) values ({marks})"
                self._driver.executemany(text, rows)
                return
            with (
                self._driver.cursor() as cursor,
                cursor.copy(f"copy {table} ({names}) from stdin (format binary)") as copy,
            ):
                copy.set_types(_column_types(table, tuple(columns)))
                for row in rows:
                    copy.write_row(row)
        except (psycopg.errors.UniqueViolation, sqlite.IntegrityError) as error:
            raise UniqueViolationError from error

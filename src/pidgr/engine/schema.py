"""The engine library's own tables: made by ``pidgr migrate``, checked by every process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dbos._error import DBOSInitializationError
from dbos._serialization import DefaultSerializer
from dbos._sys_db import SystemDatabase

from pidgr.engine.connections import create_library_engine
from pidgr.engine.logs import adopt_library_log
from pidgr.errors import FailedPreconditionError
from pidgr.storage.database import Database

SCHEMA: Final = "dbos"


@contextmanager
def _system_database(database: Database) -> Iterator[SystemDatabase]:
    adopt_library_log()
    engine = create_library_engine(database)
    try:
        yield SystemDatabase.create(
            system_database_url="sqlite://" if database.dialect == "sqlite" else "postgresql://",
            engine_kwargs={},
            engine=engine,
            schema=SCHEMA,
            serializer=DefaultSerializer(),
            executor_id=None,
            # Its triggers would send a NOTIFY with every message and event; we use neither.
            use_listen_notify=False,
        )
    finally:
        engine.dispose()


def migrate(database: Database) -> None:
    """Create or upgrade the engine's tables. Repeating it changes nothing."""
    with _system_database(database) as system:
        system.run_migrations()


def verify(database: Database) -> None:
    """Check that the engine's tables fit this version.

    Raises:
        FailedPreconditionError: they do not exist or are older.
    """
    with _system_database(database) as system:
        try:
            system.verify_migrations()
        except DBOSInitializationError as error:
            raise FailedPreconditionError(
                "the database is not prepared for this version: run `pidgr migrate`"
            ) from error

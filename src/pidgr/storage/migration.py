"""Schema migrations: forward only, applied by ``pidgr migrate`` and by the embedded default."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy

from pidgr.errors import FailedPreconditionError
from pidgr.storage.database import Database, create_engine

# Two migrators at once would both try to create the same tables.
_ADVISORY_LOCK: Final = 0x70696467
_VERSION_TABLE: Final = "schema_version"
_VERSIONS: Final = Path(__file__).parent / "migrations" / "versions"


@contextmanager
def _connect(database: Database) -> Iterator[sqlalchemy.Connection]:
    engine = create_engine(database.url)
    try:
        with database.gate.turn(), engine.begin() as connection:
            if database.dialect == "postgresql":
                connection.execute(
                    sqlalchemy.text("select pg_advisory_xact_lock(:lock)"),
                    {"lock": _ADVISORY_LOCK},
                )
                connection.execute(sqlalchemy.text("set local lock_timeout = '5s'"))
            yield connection
    finally:
        engine.dispose()


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the schema to this version's, or to an earlier one, in one transaction.

    Raises:
        FailedPreconditionError: a newer version has been here.
    """
    with _connect(database) as connection:
        if _is_current(connection):
            return
        from pidgr.storage import revisions  # noqa: PLC0415 - heavy, and rarely needed

        revisions.upgrade(connection, revision)


def pending(database: Database) -> bool:
    """Tell whether ``pidgr migrate`` has something to do.

    Raises:
        FailedPreconditionError: a newer version has been here.
    """
    with _connect(database) as connection:
        return not _is_current(connection)


def _is_current(connection: sqlalchemy.Connection) -> bool:
    known = {path.name[1:5] for path in _VERSIONS.glob("v[0-9]*.py")}
    revision = None
    if sqlalchemy.inspect(connection).has_table(_VERSION_TABLE):
        revision = connection.exec_driver_sql(f"select version_num from {_VERSION_TABLE}").scalar()
    if revision is not None and revision not in known:
        message = (
            f"a newer version of Pidgr has migrated this database (to {revision}): run that "
            "version, or restore a backup from before"
        )
        raise FailedPreconditionError(message)
    return revision == max(known)


def drift(database: Database) -> list[Any]:
    """Return what the migrated schema lacks against the declared one; a test wants it empty."""
    from pidgr.storage import revisions  # noqa: PLC0415 - as in migrate

    with _connect(database) as connection:
        return revisions.drift(connection, _VERSION_TABLE)


def write_revision(database: Database, message: str) -> None:
    """Generate the next migration from the difference; a developer's tool, reviewed by hand."""
    from pidgr.storage import revisions  # noqa: PLC0415 - as in migrate

    with _connect(database) as connection:
        revisions.write(connection, message)

"""Schema migrations: forward only, applied by ``pidgr migrate`` and by the embedded default."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import alembic.command
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from pidgr.errors import FailedPreconditionError
from pidgr.storage.database import Database, create_engine
from pidgr.storage.schema import metadata

# Two migrators at once would both try to create the same tables.
_ADVISORY_LOCK: Final = 0x70696467
_VERSION_TABLE: Final = "schema_version"


def _config(connection: sqlalchemy.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    # Not an ini option, so that a '%' in a path is just a character.
    config.attributes["connection"] = connection
    return config


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
        _is_current(connection)
        alembic.command.upgrade(_config(connection), revision)


def pending(database: Database) -> bool:
    """Tell whether ``pidgr migrate`` has something to do.

    Raises:
        FailedPreconditionError: a newer version has been here.
    """
    with _connect(database) as connection:
        return not _is_current(connection)


def _is_current(connection: sqlalchemy.Connection) -> bool:
    context = MigrationContext.configure(connection, opts={"version_table": _VERSION_TABLE})
    revision = context.get_current_revision()
    scripts = ScriptDirectory.from_config(_config())
    known = {script.revision for script in scripts.walk_revisions()}
    if revision is not None and revision not in known:
        message = (
            f"a newer version of Pidgr has migrated this database (to {revision}): run that "
            "version, or restore a backup from before"
        )
        raise FailedPreconditionError(message)
    return revision == scripts.get_current_head()


def drift(database: Database) -> list[Any]:
    """Return what the migrated schema lacks against the declared one; a test wants it empty."""

    def ours(_object: object, name: str | None, kind: str, *_rest: object) -> bool:
        return kind != "table" or name in metadata.tables

    with _connect(database) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": _VERSION_TABLE,
                "target_metadata": metadata,
                "include_object": ours,
            },
        )
        return list(compare_metadata(context, metadata))


def write_revision(database: Database, message: str) -> None:
    """Generate the next migration from the difference; a developer's tool, reviewed by hand."""
    with _connect(database) as connection:
        alembic.command.revision(_config(connection), message, autogenerate=True)

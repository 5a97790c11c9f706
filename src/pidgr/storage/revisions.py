"""Alembic, which applies and compares schema revisions.

Apart from ``migration``, because it takes 7 MB and half a second to import and hardly any start of
the program has something to migrate.
"""

from pathlib import Path
from typing import Any, Final

import alembic.command
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from pidgr.storage.schema import metadata

_SCRIPTS: Final = Path(__file__).parent / "migrations"


def _config(connection: sqlalchemy.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    # Not an ini option, so that a '%' in a path is just a character.
    config.attributes["connection"] = connection
    return config


def upgrade(connection: sqlalchemy.Connection, revision: str = "head") -> None:
    """Apply every revision up to one."""
    alembic.command.upgrade(_config(connection), revision)


def drift(connection: sqlalchemy.Connection, version_table: str) -> list[Any]:
    """Return what the migrated schema lacks against the declared one; a test wants it empty."""

    def ours(_object: object, name: str | None, kind: str, *_rest: object) -> bool:
        return kind != "table" or name in metadata.tables

    context = MigrationContext.configure(
        connection,
        opts={
            "version_table": version_table,
            "target_metadata": metadata,
            "include_object": ours,
        },
    )
    return list(compare_metadata(context, metadata))


def write(connection: sqlalchemy.Connection, message: str) -> None:
    """Generate the next revision from the difference; a developer's tool, reviewed by hand."""
    alembic.command.revision(_config(connection), message, autogenerate=True)

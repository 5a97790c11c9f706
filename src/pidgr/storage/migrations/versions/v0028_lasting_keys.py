"""No number comes back for another row, on SQLite too; PostgreSQL has never given one twice.

SQLite gives a new row the largest number in use plus one, and so the number of a deleted row again,
unless the table says AUTOINCREMENT. Names and arguments of tasks outlive the rows they number.
"""

import re
from collections.abc import Sequence
from typing import Final

from alembic import op

revision: str = "0028"
down_revision: str | None = "0027"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_COLUMN: Final = '"key" INTEGER NOT NULL'
_CONSTRAINT: Final = re.compile(r',\s*CONSTRAINT \w+ PRIMARY KEY \("key"\)')
# More than a server can have given out and taken back within the week that tasks are remembered.
_BEYOND_REMEMBERED_TASKS: Final = 1_000_000


def upgrade() -> None:
    """Apply.

    The word changes no stored byte of a table, so its declaration is changed where it stands, as
    https://sqlite.org/lang_altertable.html describes, instead of copying every row of every table
    and of those that refer to it.
    """
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    declared = connection.exec_driver_sql(
        "select name, sql from sqlite_schema where type = 'table' and sql like '%AUTOINCREMENT%'"
    )
    done = {name for name, _ in declared}
    numbered = [
        (name, sql)
        for name, sql in connection.exec_driver_sql(
            "select name, sql from sqlite_schema where type = 'table'"
        ).all()
        if name not in done and _COLUMN in sql and _CONSTRAINT.search(sql)
    ]
    has_run = connection.exec_driver_sql(
        "select count(*) from sqlite_schema where name = 'workflow_status'"
    ).scalar_one()
    version = connection.exec_driver_sql("pragma schema_version").scalar_one()
    connection.exec_driver_sql("pragma writable_schema = on")
    for name, sql in numbered:
        lasting = _CONSTRAINT.sub("", sql).replace(
            _COLUMN, f"{_COLUMN} PRIMARY KEY AUTOINCREMENT", 1
        )
        connection.exec_driver_sql(
            "update sqlite_schema set sql = ? where type = 'table' and name = ?", (lasting, name)
        )
    # Has every connection, this one included, read the declarations anew.
    connection.exec_driver_sql(f"pragma schema_version = {version + 1}")
    connection.exec_driver_sql("pragma writable_schema = reset")
    for name, _ in numbered:
        connection.exec_driver_sql(
            "insert into sqlite_sequence (name, seq)"
            f" select ?, coalesce(max(key), 0) + ? from {name}",
            (name, _BEYOND_REMEMBERED_TASKS if has_run else 0),
        )

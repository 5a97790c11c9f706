"""Rows of every table: put there from the tables' own declarations, and read back whole."""

import itertools
from typing import Any

from sqlalchemy import Boolean, Double, LargeBinary, Table, Text

from pidgr.storage.ownership import INSTALLATION_TABLES, owned_tables
from pidgr.storage.schema import metadata
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

_numbers = itertools.count(1)

Contents = dict[str, list[str]]


def fill_every_table(unit: Transaction, organization_key: int) -> None:
    """Give an organization a row in every table that organizations have rows in."""
    keys = {"organization": organization_key}
    for owned in reversed(owned_tables()):
        table = metadata.tables[owned.name]
        values = {column.name: _value(unit, table, column, keys) for column in table.columns}
        given = {name: value for name, value in values.items() if name != "key"}
        names, marks = ", ".join(given), ", ".join(f":{name}" for name in given)
        text = f"insert into {table.name} ({names}) values ({marks})"
        if "key" in table.columns:
            keys[table.name] = unit.value(Statement(f"{text} returning key"), given)
        else:
            # Of some every organization has its one row already.
            unit.execute(Statement(f"{text} on conflict do nothing"), given)
            keys[table.name] = 0


def _value(unit: Transaction, table: Table, column: Any, keys: dict[str, int]) -> Any:
    for reference in column.foreign_keys:
        other = reference.column
        if other.name == "key":
            return keys[other.table.name]
        some = Statement(f"select {other.name} from {other.table.name} limit 1")
        return None if column.nullable else unit.value(some)
    owner = column.name.removesuffix("_key")
    return keys[owner] if owner != column.name and owner in keys else _made_up(table, column)


def _made_up(table: Table, column: Any) -> Any:
    if isinstance(column.type, Boolean):
        return False
    number = next(_numbers)
    if isinstance(column.type, Text):
        return f"{table.name}-{number}"
    if isinstance(column.type, LargeBinary):
        return f"{table.name}-{number}".encode()
    # Small enough for every kind of number.
    return number / 2 if isinstance(column.type, Double) else number


def contents(reader: Reader) -> Contents:
    """Return every row of every table, in no particular order made particular."""
    return {
        name: sorted(repr(row) for row in reader.rows(Statement(f"select * from {name}")))
        for name in metadata.tables
    }


def rows_of(reader: Reader, organization_id: str) -> Contents:
    """Return every row of one organization, by table."""
    key = reader.value(
        Statement("select key from organization where id = :id"), {"id": organization_id}
    )
    conditions = {"organization": "key = :organization_key"}
    conditions |= {table.name: table.condition for table in owned_tables()}
    return {
        name: sorted(
            repr(row)
            for row in reader.rows(
                Statement(f"select * from {name} where {condition}"), {"organization_key": key}
            )
        )
        for name, condition in conditions.items()
    }


def differences(before: Contents, after: Contents) -> dict[str, list[str]]:
    """Return what is in one and not in the other, by table; people who sign in stay."""
    changed = {
        name: sorted(set(before[name]) ^ set(after[name]))
        for name in before
        if name not in INSTALLATION_TABLES
    }
    return {name: rows for name, rows in changed.items() if rows}

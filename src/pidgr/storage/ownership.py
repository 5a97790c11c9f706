"""Which rows belong to an organization, as the tables themselves tell.

A column named ``organization_key``, or ``TABLE_key`` after a table whose rows belong to one, says
whose a row is. Tables with neither are the installation's: see ``INSTALLATION_TABLES``. A new table
that keeps to these names needs no code to be deleted with its organization.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import Final

from sqlalchemy import Column, MetaData, Table

_ORGANIZATION: Final = "organization"
_SUFFIX: Final = "_key"
_GIVEN: Final = ":organization_key"

INSTALLATION_TABLES: Final = frozenset(
    {
        # What opens and closes it, when an organization is deleted, is the deletion.
        "audit_door",
        "door_limit",
        "external_identity",
        "idempotency_key",
        "identity",
        "oauth_client",
        "passkey",
        "passkey_challenge",
        "rate_bucket",
        "sign_in_attempt",
        "signing_key",
        "system_value",
    }
)
"""What belongs to no organization: people who sign in, applications, and short-lived state."""


@dataclass(frozen=True, slots=True)
class OwnedTable:
    """A table whose rows belong to organizations.

    ``column`` says whose a row is: the key of an organization or, if there are ``owners``, of one
    of these. They are the SQL of the keys of those that belong to ``:organization_key``.
    """

    name: str
    primary_key: tuple[str, ...]
    column: str
    owners: str = ""

    @property
    def condition(self) -> str:
        """The SQL that is true of the rows of ``:organization_key``."""
        return f"{self.column} in ({self.owners})" if self.owners else f"{self.column} = {_GIVEN}"


@cache
def owned_tables() -> tuple[OwnedTable, ...]:
    """Return the tables of organizations, those that refer to others before those they refer to.

    The organization's own row is not among them.

    Raises:
        LookupError: a table that is neither an organization's nor the installation's by its names;
            a defect of the schema.
    """
    from pidgr.storage.schema import metadata  # noqa: PLC0415 - 2.5 MB, and deletions are rare

    tables = {name: table for name, table in metadata.tables.items() if name != _ORGANIZATION}
    found: dict[str, OwnedTable] = {}
    for name, table in tables.items():
        if name not in INSTALLATION_TABLES:
            key = tuple(column.name for column in table.primary_key)
            found[name] = OwnedTable(name, key, *_owner_of_rows(table, metadata, frozenset()))
    order = TopologicalSorter(
        {name: _referred(tables[name], metadata) & found.keys() - {name} for name in found}
    )
    return tuple(found[name] for name in reversed(list(order.static_order())))


def _owner_of_rows(table: Table, metadata: MetaData, on_the_way: frozenset[str]) -> tuple[str, str]:
    """Return a table's column and owners; the column that an index finds rows by, if one does."""
    owners = [
        (column, owner)
        for column, owner in _owners(table, metadata)
        if owner not in on_the_way | {table.name} | INSTALLATION_TABLES
    ]
    indexed = _leading_columns(table)
    owners.sort(key=lambda pair: (pair[0] not in indexed, pair[1] != _ORGANIZATION))
    for column, owner in owners:
        if owner == _ORGANIZATION:
            return column, ""
        way = on_the_way | {table.name}
        parent = OwnedTable(owner, (), *_owner_of_rows(metadata.tables[owner], metadata, way))
        return column, f"select key from {owner} where {parent.condition}"
    message = f"no column of the table {table.name} tells which organization its rows belong to"
    raise LookupError(message)


def _owners(table: Table, metadata: MetaData) -> Iterator[tuple[str, str]]:
    """Yield the columns that tell whose a row is, each with the table of its owner."""
    for column in table.columns:
        owner = _owner(column, metadata)
        if owner is not None:
            yield column.name, owner


def _owner(column: Column[object], metadata: MetaData) -> str | None:
    for reference in column.foreign_keys:
        if reference.column.name == "key":
            return str(reference.column.table.name)
    name = column.name.removesuffix(_SUFFIX)
    return name if name != column.name and name in metadata.tables else None


def _referred(table: Table, metadata: MetaData) -> set[str]:
    """Return every table that the table's rows refer to, by foreign key or by name."""
    references = {reference.column.table.name for reference in table.foreign_keys}
    return references | {owner for _, owner in _owners(table, metadata)}


def _leading_columns(table: Table) -> set[str]:
    """Return the columns that a primary key, a unique constraint or an index begins with.

    An index of some rows only does not find the others.
    """
    lists = [[column.name for column in table.primary_key]]
    lists += [
        [column.name for column in index.columns]
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is None
    ]
    lists += [
        [column.name for column in constraint.columns]
        for constraint in table.constraints
        if hasattr(constraint, "columns") and type(constraint).__name__ == "UniqueConstraint"
    ]
    return {names[0] for names in lists if names}

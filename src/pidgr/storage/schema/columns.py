"""The metadata every table belongs to, and the kinds of column they share."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Table,
    Text,
    event,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only for a column of exactly this type.
BIG = BigInteger().with_variant(Integer, "sqlite")
FALSE = text("false")
ZERO = text("0")
EMPTY = text("''")


def key() -> Column[int]:
    """The number rows are joined by; it never leaves the server, nor comes back for another row.

    What outlives a row may go on naming it: tasks, deliveries of members who are gone.
    """
    column: Column[int] = Column("key", BIG, Identity(), primary_key=True)
    event.listen(column, "after_parent_attach", _make_lasting)
    return column


def _make_lasting(_column: Column[int], table: Table) -> None:
    """Have SQLite say AUTOINCREMENT; PostgreSQL never gives a number of an identity twice."""
    table.dialect_options["sqlite"]["autoincrement"] = True


def id_() -> Column[str]:
    """The id the API shows."""
    return Column("id", Text, nullable=False, unique=True)


def organization_key() -> Column[int]:
    """Whose row it is."""
    return Column("organization_key", BIG, ForeignKey("organization.key"), nullable=False)


def time(name: str, *, optional: bool = False) -> Column[int]:
    """A moment, in microseconds since 1970."""
    return Column(name, BigInteger, nullable=optional)


def text_column(name: str) -> Column[str]:
    """A text that is empty where nothing was given."""
    return Column(name, Text, nullable=False, server_default=EMPTY)


def sorted_text(name: str) -> Column[str]:
    """A text that lists are ordered by: by code point, whatever the database's locale."""
    by_code_point = Text().with_variant(Text(collation="C"), "postgresql")
    return Column(name, by_code_point, nullable=False, server_default=EMPTY)


def flag(name: str) -> Column[bool]:
    """A switch that is off at first."""
    return Column(name, Boolean, nullable=False, server_default=FALSE)


def count(name: str) -> Column[int]:
    """A number that counts from zero."""
    return Column(name, Integer, nullable=False, server_default=ZERO)

"""SQL of the partitions of deliveries and of their bodies; PostgreSQL only.

A partition has a number: that of its step runs' keys above their lowest ``_KEY_BITS`` bits. New
deliveries go where the sequence of those keys stands.
"""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

# A public delivery id has 48 bits for the key of a step run, which leaves 65,536 partitions.
_KEY_BITS: Final = 32
# So that of processes that cut at once one does. Any number nobody else takes.
_ADVISORY_LOCK: Final = 0x70696470
# Acknowledgements rewrite rows where they are, in the room that is left in each page.
_TABLES: Final = {"delivery": "with (fillfactor = 80)", "delivery_body": ""}


@dataclass(frozen=True, slots=True)
class Newest:
    """The partition that new deliveries go to; sizes are in bytes, without indexes."""

    number: int
    has_half_its_keys: bool
    size: int
    size_of_all: int


_SEQUENCE: Final = "pg_get_serial_sequence('step_run', 'key')::regclass"
_NEWEST: Final = Statement(f"""
    select s.last_key >> {_KEY_BITS}, (s.last_key >> {_KEY_BITS - 1}) & 1 = 1,
           coalesce(pg_relation_size(to_regclass('delivery_' || (s.last_key >> {_KEY_BITS}))), 0),
           (select coalesce(sum(pg_relation_size(inhrelid)), 0)::bigint
            from pg_inherits where inhparent = 'delivery'::regclass)
    from (select coalesce(pg_sequence_last_value({_SEQUENCE}), 0) as last_key) s
""")
LOCK: Final = Statement(f"select pg_advisory_xact_lock({_ADVISORY_LOCK})")
_HAS_TABLE: Final = Statement("select to_regclass(:name) is not null")
_MOVE_ON: Final = Statement(f"""
    select setval({_SEQUENCE}, :first)
    where coalesce(pg_sequence_last_value({_SEQUENCE}), 0) < :first
""")


def newest(reader: Reader) -> Newest:
    """Return what there is to know of the newest partition."""
    found = reader.record(Newest, _NEWEST)
    assert found is not None  # noqa: S101 - one row, whatever there is
    return found


def add(transaction: Transaction, number: int) -> None:
    """Add an empty partition, unless it is there.

    A table that is made apart and then attached, which gives it its indexes, locks out neither who
    reads deliveries nor who writes them; ``create table ... partition of`` would wait for all of
    them, and they for it.
    """
    transaction.value(LOCK)
    if transaction.value(_HAS_TABLE, {"name": f"delivery_{number}"}):
        return
    bounds = f"from ({number << _KEY_BITS}) to ({number + 1 << _KEY_BITS})"
    for table, options in _TABLES.items():
        partition = f"{table}_{number}"
        for text in (
            f"create table {partition} (like {table} including defaults) {options}",
            f"alter table {table} attach partition {partition} for values {bounds}",
        ):
            transaction.execute(Statement(text))


def begin(transaction: Transaction, number: int) -> bool:
    """Let the deliveries of step runs to come go to a partition; False if they do already.

    The partition has been committed: the sequence moves at once, whatever becomes of this
    transaction. Two that moved it could move it back, hence the lock.
    """
    transaction.value(LOCK)
    return transaction.value(_MOVE_ON, {"first": number << _KEY_BITS}) is not None

"""Deliveries become partitioned where they are, on PostgreSQL."""

import pytest

from pidgr.storage import migration
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

_FILL = (
    Statement("""
        insert into delivery
          (step_run_key, ordinal, organization_key, member_key, kind, status, locale, created_at,
           changed_at, read_at, parent_run_key, parent_ordinal)
        values (1, 0, 1, 7, 1, 1, 0, 5, 5, 6, null, null), (2, 0, 1, 8, 1, 1, 0, 6, 6, null, 1, 0)
    """),
    Statement("""
        insert into delivery_body (step_run_key, ordinal, content_id, body)
        values (1, 0, 'c', 'Dear Ada')
    """),
)
_ROWS = Statement("""
    select d.step_run_key, d.ordinal, d.member_key, d.read_at, d.parent_run_key, b.body, b.title
    from delivery d
    left join delivery_body b on b.step_run_key = d.step_run_key and b.ordinal = d.ordinal
    order by d.step_run_key
""")
_FILES = Statement("""
    select c.relfilenode from pg_class c
    where c.relfilenode <> 0 and c.oid in
      (select '{table}'::regclass union select indexrelid from pg_index
       where indrelid = '{table}'::regclass)
    order by 1
""")
_INDEXES = Statement("""
    select x.relname, i.indisvalid
    from pg_inherits h
    join pg_index i on i.indexrelid = h.inhrelid
    join pg_class x on x.oid = h.inhparent
    where i.indrelid in ('delivery_0'::regclass, 'delivery_body_0'::regclass)
    order by 1
""")


def _files(database: Database, table: str) -> list[tuple[int]]:
    statement = Statement(_FILES.postgresql.replace("{table}", table))
    return database.read_now(lambda reader: reader.rows(statement))


def _fill(unit: Transaction) -> None:
    for statement in _FILL:
        unit.execute(statement)


def test_deliveries_of_before_are_there_after_it(database: Database) -> None:
    migration.migrate(database, "0028")
    database.write_now(_fill)
    before = database.read_now(lambda reader: reader.rows(_ROWS))
    migration.migrate(database)
    assert migration.drift(database) == []
    assert database.read_now(lambda reader: reader.rows(_ROWS)) == before
    assert before == [(1, 0, 7, 6, None, "Dear Ada", ""), (2, 0, 8, None, 1, None, None)]


@pytest.mark.parametrize("table", ["delivery", "delivery_body"])
def test_a_table_becomes_the_first_partition_without_being_rewritten(
    postgres_url: str, table: str
) -> None:
    database = Database(postgres_url)
    migration.migrate(database, "0028")
    database.write_now(_fill)
    before = _files(database, table)
    migration.migrate(database)
    assert len(before) == {"delivery": 6, "delivery_body": 2}[table]
    assert _files(database, f"{table}_0") == before
    assert _files(database, table) == []
    # Each index of the whole has taken over the one that was there.
    assert database.read_now(lambda reader: reader.rows(_INDEXES)) == [
        (name, True)
        for name in (
            "ix_delivery_acted_at",
            "ix_delivery_member_key_changed_at",
            "ix_delivery_parent_run_key_parent_ordinal",
            "ix_delivery_read_at",
            "pk_delivery",
            "pk_delivery_body",
        )
    ]
    database.close()

"""Cutting partitions, on PostgreSQL; SQLite has none."""

import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from support.waiting import until

from pidgr.campaigns import partition_store
from pidgr.campaigns.partition_store import Newest
from pidgr.campaigns.partitions import Partitions, is_full
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.engine.port import TaskStatus
from pidgr.storage import migration
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Row, Transaction
from pidgr.system import migrate

MIB = 1 << 20
KEYS = 1 << 32
_NEXT = Statement("select nextval(pg_get_serial_sequence('step_run', 'key'))")
_GO_ON_AT = Statement("select setval(pg_get_serial_sequence('step_run', 'key'), :key)")
_INSERT = Statement("""
    insert into delivery (step_run_key, ordinal, organization_key, member_key, kind, status, locale,
                          created_at, changed_at)
    values (:key, 0, 1, 7, 1, 1, 0, 5, 5)
""")
_INSERT_BODY = Statement("""
    insert into delivery_body (step_run_key, ordinal, content_id) values (:key, 0, 'c')
""")
_PLACES = Statement("""
    select d.tableoid::regclass::text, b.tableoid::regclass::text
    from delivery d join delivery_body b on b.step_run_key = d.step_run_key
    order by d.step_run_key
""")
# Where indexes of a partition are made from those of the whole, their names are PostgreSQL's.
_INDEXES = Statement("""
    select i.indisprimary, substring(pg_get_indexdef(i.indexrelid) from 'USING .*')
    from pg_index i where i.indrelid = to_regclass(:table) order by 2
""")
_OPTIONS = Statement("select reloptions from pg_class where oid = to_regclass(:table)")
_WAITERS = Statement("""
    select count(*) from pg_locks
    where locktype = 'advisory' and not granted
      and database = (select oid from pg_database where datname = current_database())
""")
_CUT = """
import sys
from pidgr.campaigns.partitions import Partitions
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.storage.database import Database
database = Database(sys.argv[1])
Partitions(database, DbosEngine(database, run_handlers=False)).cut(1)
database.close()
"""


@pytest.fixture
def database(migrated_postgres_url: str) -> Iterator[Database]:
    opened = Database(migrated_postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def engine(database: Database) -> DbosEngine:
    """Takes tasks and runs none."""
    return DbosEngine(database, run_handlers=False)


@pytest.fixture
def partitions(database: Database, engine: DbosEngine) -> Partitions:
    return Partitions(database, engine)


def next_key(reader: Reader) -> int:
    key: int = reader.value(_NEXT)
    return key


def deliver(transaction: Transaction) -> int:
    """Begin a run that delivers to one person; returns its key."""
    key = next_key(transaction)
    for statement in (_INSERT, _INSERT_BODY):
        transaction.execute(statement, {"key": key})
    return key


def places(database: Database) -> list[tuple[str, str]]:
    return database.read_now(lambda reader: reader.rows(_PLACES))


def newest(database: Database) -> Newest:
    return database.read_now(partition_store.newest)


def shape(database: Database, table: str) -> tuple[list[Row], list[str] | None]:
    """Return a table's indexes and options."""
    return database.read_now(
        lambda reader: (
            reader.rows(_INDEXES, {"table": table}),
            reader.value(_OPTIONS, {"table": table}),
        )
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (Newest(0, has_half_its_keys=False, size=511 * MIB, size_of_all=511 * MIB), False),
        (Newest(0, has_half_its_keys=False, size=512 * MIB, size_of_all=512 * MIB), True),
        (Newest(7, has_half_its_keys=False, size=600 * MIB, size_of_all=5000 * MIB), False),
        (Newest(7, has_half_its_keys=False, size=625 * MIB, size_of_all=5000 * MIB), True),
        (Newest(0, has_half_its_keys=True, size=0, size_of_all=0), True),
    ],
)
def test_full_is_large_by_itself_and_beside_the_others(state: Newest, expected: bool) -> None:
    assert is_full(state) is expected


def test_new_runs_deliver_to_the_new_partition(database: Database, partitions: Partitions) -> None:
    old = database.write_now(deliver)
    partitions.cut(1)
    new = database.write_now(deliver)
    partitions.cut(2)
    newer = database.write_now(deliver)
    assert [key // KEYS for key in (old, new, newer)] == [0, 1, 2]
    assert places(database) == [(f"delivery_{n}", f"delivery_body_{n}") for n in range(3)]
    assert newest(database).number == 2
    assert migration.drift(database) == []


@pytest.mark.parametrize(
    ("table", "indexes", "options"),
    [("delivery", 5, ["fillfactor=80"]), ("delivery_body", 1, None)],
)
def test_a_partition_is_like_the_first_one(
    database: Database,
    partitions: Partitions,
    table: str,
    indexes: int,
    options: list[str] | None,
) -> None:
    partitions.cut(1)
    first, second = (shape(database, f"{table}_{number}") for number in (0, 1))
    assert first == second
    assert (len(second[0]), second[1]) == (indexes, options)


def test_a_cut_that_is_repeated_moves_nothing_back(
    database: Database, partitions: Partitions
) -> None:
    partitions.cut(1)
    first = database.write_now(deliver)
    partitions.cut(1)
    assert database.write_now(deliver) == first + 1
    partitions.cut(2)
    later = database.write_now(deliver)
    partitions.cut(1)
    assert database.write_now(deliver) == later + 1


def test_a_cut_goes_on_where_it_was_interrupted(database: Database, partitions: Partitions) -> None:
    database.write_now(lambda transaction: partition_store.add(transaction, 1))
    assert database.write_now(deliver) // KEYS == 0
    partitions.cut(1)
    assert database.write_now(deliver) // KEYS == 1


def test_a_cut_waits_for_nobody_and_nobody_waits_for_it(
    database: Database, migrated_postgres_url: str
) -> None:
    """Whoever had to wait would be told after the lock timeout."""
    hasty = Database(f"{migrated_postgres_url}&options=-c%20lock_timeout%3D10s")
    cutter = Partitions(hasty, DbosEngine(hasty, run_handlers=False))

    def while_rows_are_locked(transaction: Transaction) -> int:
        deliver(transaction)
        transaction.rows(Statement("select 1 from delivery for update"))
        cutter.cut(1)
        # It has looked at the partitions before the new one was made.
        return deliver(transaction)

    assert database.write_now(while_rows_are_locked) // KEYS == 1

    def while_a_partition_is_added(transaction: Transaction) -> None:
        partition_store.add(transaction, 2)
        hasty.write_now(deliver)
        hasty.read_now(lambda reader: reader.rows(_PLACES))

    database.write_now(while_a_partition_is_added)
    assert [table for table, _ in places(database)] == ["delivery_0", "delivery_1", "delivery_1"]
    hasty.close()


def test_of_processes_that_cut_at_once_one_does(
    database: Database, migrated_postgres_url: str
) -> None:
    with psycopg.connect(migrated_postgres_url, autocommit=True) as gate:
        gate.execute(partition_store.LOCK.postgresql.replace("_xact", ""))
        cutters = [
            subprocess.Popen([sys.executable, "-c", _CUT, migrated_postgres_url]) for _ in range(2)
        ]
        until(lambda: database.read_now(lambda reader: reader.value(_WAITERS)) == 2, seconds=60)
    keys = [database.write_now(deliver)]
    while any(cutter.poll() is None for cutter in cutters):
        keys.append(database.write_now(deliver))
    keys.append(database.write_now(deliver))
    assert [cutter.returncode for cutter in cutters] == [0, 0]
    # No key comes twice, which the primary keys would have refused, and none goes back.
    assert keys == sorted(keys)
    assert keys[-1] // KEYS == 1
    assert newest(database).number == 1


def test_there_is_room_far_beyond_the_last_cut(
    database: Database, engine: DbosEngine, partitions: Partitions
) -> None:
    """A cut is asked for while another two thousand million runs would find their place."""
    partitions.cut(1)
    database.write_now(lambda unit: unit.value(_GO_ON_AT, {"key": KEYS + KEYS // 2 - 2}))
    database.write_now(deliver)
    database.write_now(partitions.watch)
    assert engine.status("cut-deliveries/2") is None
    database.write_now(deliver)
    database.write_now(partitions.watch)
    assert engine.status("cut-deliveries/2") is TaskStatus.QUEUED
    database.write_now(lambda unit: unit.value(_GO_ON_AT, {"key": 2 * KEYS - 2}))
    assert database.write_now(deliver) == 2 * KEYS - 1
    assert [table for table, _ in places(database)] == ["delivery_1"] * 3


def test_a_cut_is_planned_once_a_partition_is_large(database: Database, engine: DbosEngine) -> None:
    page = 8192
    partitions = Partitions(database, engine, smallest=page)
    database.write_now(partitions.watch)
    assert newest(database) == Newest(0, has_half_its_keys=False, size=0, size_of_all=0)
    assert engine.status("cut-deliveries/1") is None
    database.write_now(deliver)
    assert newest(database) == Newest(0, has_half_its_keys=False, size=page, size_of_all=page)
    for _ in range(2):
        database.write_now(partitions.watch)
        assert engine.status("cut-deliveries/1") is TaskStatus.QUEUED
    partitions.cut(1)
    database.write_now(partitions.watch)
    assert engine.status("cut-deliveries/2") is None
    assert newest(database) == Newest(1, has_half_its_keys=False, size=0, size_of_all=page)


def test_sqlite_has_nothing_to_cut(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    migrate(database)
    engine = DbosEngine(database, run_handlers=False)
    database.write_now(Partitions(database, engine, smallest=0).watch)
    assert engine.status("cut-deliveries/1") is None
    database.close()

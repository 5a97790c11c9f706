"""Units of work: what a read may not do, what a failed write leaves, and lost connections."""

import asyncio
import functools
import socket
import threading
from collections.abc import Iterator

import psycopg
import pysqlite3.dbapi2 as sqlite
import pytest
from support.waiting import until

from pidgr.errors import UnavailableError
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError

CREATE = Statement("create table thing (name text primary key, size bigint)")
INSERT = Statement("insert into thing (name, size) values (:name, :size)")
COUNT = Statement("select count(*) from thing")
TERMINATE = (
    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid()"
)
WRITES = {
    "insert": INSERT,
    "update": Statement("update thing set size = 2 where name = :name"),
    "delete": Statement("delete from thing where name = :name"),
    "create": Statement("create table other (name text)"),
    "drop": Statement("drop table thing"),
}


@pytest.fixture
def things(database: Database) -> Database:
    database.write_now(lambda transaction: transaction.execute(CREATE))
    return database


def insert(row: dict[str, object], transaction: Transaction) -> None:
    transaction.execute(INSERT, row)


def count(database: Database) -> int:
    found: int = database.read_now(lambda reader: reader.value(COUNT))
    return found


@pytest.mark.parametrize("kind", WRITES)
def test_a_read_cannot_write(things: Database, kind: str) -> None:
    things.write_now(lambda transaction: transaction.execute(INSERT, {"name": "a", "size": 1}))

    def attempt(reader: Reader) -> None:
        reader._driver.execute(
            WRITES[kind].text(reader.dialect), {"name": "a" if kind != "insert" else "b", "size": 1}
        )

    for _ in range(2):
        with pytest.raises((sqlite.OperationalError, psycopg.errors.ReadOnlySqlTransaction)):
            things.read_now(attempt)
        with pytest.raises((sqlite.OperationalError, psycopg.errors.ReadOnlySqlTransaction)):
            asyncio.run(things.read(attempt, heavy=True))
    assert count(things) == 1


def test_a_read_sees_one_moment_on_sqlite_and_fresh_rows_on_the_next(things: Database) -> None:
    assert count(things) == 0
    things.write_now(lambda transaction: transaction.execute(INSERT, {"name": "a", "size": 1}))
    assert count(things) == 1


def test_a_write_that_fails_leaves_nothing_and_the_next_one_works(things: Database) -> None:
    called: list[str] = []

    def fail(transaction: Transaction) -> None:
        transaction.execute(INSERT, {"name": "a", "size": 1})
        transaction.after_commit.append(lambda: called.append("never"))
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        things.write_now(fail)
    assert count(things) == 0
    things.write_now(lambda transaction: transaction.execute(INSERT, {"name": "a", "size": 1}))
    assert count(things) == 1
    assert called == []


def test_what_waits_for_the_commit_sees_the_committed_rows(things: Database) -> None:
    seen: list[int] = []

    def work(transaction: Transaction) -> str:
        transaction.execute(INSERT, {"name": "a", "size": 1})
        transaction.after_commit.append(lambda: seen.append(count(things)))
        assert seen == []
        return "done"

    assert things.write_now(work) == "done"
    assert seen == [1]


@pytest.mark.parametrize("grouped", [False, True])
def test_what_fails_behind_a_commit_does_not_deny_it(things: Database, *, grouped: bool) -> None:
    seen: list[int] = []

    def fail() -> None:
        raise UnavailableError("the database has gone meanwhile")

    def work(transaction: Transaction) -> str:
        insert({"name": "kept", "size": 1}, transaction)
        transaction.after_commit.extend([fail, lambda: seen.append(count(things))])
        return "written"

    written = asyncio.run(things.write(work)) if grouped else things.write_now(work)
    assert written == "written"
    assert seen == [1]


def test_a_taken_key_has_an_error_of_its_own(things: Database) -> None:
    things.write_now(lambda transaction: transaction.execute(INSERT, {"name": "a", "size": 1}))
    with pytest.raises(UniqueViolationError):
        things.write_now(lambda transaction: transaction.execute(INSERT, {"name": "a", "size": 2}))
    assert count(things) == 1


def test_a_taken_key_among_many_rows_refuses_them_all(migrated_database: Database) -> None:
    columns, rows = ("name", "value"), [("a", b"1"), ("b", b"2"), ("a", b"3")]
    with pytest.raises(UniqueViolationError):
        migrated_database.write_now(lambda unit: unit.bulk_insert("system_value", columns, rows))
    stored = Statement("select count(*) from system_value")
    assert migrated_database.read_now(lambda reader: reader.value(stored)) == 0
    migrated_database.write_now(lambda unit: unit.bulk_insert("system_value", columns, rows[:2]))
    assert migrated_database.read_now(lambda reader: reader.value(stored)) == 2


def test_change_times_rise_with_every_commit(things: Database) -> None:
    times = [things.write_now(lambda transaction: transaction.change_time()) for _ in range(50)]
    assert times == sorted(set(times))

    def twice(transaction: Transaction) -> bool:
        return transaction.change_time() == transaction.change_time()

    assert things.write_now(twice)


def test_many_writers_at_once_lose_nothing(things: Database) -> None:
    async def write(name: str) -> None:
        await things.write(functools.partial(insert, {"name": name, "size": 1}))

    async def all_at_once() -> None:
        await asyncio.gather(*(write(f"urgent {number}") for number in range(100)))

    def background(thread: int) -> None:
        for number in range(100):
            row = {"name": f"{thread} {number}", "size": 1}
            things.write_now(functools.partial(insert, row))

    threads = [threading.Thread(target=background, args=(thread,)) for thread in range(3)]
    for thread in threads:
        thread.start()
    asyncio.run(all_at_once())
    for thread in threads:
        thread.join()
    assert count(things) == 400


@pytest.fixture
def postgresql(postgres_url: str) -> Iterator[Database]:
    opened = Database(postgres_url)
    opened.write_now(lambda transaction: transaction.execute(CREATE))
    yield opened
    opened.close()


def cut_every_connection(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        cut = connection.execute(TERMINATE).fetchone()
        assert cut is not None
        assert cut[0] > 0
        until(
            lambda: (
                connection.execute(
                    "select count(*) from pg_stat_activity where application_name = 'pidgr'"
                    " and datname = current_database()"
                ).fetchone()
                == (0,)
            )
        )


def test_a_read_survives_the_loss_of_its_connection(
    postgresql: Database, postgres_url: str
) -> None:
    assert count(postgresql) == 0
    cut_every_connection(postgres_url)
    assert count(postgresql) == 0


def test_a_write_survives_the_loss_of_its_connection(
    postgresql: Database, postgres_url: str
) -> None:
    def write(name: str) -> None:
        postgresql.write_now(lambda unit: unit.execute(INSERT, {"name": name, "size": 1}))

    write("a")
    cut_every_connection(postgres_url)
    write("b")
    assert count(postgresql) == 2


def test_a_deadlock_costs_nobody_their_write(postgresql: Database) -> None:
    """One of the two is undone by the database, and does its work again."""
    for name in ("a", "b"):
        postgresql.write_now(functools.partial(insert, {"name": name, "size": 0}))
    grow = Statement("update thing set size = size + 1 where name = :name")
    met = threading.Barrier(2)
    attempts: list[str] = []

    def work(first: str, second: str) -> None:
        def in_turn(transaction: Transaction) -> None:
            transaction.execute(grow, {"name": first})
            attempts.append(first)
            if attempts.count(first) == 1:
                met.wait(30)
            transaction.execute(grow, {"name": second})

        postgresql.write_now(in_turn)

    threads = [threading.Thread(target=work, args=order) for order in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    sizes = Statement("select size from thing order by name")
    assert postgresql.read_now(lambda reader: reader.rows(sizes)) == [(2,), (2,)]
    assert len(attempts) == 3


def test_a_connection_lost_halfway_leaves_nothing(postgresql: Database, postgres_url: str) -> None:
    def work(transaction: Transaction) -> None:
        transaction.execute(INSERT, {"name": "a", "size": 1})
        cut_every_connection(postgres_url)
        transaction.execute(INSERT, {"name": "b", "size": 1})

    with pytest.raises(UnavailableError):
        postgresql.write_now(work)
    assert count(postgresql) == 0


def test_a_database_that_is_not_there_is_unavailable() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2")
    with pytest.raises(UnavailableError):
        database.read_now(lambda reader: reader.value(COUNT))
    with pytest.raises(UnavailableError):
        database.write_now(lambda transaction: transaction.value(COUNT))
    database.close()


@pytest.mark.parametrize("setting", ["", "?connect_timeout=2"])
def test_a_database_that_says_nothing_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    """Two seconds are the fewest that libpq waits."""
    if not setting:
        monkeypatch.setattr("pidgr.storage.database._NETWORK", {"connect_timeout": 2})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        database = Database(f"postgresql://somebody@127.0.0.1:{port}/nothing{setting}")
        with pytest.raises(UnavailableError):
            database.read_now(lambda reader: reader.value(COUNT))
        database.close()

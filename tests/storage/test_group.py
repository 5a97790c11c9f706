"""API writes on SQLite: those that wait together are committed together, and fail alone."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from typing import Self

import pytest
from support.waiting import until

from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction, UniqueViolationError

CREATE = Statement("create table thing (name text primary key, moment bigint)")
INSERT = Statement("insert into thing (name, moment) values (:name, :moment)")
NAMES = Statement("select name, moment from thing order by moment")
SYNCHRONOUS = Statement("pragma synchronous")
FULL = 2


@pytest.fixture
def things(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    database.write_now(lambda transaction: transaction.execute(CREATE))
    yield database
    database.close()


def insert(name: str, transaction: Transaction) -> str:
    transaction.execute(INSERT, {"name": name, "moment": transaction.change_time()})
    return name


def rows(database: Database) -> dict[str, int]:
    return dict(database.read_now(lambda reader: reader.rows(NAMES)))


class Turnstile:
    """Holds the write gate, so that writes pile up behind it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inside = threading.Event()
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def _hold(self) -> None:
        with self._database.gate.turn():
            self._inside.set()
            self._leave.wait(20)

    def __enter__(self) -> Self:
        self._thread.start()
        self._inside.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._thread.join()


async def pile_up(database: Database, names: list[str]) -> list[str | BaseException]:
    """Write every name at once while nobody can commit, then let them."""
    with Turnstile(database):
        tasks = [asyncio.create_task(database.write(partial(insert, name))) for name in names]
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


async def taken(database: Database) -> None:
    """Wait until the writer has taken what was handed to it, and waits at the gate."""
    await asyncio.sleep(0)
    until(database._group._jobs.empty)


def test_every_write_of_a_pile_is_committed_in_order_with_a_time_of_its_own(
    things: Database,
) -> None:
    names = [f"{number:03}" for number in range(200)]
    assert asyncio.run(pile_up(things, names)) == names
    found = rows(things)
    assert list(found) == names
    assert len(set(found.values())) == len(names)


def test_one_that_fails_is_undone_alone(things: Database) -> None:
    results = asyncio.run(pile_up(things, ["a", "b", "a", "c"]))
    assert results[:2] == ["a", "b"]
    assert isinstance(results[2], UniqueViolationError)
    assert results[3] == "c"
    assert list(rows(things)) == ["a", "b", "c"]


def test_what_a_failed_one_wrote_before_is_undone_and_announced_to_nobody(
    things: Database,
) -> None:
    announced: list[str] = []

    def write(name: str, unit: Transaction) -> None:
        insert(name, unit)
        unit.after_commit.append(lambda: announced.append(name))
        if name == "bad":
            raise ValueError(name)

    async def run() -> list[BaseException | None]:
        names = ["one", "bad", "two"]
        with Turnstile(things):
            tasks = [asyncio.create_task(things.write(partial(write, name))) for name in names]
            await asyncio.sleep(0)
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = asyncio.run(run())
    assert first is None
    assert isinstance(second, ValueError)
    assert third is None
    assert list(rows(things)) == announced == ["one", "two"]


def test_when_the_database_fails_all_of_a_pile_fail_and_the_next_write_works(
    things: Database,
) -> None:
    def give_up(unit: Transaction) -> None:
        # As a full disk does: SQLite itself ends the transaction of the whole group.
        unit.connection.exec_driver_sql("rollback")
        raise ValueError

    async def run() -> list[str | BaseException | None]:
        with Turnstile(things):
            # The first write is taken alone by a waiting writer; the others make the pile.
            head = asyncio.create_task(things.write(lambda unit: insert("head", unit)))
            await taken(things)
            tasks = [
                asyncio.create_task(things.write(lambda unit: insert("good", unit))),
                asyncio.create_task(things.write(give_up)),
            ]
            await asyncio.sleep(0)
        return await asyncio.gather(head, *tasks, return_exceptions=True)

    head, good, bad = asyncio.run(run())
    assert head == "head"
    assert isinstance(good, Exception)
    assert isinstance(bad, Exception)
    assert list(rows(things)) == ["head"]
    assert asyncio.run(things.write(lambda unit: insert("after", unit))) == "after"


def test_a_caller_who_hung_up_while_waiting_gets_nothing_written(things: Database) -> None:
    async def run() -> None:
        with Turnstile(things):
            head = asyncio.create_task(things.write(lambda unit: insert("head", unit)))
            await taken(things)
            gone = asyncio.create_task(things.write(lambda unit: insert("gone", unit)))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
        await head
        await things.write(lambda unit: insert("tail", unit))

    asyncio.run(run())
    assert list(rows(things)) == ["head", "tail"]


def test_closing_finishes_what_was_handed_over(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    database.write_now(lambda transaction: transaction.execute(CREATE))
    asyncio.run(database.write(lambda unit: insert("a", unit)))
    database.close()
    again = Database(sqlite_url)
    assert list(rows(again)) == ["a"]
    again.close()


def test_a_write_that_is_not_durable_is_visible_and_the_next_waits_for_the_disk_again(
    things: Database,
) -> None:
    def level(transaction: Transaction) -> int:
        found: int = transaction.value(SYNCHRONOUS)
        return found

    assert things.write_now(level) == FULL
    assert things.write_now(level, durable=False) < FULL
    things.write_now(lambda unit: insert("a", unit), durable=False)
    assert list(rows(things)) == ["a"]
    assert things.write_now(level) == FULL

"""A table in which handlers leave traces, and ways to wait for them."""

import time
from collections.abc import Callable

from pidgr.engine.port import Engine, Task, TaskStatus
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement

CREATE_MARKS = Statement("create table mark (name text primary key, times integer not null)")
_MARK = Statement(
    "insert into mark values (:name, 1) on conflict (name) do update set times = mark.times + 1"
)
_TIMES = Statement("select times from mark where name = :name")
_COUNT = Statement("select count(*), coalesce(max(times), 0) from mark")


def mark(database: Database, name: str) -> None:
    database.write_now(lambda transaction: transaction.execute(_MARK, {"name": name}))


def times(database: Database, name: str) -> int:
    return database.read_now(lambda reader: reader.value(_TIMES, {"name": name})) or 0


def marks(database: Database) -> tuple[int, int]:
    """How many names are marked, and the most often any of them is."""
    found = database.read_now(lambda reader: reader.row(_COUNT))
    assert found is not None
    return found[0], found[1]


def enqueue(database: Database, engine: Engine, *tasks: Task) -> None:
    def work(transaction: object) -> None:
        for task in tasks:
            engine.enqueue(transaction, task)  # type: ignore[arg-type]

    database.write_now(work)


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> float:
    """Wait for a condition and return the seconds it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "waited too long"
        time.sleep(0.005)
    return time.monotonic() - start


def has(engine: Engine, key: str, status: TaskStatus | None) -> bool:
    return engine.status(key) is status

"""Tasks that another process has added begin when it rings; PostgreSQL only."""

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy

from engine.conftest import MakeEngine
from engine.marks import enqueue, has, times, wait_until
from pidgr.clock import HOUR
from pidgr.engine import bell, pump
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.engine.port import Task, TaskStatus
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

_LISTENING = "from pg_stat_activity where datname = current_database() and query like 'listen %'"
_LISTENERS = Statement("select 0", postgresql=f"select count(*) {_LISTENING}")
_END_LISTENERS = Statement(
    "select 0", postgresql=f"select count(pg_terminate_backend(pid)) {_LISTENING}"
)


def _listeners(database: Database) -> int:
    count: int = database.read_now(lambda reader: reader.value(_LISTENERS))
    return count


@pytest.fixture
def rarely_looking(
    prepared: Database, engine: DbosEngine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DbosEngine]:
    """An engine that looks by itself once an hour."""
    monkeypatch.setattr(pump, "_WATCH_SECONDS", 3_600.0)
    monkeypatch.setattr(pump, "_POLL_SECONDS", 3_600.0)
    engine.start()
    wait_until(lambda: _listeners(prepared) == 1)
    yield engine
    stopping = threading.Thread(target=engine.stop)
    stopping.start()
    while stopping.is_alive():
        prepared.write_now(bell.ring)
        stopping.join(0.1)


def test_a_task_of_another_process_begins_when_it_rings(
    prepared: Database, rarely_looking: DbosEngine, make_engine: MakeEngine
) -> None:
    front = make_engine(run_handlers=False)
    front.start()

    enqueue(prepared, front, Task("mark", "k", ("k",)))

    wait_until(lambda: has(rarely_looking, "k", TaskStatus.SUCCEEDED))
    assert times(prepared, "k") == 1


def test_a_timer_that_another_process_moves_to_now_begins_when_it_rings(
    prepared: Database, rarely_looking: DbosEngine, make_engine: MakeEngine
) -> None:
    front = make_engine(run_handlers=False)
    front.start()
    enqueue(prepared, front, Task("mark", "k", ("k",), delay=HOUR))

    prepared.write_now(lambda transaction: front.move(transaction, "k", 0))

    wait_until(lambda: has(rarely_looking, "k", TaskStatus.SUCCEEDED))


def test_a_session_that_was_lost_is_opened_again_and_tasks_are_found_meanwhile(
    prepared: Database, engine: DbosEngine, make_engine: MakeEngine
) -> None:
    engine.start()
    wait_until(lambda: _listeners(prepared) == 1)
    assert prepared.read_now(lambda reader: reader.value(_END_LISTENERS)) == 1
    front = make_engine(run_handlers=False)
    front.start()

    enqueue(prepared, front, Task("mark", "k", ("k",)))

    wait_until(lambda: has(engine, "k", TaskStatus.SUCCEEDED))
    wait_until(lambda: _listeners(prepared) == 1)


def test_a_session_that_is_lost_before_it_listens_is_opened_again(
    prepared: Database, engine: DbosEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = prepared.session
    lost: list[int] = []

    def lose_the_first() -> sqlalchemy.Connection:
        session = opened()
        if not lost:
            pid = session.exec_driver_sql("select pg_backend_pid()").scalar_one()
            lost.append(pid)
            end = Statement("select 0", postgresql="select pg_terminate_backend(:pid, 5000)")
            assert prepared.read_now(lambda reader: reader.value(end, {"pid": pid}))
        return session

    monkeypatch.setattr(prepared, "session", lose_the_first)
    engine.start()
    wait_until(lambda: _listeners(prepared) == 1)
    assert len(lost) == 1

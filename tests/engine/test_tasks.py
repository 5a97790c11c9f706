import threading
from collections.abc import Iterator

import pytest

from engine.conftest import MakeEngine
from engine.marks import enqueue, mark, marks, times, wait_until
from pidgr.clock import HOUR, MINUTE, SECOND
from pidgr.engine import rows
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.engine.port import Queue, StoppingError, Task, TaskStatus
from pidgr.errors import FailedPreconditionError, UnavailableError
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction


@pytest.fixture
def engine(prepared: Database, make_engine: MakeEngine) -> DbosEngine:
    """An engine whose handler "mark" counts its calls."""
    engine = make_engine()
    engine.register("mark", lambda name: mark(prepared, name))
    return engine


def has(engine: DbosEngine, key: str, status: TaskStatus | None) -> bool:
    return engine.status(key) is status


class TestEnqueue:
    def test_a_task_runs_with_its_arguments_once_its_transaction_has_committed(
        self, prepared: Database, make_engine: MakeEngine
    ) -> None:
        engine = make_engine()
        seen: list[tuple[object, ...]] = []
        engine.register("note", lambda *arguments: seen.append(arguments))
        engine.start()

        enqueue(prepared, engine, Task("note", "k", (7, "ä", -1, 2**62), Queue.CALLS))

        wait_until(lambda: has(engine, "k", TaskStatus.SUCCEEDED))
        assert seen == [(7, "ä", -1, 2**62)]

    def test_a_task_of_a_rolled_back_transaction_never_existed(
        self, prepared: Database, engine: DbosEngine
    ) -> None:
        engine.start()

        def work(transaction: Transaction) -> None:
            engine.enqueue(transaction, Task("mark", "lost", ("lost",)))
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            prepared.write_now(work)
        enqueue(prepared, engine, Task("mark", "kept", ("kept",)))
        wait_until(lambda: has(engine, "kept", TaskStatus.SUCCEEDED))

        assert engine.status("lost") is None
        assert times(prepared, "lost") == 0

    def test_a_key_runs_once_however_often_it_is_enqueued(
        self, prepared: Database, engine: DbosEngine
    ) -> None:
        engine.start()
        task = Task("mark", "k", ("k",))
        enqueue(prepared, engine, task, task)
        wait_until(lambda: has(engine, "k", TaskStatus.SUCCEEDED))

        enqueue(prepared, engine, task, Task("mark", "next", ("next",)))
        wait_until(lambda: has(engine, "next", TaskStatus.SUCCEEDED))

        assert times(prepared, "k") == 1

    def test_a_process_that_only_enqueues_leaves_the_work_to_one_that_executes(
        self, prepared: Database, engine: DbosEngine, make_engine: MakeEngine
    ) -> None:
        front = make_engine(run_handlers=False)
        front.start()
        enqueue(prepared, front, Task("mark", "k", ("k",)))
        assert front.status("k") is TaskStatus.QUEUED

        engine.start()

        wait_until(lambda: has(front, "k", TaskStatus.SUCCEEDED))
        assert times(prepared, "k") == 1

    def test_a_thousand_tasks_run_once_each_while_the_api_writes(
        self, prepared: Database, engine: DbosEngine
    ) -> None:
        engine.start()
        stop = threading.Event()
        errors: list[BaseException] = []

        def write_like_the_api() -> None:
            written = 0
            try:
                while not stop.is_set():
                    name = f"api-{written}"
                    prepared.write_now(lambda t: t.execute(_API_WRITE, {"n": name}), urgent=True)  # noqa: B023
                    written += 1
            except BaseException as error:  # noqa: BLE001 - told to the test below
                errors.append(error)

        prepared.write_now(lambda transaction: transaction.execute(_CREATE_API))
        writer = threading.Thread(target=write_like_the_api)
        writer.start()
        for first in range(0, 1_000, 50):
            enqueue(
                prepared,
                engine,
                *(Task("mark", f"k{n}", (f"k{n}",)) for n in range(first, first + 50)),
            )
        wait_until(lambda: marks(prepared)[0] == 1_000, 60)
        stop.set()
        writer.join()

        assert errors == []
        assert marks(prepared) == (1_000, 1)


class TestTimers:
    def test_a_delayed_task_waits_and_then_runs(
        self, prepared: Database, engine: DbosEngine
    ) -> None:
        engine.start()
        enqueue(prepared, engine, Task("mark", "k", ("k",), delay=SECOND // 2))
        assert engine.status("k") is TaskStatus.WAITING

        took = wait_until(lambda: times(prepared, "k"))

        assert took > 0.4

    def test_a_waiting_task_moved_to_now_runs_at_once(
        self, prepared: Database, engine: DbosEngine
    ) -> None:
        engine.start()
        enqueue(prepared, engine, Task("mark", "k", ("k",), delay=365 * 24 * HOUR))

        prepared.write_now(lambda transaction: engine.move(transaction, "k", 0))

        wait_until(lambda: has(engine, "k", TaskStatus.SUCCEEDED))

    def test_a_waiting_task_can_be_moved_nearer(
        self, prepared: Database, engine: DbosEngine
    ) -> None:
        engine.start()
        enqueue(prepared, engine, Task("mark", "k", ("k",), delay=HOUR))

        prepared.write_now(lambda transaction: engine.move(transaction, "k", SECOND // 2))

        assert engine.status("k") is TaskStatus.WAITING
        wait_until(lambda: has(engine, "k", TaskStatus.SUCCEEDED))

    def test_a_task_that_has_run_cannot_be_moved(
        self, prepared: Database, engine: DbosEngine
    ) -> None:
        engine.start()
        enqueue(prepared, engine, Task("mark", "k", ("k",)))
        wait_until(lambda: has(engine, "k", TaskStatus.SUCCEEDED))

        prepared.write_now(lambda transaction: engine.move(transaction, "k", 0))

        assert engine.status("k") is TaskStatus.SUCCEEDED

    def test_two_thousand_waiting_tasks_need_no_threads(
        self, prepared: Database, engine: DbosEngine
    ) -> None:
        engine.start()
        before = threading.active_count()

        enqueue(prepared, engine, *(Task("mark", f"t{n}", delay=HOUR) for n in range(2_000)))
        enqueue(prepared, engine, Task("mark", "now", ("now",)))

        wait_until(lambda: has(engine, "now", TaskStatus.SUCCEEDED))
        assert threading.active_count() <= before + 2


class TestCancel:
    def test_a_cancelled_task_never_starts(self, prepared: Database, engine: DbosEngine) -> None:
        enqueue(
            prepared,
            engine,
            Task("mark", "waiting", ("waiting",), delay=HOUR),
            Task("mark", "queued", ("queued",)),
        )

        prepared.write_now(lambda t: engine.cancel(t, ["waiting", "queued", "unknown"]))
        engine.start()
        enqueue(prepared, engine, Task("mark", "after", ("after",)))
        wait_until(lambda: has(engine, "after", TaskStatus.SUCCEEDED))
        prepared.write_now(lambda transaction: engine.move(transaction, "waiting", 0))

        assert engine.status("waiting") is TaskStatus.CANCELLED
        assert engine.status("queued") is TaskStatus.CANCELLED
        assert engine.status("unknown") is None
        assert marks(prepared) == (1, 1)

    def test_a_rolled_back_cancellation_changes_nothing(
        self, prepared: Database, engine: DbosEngine
    ) -> None:
        enqueue(prepared, engine, Task("mark", "k", ("k",)))

        def work(transaction: Transaction) -> None:
            engine.cancel(transaction, ["k"])
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            prepared.write_now(work)
        engine.start()

        wait_until(lambda: has(engine, "k", TaskStatus.SUCCEEDED))

    def test_a_running_task_that_is_cancelled_ends_and_is_not_tried_again(
        self, prepared: Database, make_engine: MakeEngine
    ) -> None:
        engine = make_engine()
        begun, go_on = threading.Event(), threading.Event()

        def fail_when_told(name: str) -> None:
            mark(prepared, name)
            begun.set()
            go_on.wait(20)
            raise ValueError

        engine.register("fail", fail_when_told)
        engine.register("mark", lambda name: mark(prepared, name))
        engine.start()
        enqueue(prepared, engine, Task("fail", "k", ("k",)))
        assert begun.wait(20)

        prepared.write_now(lambda transaction: engine.cancel(transaction, ["k"]))
        go_on.set()
        enqueue(prepared, engine, Task("mark", "timer", ("timer",), delay=SECOND))
        wait_until(lambda: has(engine, "timer", TaskStatus.SUCCEEDED))

        assert engine.status("k") is TaskStatus.CANCELLED
        assert times(prepared, "k") == 1

    def test_a_task_may_cancel_itself(self, prepared: Database, make_engine: MakeEngine) -> None:
        engine = make_engine()
        engine.register("end", lambda: prepared.write_now(lambda t: engine.cancel(t, ["k"])))
        engine.start()

        enqueue(prepared, engine, Task("end", "k"))

        wait_until(lambda: has(engine, "k", TaskStatus.CANCELLED))
        wait_until(lambda: not engine._slots.activeList())


class TestFailure:
    def test_a_defect_is_retried_and_then_reported_once(
        self, prepared: Database, make_engine: MakeEngine
    ) -> None:
        engine = make_engine()
        reported: list[tuple[Task, Exception]] = []

        def defect(name: str) -> None:
            mark(prepared, name)
            message = f"broken by {name}"
            raise ValueError(message)

        engine.register("defect", defect, lambda task, error: reported.append((task, error)))
        engine.start()
        task = Task("defect", "k", ("k",), Queue.LANES)
        enqueue(prepared, engine, task)

        wait_until(lambda: has(engine, "k", TaskStatus.FAILED))

        assert times(prepared, "k") == 3
        [(failed, error)] = reported
        assert (failed, str(error)) == (task, "broken by k")

    def test_a_defect_that_goes_away_is_forgiven(
        self, prepared: Database, make_engine: MakeEngine
    ) -> None:
        engine = make_engine()

        def fail_twice(name: str) -> None:
            mark(prepared, name)
            if times(prepared, name) < 3:
                raise ValueError

        engine.register("flaky", fail_twice)
        engine.start()
        enqueue(prepared, engine, Task("flaky", "k", ("k",)))

        wait_until(lambda: has(engine, "k", TaskStatus.SUCCEEDED))

    def test_waiting_for_the_next_attempt_is_visible(
        self, prepared: Database, make_engine: MakeEngine
    ) -> None:
        engine = make_engine(retry_delays=(HOUR,))
        engine.register("defect", lambda: 1 / 0)
        engine.start()
        enqueue(prepared, engine, Task("defect", "k"))

        wait_until(lambda: has(engine, "k", TaskStatus.WAITING))

    def test_an_outage_is_not_counted_as_a_failed_attempt(
        self, prepared: Database, make_engine: MakeEngine
    ) -> None:
        engine = make_engine(retry_delays=())

        def unreachable_at_first(name: str) -> None:
            mark(prepared, name)
            if times(prepared, name) < 3:
                message = "gone fishing"
                raise UnavailableError(message)

        engine.register("call", unreachable_at_first)
        engine.start()
        enqueue(prepared, engine, Task("call", "k", ("k",), Queue.CALLS))

        wait_until(lambda: has(engine, "k", TaskStatus.SUCCEEDED))
        assert times(prepared, "k") == 3

    def test_a_report_that_meets_an_outage_is_repeated(
        self, prepared: Database, make_engine: MakeEngine
    ) -> None:
        engine = make_engine(retry_delays=())

        def report(_task: Task, _error: Exception) -> None:
            mark(prepared, "reports")
            if times(prepared, "reports") == 1:
                message = "gone fishing"
                raise UnavailableError(message)

        engine.register("defect", lambda: 1 / 0, report)
        engine.start()
        enqueue(prepared, engine, Task("defect", "k"))

        wait_until(lambda: has(engine, "k", TaskStatus.FAILED))
        assert times(prepared, "reports") == 2

    def test_a_defect_of_the_report_does_not_keep_the_task_alive(
        self, prepared: Database, make_engine: MakeEngine
    ) -> None:
        engine = make_engine(retry_delays=())

        def report(_task: Task, _error: Exception) -> None:
            raise KeyError

        engine.register("defect", lambda: 1 / 0, report)
        engine.start()
        enqueue(prepared, engine, Task("defect", "k"))

        wait_until(lambda: has(engine, "k", TaskStatus.FAILED))

    def test_a_task_without_a_handler_fails_visibly(
        self, prepared: Database, make_engine: MakeEngine
    ) -> None:
        engine = make_engine(retry_delays=())
        engine.start()
        enqueue(prepared, engine, Task("nobody", "k"))

        wait_until(lambda: has(engine, "k", TaskStatus.FAILED))


class TestHousekeeping:
    def test_a_task_that_lost_its_execution_is_run_again(
        self, prepared: Database, engine: DbosEngine
    ) -> None:
        enqueue(prepared, engine, Task("mark", "k", ("k",)))
        engine.start()
        wait_until(lambda: has(engine, "k", TaskStatus.SUCCEEDED))
        assert engine._supervisor is not None
        executor = engine._supervisor.liveness.executor
        prepared.write_now(lambda t: t.execute(_STRAND, {"key": "k", "executor": executor}))

        wait_until(lambda: times(prepared, "k") == 2)
        wait_until(lambda: has(engine, "k", TaskStatus.SUCCEEDED))

    def test_finished_tasks_are_forgotten_after_their_retention(
        self, prepared: Database, engine: DbosEngine
    ) -> None:
        engine.start()
        enqueue(prepared, engine, Task("mark", "done", ("done",)), Task("mark", "t", delay=HOUR))
        wait_until(lambda: has(engine, "done", TaskStatus.SUCCEEDED))

        prepared.write_now(lambda transaction: rows.sweep(transaction, MINUTE))
        assert engine.status("done") is TaskStatus.SUCCEEDED
        prepared.write_now(lambda transaction: rows.sweep(transaction, -MINUTE))

        assert engine.status("done") is None
        assert engine.status("t") is TaskStatus.WAITING
        inputs = "workflow_input" if prepared.dialect == "sqlite" else "dbos.workflow_input"
        left = prepared.read_now(lambda r: r.value(Statement(f"select count(*) from {inputs}")))
        assert left == 1


class TestLifecycle:
    def test_an_interrupted_task_is_run_by_the_next_engine(
        self, prepared: Database, make_engine: MakeEngine
    ) -> None:
        first = make_engine()
        begun = threading.Event()

        def endless(name: str) -> None:
            mark(prepared, name)
            begun.set()
            while True:
                first.checkpoint()

        first.register("long", endless)
        first.start()
        enqueue(prepared, first, Task("long", "k", ("k",)))
        assert begun.wait(20)
        first.stop()
        assert first.status("k") is TaskStatus.QUEUED

        second = make_engine()
        second.register("long", lambda name: mark(prepared, name))
        second.start()

        wait_until(lambda: has(second, "k", TaskStatus.SUCCEEDED))
        assert times(prepared, "k") == 2

    def test_a_handler_that_does_not_end_in_time_is_left_to_the_next_engine(
        self, prepared: Database, make_engine: MakeEngine
    ) -> None:
        first = make_engine(drain_seconds=0.1)
        begun, go_on = threading.Event(), threading.Event()

        def stuck() -> None:
            begun.set()
            go_on.wait(20)

        first.register("stuck", stuck)
        first.start()
        enqueue(prepared, first, Task("stuck", "k"))
        assert begun.wait(20)
        first.stop()
        assert first.status("k") is TaskStatus.RUNNING

        second = make_engine()
        second.register("stuck", lambda: mark(prepared, "second"))
        second.start()

        wait_until(lambda: has(second, "k", TaskStatus.SUCCEEDED))
        go_on.set()
        assert times(prepared, "second") == 1

    def test_checkpoints_pass_while_the_engine_runs(self, engine: DbosEngine) -> None:
        engine.start()
        engine.checkpoint()
        engine.stop()
        with pytest.raises(StoppingError):
            engine.checkpoint()

    def test_one_engine_executes_per_process(
        self, engine: DbosEngine, make_engine: MakeEngine
    ) -> None:
        engine.start()
        with pytest.raises(RuntimeError, match="one engine executes per process"):
            make_engine().start()
        engine.stop()
        make_engine().start()

    def test_an_engine_starts_once(self, engine: DbosEngine) -> None:
        engine.start()
        with pytest.raises(RuntimeError, match="starts once"):
            engine.start()

    def test_a_name_has_one_handler_and_gets_it_before_the_start(self, engine: DbosEngine) -> None:
        with pytest.raises(ValueError, match="has a handler already"):
            engine.register("mark", print)
        engine.start()
        with pytest.raises(RuntimeError, match="before the engine starts"):
            engine.register("late", print)

    @pytest.mark.parametrize("run_handlers", [True, False])
    def test_an_unprepared_database_is_refused_with_what_to_do(
        self, database: Database, run_handlers: bool
    ) -> None:
        engine = DbosEngine(database, run_handlers=run_handlers)
        with pytest.raises(FailedPreconditionError, match="run `pidgr migrate`"):
            engine.start()
        engine.stop()

    def test_the_library_keeps_quiet(
        self, engine: DbosEngine, prepared: Database, capfd: pytest.CaptureFixture[str]
    ) -> None:
        engine.start()
        enqueue(prepared, engine, Task("mark", "k", ("k",)))
        wait_until(lambda: has(engine, "k", TaskStatus.SUCCEEDED))
        engine.stop()
        assert capfd.readouterr() == ("", "")


@pytest.fixture(autouse=True)
def no_threads_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    # Database threads end with the database, after this.
    left = {thread for thread in threading.enumerate() if "pidgr-engine" in thread.name} - before
    assert not left


_CREATE_API = Statement("create table api (name text not null)")
_API_WRITE = Statement("insert into api values (:n)")
_STRAND = Statement(
    "update workflow_status set status = 'PENDING', executor_id = :executor, owner_xid = 'gone',"
    " started_at_epoch_ms = 1 where workflow_uuid = :key",
    postgresql="update dbos.workflow_status set status = 'PENDING', executor_id = :executor,"
    " owner_xid = 'gone', started_at_epoch_ms = 1 where workflow_uuid = :key",
)

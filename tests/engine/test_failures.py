from engine.conftest import MakeEngine
from engine.marks import enqueue, has, mark, times, wait_until
from pidgr.clock import HOUR, MINUTE
from pidgr.engine import rows
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.engine.port import Queue, Task, TaskStatus
from pidgr.errors import UnavailableError
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement


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

    def test_an_outage_that_asks_to_wait_is_waited_for(
        self, prepared: Database, make_engine: MakeEngine
    ) -> None:
        engine = make_engine()

        def busy(name: str) -> None:
            mark(prepared, name)
            message = "come back in an hour"
            raise UnavailableError(message, pause=HOUR)

        engine.register("call", busy)
        engine.start()
        enqueue(prepared, engine, Task("call", "k", ("k",), Queue.CALLS))
        wait_until(lambda: has(engine, "k", TaskStatus.WAITING))
        # Without being asked to wait, the engine repeats at once the first time.
        assert times(prepared, "k") == 1

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


_STRAND = Statement(
    "update workflow_status set status = 'PENDING', executor_id = :executor, owner_xid = 'gone',"
    " started_at_epoch_ms = 1 where workflow_uuid = :key",
    postgresql="update dbos.workflow_status set status = 'PENDING', executor_id = :executor,"
    " owner_xid = 'gone', started_at_epoch_ms = 1 where workflow_uuid = :key",
)

import threading

import pytest

from engine.conftest import MakeEngine
from engine.marks import enqueue, has, mark, times, wait_until
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.engine.port import StoppingError, Task, TaskStatus
from pidgr.errors import FailedPreconditionError
from pidgr.storage.database import Database


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

import threading

import pytest

from engine.conftest import MakeEngine
from engine.marks import enqueue, has, mark, marks, times, wait_until
from pidgr.clock import HOUR, SECOND
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.engine.port import Queue, Task, TaskStatus
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction


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


_CREATE_API = Statement("create table api (name text not null)")
_API_WRITE = Statement("insert into api values (:n)")

"""How many tasks of a queue run at once, and what waits for its turn."""

import threading

import pytest

from engine.conftest import MakeEngine
from engine.marks import enqueue, has, wait_until
from pidgr.engine.dbos_engine import _CONCURRENCY, DbosEngine
from pidgr.engine.port import Queue, Task, TaskStatus
from pidgr.storage.database import Database

_LANES = _CONCURRENCY[Queue.LANES]


class _Busy:
    """A handler that works until it is let go, one call for each permit, or its engine stops."""

    def __init__(self, engine: DbosEngine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._permits = threading.Semaphore(0)
        self.running = 0
        self.most = 0
        self.begun: list[str] = []

    def __call__(self, key: str) -> None:
        with self._lock:
            self.begun.append(key)
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            while not self._permits.acquire(timeout=0.01):
                self._engine.checkpoint()
        finally:
            with self._lock:
                self.running -= 1

    def let_go(self, count: int = 1) -> None:
        self._permits.release(count)


def _set_to_work(database: Database, engine: DbosEngine, count: int, queue: Queue) -> list[str]:
    keys = [f"k{number}" for number in range(count)]
    enqueue(database, engine, *(Task("busy", key, (key,), queue) for key in keys))
    return keys


def _with_status(engine: DbosEngine, keys: list[str], status: TaskStatus) -> list[str]:
    return [key for key in keys if has(engine, key, status)]


@pytest.fixture
def busy(engine: DbosEngine) -> _Busy:
    busy = _Busy(engine)
    engine.register("busy", busy)
    return busy


def test_one_lane_is_taken_ahead_and_begins_when_another_one_ends(
    prepared: Database, engine: DbosEngine, busy: _Busy
) -> None:
    engine.start()
    keys = _set_to_work(prepared, engine, _LANES + 3, Queue.LANES)
    wait_until(lambda: len(_with_status(engine, keys, TaskStatus.RUNNING)) == _LANES + 1)
    wait_until(lambda: busy.running == _LANES)
    taken = set(_with_status(engine, keys, TaskStatus.RUNNING))

    busy.let_go()
    wait_until(lambda: len(busy.begun) == _LANES + 1)

    assert set(busy.begun) == taken
    busy.let_go(len(keys))
    wait_until(lambda: len(_with_status(engine, keys, TaskStatus.SUCCEEDED)) == len(keys))
    assert busy.most == _LANES


@pytest.mark.parametrize("queue", list(Queue))
def test_never_more_run_at_once_than_may_however_often_the_queue_is_polled(
    prepared: Database, engine: DbosEngine, busy: _Busy, queue: Queue
) -> None:
    engine.start()
    polling = threading.Event()

    def poll() -> None:
        while not polling.wait(0.001):
            engine._pumps.wake_all()

    poller = threading.Thread(target=poll)
    poller.start()
    keys = _set_to_work(prepared, engine, 3 * _CONCURRENCY[queue], queue)
    for _ in keys:
        wait_until(lambda: busy.running)
        busy.let_go()
    wait_until(lambda: len(_with_status(engine, keys, TaskStatus.SUCCEEDED)) == len(keys))
    polling.set()
    poller.join()

    assert busy.most <= _CONCURRENCY[queue]


def test_what_waits_for_its_turn_is_handed_back_at_a_stop(
    prepared: Database, engine: DbosEngine, make_engine: MakeEngine, busy: _Busy
) -> None:
    engine.start()
    keys = _set_to_work(prepared, engine, _LANES + 1, Queue.LANES)
    wait_until(lambda: len(_with_status(engine, keys, TaskStatus.RUNNING)) == len(keys))
    wait_until(lambda: busy.running == _LANES)

    engine.stop()

    reader = make_engine(run_handlers=False)
    assert _with_status(reader, keys, TaskStatus.QUEUED) == keys
    assert len(busy.begun) == _LANES


def test_what_waits_for_its_turn_can_be_cancelled(
    prepared: Database, engine: DbosEngine, busy: _Busy
) -> None:
    engine.start()
    keys = _set_to_work(prepared, engine, _LANES + 1, Queue.LANES)
    wait_until(lambda: len(_with_status(engine, keys, TaskStatus.RUNNING)) == len(keys))
    wait_until(lambda: busy.running == _LANES)
    (waiting,) = set(keys) - set(busy.begun)

    prepared.write_now(lambda transaction: engine.cancel(transaction, [waiting]))
    busy.let_go(len(keys))

    wait_until(lambda: len(_with_status(engine, keys, TaskStatus.SUCCEEDED)) == _LANES)
    wait_until(lambda: not engine._slots.activeList())
    assert engine.status(waiting) is TaskStatus.CANCELLED
    assert waiting not in busy.begun

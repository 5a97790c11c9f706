"""The queue in front of SQLite's write lock, with real threads."""

import random
import threading
from collections.abc import Callable

import pytest
from support.waiting import until

from pidgr.storage.gate import WriteGate

SECONDS = 20


class Line:
    """Threads that queue up at a gate in a known order, and the order they came through in."""

    def __init__(self) -> None:
        self.gate = WriteGate()
        self.passed: list[str] = []
        self.threads: list[threading.Thread] = []

    def join(self, name: str, *, urgent: bool) -> None:
        def work() -> None:
            with self.gate.turn(urgent=urgent):
                self.passed.append(name)

        queue = self.gate._urgent if urgent else self.gate._background
        before = len(queue)
        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()
        until(lambda: len(queue) > before)

    def wait(self) -> None:
        for thread in self.threads:
            thread.join(SECONDS)
            assert not thread.is_alive()


@pytest.fixture
def line() -> Line:
    return Line()


def test_each_class_is_served_in_order_and_urgent_ones_first(line: Line) -> None:
    with line.gate.turn():
        for number in range(5):
            line.join(f"background {number}", urgent=False)
            line.join(f"urgent {number}", urgent=True)
    line.wait()
    urgent = [f"urgent {number}" for number in range(5)]
    assert line.passed == [*urgent, *(f"background {number}" for number in range(5))]


def test_a_background_writer_waits_for_16_urgent_ones_at_most(line: Line) -> None:
    with line.gate.turn():
        line.join("background", urgent=False)
        for number in range(40):
            line.join(f"urgent {number}", urgent=True)
    line.wait()
    assert line.passed.index("background") == 16


def test_the_holder_may_enter_again(line: Line) -> None:
    with line.gate.turn(), line.gate.turn(urgent=True), line.gate.turn():
        line.join("other", urgent=True)
        assert line.passed == []
    line.wait()
    assert line.passed == ["other"]


def test_a_turn_that_fails_is_over(line: Line) -> None:
    def fail() -> None:
        with line.gate.turn():
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert not line.gate._held
    with line.gate.turn():
        pass


def test_under_many_threads_one_is_inside_and_everyone_comes_through() -> None:
    gate = WriteGate()
    inside: set[int] = set()
    together: list[int] = []
    finished: list[int] = []

    def work(seed: int) -> Callable[[], None]:
        chance = random.Random(seed)

        def run() -> None:
            for _ in range(200):
                with gate.turn(urgent=chance.random() < 0.5):
                    inside.add(seed)
                    if chance.random() < 0.3:
                        with gate.turn(urgent=chance.random() < 0.5):
                            together.append(len(inside))
                    together.append(len(inside))
                    inside.discard(seed)
            finished.append(seed)

        return run

    threads = [threading.Thread(target=work(seed), daemon=True) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert sorted(finished) == list(range(12))
    assert set(together) == {1}
    assert not gate._held

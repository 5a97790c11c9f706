"""Waiting for something to become true, without guessing how long it takes."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return once the condition holds; fail after a deadline far beyond any healthy run."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


def at_once(times: int, work: Callable[[], Result]) -> list[Result]:
    """Run work in as many threads, begun together, and return what each returned."""
    outcomes: list[Result] = []
    barrier = threading.Barrier(times)

    def run() -> None:
        barrier.wait()
        outcomes.append(work())

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == times
    return outcomes

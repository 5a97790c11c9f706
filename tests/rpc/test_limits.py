"""What the limiter admits, by its own clock."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidgr.clock import SECOND, ManualClock
from pidgr.errors import ResourceExhaustedError
from pidgr.rpc.limits import MemoryLimiter, Rate


def passes(limiter: MemoryLimiter, name: str = "a") -> bool:
    try:
        limiter.take_now(name)
    except ResourceExhaustedError:
        return False
    return True


@given(
    burst=st.integers(1, 20),
    per_second=st.sampled_from([0.25, 0.5, 1.0, 3.0, 7.0, 100.0, 1e6]),
    pauses=st.lists(st.integers(0, 4 * SECOND), max_size=150),
)
def test_in_no_window_do_more_calls_pass_than_the_burst_and_the_refill(
    burst: int, per_second: float, pauses: list[int]
) -> None:
    clock = ManualClock(0)
    limiter = MemoryLimiter(Rate.of(per_second, burst), clock)
    passed: list[int] = []
    for pause in pauses:
        clock.advance(pause)
        if passes(limiter):
            passed.append(clock.now())
    for first, start in enumerate(passed):
        for last in range(first, len(passed)):
            allowed = burst + (passed[last] - start) * per_second / SECOND
            assert last - first + 1 <= allowed


@given(burst=st.integers(1, 20), refused=st.integers(0, 50), waited=st.integers(1, 40))
def test_refused_calls_cost_nothing(burst: int, refused: int, waited: int) -> None:
    clock = ManualClock(0)
    limiter = MemoryLimiter(Rate.of(2, burst), clock)
    assert all(passes(limiter) for _ in range(burst))
    assert not any(passes(limiter) for _ in range(refused + 1))
    clock.advance(waited * SECOND // 2)
    assert sum(passes(limiter) for _ in range(burst + 50)) == min(burst, waited)


@given(
    burst=st.integers(1, 300),
    per_second=st.floats(0.001, 1e5),
    pause=st.integers(0, 10 * SECOND),
)
def test_a_refused_call_passes_after_the_wait_it_was_told_and_not_a_microsecond_earlier(
    burst: int, per_second: float, pause: int
) -> None:
    clock = ManualClock(0)
    limiter = MemoryLimiter(Rate.of(per_second, burst), clock)
    for _ in range(burst):
        limiter.take_now("a")
    clock.advance(min(pause, limiter.rate.interval - 1))
    with pytest.raises(ResourceExhaustedError) as error:
        asyncio.run(limiter.take("a"))
    told = error.value.retry_after_seconds
    assert told is not None
    wait = round(told * SECOND)
    assert wait > 0
    clock.advance(wait - 1)
    assert not limiter.has_room("a")
    assert not passes(limiter)
    clock.advance(1)
    assert limiter.has_room("a")
    assert passes(limiter)
    assert not passes(limiter)


def test_a_refusal_names_the_limit() -> None:
    limiter = MemoryLimiter(Rate.of(100, 200), ManualClock(0))
    assert all(passes(limiter) for _ in range(200))
    with pytest.raises(
        ResourceExhaustedError, match="100 per second with a burst of 200; try again in 1 s"
    ) as error:
        limiter.take_now("a")
    assert error.value.retry_after_seconds == 0.01
    slow = MemoryLimiter(Rate.of(10 / 60, 1), ManualClock(0))
    slow.take_now("a")
    with pytest.raises(ResourceExhaustedError, match="10 per minute with a burst of 1; try again"):
        slow.take_now("a")


def test_one_callers_calls_do_not_touch_another() -> None:
    limiter = MemoryLimiter(Rate.of(1, 3), ManualClock(0))
    assert [passes(limiter, "a") for _ in range(4)] == [True, True, True, False]
    assert [passes(limiter, "b") for _ in range(4)] == [True, True, True, False]

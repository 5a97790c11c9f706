from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidgr.errors import ResourceExhaustedError
from pidgr.rpc.limits import RateLimiter


class Watch:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def passes(limiter: RateLimiter, key: str = "a") -> bool:
    try:
        limiter.take(key)
    except ResourceExhaustedError:
        return False
    return True


# Binary fractions, so that sums of them are exact.
PAUSES = st.integers(0, 64).map(lambda sixteenths: sixteenths / 16)


@given(
    burst=st.integers(1, 20),
    per_second=st.sampled_from([0.25, 0.5, 1.0, 4.0, 100.0]),
    pauses=st.lists(PAUSES, max_size=150),
)
def test_in_no_window_do_more_calls_pass_than_the_burst_and_the_refill(
    burst: int, per_second: float, pauses: list[float]
) -> None:
    watch = Watch()
    limiter = RateLimiter(per_second, burst, watch)
    passed: list[Fraction] = []
    for pause in pauses:
        watch.seconds += pause
        if passes(limiter):
            passed.append(Fraction(watch.seconds))
    for first, start in enumerate(passed):
        for last in range(first, len(passed)):
            allowed = burst + (passed[last] - start) * Fraction(per_second)
            assert last - first + 1 <= allowed


@given(burst=st.integers(1, 20), refused=st.integers(0, 50), waited=st.integers(1, 40))
def test_refused_calls_cost_nothing(burst: int, refused: int, waited: int) -> None:
    watch = Watch()
    limiter = RateLimiter(2.0, burst, watch)
    assert all(passes(limiter) for _ in range(burst))
    assert not any(passes(limiter) for _ in range(refused + 1))
    watch.seconds += waited / 2
    assert sum(passes(limiter) for _ in range(burst + 50)) == min(burst, waited)


def test_the_200_calls_of_a_burst_pass_and_the_next_waits_a_hundredth_of_a_second() -> None:
    watch = Watch()
    limiter = RateLimiter(100.0, 200, watch)
    assert all(passes(limiter) for _ in range(200))
    with pytest.raises(ResourceExhaustedError, match="100 per second with a burst of 200") as error:
        limiter.take("a")
    wait = error.value.retry_after_seconds
    assert wait == pytest.approx(0.01)
    assert wait is not None
    watch.seconds += wait / 2
    assert not passes(limiter)
    watch.seconds += wait / 2 + 1e-9
    assert passes(limiter)
    assert not passes(limiter)


def test_one_callers_calls_do_not_touch_another() -> None:
    limiter = RateLimiter(1.0, 3, Watch())
    assert [passes(limiter, "a") for _ in range(4)] == [True, True, True, False]
    assert [passes(limiter, "b") for _ in range(4)] == [True, True, True, False]

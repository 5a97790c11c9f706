"""Turns of refusals, in real time: nothing here depends on a machine being quick."""

import asyncio

from pidgr.rpc.pace import Pace


async def timed(pace: Pace, turns: int) -> float:
    """Return how many seconds so many turns take that are asked for at once."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(pace.turn() for _ in range(turns)))
    return loop.time() - began


def test_turns_come_one_after_the_other() -> None:
    # A timer may end a little early, by the resolution of the clock.
    assert asyncio.run(timed(Pace(100, longest_wait=60), 21)) > 0.19


def test_the_first_turn_comes_at_once() -> None:
    assert asyncio.run(timed(Pace(0.001, longest_wait=1_000), 1)) < 60


def test_nobody_waits_longer_than_the_longest() -> None:
    assert 0.04 < asyncio.run(timed(Pace(0.1, longest_wait=0.05), 50)) < 60

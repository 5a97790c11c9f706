"""Answers that go out one after the other, so that asking faster brings nothing."""

import asyncio


class Pace:
    """Hands out turns: so many a second, counted in real time, in this process.

    Args:
        per_second: how many.
        longest_wait: in seconds; nobody is kept longer, however many have come.
    """

    def __init__(self, per_second: float, longest_wait: float) -> None:
        self._interval = 1 / per_second
        self._longest_wait = longest_wait
        self._next_turn = 0.0

    async def turn(self) -> None:
        """Wait for the next turn."""
        now = asyncio.get_running_loop().time()
        wait = min(max(0.0, self._next_turn - now), self._longest_wait)
        self._next_turn = now + wait + self._interval
        if wait:
            await asyncio.sleep(wait)

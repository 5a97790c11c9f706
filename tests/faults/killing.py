"""kill -9 at seeded moments."""

import random
import threading
import time

from faults.deployment import Deployment
from faults.gateway import Batch, Reply
from faults.processes import Process


class Killer:
    """Kills a process at a time, or while it waits for the answer of a peer it has called."""

    def __init__(self, deployment: Deployment, dice: random.Random) -> None:
        self.dice = dice
        self.kills = 0
        self._lock = threading.Lock()
        self._calls = 0
        self._at_call = -1
        self._victim: Process | None = None
        self._struck = threading.Event()
        deployment.gateway.behave = self._behave

    def _behave(self, batch: Batch) -> Reply:
        del batch
        self.witness()
        return Reply()

    def witness(self) -> None:
        """Note that a peer was called and is about to answer."""
        with self._lock:
            self._calls += 1
            victim = self._victim if self._calls == self._at_call else None
        if victim is None:
            # Long enough that a kill finds calls in flight.
            time.sleep(0.02)
        else:
            victim.kill()
            self._struck.set()

    def strike(self, victim: Process, *, calls: int = 8, patience: float = 2) -> None:
        """Kill a process, now or soon.

        Args:
            victim: what is killed.
            calls: of how many next calls one may be the last.
            patience: for how many seconds that call is waited for.
        """
        if self.dice.random() < 0.5:
            self._struck.clear()
            with self._lock:
                self._victim = victim
                self._at_call = self._calls + self.dice.randint(1, calls)
            # A campaign that is over makes no more calls.
            self._struck.wait(patience)
            with self._lock:
                self._victim = None
        else:
            time.sleep(self.dice.uniform(0, 0.8))
        if victim.running:
            victim.kill()
        self.kills += 1

"""kill -9 at seeded moments."""

import random
import threading
import time
from collections.abc import Collection
from typing import Final

from faults.deployment import Deployment
from faults.gateway import Batch, Reply
from faults.processes import Process
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Row

_PROGRESS: Final = Statement("""
    select (select count(*) from step_run), coalesce(sum(written_upto), 0),
           coalesce(sum(pushed_upto), 0), count(*)
    from lane
""")


class Killer:
    """Kills a process while it waits for a peer's answer, right after a commit, or at a time."""

    def __init__(self, deployment: Deployment, dice: random.Random) -> None:
        self.dice = dice
        self.kills = 0
        # How long a peer takes to answer: a kill is to find calls in flight.
        self.answer_seconds = 0.02
        self.dead_devices: Collection[str] = ()
        self._database = deployment.database
        self._lock = threading.Lock()
        self._calls = 0
        self._at_call = -1
        self._victim: Process | None = None
        self._has_taken = True
        self._struck = threading.Event()
        deployment.gateway.behave = self._behave

    def _behave(self, batch: Batch) -> Reply:
        results = [
            {"device_id": push["device_id"], "status": "dead_token"}
            for push in batch.pushes
            if push["device_id"] in self.dead_devices
        ]
        # Whoever is killed never learns whether the batch was taken.
        return Reply(503 if self.witness() and not self._has_taken else 200, results)

    def witness(self) -> bool:
        """Note that a peer was called and will answer; True if that has killed the caller."""
        with self._lock:
            self._calls += 1
            victim = self._victim if self._calls == self._at_call else None
        if victim is None:
            time.sleep(self.answer_seconds)
            return False
        victim.kill()
        self._struck.set()
        return True

    def strike(self, victim: Process, *, calls: int = 8, patience: float = 2) -> None:
        """Kill a process now or soon: at a call, right after a commit, or at any time.

        Args:
            victim: what is killed.
            calls: of how many next calls, or commits, one may be the last.
            patience: for how many seconds that is waited for; a campaign that is over makes none.
        """
        last = self.dice.randint(1, calls)
        match self.dice.choice(["call", "commit", "time"]):
            case "call":
                self._await_call(victim, last, patience)
            case "commit":
                self._await_commit(last, patience)
            case _:
                time.sleep(self.dice.uniform(0, 0.8))
        if victim.running:
            victim.kill()
        self.kills += 1

    def _await_call(self, victim: Process, last: int, patience: float) -> None:
        """Have the victim killed by the peer that it calls."""
        self._struck.clear()
        with self._lock:
            self._victim = victim
            self._at_call = self._calls + last
            self._has_taken = self.dice.random() < 0.5
        self._struck.wait(patience)
        with self._lock:
            self._victim = None

    def _await_commit(self, last: int, patience: float) -> None:
        """Wait until steps have begun, or lanes got further, a few times."""
        deadline = time.monotonic() + patience
        progress = self._progress()
        while last and time.monotonic() < deadline:
            now = self._progress()
            last -= now != progress
            progress = now

    def _progress(self) -> Row | None:
        return self._database.read_now(lambda reader: reader.row(_PROGRESS))

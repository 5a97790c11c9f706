"""Lets the minutes that campaigns wait for pass in moments."""

import random
from typing import Final

from faults.background import Background
from faults.deployment import Deployment
from pidgr.storage.sql import Statement

_WAITING: Final = "status = 'DELAYED' and workflow_uuid like 'c%:%:%'"
_TIMERS: Final = Statement(
    f"select workflow_uuid from workflow_status where {_WAITING}",
    postgresql=f"select workflow_uuid from dbos.workflow_status where {_WAITING}",
)
_PAUSE: Final = 0.1
# How likely a timer is to fire at each look.
_CHANCE: Final = 0.4


class Hourglass:
    """A thread that fires the timers of campaigns: deadlines, repeats, webhooks' attempts."""

    def __init__(self, deployment: Deployment, seed: int) -> None:
        self._deployment = deployment
        self._dice = random.Random(seed)
        self._background = Background([self._run])
        self._background.start()

    def finish(self) -> None:
        self._background.finish()

    def _run(self) -> None:
        while not self._background.ending.wait(_PAUSE):
            timers = self._deployment.database.read_now(lambda reader: reader.rows(_TIMERS))
            for (key,) in timers:
                if self._dice.random() < _CHANCE:
                    self._deployment.fire_timer(key)

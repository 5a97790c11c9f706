"""People who look into their inboxes again and again, and confirm some of what they find."""

import random
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import httpx

from faults.api import Api, ApiError
from faults.background import Background
from faults.deployment import Deployment
from faults.recipients import require_outage

_THREADS: Final = 2
# Of the messages in an inbox, the share that is confirmed at a visit, and that never is.
_CONFIRMED: Final = 0.4
_IGNORED: Final = 0.3
_PAUSE: Final = 0.02


class Readers:
    """Threads that visit the inboxes of some users.

    ``answers`` holds, by delivery id: True after a confirmation, None when its answer was lost.
    What was refused (the deadline passed first, say) is not in it.
    """

    def __init__(self, deployment: Deployment, user_ids: Sequence[str], seed: int) -> None:
        self.url = ""
        self.user_ids = frozenset(user_ids)
        self.answers: dict[str, bool | None] = {}
        self._tokens = deployment.tokens(user_ids)
        self._settled: set[str] = set()
        shares = [user_ids[number::_THREADS] for number in range(_THREADS)]
        self._background = Background(
            [
                partial(self._run, share, random.Random(seed + number))
                for number, share in enumerate(shares)
            ]
        )

    def start(self, url: str) -> None:
        self.url = url
        self._background.start()

    def finish(self) -> None:
        self._background.finish()

    def _run(self, user_ids: Sequence[str], dice: random.Random) -> None:
        while not self._background.ending.wait(_PAUSE):
            self._visit(dice.choice(user_ids), dice)

    def _visit(self, user_id: str, dice: random.Random) -> None:
        with Api(self.url, self._tokens[user_id]) as api:
            try:
                entries = api("InboxService/Sync").get("entries", [])
            except (httpx.TransportError, ApiError) as error:
                require_outage(error)
                return
            for entry in entries:
                if entry["deliveryId"] not in self._settled and entry["message"].get("actions"):
                    self._decide(api, entry, dice)

    def _decide(self, api: Api, entry: dict[str, Any], dice: random.Random) -> None:
        chance = dice.random()
        if chance < _CONFIRMED:
            self._confirm(api, entry["deliveryId"])
        elif chance > 1 - _IGNORED:
            self._settled.add(entry["deliveryId"])

    def _confirm(self, api: Api, delivery_id: str) -> None:
        self._settled.add(delivery_id)
        try:
            api("ActionService/SubmitAction", delivery_id=delivery_id, action_id="ack")
        except httpx.TransportError:
            self.answers[delivery_id] = None
        except ApiError as error:
            if error.code != "failed_precondition":
                require_outage(error)
                self.answers[delivery_id] = None
        else:
            self.answers[delivery_id] = True

"""The receiver of webhooks: takes them, refuses them, or takes them at the second attempt."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from support.http_peer import HttpPeer, Received, Scripted, http_peer

from faults.story import Call
from faults.workflows import HESITATES, REFUSES

_BUSY: Final = Scripted(status=503)


class Receiver:
    """A peer whose URLs tell what it does: ``/CAMPAIGN/MANNER/STEP``."""

    def __init__(self, peer: HttpPeer, witness: Callable[[], object]) -> None:
        self._peer = peer
        self._witness = witness
        peer.answer = self._answer

    def url(self, campaign: int) -> str:
        return self._peer.url(path=f"/{campaign}")

    def _answer(self, request: Received) -> Scripted:
        times = sum(one.path == request.path for one in list(self._peer.received))
        self._witness()
        manner = request.path.split("/")[2]
        busy = manner == REFUSES or (manner == HESITATES and times == 1)
        return _BUSY if busy else Scripted()

    def calls(self, campaign: int) -> list[Call]:
        """What was received of a campaign."""
        found = []
        for request in list(self._peer.received):
            number, _manner, step_id = request.path.split("/")[1:]
            if int(number) == campaign:
                told = json.loads(request.body)["deliveries"]
                ids = [delivery["delivery_id"] for delivery in told]
                found.append(Call(step_id, request.headers["idempotency-key"], ids))
        return found


@contextmanager
def receiver(witness: Callable[[], object]) -> Iterator[Receiver]:
    with http_peer() as peer:
        yield Receiver(peer, witness)

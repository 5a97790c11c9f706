"""A push gateway on a real port that remembers what it was sent and answers as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.http_peer import HttpPeer, Received, Scripted, http_peer


class PushGateway:
    """Accepts every push but those whose token has a result of its own in ``results``.

    While ``hold`` is an event, answers wait for it; while it is ``away``, every answer is 503, and
    while it is ``away_for`` a platform, every answer to those.
    """

    def __init__(self, peer: HttpPeer) -> None:
        self.url = f"http://127.0.0.1:{peer.port}/push"
        self.pushes: list[dict[str, Any]] = []
        self.results: dict[str, str] = {}
        self.hold: threading.Event | None = None
        self.away = False
        self.away_for = ""
        # By idempotency key, the devices of each request, whatever was answered.
        self.requests: list[tuple[str, list[str]]] = []
        peer.answer = self._answer

    def of(self, campaign_id: str) -> list[dict[str, Any]]:
        """Return the pushes of a campaign in the order they came."""
        return [push for push in self.pushes if push["campaign_id"] == campaign_id]

    def _answer(self, request: Received) -> Scripted:
        pushes = json.loads(request.body)["pushes"]
        key = request.headers["idempotency-key"]
        # As it was before a test could see the request.
        away = self.away or self.away_for in {push["platform"] for push in pushes}
        self.requests.append((key, [push["device_id"] for push in pushes]))
        if away:
            return Scripted(status=503)
        self.pushes.extend(pushes)
        results = [
            {"device_id": push["device_id"], "status": self.results[push["push_token"]]}
            for push in pushes
            if push["push_token"] in self.results
        ]
        body = json.dumps({"results": results}).encode()
        headers = {"content-type": "application/json"}
        return Scripted(headers=headers, body=body, hold=self.hold)


@contextmanager
def push_gateway() -> Iterator[PushGateway]:
    with http_peer() as peer:
        yield PushGateway(peer)

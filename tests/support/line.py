"""The Messaging API of LINE, as far as a nudge meets it."""

import json

from support.http_peer import HttpPeer, Received, Scripted

TOKEN = "channel-access-token"


class Line:
    """Takes messages for its friends, each once; ``refusals`` are answers by whom one is for."""

    def __init__(self, peer: HttpPeer) -> None:
        self.url = peer.url(path="")
        self.refusals: dict[str, Scripted] = {}
        self.messages: dict[str, tuple[str, str]] = {}
        peer.answer = self._answer

    def _answer(self, request: Received) -> Scripted:
        assert (request.method, request.path) == ("POST", "/v2/bot/message/push")
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return refusal(401, "Authentication failed")
        asked = json.loads(request.body)
        refused = self.refusals.get(asked["to"])
        if refused is not None:
            return refused
        key = request.headers["x-line-retry-key"]
        if key in self.messages:
            return refusal(409, "The retry key is already accepted")
        (message,) = asked["messages"]
        assert message["type"] == "text"
        self.messages[key] = asked["to"], message["text"]
        return Scripted(body=b'{"sentMessages": [{"id": "1", "quoteToken": "q"}]}')


def refusal(status: int, message: str, **headers: str) -> Scripted:
    return Scripted(status, headers, json.dumps({"message": message}).encode())

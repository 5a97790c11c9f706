"""The Cloud API of WhatsApp, as far as a nudge meets it."""

import json
from typing import Any

from support.http_peer import HttpPeer, Received, Scripted

TOKEN = "system-user-token"
SENDER = "106540352242922"


class WhatsApp:
    """Takes template messages; ``errors`` has the numbers of errors by whom a message is for."""

    def __init__(self, peer: HttpPeer) -> None:
        self.url = peer.url(path="/v23.0/")
        self.errors: dict[str, tuple[int, int]] = {}
        self.messages: list[dict[str, Any]] = []
        peer.answer = self._answer

    def _answer(self, request: Received) -> Scripted:
        assert (request.method, request.path) == ("POST", f"/v23.0/{SENDER}/messages")
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return error(401, 190)
        message = json.loads(request.body)
        assert message["messaging_product"] == "whatsapp"
        number = message["to"]
        if number in self.errors:
            return error(*self.errors[number])
        self.messages.append(message)
        taken = {
            "messaging_product": "whatsapp",
            "contacts": [{"input": number, "wa_id": number.removeprefix("+")}],
            "messages": [{"id": "wamid.1", "message_status": "accepted"}],
        }
        return Scripted(body=json.dumps(taken).encode())


def error(status: int, code: int) -> Scripted:
    document = {
        "error": {
            "message": f"(#{code}) about +491711234567",
            "type": "OAuthException",
            "code": code,
            "error_data": {"messaging_product": "whatsapp", "details": "+491711234567"},
            "fbtrace_id": "A4O5a8",
        }
    }
    return Scripted(status, body=json.dumps(document).encode())

"""The Bot API of Telegram, as far as a nudge and a member's chat meet it."""

import json
from typing import Any

import httpx

from support.http_peer import HttpPeer, Received, Scripted

TOKEN = "123456:bot-token"
NAME = "AcmeNewsBot"


class Telegram:
    """Takes what the bot says to chats that it knows, and tells what people tell the bot.

    ``chats`` are known. ``refusals`` has answers by chat, of those that cannot be written to.
    """

    def __init__(self, peer: HttpPeer) -> None:
        self.url = peer.url(path="")
        self.chats: set[int] = set()
        self.refusals: dict[int, Scripted] = {}
        self.said: list[dict[str, Any]] = []
        self.webhook: dict[str, Any] = {}
        self.webhooks = 0
        self.takes_webhooks = True
        peer.answer = self._answer

    def tell(self, server: str, chat_id: int, text: str, **changes: Any) -> dict[str, Any]:
        """Tell the server what somebody wrote to the bot; return what the bot is to answer."""
        message = {
            "message_id": 1,
            "date": 1_767_225_600,
            "chat": {"id": chat_id, "type": "private"},
            "from": {"id": chat_id, "is_bot": False, "language_code": "en"},
            "text": text,
        }
        update = {"update_id": 1, "message": message | changes}
        answer = self.post(server, update)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def post(self, server: str, update: object, secret: str | None = None) -> httpx.Response:
        """Send an update as Telegram does, to the server's real address."""
        own: str = self.webhook["secret_token"]
        headers = {
            "content-type": "application/json",
            "x-telegram-bot-api-secret-token": own if secret is None else secret,
        }
        path = httpx.URL(self.webhook["url"]).path
        # In ASCII, as JSON can spell what is no character.
        body = json.dumps(update).encode()
        return httpx.post(f"{server}{path}", content=body, headers=headers, timeout=60)

    def _answer(self, request: Received) -> Scripted:
        _, bot, method = request.path.split("/")
        asked = json.loads(request.body)
        if bot != f"bot{TOKEN}":
            return refusal(401, "Unauthorized")
        match method:
            case "getMe":
                return ok({"id": 1, "is_bot": True, "username": NAME})
            case "setWebhook":
                self.webhooks += 1
                if not self.takes_webhooks:
                    return refusal(400, "Bad Request: bad webhook: failed to resolve host")
                self.webhook = asked
                return ok(True)
            case "sendMessage":
                return self._say(asked)
        return refusal(404, "Not Found")

    def _say(self, asked: dict[str, Any]) -> Scripted:
        chat_id = asked["chat_id"]
        if chat_id in self.refusals:
            return self.refusals[chat_id]
        if chat_id not in self.chats:
            return refusal(400, "Bad Request: chat not found")
        self.said.append(asked)
        return ok({"message_id": 1})


def ok(result: object) -> Scripted:
    return Scripted(body=json.dumps({"ok": True, "result": result}).encode())


def refusal(status: int, description: str, **parameters: int) -> Scripted:
    document = {
        "ok": False,
        "error_code": status,
        "description": description,
        "parameters": parameters,
    }
    headers = {"retry-after": str(parameters["retry_after"])} if parameters else {}
    return Scripted(status, headers, json.dumps(document).encode())

"""Microsoft Entra, Microsoft Graph and the Bot Connector of Teams, as far as a nudge meets them."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.http_peer import HttpPeer, Received, Scripted

TENANT = "5d0f1f6e-8a2c-4a53-9d0a-3f5a5b8f5f10"
APP = "0b1f7a52-7d0c-4b0e-9f0e-64c1c8a3a001"
_GRAPH = "/v1.0/users"
_CONNECTOR = "/teams/v3/conversations"


class Teams:
    """Knows people by address and takes messages for them; refuses whom it is told to.

    ``people`` has ids by address. ``opening`` and ``writing`` have answers by id, for those whose
    chat cannot be opened or written to; ``tokens`` counts what was given out by scope.
    """

    def __init__(self, peer: HttpPeer) -> None:
        self.url = peer.url(path="")
        self.people: dict[str, list[str]] = {}
        self.opening: dict[str, Scripted] = {}
        self.writing: dict[str, Scripted] = {}
        self.tokens: dict[str, int] = {}
        self.secret = "client-secret"
        self.messages: list[tuple[str, dict[str, Any]]] = []
        peer.answer = self._answer

    def settings(self) -> dict[str, Any]:
        return {
            "teams_tenant": TENANT,
            "teams_app_id": APP,
            "teams_secret": self.secret,
            "teams_login_url": self.url,
            "teams_graph_url": self.url,
            "teams_bot_url": f"{self.url}/teams/",
        }

    def expire(self) -> None:
        """Take back every token."""
        self.tokens = {scope: count + 1 for scope, count in self.tokens.items()}

    def _answer(self, request: Received) -> Scripted:
        path = urlsplit(request.path).path
        if path == f"/{TENANT}/oauth2/v2.0/token":
            return self._give_token(parse_qs(request.body.decode()))
        if path == _GRAPH:
            return self._guarded(request, f"{self.url}/.default", self._find)
        assert path.startswith(_CONNECTOR), path
        handler = self._open if path == _CONNECTOR else self._write
        return self._guarded(request, "https://api.botframework.com/.default", handler)

    def _give_token(self, form: dict[str, list[str]]) -> Scripted:
        assert form["grant_type"] == ["client_credentials"]
        if (form["client_id"], form["client_secret"]) != ([APP], [self.secret]):
            return answer(401, {"error": "invalid_client", "error_description": "AADSTS7000215"})
        (scope,) = form["scope"]
        self.tokens[scope] = self.tokens.get(scope, 0) + 1
        token = f"{scope}#{self.tokens[scope]}"
        return answer(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    def _guarded(self, request: Received, scope: str, handler: Any) -> Scripted:
        if request.headers["authorization"] != f"Bearer {scope}#{self.tokens[scope]}":
            return error(401, "InvalidAuthenticationToken")
        found: Scripted = handler(request)
        return found

    def _find(self, request: Received) -> Scripted:
        (wanted,) = parse_qs(urlsplit(request.path).query)["$filter"]
        mail, _, name = wanted.partition(" or ")
        assert mail.removeprefix("mail eq ") == name.removeprefix("userPrincipalName eq ")
        literal = mail.removeprefix("mail eq ")
        assert re.fullmatch(r"'([^']|'')*'", literal), "a quote ends the address, or stands twice"
        address = literal[1:-1].replace("''", "'")
        return answer(200, {"value": [{"id": one} for one in self.people.get(address, [])]})

    def _open(self, request: Received) -> Scripted:
        asked = json.loads(request.body)
        assert (asked["isGroup"], asked["tenantId"]) == (False, TENANT)
        assert asked["bot"] == {"id": f"28:{APP}"}
        (member,) = asked["members"]
        chat = {"id": f"a:{member['id']}/{'x' * 120}"}
        return self.opening.get(member["id"], answer(201, chat))

    def _write(self, request: Received) -> Scripted:
        chat, _, rest = request.path.removeprefix(f"{_CONNECTOR}/a%3A").partition("%2F")
        assert rest == "x" * 120 + "/activities"
        refusal = self.writing.get(chat)
        if refusal is not None:
            return refusal
        self.messages.append((chat, json.loads(request.body)))
        return answer(201, {"id": "1"})


def answer(status: int, document: object) -> Scripted:
    return Scripted(status, body=json.dumps(document).encode())


def error(status: int, code: str) -> Scripted:
    return answer(status, {"error": {"code": code, "message": "of ada@example.com"}})

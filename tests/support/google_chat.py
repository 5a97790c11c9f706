"""Google's token server, Directory API and Chat API, as far as a nudge meets them."""

import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from support.http_peer import HttpPeer, Received, Scripted

ADMINISTRATOR = "admin@acme.example"
_KEY = RSAKey.generate_key(2048, private=True)
_CHAT = "https://www.googleapis.com/auth/chat.bot"
_DIRECTORY = "https://www.googleapis.com/auth/admin.directory.user.readonly"
_PEOPLE = "/admin/directory/v1/users/"


class GoogleChat:
    """Knows people by address, and direct messages by person; takes messages, each once.

    ``finding``, ``opening`` and ``writing`` are what is answered instead, if anything is.
    """

    def __init__(self, peer: HttpPeer) -> None:
        self.url = peer.url(path="")
        self.people: dict[str, str] = {}
        self.spaces: dict[str, str] = {}
        self.messages: dict[str, tuple[str, str]] = {}
        self.tokens = 0
        self.claims: list[dict[str, Any]] = []
        self.finding: Scripted | None = None
        self.opening: Scripted | None = None
        self.writing: Scripted | None = None
        peer.answer = self._answer

    def settings(self) -> dict[str, Any]:
        account = {
            "type": "service_account",
            "project_id": "acme-chat",
            "client_email": "chat@acme.example",
            "token_uri": f"{self.url}/token",
            "private_key": _KEY.as_pem(private=True).decode(),
        }
        return {
            "google_chat_credentials": json.dumps(account),
            "google_chat_administrator": ADMINISTRATOR,
            "google_chat_url": self.url,
            "google_directory_url": self.url,
        }

    def _answer(self, request: Received) -> Scripted:
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/token":
            return self._give_token(parse_qs(request.body.decode()))
        scope, _, number = request.headers["authorization"].removeprefix("Bearer ").partition("#")
        if int(number) <= self.tokens - 2:
            return error(401, "UNAUTHENTICATED")
        if url.path.startswith(_PEOPLE):
            assert scope == _DIRECTORY
            person = self.people.get(unquote(url.path.removeprefix(_PEOPLE)))
            found = answer({"id": person}) if person else error(404, "NOT_FOUND")
            return self.finding or found
        assert scope == _CHAT
        if url.path == "/v1/spaces:findDirectMessage":
            space = self.spaces.get(query["name"].removeprefix("users/"))
            found = answer({"name": space}) if space else error(404, "NOT_FOUND")
            return self.opening or found
        space = url.path.removeprefix("/v1/").removesuffix("/messages")
        assert space in self.spaces.values()
        if self.writing is not None:
            return self.writing
        text = json.loads(request.body)["text"]
        self.messages.setdefault(query["requestId"], (space, text))
        return answer({"name": f"{space}/messages/1", "text": text})

    def _give_token(self, form: dict[str, list[str]]) -> Scripted:
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        claims = jwt.decode(form["assertion"][0], _KEY, ["RS256"]).claims
        self.claims.append(claims)
        if claims["scope"] == _DIRECTORY and claims.get("sub") != ADMINISTRATOR:
            return Scripted(401, body=b'{"error": "unauthorized_client"}')
        self.tokens += 1
        token = f"{claims['scope']}#{self.tokens}"
        return answer({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})


def answer(document: object) -> Scripted:
    return Scripted(body=json.dumps(document).encode())


def error(status: int, name: str, *, reason: str = "", detail: str = "") -> Scripted:
    """Answer as the Chat API, or with a reason as the Directory API, or with a detail as both."""
    said: dict[str, Any] = {"code": status, "message": "about ada@example.com", "status": name}
    if reason:
        said["errors"] = [{"domain": "global", "reason": reason}]
    if detail:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        said["details"] = [{"@type": kind, "reason": detail, "domain": "googleapis.com"}]
    return Scripted(status, body=json.dumps({"error": said}).encode())

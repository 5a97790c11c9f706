"""The FCM adapter against a peer that gives tokens for assertions and takes messages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from outreach.test_apns import MovedClock, push
from support.http2_peer import Asked, Http2Peer, Told, http2_peer

from pidgr.clock import MINUTE, SECOND
from pidgr.errors import SetupError, UnavailableError
from pidgr.outreach.departure import Departure
from pidgr.outreach.device_pusher import DevicePusher
from pidgr.outreach.fcm import Fcm
from pidgr.outreach.google_account import ServiceAccount
from pidgr.outreach.push import ACCEPTED, Answer, Outcome

KEY = RSAKey.generate_key(2048, private=True)
SETTING = "PIDGR_FCM_CREDENTIALS"
SEND = "/v1/projects/acme-push/messages:send"


class Google:
    """A token server and FCM in one."""

    def __init__(self) -> None:
        self.tokens = 0
        self.assertions: list[dict[str, Any]] = []
        self.sent: list[Asked] = []
        self.answers: dict[str, Told] = {}
        self.good = ""

    def __call__(self, asked: Asked) -> Told:
        if asked.path == "/token":
            form = parse_qs(asked.body.decode())
            assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
            self.assertions.append(jwt.decode(form["assertion"][0], KEY, ["RS256"]).claims)
            self.tokens += 1
            self.good = f"token-{self.tokens}"
            return Told(200, {"access_token": self.good, "expires_in": 3599})
        assert asked.path == SEND
        self.sent.append(asked)
        if asked.headers["authorization"] != f"Bearer {self.good}":
            return error(401, "UNAUTHENTICATED")
        return self.answers.get(asked.json["message"]["token"], Told(200, {"name": "x"}))


def error(status: int, name: str, code: str = "", field: str = "", **headers: str) -> Told:
    details: list[dict[str, Any]] = []
    if code:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        details.append({"@type": kind, "errorCode": code})
    if field:
        kind = "type.googleapis.com/google.rpc.BadRequest"
        details.append({"@type": kind, "fieldViolations": [{"field": field, "description": "x"}]})
    return Told(status, {"error": {"code": status, "status": name, "details": details}}, headers)


@pytest.fixture
def google() -> Google:
    return Google()


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, google: Google) -> Iterator[Http2Peer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with http2_peer(tmp_path, google) as running:
        yield running


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def pusher(peer: Http2Peer, clock: MovedClock) -> Iterator[DevicePusher]:
    account = {
        "type": "service_account",
        "project_id": "acme-push",
        "client_email": "push@acme.example",
        "token_uri": f"{peer.url}/token",
        "private_key": KEY.as_pem(private=True).decode(),
    }
    fcm = Fcm(ServiceAccount.from_json(json.dumps(account), SETTING), peer.url, clock)
    pusher = DevicePusher(fcm, per_second=1e6)
    yield pusher
    pusher.close()


def test_a_push_is_what_google_documents(
    pusher: DevicePusher, google: Google, peer: Http2Peer, clock: MovedClock
) -> None:
    assert pusher.send([push(1, token="t:1")], "batch", Departure()) == [ACCEPTED]
    now = clock.moment // SECOND
    assert google.assertions == [
        {
            "iss": "push@acme.example",
            "scope": "https://www.googleapis.com/auth/firebase.messaging",
            "aud": f"{peer.url}/token",
            "iat": now,
            "exp": now + 3600,
        }
    ]
    message = google.sent[0].json["message"]
    assert message["token"] == "t:1"
    assert message["notification"] == {"title": "Fire drill", "body": "Hello Bo, 消防演习"}
    assert message["data"] == {
        "delivery_id": push(1).delivery_id,
        "campaign_id": push().campaign_id,
    }
    assert message["android"]["notification"]["tag"] == push(1).delivery_id
    assert message["apns"]["headers"] == {"apns-collapse-id": push(1).delivery_id}


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        (error(404, "NOT_FOUND", "UNREGISTERED"), Answer(Outcome.DEAD_TOKEN, "UNREGISTERED")),
        (
            error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
            Answer(Outcome.DEAD_TOKEN, "SENDER_ID_MISMATCH"),
        ),
        (
            error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "message.token"),
            Answer(Outcome.DEAD_TOKEN, "INVALID_ARGUMENT"),
        ),
        (
            error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "message.data"),
            Answer(Outcome.REFUSED, "INVALID_ARGUMENT"),
        ),
        (Told(400, "?"), Answer(Outcome.REFUSED, "FCM answered 400")),
    ],
)
def test_an_answer_is_about_its_push_only(
    pusher: DevicePusher, google: Google, told: Told, answer: Answer
) -> None:
    google.answers = {"bad": told}
    pushes = [push(0), push(1, token="bad"), push(2)]
    assert pusher.send(pushes, "batch", Departure()) == [ACCEPTED, answer, ACCEPTED]


@pytest.mark.parametrize(
    "told",
    [
        error(403, "PERMISSION_DENIED"),
        error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
        error(404, "NOT_FOUND"),
    ],
)
def test_what_is_wrong_for_everybody_fails_nobody(
    pusher: DevicePusher, google: Google, told: Told
) -> None:
    google.answers = {"bad": told}
    with pytest.raises(UnavailableError, match="PIDGR_FCM_CREDENTIALS"):
        pusher.send([push(token="bad")], "batch", Departure())


def test_a_quota_is_waited_for(pusher: DevicePusher, google: Google) -> None:
    google.answers = {
        "bad": error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", **{"retry-after": "90"})
    }
    pushes = [push(0), push(1, token="bad")]
    with pytest.raises(UnavailableError, match="fcm has not taken"):
        pusher.send(pushes, "batch", Departure())
    sent = len(google.sent)
    with pytest.raises(UnavailableError):
        pusher.send(pushes, "batch", Departure())
    assert len(google.sent) == sent


def test_one_token_serves_until_shortly_before_its_end(
    pusher: DevicePusher, google: Google, clock: MovedClock
) -> None:
    asked = []
    for minutes in (0, 54, 56, 109, 112):
        clock.moment = 1_800_000_000 * SECOND + minutes * MINUTE
        pusher.send([push(number) for number in range(50)], f"batch {minutes}", Departure())
        asked.append(google.tokens)
    assert asked == [1, 1, 2, 2, 3]


def test_a_token_that_is_no_good_any_more_is_replaced(
    pusher: DevicePusher, google: Google, clock: MovedClock
) -> None:
    pusher.send([push()], "one", Departure())
    clock.moment += 2 * MINUTE
    google.good = "revoked"
    assert pusher.send([push(1)], "two", Departure()) == [ACCEPTED]
    assert google.tokens == 2


def test_a_token_server_that_says_no_fails_nobody(
    peer: Http2Peer, pusher: DevicePusher, google: Google
) -> None:
    peer.answer = lambda _asked: Told(400, {"error": "invalid_grant"})
    with pytest.raises(UnavailableError, match="PIDGR_FCM_CREDENTIALS"):
        pusher.send([push()], "batch", Departure())
    peer.answer = google
    assert pusher.send([push()], "batch", Departure()) == [ACCEPTED]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"private_key": "secret"}', "secret"])
def test_a_bad_key_file_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(SetupError, match=SETTING) as bad:
        ServiceAccount.from_json(text, SETTING)
    assert "secret" not in str(bad.value)

import hashlib
import hmac
import threading
from collections.abc import Iterator

import pytest
from support.http_peer import HttpPeer, Scripted, http_peer

from pidgr.clock import HOUR, SECOND
from pidgr.outreach import webhook
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.vetted_http import VettedHttp
from pidgr.outreach.webhook import Answer, SignedBody, header_problem

NOW = 1_767_225_600_000_000
SECRET = "pidgr_wh_a secret of the organization"


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with http_peer() as peer:
        yield peer


def post(peer: HttpPeer, *parts: bytes, **headers: str) -> Answer:
    target = AddressGuard(["127.0.0.1"]).vet(peer.url())
    with SignedBody(SECRET, NOW // SECOND) as body:
        for part in parts:
            body.write(part)
        return webhook.post(VettedHttp(), target, body, idempotency_key="key-1", headers=headers)


def test_a_receiver_can_verify_the_document_with_the_secret_alone(peer: HttpPeer) -> None:
    assert post(peer, b'{"a":', b"1}", Authorization="Bearer x").accepted
    (request,) = peer.received
    assert request.body == b'{"a":1}'
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == "key-1"
    assert request.headers["authorization"] == "Bearer x"
    assert request.headers["user-agent"] == "pidgr-webhook"
    timestamp = request.headers["x-pidgr-timestamp"]
    assert timestamp == "1767225600"
    expected = hmac.new(SECRET.encode(), timestamp.encode() + b"." + request.body, hashlib.sha256)
    assert request.headers["x-pidgr-signature"] == expected.hexdigest()


def test_a_long_body_arrives_whole(peer: HttpPeer) -> None:
    part = bytes(range(256)) * 1_000
    assert post(peer, *[part] * 20).accepted
    assert peer.received[0].body == part * 20


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_acceptance(peer: HttpPeer, status: int) -> None:
    peer.answers = [Scripted(status)]
    assert post(peer, b"{}") == Answer(status)


@pytest.mark.parametrize("status", [302, 307, 400, 401, 404, 410, 429, 500, 503])
def test_anything_else_is_not(peer: HttpPeer, status: int) -> None:
    peer.answers = [Scripted(status, {"Location": "http://127.0.0.1:1/"}, b"secret")]
    assert post(peer, b"{}") == Answer(status, f"it answered {status}")


def test_silence_is_an_answer_too(peer: HttpPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_SECONDS", 0.2)
    hold = threading.Event()
    peer.answers = [Scripted(hold=hold)]
    try:
        assert post(peer, b"{}") == Answer(error="it did not answer in time")
    finally:
        hold.set()


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("120", 120 * SECOND),
        # The peer's own date is today's.
        ("Mon, 02 Jan 2090 00:00:00 GMT", HOUR),
        ("Mon, 02 Jan 2006 00:00:00 GMT", 0),
        ("soon", 0),
        ("²", 0),
    ],
)
def test_retry_after_is_heeded_in_both_forms(peer: HttpPeer, text: str, microseconds: int) -> None:
    peer.answers = [Scripted(503, {"Retry-After": text.encode().decode("latin-1")})]
    assert post(peer, b"{}").retry_after == microseconds


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "CONTENT-LENGTH",
        "Content-Type",
        "Content-Encoding",
        "Transfer-Encoding",
        "TE",
        "Connection",
        "Keep-Alive",
        "Upgrade",
        "Trailer",
        "Expect",
        "Proxy-Authorization",
        "X-Pidgr-Signature",
        "x-pidgr-timestamp",
        "Idempotency-Key",
        "Date",
    ],
)
def test_headers_that_frame_or_sign_the_message_cannot_be_added(name: str) -> None:
    assert header_problem(name, "x") == "is a header that Pidgr sets itself"


@pytest.mark.parametrize("name", ["", " X", "X:", "X Y", "X\r\nHost", "Ä", "X\0"])
def test_names_that_are_no_header_names_are_refused(name: str) -> None:
    assert header_problem(name, "x") == "must be a header name"


@pytest.mark.parametrize("value", [" x", "x ", "a\r\nHost: b", "a\nb", "ü", "\0", "\x7f", "\t"])
def test_values_that_could_break_out_of_their_line_are_refused(value: str) -> None:
    assert header_problem("X-Own", value) is not None


@pytest.mark.parametrize("value", ["", "x", "Bearer a.b-c", "a\tb", "p=1; q=2"])
def test_ordinary_headers_can_be_added(value: str) -> None:
    assert header_problem("Authorization", value) is None

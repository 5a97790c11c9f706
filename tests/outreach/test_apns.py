"""The APNs adapter against a peer that speaks its protocol: HTTP/2, TLS, ES256 tokens."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from support.http2_peer import Asked, Http2Peer, Told, http2_peer

from pidgr.clock import MINUTE, SECOND, Clock
from pidgr.errors import SetupError, UnavailableError
from pidgr.outreach.apns import Apns
from pidgr.outreach.departure import Departure
from pidgr.outreach.device_pusher import DevicePusher
from pidgr.outreach.push import ACCEPTED, Answer, Outcome, Push

KEY = ECKey.generate_key("P-256", private=True)
DEVICE = "ab" * 32
DEAD = Answer(Outcome.DEAD_TOKEN, "Unregistered")


class MovedClock(Clock):
    """Shows what a test has set."""

    def __init__(self) -> None:
        self.moment = 1_800_000_000 * SECOND

    def now(self) -> int:
        return self.moment


def push(number: int = 0, *, token: str = DEVICE, critical: bool = False) -> Push:
    return Push(
        delivery_id=f"00000000-0000-8000-8000-{number:012x}",
        campaign_id="11111111-1111-4111-8111-111111111111",
        device_id=f"22222222-2222-4222-8222-{number:012x}",
        platform="IOS",
        push_token=token,
        title="Fire drill",
        summary="Hello Bo, 消防演习",
        critical=critical,
    )


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return tmp_path


@pytest.fixture
def peer(trust: Path) -> Iterator[Http2Peer]:
    with http2_peer(trust, lambda _asked: Told()) as running:
        yield running


def apns(url: str, clock: Clock, **changes: str) -> Apns:
    values = {"key": KEY.as_pem(private=True).decode(), "key_id": "KEY1", "team_id": "TEAM1"}
    return Apns(**{**values, "topic": "com.example.app", "url": url, **changes}, clock=clock)


@pytest.fixture
def pusher(peer: Http2Peer, clock: MovedClock) -> Iterator[DevicePusher]:
    pusher = DevicePusher(apns(peer.url, clock), per_second=1e6)
    yield pusher
    pusher.close()


def by_token(peer: Http2Peer, answers: dict[str, Told]) -> None:
    peer.answer = lambda asked: answers.get(asked.path.rpartition("/")[2], Told())


def claims(asked: Asked) -> dict[str, Any]:
    token = jwt.decode(asked.headers["authorization"].removeprefix("bearer "), KEY, ["ES256"])
    assert token.header["kid"] == "KEY1"
    return token.claims


def test_a_push_is_what_apple_documents(
    pusher: DevicePusher, peer: Http2Peer, clock: MovedClock
) -> None:
    assert pusher.send([push(1, critical=True)], "batch", Departure()) == [ACCEPTED]
    (asked,) = peer.asked
    assert asked.path == f"/3/device/{DEVICE}"
    assert claims(asked) == {"iss": "TEAM1", "iat": clock.moment // SECOND}
    headers = asked.headers
    assert headers["apns-topic"] == "com.example.app"
    assert headers["apns-push-type"] == "alert"
    assert headers["apns-collapse-id"] == push(1).delivery_id
    assert int(headers["apns-expiration"]) == clock.moment // SECOND + 86_400
    assert asked.json == {
        "aps": {
            "alert": {"title": "Fire drill", "body": "Hello Bo, 消防演习"},
            "sound": "default",
            "thread-id": push().campaign_id,
            "interruption-level": "time-sensitive",
        },
        "delivery_id": push(1).delivery_id,
        "campaign_id": push().campaign_id,
    }


def test_the_longest_texts_fit_into_what_apns_takes(pusher: DevicePusher, peer: Http2Peer) -> None:
    from dataclasses import replace

    pusher.send([replace(push(), title="語" * 200, summary="語" * 500)], "batch", Departure())
    assert len(peer.asked[0].body) <= 4096


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        (Told(410, {"reason": "Unregistered", "timestamp": 1}), DEAD),
        (Told(400, {"reason": "BadDeviceToken"}), Answer(Outcome.DEAD_TOKEN, "BadDeviceToken")),
        (
            Told(400, {"reason": "DeviceTokenNotForTopic"}),
            Answer(Outcome.DEAD_TOKEN, "DeviceTokenNotForTopic"),
        ),
        (Told(413, {"reason": "PayloadTooLarge"}), Answer(Outcome.REFUSED, "PayloadTooLarge")),
        (Told(400, []), Answer(Outcome.REFUSED, "APNs answered 400")),
    ],
)
def test_an_answer_is_about_its_push_only(
    pusher: DevicePusher, peer: Http2Peer, told: Told, answer: Answer
) -> None:
    by_token(peer, {"cd" * 32: told})
    pushes = [push(0), push(1, token="cd" * 32), push(2)]
    assert pusher.send(pushes, "batch", Departure()) == [ACCEPTED, answer, ACCEPTED]


@pytest.mark.parametrize("token", ["", "../3/device/x", "é" * 20, "ab?x=1", "a" * 300])
def test_what_cannot_be_a_device_token_is_not_asked_about(
    pusher: DevicePusher, peer: Http2Peer, token: str
) -> None:
    (answer,) = pusher.send([push(token=token)], "batch", Departure())
    assert answer.outcome is Outcome.DEAD_TOKEN
    assert not peer.asked


def test_a_thousand_pushes_share_a_few_connections_and_survive_their_ends(
    trust: Path, clock: MovedClock
) -> None:
    # The peer sends GOAWAY after 300 requests of a connection, with others in flight.
    with http2_peer(trust, lambda _asked: Told(), requests_per_connection=300) as peer:
        pusher = DevicePusher(apns(peer.url, clock), per_second=1e6)
        assert (
            pusher.send([push(number) for number in range(1_000)], "batch", Departure())
            == [ACCEPTED] * 1_000
        )
        pusher.close()
    reached = {asked.headers["apns-collapse-id"] for asked in peer.asked}
    assert len(reached) == 1_000
    # What was sent again is the same notification.
    ids = {(asked.headers["apns-id"], asked.headers["apns-collapse-id"]) for asked in peer.asked}
    assert len(ids) == 1_000


def test_a_provider_that_asks_to_wait_is_asked_again_no_sooner(
    pusher: DevicePusher, peer: Http2Peer
) -> None:
    at: list[float] = []

    def answer(_asked: Asked) -> Told:
        at.append(time.monotonic())
        return (
            Told(429, {"reason": "TooManyRequests"}, {"retry-after": "1"}) if not at[1:] else Told()
        )

    peer.answer = answer
    assert pusher.send([push()], "batch", Departure()) == [ACCEPTED]
    assert at[1] - at[0] >= 1


def test_who_waits_for_a_turn_is_held_back_too(peer: Http2Peer, clock: MovedClock) -> None:
    at: list[float] = []

    def answer(_asked: Asked) -> Told:
        at.append(time.monotonic())
        return Told() if at[1:] else Told(503, {"reason": "Shutdown"}, {"retry-after": "0.9"})

    peer.answer = answer
    slow = DevicePusher(apns(peer.url, clock), per_second=2)
    try:
        # The second one's turn is half a second after the first one's.
        assert slow.send([push(0), push(1)], "batch", Departure()) == [ACCEPTED] * 2
    finally:
        slow.close()
    assert at[1] - at[0] >= 0.9


def test_an_interrupted_batch_goes_on_where_it_was(peer: Http2Peer, clock: MovedClock) -> None:
    slow = DevicePusher(apns(peer.url, clock), per_second=20)
    departure = Departure()

    def answer(_asked: Asked) -> Told:
        if len(peer.asked) == 3:
            departure.close()
        return Told()

    peer.answer = answer
    pushes = [push(number) for number in range(20)]
    try:
        with pytest.raises(UnavailableError, match="apns has not taken"):
            slow.send(pushes, "batch", departure)
        assert 3 <= len(peer.asked) < 20
        assert slow.send(pushes, "batch", Departure()) == [ACCEPTED] * 20
    finally:
        slow.close()
    assert len(peer.asked) == 20


def test_a_long_wait_lets_go_of_the_lane_and_repeats_nothing(
    pusher: DevicePusher, peer: Http2Peer
) -> None:
    slow = "cd" * 32
    by_token(peer, {slow: Told(503, {"reason": "Shutdown"}, {"retry-after": "120"})})
    pushes = [push(number) for number in range(20)] + [push(20, token=slow)]
    with pytest.raises(UnavailableError, match="apns has not taken"):
        pusher.send(pushes, "batch", Departure())
    first = {asked.headers["apns-collapse-id"] for asked in peer.asked}
    peer.asked.clear()
    # Nothing is sent before the two minutes are over.
    with pytest.raises(UnavailableError):
        pusher.send(pushes, "batch", Departure())
    assert not peer.asked
    assert push(20).delivery_id in first


def test_a_batch_that_is_sent_again_goes_on_where_it_was(
    pusher: DevicePusher, peer: Http2Peer
) -> None:
    ours = "cd" * 32
    by_token(peer, {ours: Told(403, {"reason": "InvalidProviderToken"})})
    pushes = [push(number) for number in range(20)] + [push(20, token=ours)]
    with pytest.raises(UnavailableError, match=r"InvalidProviderToken.*PIDGR_APNS_KEY"):
        pusher.send(pushes, "batch", Departure())
    assert len(peer.asked) == 21
    by_token(peer, {})
    assert pusher.send(pushes, "batch", Departure()) == [ACCEPTED] * 21
    assert len(peer.asked) == 22
    # Also when the database could not note the answers.
    assert pusher.send(pushes, "batch", Departure()) == [ACCEPTED] * 21
    assert len(peer.asked) == 22


@pytest.mark.parametrize("reason", ["InvalidProviderToken", "BadTopic", "TopicDisallowed"])
def test_what_is_wrong_for_everybody_fails_nobody(
    pusher: DevicePusher, peer: Http2Peer, reason: str
) -> None:
    peer.answer = lambda _asked: Told(403, {"reason": reason})
    with pytest.raises(UnavailableError, match=reason):
        pusher.send([push()], "batch", Departure())


def test_a_token_is_used_for_forty_minutes(
    pusher: DevicePusher, peer: Http2Peer, clock: MovedClock
) -> None:
    issued = []
    for minutes in (0, 39, 40, 79, 81):
        clock.moment = 1_800_000_000 * SECOND + minutes * MINUTE
        pusher.send([push()], f"batch {minutes}", Departure())
        issued.append((claims(peer.asked[-1])["iat"] - 1_800_000_000) // 60)
    assert issued == [0, 0, 40, 40, 81]


def test_a_token_that_apns_finds_too_old_is_replaced(
    pusher: DevicePusher, peer: Http2Peer, clock: MovedClock
) -> None:
    pusher.send([push()], "one", Departure())
    clock.moment += 30 * MINUTE
    newest = clock.moment // SECOND

    def answer(asked: Asked) -> Told:
        if claims(asked)["iat"] < newest:
            return Told(403, {"reason": "ExpiredProviderToken"})
        return Told()

    peer.answer = answer
    assert pusher.send([push(1)], "two", Departure()) == [ACCEPTED]


def test_no_token_or_key_gets_into_an_error(
    pusher: DevicePusher, peer: Http2Peer, clock: MovedClock
) -> None:
    peer.answer = lambda _asked: Told(403, {"reason": "Forbidden"})
    with pytest.raises(UnavailableError) as refused:
        pusher.send([push()], "batch", Departure())
    assert DEVICE not in str(refused.value)
    with pytest.raises(SetupError) as bad:
        apns(peer.url, clock, key="-----BEGIN secret")
    assert "secret" not in str(bad.value)


@pytest.mark.parametrize("name", ["key_id", "team_id", "topic"])
def test_every_name_is_needed(clock: MovedClock, name: str) -> None:
    with pytest.raises(SetupError, match="PIDGR_APNS_KEY_ID"):
        apns("https://127.0.0.1", clock, **{name: ""})


def test_a_peer_that_hangs_up_is_asked_again(pusher: DevicePusher, peer: Http2Peer) -> None:
    calls: list[Callable[[], Told]] = [lambda: Told(hang_up=True), Told]
    peer.answer = lambda _asked: (calls.pop(0) if calls else Told)()
    assert pusher.send([push()], "batch", Departure()) == [ACCEPTED]
    assert len(peer.asked) == 2

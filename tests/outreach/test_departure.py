"""What may start, what has started, and when a batch is quiet."""

import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from outreach.test_apns import MovedClock, apns, push
from support.arrivals import Arrivals, arrivals
from support.http2_peer import Asked, Http2Peer, Told, http2_peer
from support.waiting import until

from pidgr.errors import UnavailableError
from pidgr.outreach.departure import Departure, NotStartedError
from pidgr.outreach.device_pusher import DevicePusher
from pidgr.outreach.http_push import HttpPusher
from pidgr.outreach.push import ACCEPTED, NOT_STARTED, LogPusher, Pusher


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Http2Peer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with http2_peer(tmp_path, lambda _asked: Told()) as running:
        yield running


@pytest.fixture
def apple(peer: Http2Peer) -> Iterator[DevicePusher]:
    pusher = DevicePusher(apns(peer.url, MovedClock()), per_second=1e6)
    yield pusher
    pusher.close()


@pytest.fixture
def service() -> Iterator[Arrivals]:
    with arrivals() as running:
        yield running


def stopped() -> Departure:
    departure = Departure()
    departure.stop()
    return departure


def test_it_is_quiet_when_it_is_closed_and_the_last_push_has_left() -> None:
    departure = Departure()
    departure.begin()
    departure.begin()
    quiet = []
    for change in (departure.close, departure.end, departure.end):
        quiet.append(departure.is_quiet)
        change()
    assert [*quiet, departure.is_quiet] == [False, False, False, True]
    with pytest.raises(NotStartedError):
        departure.begin()


def test_nothing_starts_once_nobody_has_said_for_too_long_that_it_may() -> None:
    departure = Departure()
    departure.good_until(time.monotonic() + 60)
    departure.begin()
    departure.good_until(time.monotonic())
    with pytest.raises(NotStartedError):
        departure.begin()
    with pytest.raises(NotStartedError):
        departure.require_open()
    departure.good_until(math.inf)
    departure.begin()


def test_a_batch_that_was_stopped_says_what_has_started(
    apple: DevicePusher, peer: Http2Peer
) -> None:
    departure = Departure()
    release = threading.Event()

    def answer(_asked: Asked) -> Told:
        release.wait(30)
        return Told()

    peer.answer = answer
    pushes = [push(number) for number in range(300)]
    answers: list[object] = []
    sending = threading.Thread(target=lambda: answers.extend(apple.send(pushes, "b", departure)))
    sending.start()
    until(lambda: peer.asked)
    departure.stop()
    # It does not wait for the answers, which nobody gives yet.
    until(lambda: departure.is_quiet)
    release.set()
    sending.join()
    assert answers.count(ACCEPTED) == len(peer.asked)
    assert answers.count(NOT_STARTED) == 300 - len(peer.asked) > 0


def test_nobody_waits_for_a_turn_after_a_stop(apple: DevicePusher, peer: Http2Peer) -> None:
    departure = Departure()

    def answer(_asked: Asked) -> Told:
        departure.stop()
        return Told(503, {"reason": "Shutdown"}, {"retry-after": "25"})

    peer.answer = answer
    began = time.monotonic()
    assert apple.send([push()], "batch", departure) == [NOT_STARTED]
    assert time.monotonic() - began < 20


def test_a_batch_to_a_gateway_has_left_before_it_is_answered(service: Arrivals) -> None:
    service.hold = threading.Event()
    pusher = HttpPusher(f"{service.url}/push")
    departure = Departure()
    answers: list[object] = []
    sending = threading.Thread(target=lambda: answers.extend(pusher.send([push()], "b", departure)))
    sending.start()
    until(lambda: service.requests)
    departure.stop()
    until(lambda: departure.is_quiet)
    assert not answers
    service.hold.set()
    sending.join()
    pusher.close()
    assert answers == [ACCEPTED]


def test_no_byte_of_a_batch_to_a_gateway_leaves_after_a_stop(service: Arrivals) -> None:
    pusher = HttpPusher(f"{service.url}/push")
    assert pusher.send([push(), push(1)], "b", stopped()) == [NOT_STARTED] * 2
    interrupted = Departure()
    interrupted.close()
    with pytest.raises(UnavailableError):
        pusher.send([push()], "b", interrupted)
    pusher.close()
    assert service.late() == 0


def test_nothing_is_logged_as_sent_after_a_stop() -> None:
    pusher: Pusher = LogPusher()
    assert pusher.send([push()], "b", stopped()) == [NOT_STARTED]
    assert pusher.send([push()], "b", Departure()) == [ACCEPTED]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/push", "http://nobody.invalid/push"])
def test_a_request_that_never_left_leaves_nothing_behind(url: str) -> None:
    departure = Departure()
    with httpx.Client() as client, pytest.raises(httpx.TransportError):
        client.post(url, extensions=departure.request())
    departure.close()
    assert departure.is_quiet

"""Routing pushes by platform."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from outreach.test_apns import KEY, MovedClock, push

from pidgr.errors import SetupError, UnavailableError
from pidgr.outreach.departure import Departure
from pidgr.outreach.http_push import HttpPusher
from pidgr.outreach.push import ACCEPTED, Answer, LogPusher, Outcome, Push
from pidgr.outreach.push_routes import PushRoutes
from pidgr.outreach.push_setup import build_pusher
from pidgr.settings import Settings


class Spy:
    """A provider that may be away."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.away = False
        self.closed = 0

    def send(
        self, pushes: Sequence[Push], idempotency_key: str, departure: Departure
    ) -> list[Answer]:
        del idempotency_key, departure
        if self.away:
            raise UnavailableError("away")
        self.sent += [one.delivery_id for one in pushes]
        return [ACCEPTED] * len(pushes)

    def close(self) -> None:
        self.closed += 1


ANDROID = replace(push(1), platform="ANDROID")
IOS = push(2)


def test_each_platform_has_its_provider_and_one_that_is_away_stops_no_other() -> None:
    apple, google = Spy(), Spy()
    routes = PushRoutes({"IOS": apple, "ANDROID": google})
    apple.away = True
    with pytest.raises(UnavailableError):
        routes.send([IOS, ANDROID], "batch", Departure())
    apple.away = False
    assert routes.send([IOS, ANDROID], "batch", Departure()) == [ACCEPTED] * 2
    assert (apple.sent, google.sent) == ([IOS.delivery_id], [ANDROID.delivery_id])


def test_a_platform_without_a_provider_is_refused_in_words() -> None:
    routes = PushRoutes({"IOS": Spy()})
    answers = routes.send([ANDROID, IOS], "batch", Departure())
    assert answers == [
        Answer(Outcome.REFUSED, "no push provider for ANDROID is set up"),
        ACCEPTED,
    ]


def test_a_provider_of_two_platforms_is_closed_once() -> None:
    both = Spy()
    PushRoutes({"IOS": both, "ANDROID": both}).close()
    assert both.closed == 1


def build(tmp_path: Path, **values: Any) -> object:
    return build_pusher(Settings(data_dir=tmp_path, **values), MovedClock())


def test_settings_choose_the_adapters(tmp_path: Path) -> None:
    assert isinstance(build(tmp_path), LogPusher)
    assert isinstance(build(tmp_path, push_url="http://127.0.0.1:1/push"), HttpPusher)
    apple = {
        "apns_key": KEY.as_pem(private=True).decode(),
        "apns_key_id": "K",
        "apns_team_id": "T",
        "apns_topic": "com.example.app",
    }
    assert isinstance(build(tmp_path, **apple), PushRoutes)
    with pytest.raises(SetupError, match="PIDGR_PUSH_URL takes every push"):
        build(tmp_path, push_url="http://127.0.0.1:1/push", **apple)

"""Web Push against a push service on this machine and a browser that decrypts."""

import base64
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from outreach.test_apns import MovedClock, push
from support.browser import Browser, PushService, push_service, vapid_claims
from support.http_peer import Scripted

from pidgr.clock import HOUR, SECOND
from pidgr.errors import SetupError
from pidgr.outreach.departure import Departure
from pidgr.outreach.push import ACCEPTED, BROWSER, Outcome, Push, Pusher
from pidgr.outreach.push_setup import build_browser_pusher
from pidgr.outreach.vapid import Vapid
from pidgr.outreach.web_push import PushServices, Subscription, SubscriptionError
from pidgr.outreach.web_push_encryption import encrypt
from pidgr.secrets import MasterKey
from pidgr.settings import Settings

MASTER_KEY = MasterKey("a master key for tests, long enough")
CONTACT = "mailto:ops@acme.example"


@pytest.fixture
def service() -> Iterator[PushService]:
    with push_service() as running:
        yield running


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def vapid(clock: MovedClock) -> Vapid:
    return Vapid(MASTER_KEY, CONTACT, clock)


@pytest.fixture
def pusher(service: PushService, vapid: Vapid) -> Iterator[Pusher]:
    settings = Settings(web_push_services=(service.origin,))
    pusher = build_browser_pusher(settings, PushServices(settings.web_push_services), vapid)
    yield pusher
    pusher.close()


def to(browser: Browser, number: int = 0, **fields: Any) -> Push:
    token = Subscription.of(browser.subscription).token
    return dataclasses.replace(push(number, token=token), platform=BROWSER, **fields)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_the_example_of_rfc_8291_comes_out() -> None:
    def key(text: str) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(decoded(text)), ec.SECP256R1())

    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        key("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94").public_key(),
        decoded("BTBZMqHH6r4Tts7J_aSIgg"),
        own_key=key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
        salt=decoded("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert body == decoded(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
        "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
        "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_a_push_is_what_the_standards_say_and_only_its_browser_can_read_it(
    pusher: Pusher, service: PushService, vapid: Vapid, clock: MovedClock
) -> None:
    mine, other = service.browser("mine"), service.browser("other")
    assert (
        pusher.send([to(mine, 1, critical=True), to(other, 2)], "batch", Departure())
        == [ACCEPTED] * 2
    )
    by_path = {one.path: one for one in service.requests}
    urgent, calm = by_path["/push/mine"], by_path["/push/other"]
    assert service.pushes(mine) == [
        {
            "title": "Fire drill",
            "body": "Hello Bo, 消防演习",
            "delivery_id": push(1).delivery_id,
            "campaign_id": push().campaign_id,
            "critical": True,
        }
    ]
    with pytest.raises(InvalidTag):
        other.read(urgent.body)
    assert urgent.headers["content-encoding"] == "aes128gcm"
    assert urgent.headers["ttl"] == "86400"
    assert (urgent.headers["urgency"], calm.headers["urgency"]) == ("high", "normal")
    topics = {urgent.headers["topic"], calm.headers["topic"]}
    assert [len(topic) for topic in topics] == [32, 32]
    claims, key = vapid_claims(urgent)
    expires_at = (clock.moment + 12 * HOUR) // SECOND
    assert claims == {"aud": service.origin, "exp": expires_at, "sub": CONTACT}
    assert key == vapid.public_key


def test_the_key_follows_from_the_master_key(clock: MovedClock, vapid: Vapid) -> None:
    assert Vapid(MASTER_KEY, "", clock).public_key == vapid.public_key
    other = MasterKey("another master key, which is long too")
    assert Vapid(other, "", clock).public_key != vapid.public_key


def test_a_token_is_used_for_hours_and_then_renewed(vapid: Vapid, clock: MovedClock) -> None:
    first = vapid.authorization("https://push.example")
    clock.moment += 5 * HOUR
    assert vapid.authorization("https://push.example") == first
    assert vapid.authorization("https://other.example") != first
    clock.moment += 2 * HOUR
    assert vapid.authorization("https://push.example") != first


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (404, Outcome.DEAD_TOKEN),
        (410, Outcome.DEAD_TOKEN),
        (400, Outcome.REFUSED),
        (403, Outcome.REFUSED),
        (413, Outcome.REFUSED),
        (307, Outcome.REFUSED),
    ],
)
def test_answers_are_understood(
    pusher: Pusher, service: PushService, status: int, outcome: Outcome
) -> None:
    service.answers = [Scripted(status, {"location": f"{service.origin}/elsewhere"})]
    (answer,) = pusher.send([to(service.browser("mine"))], "batch", Departure())
    assert answer.outcome is outcome
    assert f"answered {status}" in answer.reason
    assert len(service.requests) == 1


def test_what_is_wanted_later_is_sent_later(pusher: Pusher, service: PushService) -> None:
    service.answers = [Scripted(429, {"retry-after": "0"}), Scripted(503, {"retry-after": "0.01"})]
    mine = service.browser("mine")
    assert pusher.send([to(mine)], "batch", Departure()) == [ACCEPTED]
    assert len(service.pushes(mine)) == 3
    assert len({one.headers["topic"] for one in service.requests}) == 1
    # What has been answered is not sent again with its batch.
    assert pusher.send([to(mine)], "batch", Departure()) == [ACCEPTED]
    assert len(service.requests) == 3


def test_a_service_that_is_no_longer_spoken_to_gets_nothing(
    pusher: Pusher, service: PushService
) -> None:
    (answer,) = pusher.send([to(Browser("https://127.0.0.1:1/push"))], "batch", Departure())
    assert answer.outcome is Outcome.REFUSED
    assert not service.requests


SERVICES = PushServices(("push.example", "http://10.0.0.1:8080"))


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        ("https://push.example/a", "push.example"),
        ("https://PUSH.example:443/a", "push.example"),
        ("https://eu.push.example/a?b=c", "push.example"),
        ("http://10.0.0.1:8080/a", "http://10.0.0.1:8080"),
        ("http://push.example/a", None),
        ("https://push.example:8443/a", None),
        ("https://eu.push.example:8443/a", None),
        ("https://evilpush.example/a", None),
        ("https://push.example.evil.org/a", None),
        ("https://push.example@evil.org/a", None),
        ("https://me@push.example/a", None),
        ("https://evil.org/push.example", None),
        ("http://10.0.0.1/a", None),
        ("https://10.0.0.1:8080/a", None),
        ("ftp://push.example/a", None),
        ("push.example", None),
        ("https://", None),
        ("https://[::1/a", None),
    ],
)
def test_endpoints_lead_nowhere_but_to_known_services(endpoint: str, name: str | None) -> None:
    assert SERVICES.of(endpoint) == name


@pytest.mark.parametrize(
    "name", ["", "https://push.example/path", "push.example/path", "ftp://push.example", "a b"]
)
def test_a_service_has_a_host_name_or_an_origin(name: str) -> None:
    with pytest.raises(SetupError, match="PIDGR_WEB_PUSH_SERVICES"):
        PushServices([name])


GOOD = Browser("https://push.example/a").subscription


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"endpoint": None}, "endpoint"),
        ({"endpoint": ""}, "endpoint"),
        ({"endpoint": "https://push.example/" + "a" * 2_048}, "endpoint"),
        ({"keys": None}, "keys must have"),
        ({"keys": {}}, "keys must be texts"),
        ({"keys": GOOD["keys"] | {"auth": "AAAA"}}, "16 bytes"),
        ({"keys": GOOD["keys"] | {"auth": "*"}}, "base64url"),
        ({"keys": GOOD["keys"] | {"auth": "é" * 22}}, "base64url"),
        ({"keys": GOOD["keys"] | {"p256dh": "AAAA"}}, "point of P-256"),
        ({"keys": GOOD["keys"] | {"p256dh": "A" * 101}}, "keys must be texts"),
    ],
)
def test_what_is_no_subscription_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(SubscriptionError, match=told):
        Subscription.of(GOOD | wrong)
    again = Subscription.from_token(Subscription.of(GOOD).token)
    assert again == Subscription.of(GOOD)

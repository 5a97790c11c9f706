"""Channels over HTTP against peers that speak each service's protocol."""

import base64
import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from support.http_peer import HttpPeer, Received, Scripted, http_peer

from pidgr.clock import HOUR, SECOND, Clock
from pidgr.contract.v1.channel_events_pb import ChannelName
from pidgr.errors import SetupError
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channel_setup import build_channels
from pidgr.outreach.channels import Channel, Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.mail import ConsoleMailer
from pidgr.outreach.nudge_http import one_by_one
from pidgr.outreach.slack_channel import SlackChannel
from pidgr.outreach.sms_channel import SmsChannel
from pidgr.outreach.webhook_channel import WebhookChannel
from pidgr.settings import Settings

GUARD = AddressGuard(["127.0.0.1"])
SECRET = "pidgr_wh_secret"
NUDGE = Nudge(
    key="nudge-7-8",
    organization_key=1,
    member_id="988a4e2c-c305-4a78-afc1-4a271eb494b3",
    email="ada+x@example.com",
    phone="+49 (171) 123-4567",
    line_user_id="U4af4980629f0e3f4a7e5b8c1d2e3f405",
    locale="pt-BR",
    first_name="Ada",
    campaign_id="34124d84-cc19-4105-86b6-02b4a24e4b2a",
    critical=False,
    title="A & <B>",
    subject="Reminder: A & B",
    summary="A message is waiting for you in Pidgr: “A & <B>”.",
    text="Hello Ada,\n\n“A & <B>”\n\nhttps://pidgr.example/c/abcdEFGH?t=x",
    url="https://pidgr.example/c/abcdEFGH?t=x",
    occurred_at=1_767_225_600_000_000,
)
SENT = NudgeAnswer(NudgeOutcome.SENT)
UNREACHABLE = NudgeAnswer(NudgeOutcome.UNREACHABLE)


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with http_peer() as peer:
        yield peer


def the_answer(handed: Handed) -> NudgeAnswer:
    assert handed.outage is None
    (answer,) = handed.answers
    return answer


def assert_outage(channel: Channel, peer: HttpPeer, answer: Scripted) -> None:
    """Expect an answer to go for everybody, and to be told without anybody's address."""
    peer.answers = [answer]
    handed = channel.send([NUDGE] * 3, Departure())
    assert handed.answers == []
    assert handed.outage is not None
    assert "ada" not in handed.outage.message


def test_none_starts_after_a_stop() -> None:
    departure = Departure()

    def take(_nudge: Nudge) -> NudgeAnswer:
        departure.stop()
        return SENT

    assert one_by_one([NUDGE] * 3, take, departure) == Handed([SENT])
    assert departure.is_quiet
    assert one_by_one([NUDGE], take, departure) == Handed([])


class TestWebhook:
    @pytest.fixture
    def channel(self, peer: HttpPeer) -> Channel:
        return WebhookChannel(peer.url(), GUARD, lambda organization_key: SECRET[organization_key:])

    def test_the_document_has_four_fields_and_is_signed_as_it_is(
        self, channel: Channel, peer: HttpPeer
    ) -> None:
        assert the_answer(channel.send([NUDGE], Departure())) == SENT
        (request,) = peer.received
        assert json.loads(request.body) == {
            "user_id": NUDGE.member_id,
            "campaign_id": NUDGE.campaign_id,
            "deeplink_url": NUDGE.url,
            "occurred_at": "2026-01-01T00:00:00Z",
        }
        expected = hmac.new(SECRET[1:].encode(), request.body, hashlib.sha256).hexdigest()
        assert request.headers["x-pidgr-signature"] == expected
        assert request.headers["idempotency-key"] == NUDGE.key
        assert request.headers["content-type"] == "application/json"

    @pytest.mark.parametrize(
        ("status", "answer"),
        [
            (204, SENT),
            (302, NudgeAnswer(NudgeOutcome.REFUSED, "302")),
            (404, NudgeAnswer(NudgeOutcome.REFUSED, "404")),
            (500, NudgeAnswer(NudgeOutcome.LATER, "500")),
        ],
    )
    def test_what_a_status_means(
        self, channel: Channel, peer: HttpPeer, status: int, answer: NudgeAnswer
    ) -> None:
        peer.answers = [Scripted(status, {"location": peer.url()})]
        assert the_answer(channel.send([NUDGE], Departure())) == answer
        assert len(peer.received) == 1

    def test_an_outage_keeps_what_has_been_answered(self, channel: Channel, peer: HttpPeer) -> None:
        peer.answers = [Scripted(), Scripted(503)]
        handed = channel.send([NUDGE] * 3, Departure())
        assert handed.answers == [SENT]
        assert handed.outage is not None
        assert len(peer.received) == 2

    @pytest.mark.parametrize(
        ("asked", "pause"),
        [("30", 30 * SECOND), ("1000000", HOUR), ("-1", 0), ("soon", 0)],
    )
    def test_nudges_wait_as_long_as_a_service_asks_and_an_hour_at_most(
        self, channel: Channel, peer: HttpPeer, asked: str, pause: int
    ) -> None:
        peer.answers = [Scripted(429, {"retry-after": asked})]
        outage = channel.send([NUDGE], Departure()).outage
        assert outage is not None
        assert outage.pause == pause

    def test_an_address_that_is_not_called_makes_nudges_wait(self, peer: HttpPeer) -> None:
        channel = WebhookChannel(peer.url(), AddressGuard(), lambda _key: SECRET)
        handed = channel.send([NUDGE], Departure())
        assert handed.answers == []
        assert handed.outage is not None
        assert peer.received == []


def slack(request: Received) -> Scripted:
    """Answer as Slack does when all is well."""
    if request.path.startswith("/api/users.lookupByEmail?"):
        return ok(user={"id": "U123"})
    return ok(channel="D456", ts="1.2")


def ok(**fields: object) -> Scripted:
    return Scripted(body=json.dumps({"ok": True, **fields}).encode())


def error(name: str) -> Scripted:
    return Scripted(body=json.dumps({"ok": False, "error": name}).encode())


class TestSlack:
    @pytest.fixture
    def channel(self, peer: HttpPeer) -> Channel:
        peer.answer = slack
        return SlackChannel("xoxb-token", peer.url(path="/api/"), GUARD)

    def test_the_person_is_looked_up_and_written_to(self, channel: Channel, peer: HttpPeer) -> None:
        assert the_answer(channel.send([NUDGE], Departure())) == SENT
        lookup, message = peer.received
        assert lookup.method == "GET"
        assert parse_qs(urlsplit(lookup.path).query) == {"email": [NUDGE.email]}
        assert (message.method, message.path) == ("POST", "/api/chat.postMessage")
        for request in peer.received:
            assert request.headers["authorization"] == "Bearer xoxb-token"
        said = json.loads(message.body)
        assert said["channel"] == "U123"
        assert "“A &amp; &lt;B&gt;”" in said["text"]
        assert said["text"].endswith(NUDGE.url)
        assert (said["mrkdwn"], said["unfurl_links"]) == (False, False)

    def test_who_is_not_in_the_workspace_is_not_written_to(
        self, channel: Channel, peer: HttpPeer
    ) -> None:
        peer.answers = [error("users_not_found")]
        assert the_answer(channel.send([NUDGE], Departure())) == UNREACHABLE
        assert len(peer.received) == 1

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (error("user_not_visible"), UNREACHABLE),
            (error("user_disabled"), NudgeAnswer(NudgeOutcome.REFUSED, "user_disabled")),
            (error("a_word_of_2031"), NudgeAnswer(NudgeOutcome.REFUSED, "a_word_of_2031")),
            (error("fatal_error"), NudgeAnswer(NudgeOutcome.LATER, "fatal_error")),
            (Scripted(500, body=b"<html>"), NudgeAnswer(NudgeOutcome.LATER, "500")),
        ],
    )
    def test_a_person_who_cannot_be_written_to_keeps_nobody_waiting(
        self, channel: Channel, peer: HttpPeer, answer: Scripted, expected: NudgeAnswer
    ) -> None:
        peer.answers = [answer, ok(user={"id": "U123"}), answer]
        handed = channel.send([NUDGE] * 3, Departure())
        assert handed.outage is None
        assert handed.answers == [expected, expected, SENT]

    @pytest.mark.parametrize(
        "answer",
        [
            Scripted(429),
            error("invalid_auth"),
            error("missing_scope"),
            error("ratelimited"),
            Scripted(body=b"<html>"),
            Scripted(body=b"[]"),
            ok(),
        ],
    )
    def test_what_is_wrong_with_the_bot_or_with_slack_makes_all_wait(
        self, channel: Channel, peer: HttpPeer, answer: Scripted
    ) -> None:
        assert_outage(channel, peer, answer)


class TestSms:
    @pytest.fixture
    def channel(self, peer: HttpPeer) -> Channel:
        peer.answer = lambda _request: Scripted(201, body=b'{"sid": "SM1"}')
        return SmsChannel(
            account="AC1", token="secret", sender="+15005550006", url=peer.url(path=""), guard=GUARD
        )

    def test_a_short_text_goes_to_the_number_of_the_profile(
        self, channel: Channel, peer: HttpPeer
    ) -> None:
        assert the_answer(channel.send([NUDGE], Departure())) == SENT
        (request,) = peer.received
        assert request.path == "/2010-04-01/Accounts/AC1/Messages.json"
        expected = base64.b64encode(b"AC1:secret").decode()
        assert request.headers["authorization"] == f"Basic {expected}"
        assert parse_qs(request.body.decode()) == {
            "To": ["+491711234567"],
            "From": ["+15005550006"],
            "Body": [f"{NUDGE.summary} {NUDGE.url}"],
        }

    @pytest.mark.parametrize("phone", ["", "0171 1234567", "+0171", "extension 7", "+1" * 20])
    def test_what_is_no_international_number_is_not_called(
        self, channel: Channel, peer: HttpPeer, phone: str
    ) -> None:
        nudge = dataclasses.replace(NUDGE, phone=phone)
        assert the_answer(channel.send([nudge], Departure())) == UNREACHABLE
        assert peer.received == []

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (Scripted(400, body=b'{"code": 21610, "message": "+49 said STOP"}'), "21610"),
            (Scripted(400, body=b"no"), "400"),
        ],
    )
    def test_a_refusal_is_known_by_its_number_alone(
        self, channel: Channel, peer: HttpPeer, answer: Scripted, expected: str
    ) -> None:
        peer.answers = [answer]
        refused = NudgeAnswer(NudgeOutcome.REFUSED, expected)
        assert the_answer(channel.send([NUDGE], Departure())) == refused

    def test_a_fault_of_the_service_is_tried_again(self, channel: Channel, peer: HttpPeer) -> None:
        peer.answers = [Scripted(500)]
        assert the_answer(channel.send([NUDGE], Departure())) == NudgeAnswer(
            NudgeOutcome.LATER, "500"
        )

    @pytest.mark.parametrize("status", [401, 404, 429, 503])
    def test_what_is_wrong_with_the_account_makes_all_wait(
        self, channel: Channel, peer: HttpPeer, status: int
    ) -> None:
        assert_outage(channel, peer, Scripted(status, body=b'{"code": 20003}'))


def build(**settings: str) -> set[int]:
    made = Settings(**settings)  # type: ignore[arg-type]
    return set(build_channels(made, None, GUARD, lambda _key: SECRET, Clock()))


def test_channels_are_those_that_are_set_up() -> None:
    assert build() == set()
    mail = build_channels(Settings(), ConsoleMailer(), GUARD, lambda _key: SECRET, Clock())
    assert set(mail) == {ChannelName.EMAIL}
    everything = build(
        nudge_webhook_url="https://example.com/nudges",
        slack_bot_token="xoxb",
        sms_account="AC1",
        sms_token="secret",
        sms_sender="+15005550006",
        teams_tenant="acme",
        teams_app_id="bot",
        teams_secret="secret",
        whatsapp_token="secret",
        whatsapp_phone_number_id="106540352242922",
        whatsapp_template="pidgr_nudge",
        line_token="secret",
    )
    assert everything == {
        ChannelName.WEBHOOK,
        ChannelName.SLACK,
        ChannelName.SMS,
        ChannelName.MICROSOFT_TEAMS,
        ChannelName.WHATSAPP,
        ChannelName.LINE,
    }


@pytest.mark.parametrize(
    ("secret", "needed"),
    [
        ("sms_token", ("sms_account", "sms_sender")),
        ("teams_secret", ("teams_tenant", "teams_app_id")),
        ("google_chat_credentials", ("google_chat_administrator",)),
        ("whatsapp_token", ("whatsapp_phone_number_id", "whatsapp_template")),
    ],
)
def test_what_a_channel_needs_is_whole_or_refused(secret: str, needed: tuple[str, ...]) -> None:
    for missing in needed:
        given = dict.fromkeys((secret, *needed), "value") | {missing: ""}
        with pytest.raises(SetupError, match=f"PIDGR_{missing.upper()}"):
            build(**given)

"""Nudges in Telegram against a peer that speaks like its Bot API."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import pytest
from outreach.test_nudge_channels import GUARD, NUDGE, SENT, UNREACHABLE
from support.http_peer import HttpPeer, Scripted, http_peer
from support.telegram import NAME, TOKEN, Telegram, refusal

from pidgr.clock import SECOND
from pidgr.errors import UnavailableError
from pidgr.outreach.channels import NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.telegram_bot import TelegramBot
from pidgr.outreach.telegram_channel import TelegramChannel

ADA, BOB = 4_503_599_627_370_495, 7
BOB_NUDGE = dataclasses.replace(NUDGE, member_id="bob")
STRANGER = dataclasses.replace(NUDGE, member_id="stranger")


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with http_peer() as peer:
        yield peer


@pytest.fixture
def telegram(peer: HttpPeer) -> Telegram:
    telegram = Telegram(peer)
    telegram.chats = {ADA, BOB}
    return telegram


def chats_of(organization_key: int, member_ids: Sequence[str]) -> Mapping[str, int]:
    assert organization_key == NUDGE.organization_key
    known = {NUDGE.member_id: ADA, "bob": BOB}
    return {member_id: known[member_id] for member_id in member_ids if member_id in known}


@pytest.fixture
def channel(telegram: Telegram) -> TelegramChannel:
    return TelegramChannel(TelegramBot(TOKEN, telegram.url, GUARD), chats_of)


def test_who_has_a_chat_is_written_to_as_it_is_and_others_are_not(
    channel: TelegramChannel, telegram: Telegram
) -> None:
    handed = channel.send([NUDGE, STRANGER, BOB_NUDGE], Departure())
    assert handed.outage is None
    assert handed.answers == [SENT, UNREACHABLE, SENT]
    assert [said["chat_id"] for said in telegram.said] == [ADA, BOB]
    assert telegram.said[0]["text"] == NUDGE.text
    assert "parse_mode" not in telegram.said[0]
    assert telegram.said[0]["link_preview_options"] == {"is_disabled": True}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            refusal(403, "Forbidden: bot was blocked by the user"),
            NudgeAnswer(NudgeOutcome.REFUSED, "403"),
        ),
        (refusal(400, "Bad Request: chat not found"), NudgeAnswer(NudgeOutcome.REFUSED, "400")),
        (Scripted(500), NudgeAnswer(NudgeOutcome.LATER, "500")),
    ],
)
def test_what_an_answer_means_for_one_person(
    channel: TelegramChannel, telegram: Telegram, answer: Scripted, expected: NudgeAnswer
) -> None:
    telegram.refusals[ADA] = answer
    assert channel.send([NUDGE, BOB_NUDGE], Departure()).answers == [expected, SENT]


def test_everybody_waits_as_long_as_telegram_asks(
    channel: TelegramChannel, telegram: Telegram
) -> None:
    telegram.refusals[ADA] = refusal(429, "Too Many Requests: retry after 11", retry_after=11)
    handed = channel.send([BOB_NUDGE, NUDGE, BOB_NUDGE], Departure())
    assert handed.answers == [SENT]
    assert handed.outage is not None
    assert handed.outage.pause == 11 * SECOND


def test_a_bad_token_makes_all_wait_and_is_not_told(telegram: Telegram) -> None:
    channel = TelegramChannel(TelegramBot("1:other", telegram.url, GUARD), chats_of)
    outage = channel.send([NUDGE], Departure()).outage
    assert outage is not None
    assert "PIDGR_TELEGRAM_BOT_TOKEN" in outage.message
    assert "1:other" not in outage.message


def test_the_bot_is_named_once_telegram_sends_its_updates(telegram: Telegram) -> None:
    bot = TelegramBot(TOKEN, telegram.url, GUARD)
    telegram.takes_webhooks = False
    with pytest.raises(UnavailableError, match="PIDGR_ISSUER"):
        bot.name_once_heard("https://pidgr.example/updates", "secret")
    telegram.takes_webhooks = True
    for _ in range(2):
        assert bot.name_once_heard("https://pidgr.example/updates", "secret") == NAME
    assert telegram.webhooks == 2
    assert telegram.webhook == {
        "url": "https://pidgr.example/updates",
        "secret_token": "secret",
        "allowed_updates": ["message"],
    }


def test_a_server_that_is_no_telegram_is_an_outage(peer: HttpPeer) -> None:
    bot = TelegramBot(TOKEN, peer.url(path=""), GUARD)
    with pytest.raises(UnavailableError, match="no name"):
        bot.name_once_heard("https://pidgr.example/updates", "secret")

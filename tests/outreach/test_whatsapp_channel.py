"""Nudges over WhatsApp against a peer that speaks like its Cloud API."""

import dataclasses
from collections.abc import Iterator

import pytest
from outreach.test_nudge_channels import GUARD, NUDGE, SENT, UNREACHABLE, the_answer
from support.http_peer import HttpPeer, Scripted, http_peer
from support.whatsapp import SENDER, TOKEN, WhatsApp

from pidgr.outreach.channels import NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.whatsapp_channel import WhatsAppChannel, WhatsAppSender

ADA, BOB = "+491711234567", "+15005550006"
BOB_NUDGE = dataclasses.replace(NUDGE, phone=BOB)


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with http_peer() as peer:
        yield peer


@pytest.fixture
def whatsapp(peer: HttpPeer) -> WhatsApp:
    return WhatsApp(peer)


def channel_of(whatsapp: WhatsApp, *languages: str, token: str = TOKEN) -> WhatsAppChannel:
    sender = WhatsAppSender(
        phone_number_id=SENDER,
        token=token,
        template="pidgr_nudge",
        languages=languages or ("en", "pt-BR"),
        url=whatsapp.url,
    )
    assert token not in repr(sender)
    return WhatsAppChannel(sender, GUARD)


def test_the_template_gets_the_name_the_title_and_the_links_end(whatsapp: WhatsApp) -> None:
    assert the_answer(channel_of(whatsapp).send([NUDGE], Departure())) == SENT
    (message,) = whatsapp.messages
    assert (message["to"], message["type"]) == (ADA, "template")
    assert message["template"] == {
        "name": "pidgr_nudge",
        "language": {"code": "pt_BR"},
        "components": [
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "text": "Ada"},
                    {"type": "text", "text": "A & <B>"},
                ],
            },
            {
                "type": "button",
                "sub_type": "url",
                "index": "0",
                "parameters": [{"type": "text", "text": "abcdEFGH?t=x"}],
            },
        ],
    }


def test_no_parameter_is_empty_for_whatsapp_takes_none(whatsapp: WhatsApp) -> None:
    nudge = dataclasses.replace(NUDGE, first_name="", title="")
    assert the_answer(channel_of(whatsapp).send([nudge], Departure())) == SENT
    (body, _) = whatsapp.messages[0]["template"]["components"]
    assert all(parameter["text"] for parameter in body["parameters"])


@pytest.mark.parametrize(
    ("locale", "languages", "code"),
    [("zh", ("en", "zh"), "zh_CN"), ("ja", ("es", "en"), "es"), ("en", ("es", "en"), "en")],
)
def test_the_language_is_the_persons_if_the_template_has_it(
    whatsapp: WhatsApp, locale: str, languages: tuple[str, ...], code: str
) -> None:
    nudge = dataclasses.replace(NUDGE, locale=locale)
    assert the_answer(channel_of(whatsapp, *languages).send([nudge], Departure())) == SENT
    assert whatsapp.messages[0]["template"]["language"] == {"code": code}


@pytest.mark.parametrize("phone", ["", "0171 1234567", "extension 7"])
def test_what_is_no_international_number_is_not_written_to(whatsapp: WhatsApp, phone: str) -> None:
    nudge = dataclasses.replace(NUDGE, phone=phone)
    assert the_answer(channel_of(whatsapp).send([nudge], Departure())) == UNREACHABLE


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, 131026, NudgeOutcome.REFUSED),
        (400, 132005, NudgeOutcome.REFUSED),
        (429, 131056, None),
        (400, 131056, NudgeOutcome.LATER),
        (500, 131000, NudgeOutcome.LATER),
        (400, 130429, None),
        (400, 80007, None),
        (400, 132001, None),
        (403, 131031, None),
        (401, 190, None),
    ],
)
def test_what_an_error_means_and_for_whom(
    whatsapp: WhatsApp, status: int, code: int, outcome: NudgeOutcome | None
) -> None:
    whatsapp.errors[ADA] = status, code
    handed = channel_of(whatsapp).send([BOB_NUDGE, NUDGE, BOB_NUDGE], Departure())
    if outcome is None:
        assert handed.answers == [SENT]
        assert handed.outage is not None
        assert "4917" not in handed.outage.message
    else:
        assert handed.outage is None
        assert handed.answers == [SENT, NudgeAnswer(outcome, str(code)), SENT]


def test_a_bad_token_names_the_settings_and_is_not_told(whatsapp: WhatsApp) -> None:
    outage = channel_of(whatsapp, token="another-token").send([NUDGE], Departure()).outage
    assert outage is not None
    assert "PIDGR_WHATSAPP_" in outage.message
    assert "another-token" not in outage.message


def test_who_answers_nonsense_is_tried_again(whatsapp: WhatsApp, peer: HttpPeer) -> None:
    peer.answers = [Scripted(500, body=b"<html>")]
    answer = the_answer(channel_of(whatsapp).send([NUDGE], Departure()))
    assert answer == NudgeAnswer(NudgeOutcome.LATER, "500")

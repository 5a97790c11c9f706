"""Nudges in Google Chat against a peer that speaks like Google's three services."""

import dataclasses
from collections.abc import Iterator

import pytest
from outreach.test_apns import MovedClock
from outreach.test_nudge_channels import GUARD, NUDGE, SENT, UNREACHABLE, the_answer
from support.google_chat import ADMINISTRATOR, GoogleChat, error
from support.http_peer import HttpPeer, Scripted, http_peer

from pidgr.channel_settings import ChannelSettings
from pidgr.clock import MINUTE, SECOND
from pidgr.contract.v1.channel_events_pb import ChannelName
from pidgr.errors import SetupError
from pidgr.outreach.channel_setup import build_channels
from pidgr.outreach.channels import Channel, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with http_peer() as peer:
        yield peer


@pytest.fixture
def google(peer: HttpPeer) -> GoogleChat:
    google = GoogleChat(peer)
    google.people = {NUDGE.email: "123"}
    google.spaces = {"123": "spaces/AAA-bc_D"}
    return google


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def channel(google: GoogleChat, clock: MovedClock) -> Channel:
    settings = ChannelSettings(**google.settings())
    return build_channels(settings, None, GUARD, lambda _key: "", clock)[ChannelName.GOOGLE_CHAT]


def test_the_person_is_found_by_an_administrators_leave_and_written_to_as_the_app(
    channel: Channel, google: GoogleChat
) -> None:
    assert the_answer(channel.send([NUDGE], Departure())) == SENT
    assert list(google.messages.values()) == [("spaces/AAA-bc_D", NUDGE.text)]
    directory, chat = google.claims
    assert directory["sub"] == ADMINISTRATOR
    assert "sub" not in chat
    assert chat["iss"] == "chat@acme.example"
    assert chat["exp"] - chat["iat"] == 3600


def test_a_repeat_after_a_crash_is_no_second_message(channel: Channel, google: GoogleChat) -> None:
    other = dataclasses.replace(NUDGE, key="nudge-7-9")
    elsewhere = dataclasses.replace(NUDGE, campaign_id="a-campaign-of-another-installation")
    assert channel.send([NUDGE, NUDGE, other, elsewhere], Departure()).answers == [SENT] * 4
    assert len(google.messages) == 3


@pytest.mark.parametrize("known", [{}, {NUDGE.email: "456"}])
def test_who_is_not_in_the_workspace_or_has_not_the_app_is_not_written_to(
    channel: Channel, google: GoogleChat, known: dict[str, str]
) -> None:
    google.people = known
    assert the_answer(channel.send([NUDGE], Departure())) == UNREACHABLE
    assert google.messages == {}


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (
            error(403, "PERMISSION_DENIED"),
            NudgeAnswer(NudgeOutcome.REFUSED, "PERMISSION_DENIED"),
        ),
        (error(500, "INTERNAL"), NudgeAnswer(NudgeOutcome.LATER, "INTERNAL")),
    ],
)
def test_what_a_refused_message_means(
    channel: Channel, google: GoogleChat, refusal: Scripted, expected: NudgeAnswer
) -> None:
    google.writing = refusal
    assert the_answer(channel.send([NUDGE], Departure())) == expected


def test_who_is_of_another_domain_keeps_nobody_else_waiting(
    channel: Channel, google: GoogleChat
) -> None:
    google.finding = error(403, "PERMISSION_DENIED", reason="forbidden")
    assert the_answer(channel.send([NUDGE], Departure())) == NudgeAnswer(
        NudgeOutcome.REFUSED, "forbidden"
    )


@pytest.mark.parametrize("step", ["finding", "opening", "writing"])
@pytest.mark.parametrize(
    "refusal",
    [
        error(403, "PERMISSION_DENIED", reason="rateLimitExceeded"),
        error(403, "PERMISSION_DENIED", detail="SERVICE_DISABLED"),
        error(401, "UNAUTHENTICATED"),
        Scripted(429, {"retry-after": "9"}),
    ],
)
def test_what_is_wrong_with_the_app_makes_all_wait(
    channel: Channel, google: GoogleChat, step: str, refusal: Scripted
) -> None:
    setattr(google, step, refusal)
    handed = channel.send([NUDGE] * 2, Departure())
    assert handed.answers == []
    assert handed.outage is not None
    assert handed.outage.pause == (9 * SECOND if refusal.headers else 0)
    assert "ada" not in handed.outage.message
    setattr(google, step, None)
    assert the_answer(channel.send([NUDGE], Departure())) == SENT


def test_tokens_are_kept_until_shortly_before_their_end(
    channel: Channel, google: GoogleChat, clock: MovedClock
) -> None:
    channel.send([NUDGE] * 3, Departure())
    assert google.tokens == 2
    clock.moment += 3599 * SECOND - 5 * MINUTE
    assert the_answer(channel.send([NUDGE], Departure())) == SENT
    assert google.tokens == 4


def test_a_key_file_is_whole_or_refused_without_repeating_it() -> None:
    settings = ChannelSettings(
        google_chat_credentials="secret", google_chat_administrator=ADMINISTRATOR
    )
    with pytest.raises(SetupError, match="PIDGR_GOOGLE_CHAT_CREDENTIALS") as bad:
        build_channels(settings, None, GUARD, lambda _key: "", MovedClock())
    assert "secret" not in str(bad.value)

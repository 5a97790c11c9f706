"""Nudges in LINE against a peer that speaks like its Messaging API."""

import dataclasses
import uuid
from collections.abc import Iterator

import pytest
from outreach.test_nudge_channels import GUARD, NUDGE, SENT, UNREACHABLE, the_answer
from support.http_peer import HttpPeer, Scripted, http_peer
from support.line import TOKEN, Line, refusal

from pidgr.outreach.channels import NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.line_channel import LineChannel

ADA, BOB = NUDGE.line_user_id, "U" + "0" * 32
BOB_NUDGE = dataclasses.replace(NUDGE, line_user_id=BOB, member_id="bob")


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with http_peer() as peer:
        yield peer


@pytest.fixture
def line(peer: HttpPeer) -> Line:
    return Line(peer)


@pytest.fixture
def channel(line: Line) -> LineChannel:
    return LineChannel(TOKEN, f"{line.url}/", GUARD)


def test_a_message_comes_once_however_often_it_is_sent(channel: LineChannel, line: Line) -> None:
    assert channel.send([NUDGE, BOB_NUDGE, NUDGE], Departure()).answers == [SENT] * 3
    assert list(line.messages.values()) == [(ADA, NUDGE.text), (BOB, NUDGE.text)]
    assert all(str(uuid.UUID(key)) == key for key in line.messages)


@pytest.mark.parametrize("written", ["", "ada", "U123", ADA.upper(), f"{ADA}\n", f"C{ADA[1:]}"])
def test_what_is_no_persons_id_is_not_written_to(
    channel: LineChannel, line: Line, written: str
) -> None:
    nudge = dataclasses.replace(NUDGE, line_user_id=written)
    assert the_answer(channel.send([nudge], Departure())) == UNREACHABLE
    assert line.messages == {}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refusal(400, f"about {ADA}"), NudgeAnswer(NudgeOutcome.REFUSED, "400")),
        (refusal(500, "Internal"), NudgeAnswer(NudgeOutcome.LATER, "500")),
    ],
)
def test_what_an_answer_means_for_one_person(
    channel: LineChannel, line: Line, answer: Scripted, expected: NudgeAnswer
) -> None:
    line.refusals[ADA] = answer
    assert channel.send([NUDGE, BOB_NUDGE], Departure()).answers == [expected, SENT]


@pytest.mark.parametrize(
    "answer",
    [
        refusal(429, "You have reached your monthly limit."),
        refusal(401, "Authentication failed"),
        refusal(403, "Not authorized to use this API"),
        refusal(404, "Not found"),
    ],
)
def test_what_is_wrong_with_the_account_makes_all_wait(
    channel: LineChannel, line: Line, answer: Scripted
) -> None:
    line.refusals[ADA] = answer
    handed = channel.send([BOB_NUDGE, NUDGE, BOB_NUDGE], Departure())
    assert handed.answers == [SENT]
    assert handed.outage is not None
    assert ADA not in handed.outage.message

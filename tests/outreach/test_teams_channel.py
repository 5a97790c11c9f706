"""Nudges in Microsoft Teams against a peer that speaks like its three services."""

import dataclasses
from collections.abc import Iterator

import pytest
from outreach.test_apns import MovedClock
from outreach.test_nudge_channels import GUARD, NUDGE, SENT, UNREACHABLE, the_answer
from support.http_peer import HttpPeer, Scripted, http_peer
from support.teams import APP, TENANT, Teams, answer, error

from pidgr.clock import MINUTE, SECOND
from pidgr.outreach.access_tokens import AccessTokens
from pidgr.outreach.channels import NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.nudge_http import NudgeHttp
from pidgr.outreach.teams_channel import TeamsBot, TeamsChannel


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with http_peer() as peer:
        yield peer


@pytest.fixture
def teams(peer: HttpPeer) -> Teams:
    teams = Teams(peer)
    teams.people = {NUDGE.email: ["ada-id"]}
    return teams


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def channel(teams: Teams, clock: MovedClock) -> TeamsChannel:
    bot = TeamsBot(
        tenant=TENANT,
        app_id=APP,
        secret=teams.secret,
        login_url=teams.url,
        graph_url=teams.url,
        connector_url=f"{teams.url}/teams/",
    )
    assert teams.secret not in repr(bot)
    return TeamsChannel(bot, GUARD, clock)


def test_the_person_is_found_and_written_to_with_nothing_taken_for_markup(
    channel: TeamsChannel, teams: Teams
) -> None:
    assert the_answer(channel.send([NUDGE], Departure())) == SENT
    ((person, message),) = teams.messages
    assert person == "ada-id"
    assert (message["type"], message["textFormat"]) == ("message", "xml")
    assert message["from"] == {"id": f"28:{APP}"}
    assert message["summary"] == NUDGE.subject
    assert message["text"] == (
        f'Hello Ada,<br/><br/>“A &amp; &lt;B&gt;”<br/><br/><a href="{NUDGE.url}">{NUDGE.url}</a>'
    )


def test_an_address_with_a_quote_is_nobody_elses(channel: TeamsChannel, teams: Teams) -> None:
    teams.people["o'hara@example.com"] = ["hara-id"]
    nudge = dataclasses.replace(NUDGE, email="o'hara@example.com")
    assert the_answer(channel.send([nudge], Departure())) == SENT
    assert [person for person, _ in teams.messages] == ["hara-id"]


@pytest.mark.parametrize("found", [[], ["ada-id", "bob-id"]])
def test_whom_the_address_does_not_name_alone_is_not_written_to(
    channel: TeamsChannel, teams: Teams, found: list[str]
) -> None:
    teams.people[NUDGE.email] = found
    assert the_answer(channel.send([NUDGE], Departure())) == UNREACHABLE
    assert teams.messages == []


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (error(403, "BotNotInConversationRoster"), UNREACHABLE),
        (error(403, "ForbiddenOperationException"), UNREACHABLE),
        (
            error(403, "ConversationBlockedByUser"),
            NudgeAnswer(NudgeOutcome.REFUSED, "ConversationBlockedByUser"),
        ),
        (error(404, "NewReason"), NudgeAnswer(NudgeOutcome.REFUSED, "NewReason")),
        (error(400, "BadArgument"), NudgeAnswer(NudgeOutcome.REFUSED, "BadArgument")),
        (error(412, "PreconditionFailed"), NudgeAnswer(NudgeOutcome.LATER, "PreconditionFailed")),
        (Scripted(500, body=b"<html>"), NudgeAnswer(NudgeOutcome.LATER, "500")),
    ],
)
def test_what_a_refusal_means(
    channel: TeamsChannel, teams: Teams, refusal: Scripted, expected: NudgeAnswer
) -> None:
    for refusals in (teams.opening, teams.writing):
        refusals["ada-id"] = refusal
        assert the_answer(channel.send([NUDGE], Departure())) == expected
        refusals.clear()
    assert teams.messages == []


@pytest.mark.parametrize(
    "refusal",
    [
        Scripted(429, {"retry-after": "7"}),
        Scripted(503, {"retry-after": "7"}),
        error(401, "BotNotRegistered"),
        error(403, "BotDisabledByAdmin"),
        Scripted(404),
    ],
)
def test_what_is_wrong_with_the_bot_or_with_teams_makes_all_wait(
    channel: TeamsChannel, teams: Teams, refusal: Scripted
) -> None:
    teams.people["bob@example.com"] = ["bob-id"]
    teams.opening["bob-id"] = refusal
    bob = dataclasses.replace(NUDGE, email="bob@example.com")
    handed = channel.send([NUDGE, bob, NUDGE], Departure())
    assert handed.answers == [SENT]
    assert handed.outage is not None
    assert handed.outage.pause == (7 * SECOND if refusal.headers else 0)
    assert "ada" not in handed.outage.message


def test_one_token_for_each_service_does_until_shortly_before_its_end(
    channel: TeamsChannel, teams: Teams, clock: MovedClock
) -> None:
    channel.send([NUDGE] * 3, Departure())
    assert list(teams.tokens.values()) == [1, 1]
    clock.moment += 3599 * SECOND - 5 * MINUTE - SECOND
    assert the_answer(channel.send([NUDGE], Departure())) == SENT
    assert list(teams.tokens.values()) == [1, 1]
    clock.moment += SECOND
    assert the_answer(channel.send([NUDGE], Departure())) == SENT
    assert list(teams.tokens.values()) == [2, 2]


def test_a_token_that_is_not_taken_any_more_is_replaced_at_the_next_attempt(
    channel: TeamsChannel, teams: Teams
) -> None:
    channel.send([NUDGE], Departure())
    teams.expire()
    for _ in teams.tokens:
        assert channel.send([NUDGE], Departure()).outage is not None
    assert the_answer(channel.send([NUDGE], Departure())) == SENT


def test_a_token_that_is_refused_late_does_not_take_its_successor_away(
    teams: Teams, clock: MovedClock
) -> None:
    http = NudgeHttp("Teams", GUARD)
    form = {
        "grant_type": "client_credentials",
        "client_id": APP,
        "client_secret": teams.secret,
        "scope": "all",
    }
    url = f"{teams.url}/{TENANT}/oauth2/v2.0/token"
    tokens = AccessTokens(http, url, lambda _now: form, clock, "PIDGR_TEAMS_...")
    first = tokens.token()
    tokens.forget(first)
    second = tokens.token()
    assert second != first
    tokens.forget(first)
    assert tokens.token() == second


@pytest.mark.parametrize(
    "refusal",
    [
        answer(401, {"error": "invalid_client", "error_description": "client-secret"}),
        answer(200, {"error": "invalid_client"}),
        Scripted(200, body=b"[]"),
    ],
)
def test_without_a_token_everybody_waits_and_the_settings_are_named(
    channel: TeamsChannel, peer: HttpPeer, teams: Teams, refusal: Scripted
) -> None:
    peer.answers = [refusal]
    handed = channel.send([NUDGE] * 2, Departure())
    assert handed.answers == []
    assert handed.outage is not None
    assert "PIDGR_TEAMS_" in handed.outage.message
    assert teams.secret not in handed.outage.message
    assert teams.messages == []

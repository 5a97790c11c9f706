"""Garbage at the door: who sends it is told off, and nobody else notices."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from support.grpc_client import Organization, compiled_stubs
from support.running import Installation, running

from pidgr.clock import DAY, HOUR, SECOND, ManualClock
from pidgr.rpc.doorkeeper import REFUSALS_PER_SECOND

BURST = 5


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock(1_790_000_000 * SECOND)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, clock: ManualClock) -> Iterator[Installation]:
    with running(
        tmp_path_factory.mktemp("data"),
        clock=clock,
        embedded_engine=False,
        bad_credential_limit_per_second=0.01,
        bad_credential_limit_burst=BURST,
    ) as installation:
        yield installation


@pytest.fixture
def attacked(guarded: Installation, clock: ManualClock) -> Installation:
    """A server on which this address has used up what it may make up."""
    clock.advance(HOUR)
    answers = [status(guarded, f"pidgr_k_guess-{number}") for number in range(BURST + 1)]
    assert answers == [401] * BURST + [429]
    return guarded


@pytest.fixture
def organization(guarded: Installation) -> Organization:
    return guarded.found()


def status(installation: Installation, credential: str | None, path: str = "") -> int:
    headers = {"authorization": f"Bearer {credential}"} if credential else {}
    return httpx.post(
        f"{installation.url}/pidgr.v1.TeamService/{path or 'ListTeams'}", json={}, headers=headers
    ).status_code


def test_good_credentials_never_seen_before_pass_from_the_same_address(
    attacked: Installation, organization: Organization
) -> None:
    assert status(attacked, organization.api_key) == 200
    assert status(attacked, attacked.token(organization.admin_id)) == 200
    assert status(attacked, "pidgr_k_another-guess") == 429
    assert status(attacked, organization.api_key) == 200


def test_every_kind_of_made_up_credential_counts(
    attacked: Installation, organization: Organization
) -> None:
    good = attacked.token(organization.admin_id)
    head, claims, _ = good.split(".")
    forged = [
        "x",
        "pidgr_scim_guess",
        "a.b.c",
        f"{head}.{claims}.{'A' * 342}",
        f"{head}.{claims}.",
        good[:-3] + ("AAA" if not good.endswith("AAA") else "BBB"),
    ]
    assert [status(attacked, one) for one in forged] == [429] * len(forged)


def test_what_was_good_once_goes_on_being_told_to_sign_in(
    attacked: Installation, clock: ManualClock, organization: Organization
) -> None:
    short = attacked.token(organization.admin_id, lifetime=60 * SECOND)
    key = httpx.post(
        f"{attacked.url}/pidgr.v1.ApiKeyService/CreateApiKey",
        json={"name": "CI", "permissions": ["PERMISSION_ORG_READ"]},
        headers={"authorization": f"Bearer {organization.api_key}"},
    ).json()
    revoked = httpx.post(
        f"{attacked.url}/pidgr.v1.ApiKeyService/RevokeApiKey",
        json={"apiKeyId": key["apiKey"]["id"]},
        headers={"authorization": f"Bearer {organization.api_key}"},
    )
    assert revoked.status_code == 200
    clock.advance(61 * SECOND)
    assert status(attacked, "pidgr_k_guess") == 429
    assert status(attacked, short) == 401
    assert status(attacked, key["key"]) == 401
    assert status(attacked, None) == 401


def test_calls_without_a_credential_take_turns_too_and_are_told_nothing_else(
    guarded: Installation, clock: ManualClock
) -> None:
    clock.advance(HOUR)
    stubs = compiled_stubs()
    with grpc.insecure_channel(guarded.address) as channel:
        list_teams = stubs.TeamServiceStub(channel).ListTeams
        began = time.monotonic()
        calls = [list_teams.future(stubs.ListTeamsRequest()) for _ in range(BURST + 40)]
        assert {call.code() for call in calls} == {grpc.StatusCode.UNAUTHENTICATED}
    assert time.monotonic() - began > 39 / REFUSALS_PER_SECOND * 0.9
    assert status(guarded, "pidgr_k_the-first-guess") == 401


def test_guesses_do_not_use_up_the_doors_people_sign_in_by(attacked: Installation) -> None:
    door = f"{attacked.url}/auth/policy"
    for _ in range(3):
        guess = httpx.get(door, headers={"authorization": "Bearer pidgr_k_guess"})
        assert guess.status_code == 429
    sent = httpx.post(f"{attacked.url}/auth/code", json={"email": "ada@example.com"})
    assert sent.status_code == 200


def test_hundreds_of_guesses_take_their_time_and_leave_good_callers_their_whole_allowance(
    tmp_path: Path,
) -> None:
    clock = ManualClock(1_790_000_000 * SECOND)
    with (
        running(
            tmp_path,
            clock=clock,
            embedded_engine=False,
            rate_limit_per_second=1 / DAY,
            rate_limit_burst=50,
            bad_credential_limit_per_second=1,
            bad_credential_limit_burst=30,
        ) as installation,
        grpc.insecure_channel(installation.address) as channel,
    ):
        organization = installation.found()
        stubs = compiled_stubs()
        list_teams = stubs.TeamServiceStub(channel).ListTeams

        def send(credential: str) -> Any:
            metadata = (("authorization", f"Bearer {credential}"),)
            return list_teams.future(stubs.ListTeamsRequest(), metadata=metadata)

        told: Counter[grpc.StatusCode] = Counter()
        began = time.monotonic()
        for batch in range(50):
            garbage = [send(made_up(batch * 12 + number)) for number in range(12)]
            good = send(organization.api_key)
            assert good.code() is grpc.StatusCode.OK, good.details()
            told.update(one.code() for one in garbage)
        assert told == {
            grpc.StatusCode.UNAUTHENTICATED: 30,
            grpc.StatusCode.RESOURCE_EXHAUSTED: 570,
        }
        # They came as fast as they could; of each batch all but the first waited for a turn.
        assert time.monotonic() - began > (570 - 50) / REFUSALS_PER_SECOND * 0.9
        assert send(organization.api_key).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def made_up(number: int) -> str:
    return f"pidgr_k_{number:043d}" if number % 2 else f"e30.e30.{number}"

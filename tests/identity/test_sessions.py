"""Refresh tokens: rotation, reuse, lifetime, sign-out, another organization (RFC 9700)."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.organization import Installation, Tenant
from support.sign_in import Desk

from pidgr.clock import DAY, MINUTE, SECOND
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.errors import InvalidArgumentError, PermissionDeniedError, UnauthenticatedError
from pidgr.storage.sql import Statement

ADA = "ada@example.com"
EVERYTHING = Statement("select handle, digest, subject, method from sign_in_session")
COUNT = Statement("select count(*) from sign_in_session")


@pytest.fixture
def desk(installation: Installation, acme: Tenant) -> Desk:
    assert acme.admin.email == ADA
    return Desk(installation)


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


async def refused(call: Awaitable[Any]) -> str:
    with pytest.raises(UnauthenticatedError) as error:
        await call
    return str(error.value)


def test_a_refresh_gives_new_tokens_of_the_same_person(desk: Desk, acme: Tenant) -> None:
    async def story() -> None:
        first = await desk.enter(ADA)
        desk.clock.advance(MINUTE)
        second = await desk.sessions.refresh(first.refresh_token)
        assert second.refresh_token != first.refresh_token
        before = desk.signer.verify(first.access_token)
        after = desk.signer.verify(second.access_token)
        assert after.subject == before.subject
        assert after.organization_id == acme.id
        assert after.methods == {"otp"}
        assert after.expires_at - before.expires_at == MINUTE

    run(story)


def test_an_access_token_expires_and_its_session_goes_on(desk: Desk) -> None:
    async def story() -> None:
        tokens = await desk.enter(ADA)
        desk.clock.advance(15 * MINUTE - SECOND)
        assert desk.signer.verify(tokens.access_token)
        desk.clock.advance(SECOND)
        with pytest.raises(UnauthenticatedError):
            desk.signer.verify(tokens.access_token)
        again = await desk.sessions.refresh(tokens.refresh_token)
        assert desk.signer.verify(again.access_token)

    run(story)


def test_a_refresh_token_used_twice_ends_its_whole_session(desk: Desk) -> None:
    async def story() -> None:
        stolen = (await desk.enter(ADA)).refresh_token
        untouched = await desk.enter(ADA)
        newest = (await desk.sessions.refresh(stolen)).refresh_token
        newest = (await desk.sessions.refresh(newest)).refresh_token
        sentence = await refused(desk.sessions.refresh(stolen))
        assert await refused(desk.sessions.refresh(newest)) == sentence
        assert await desk.sessions.refresh(untouched.refresh_token)
        assert desk.incidents() == ["session_token_reused"]

    run(story)


def test_of_refreshes_at_once_one_succeeds_and_the_session_ends(desk: Desk) -> None:
    async def story() -> None:
        token = (await desk.enter(ADA)).refresh_token
        found = await asyncio.gather(
            *(desk.sessions.refresh(token) for _ in range(8)), return_exceptions=True
        )
        good = [one for one in found if not isinstance(one, BaseException)]
        assert len(good) == 1
        assert all(isinstance(one, UnauthenticatedError) for one in found if one is not good[0])
        await refused(desk.sessions.refresh(good[0].refresh_token))
        assert desk.incidents() == ["session_token_reused"]

    run(story)


def test_an_attempt_whose_answer_was_lost_gives_the_same_token_until_that_is_used(
    desk: Desk,
) -> None:
    attempt = "a" * 22

    async def story() -> None:
        first = (await desk.enter(ADA)).refresh_token
        lost = await desk.sessions.refresh(first, attempt=attempt)
        desk.clock.advance(DAY)
        again = await desk.sessions.refresh(first, attempt=attempt)
        assert again.refresh_token == lost.refresh_token != first
        assert desk.signer.verify(again.access_token)
        following = await desk.sessions.refresh(again.refresh_token, attempt=attempt)
        assert following.refresh_token != again.refresh_token
        assert desk.incidents() == []
        await refused(desk.sessions.refresh(first, attempt=attempt))
        await refused(desk.sessions.refresh(following.refresh_token))
        assert desk.incidents() == ["session_token_reused"]
        # Of another session the same attempt gives another token.
        elsewhere = (await desk.enter(ADA)).refresh_token
        found = await desk.sessions.refresh(elsewhere, attempt=attempt)
        assert found.refresh_token != lost.refresh_token

    run(story)


@pytest.mark.parametrize("theirs", ["", "b" * 100])
def test_who_does_not_know_the_attempt_is_found_out_at_once(desk: Desk, theirs: str) -> None:
    async def story() -> None:
        stolen = (await desk.enter(ADA)).refresh_token
        newest = (await desk.sessions.refresh(stolen, attempt="a" * 22)).refresh_token
        await refused(desk.sessions.refresh(stolen, attempt=theirs))
        await refused(desk.sessions.refresh(newest))
        assert desk.incidents() == ["session_token_reused"]

    run(story)


@pytest.mark.parametrize("attempt", ["a" * 21, "a" * 101])
def test_an_attempt_that_is_no_secret_changes_nothing(desk: Desk, attempt: str) -> None:
    async def story() -> None:
        token = (await desk.enter(ADA)).refresh_token
        with pytest.raises(InvalidArgumentError, match="22 to 100"):
            await desk.sessions.refresh(token, attempt=attempt)
        assert await desk.sessions.refresh(token)

    run(story)


def test_a_session_ends_after_thirty_days_however_often_it_is_refreshed(desk: Desk) -> None:
    async def story() -> None:
        tokens = await desk.enter(ADA)
        ends = desk.clock.now() + 30 * DAY
        for _ in range(29):
            desk.clock.advance(DAY)
            tokens = await desk.sessions.refresh(tokens.refresh_token)
            assert tokens.session_expires_at == ends
        desk.clock.advance(DAY)
        await refused(desk.sessions.refresh(tokens.refresh_token))

    run(story)


def test_signing_out_ends_this_session_only(desk: Desk) -> None:
    async def story() -> None:
        here, there = await desk.enter(ADA), await desk.enter(ADA)
        await desk.sessions.sign_out(here.refresh_token)
        await refused(desk.sessions.refresh(here.refresh_token))
        assert await desk.sessions.refresh(there.refresh_token)
        await desk.sessions.sign_out(here.refresh_token)

    run(story)


def test_signing_out_everywhere_ends_every_session_of_the_person(desk: Desk, acme: Tenant) -> None:
    acme.add_member("eve@example.com")

    async def story() -> None:
        here, there = await desk.enter(ADA), await desk.enter(ADA)
        other = await desk.enter("eve@example.com")
        await desk.sessions.sign_out(here.refresh_token, everywhere=True)
        await refused(desk.sessions.refresh(there.refresh_token))
        assert await desk.sessions.refresh(other.refresh_token)

    run(story)


def test_an_old_refresh_token_signs_out_its_session_but_no_other(desk: Desk) -> None:
    async def story() -> None:
        old, other = await desk.enter(ADA), await desk.enter(ADA)
        newest = await desk.sessions.refresh(old.refresh_token)
        await desk.sessions.sign_out(old.refresh_token, everywhere=True)
        await refused(desk.sessions.refresh(newest.refresh_token))
        assert await desk.sessions.refresh(other.refresh_token)

    run(story)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "pidgr_r_",
        "pidgr_r_" + "A" * 63,
        "pidgr_r_" + "A" * 64,
        "pidgr_r_" + "é" * 64,
        "pidgr_k_" + "A" * 64,
        "pidgr_r_" + "A" * 100_000,
    ],
)
def test_what_was_never_a_refresh_token_refreshes_and_ends_nothing(desk: Desk, token: str) -> None:
    async def story() -> None:
        tokens = await desk.enter(ADA)
        await refused(desk.sessions.refresh(token))
        await desk.sessions.sign_out(token, everywhere=True)
        assert await desk.sessions.refresh(tokens.refresh_token)

    run(story)


def test_no_refresh_token_lies_readable_in_the_database(desk: Desk) -> None:
    async def story() -> None:
        token = (await desk.enter(ADA)).refresh_token
        secret = base64.urlsafe_b64decode(token.removeprefix("pidgr_r_"))
        assert len(secret) == 16 + 32
        rows = desk.installation.read(lambda unit: unit.rows(EVERYTHING))
        stored = b"|".join(
            part.encode() if isinstance(part, str) else bytes(part) for row in rows for part in row
        )
        assert secret[16:] not in stored
        assert token.encode() not in stored

    run(story)


@pytest.mark.parametrize("status", [UserStatus.DEACTIVATED, UserStatus.INVITED])
def test_a_member_who_is_no_longer_active_cannot_refresh(
    desk: Desk, acme: Tenant, status: UserStatus
) -> None:
    async def story() -> None:
        tokens = await desk.enter(ADA)
        desk.set_status(acme.admin.actor_id, status)
        await refused(desk.sessions.refresh(tokens.refresh_token))
        desk.set_status(acme.admin.actor_id, UserStatus.ACTIVE)
        assert await desk.sessions.refresh(tokens.refresh_token)

    run(story)


def test_a_session_that_a_code_opened_ends_where_codes_are_refused(
    desk: Desk, acme: Tenant
) -> None:
    async def story() -> None:
        tokens = await desk.enter(ADA)
        desk.disable_otp(acme)
        await refused(desk.sessions.refresh(tokens.refresh_token))

    run(story)


def test_a_refresh_can_move_to_another_organization_and_stays_there(
    desk: Desk, installation: Installation, acme: Tenant
) -> None:
    globex = installation.found("Globex", ADA)

    async def story() -> None:
        tokens = await desk.enter(ADA)
        assert tokens.organizations == ((acme.id, "Acme"), (globex.id, "Globex"))
        moved = await desk.sessions.refresh(tokens.refresh_token, globex.id)
        assert desk.signer.verify(moved.access_token).organization_id == globex.id
        assert moved.user_id == globex.admin.actor_id
        stayed = await desk.sessions.refresh(moved.refresh_token)
        assert stayed.organization_id == globex.id

    run(story)


def test_a_foreign_organization_is_refused_and_the_refresh_token_stays_good(
    desk: Desk, installation: Installation
) -> None:
    foreign = installation.found("Globex", "boss@example.com")

    async def story() -> None:
        tokens = await desk.enter(ADA)
        for chosen in (foreign.id, "not an id"):
            with pytest.raises(PermissionDeniedError):
                await desk.sessions.refresh(tokens.refresh_token, chosen)
        assert await desk.sessions.refresh(tokens.refresh_token)

    run(story)


def test_a_deactivated_member_can_still_move_to_another_organization(
    desk: Desk, installation: Installation, acme: Tenant
) -> None:
    globex = installation.found("Globex", ADA)

    async def story() -> None:
        tokens = await desk.enter(ADA)
        desk.set_status(acme.admin.actor_id, UserStatus.DEACTIVATED)
        moved = await desk.sessions.refresh(tokens.refresh_token, globex.id)
        assert moved.organizations == ((globex.id, "Globex"),)

    run(story)


def test_expired_sessions_are_swept(desk: Desk) -> None:
    async def story() -> None:
        for _ in range(3):
            await desk.enter(ADA)
        desk.clock.advance(31 * DAY)
        await desk.enter(ADA)
        assert desk.installation.read(lambda unit: unit.value(COUNT)) == 1

    run(story)

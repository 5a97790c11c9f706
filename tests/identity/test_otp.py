"""Codes by mail: OWASP ASVS 5.0 V6.5 and V6.6, SEMANTICS 6.1."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.organization import START, Installation, Tenant
from support.sign_in import Desk, code_in, other_than

from pidgr.clock import HOUR, MINUTE, SECOND
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.engine.port import TaskStatus
from pidgr.errors import (
    InvalidArgumentError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
)
from pidgr.identity import identity_store
from pidgr.storage.sql import Statement

ADA = "ada@example.com"
TRIES = Statement("select tries from sign_in_attempt")
ROW = Statement("select digest, email_folded, salt, code_hash, sealed_code from sign_in_attempt")


@pytest.fixture
def desk(installation: Installation, acme: Tenant) -> Desk:
    assert acme.admin.email == ADA
    return Desk(installation)


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


async def outcomes(*calls: Awaitable[Any]) -> list[Any]:
    return list(await asyncio.gather(*calls, return_exceptions=True))


def test_a_code_signs_its_person_in(desk: Desk, acme: Tenant) -> None:
    async def story() -> None:
        attempt_id, code = await desk.ask(ADA)
        tokens = await desk.sign_in.verify_code(attempt_id, code)
        claims = desk.signer.verify(tokens.access_token)
        assert claims.organization_id == tokens.organization_id == acme.id
        assert claims.email == ADA
        assert claims.methods == {"otp"}
        assert tokens.user_id == acme.admin.actor_id
        assert claims.subject != tokens.user_id
        assert claims.expires_at - desk.clock.now() <= 15 * MINUTE

    run(story)


def test_a_code_has_a_number_that_none_before_it_had(desk: Desk) -> None:
    """Its mail is a task named by it, and those of a week are remembered: it would never leave."""
    number = Statement("select max(key) from sign_in_attempt")

    async def story() -> None:
        await desk.ask(ADA)
        first = desk.installation.read(lambda reader: reader.value(number))
        # By then the first one has been swept.
        desk.clock.advance(2 * HOUR)
        await desk.ask(ADA)
        assert desk.installation.read(lambda reader: reader.value(number)) > first

    run(story)


def test_an_address_is_one_in_any_letter_case(desk: Desk) -> None:
    async def story() -> None:
        attempt_id, code = await desk.ask("ADA@Example.COM")
        assert await desk.sign_in.verify_code(attempt_id, code)
        assert desk.outbox.sent[0].recipient == ADA

    run(story)


def test_addresses_that_look_alike_are_two_people(desk: Desk, installation: Installation) -> None:
    """Whoever holds "weiß.example" must not get codes for "weiss.example"."""
    theirs, ours = "ada@weiß.example", "ada@weiss.example"
    installation.found("Lookalike", admin_email=theirs)
    weiss = installation.found("Weiss", admin_email="eve@weiss.example")
    invited = weiss.add_member(ours, status=UserStatus.INVITED)

    async def story() -> None:
        assert (await desk.enter(theirs)).organization_id != weiss.id
        tokens = await desk.enter(ours)
        assert [mail.recipient for mail in desk.outbox.sent] == [theirs, ours]
        assert tokens.user_id == invited.actor_id

    run(story)


def test_a_code_works_once(desk: Desk) -> None:
    async def story() -> None:
        attempt_id, code = await desk.ask(ADA)
        await desk.sign_in.verify_code(attempt_id, code)
        with pytest.raises(UnauthenticatedError):
            await desk.sign_in.verify_code(attempt_id, code)

    run(story)


def test_a_code_used_twice_at_once_works_once(desk: Desk) -> None:
    async def story() -> None:
        attempt_id, code = await desk.ask(ADA)
        found = await outcomes(*(desk.sign_in.verify_code(attempt_id, code) for _ in range(3)))
        assert sum(isinstance(one, UnauthenticatedError) for one in found) == 2

    run(story)


@pytest.mark.parametrize(
    ("age", "good"), [(3 * MINUTE - 1, True), (3 * MINUTE, False), (4 * MINUTE, False)]
)
def test_a_code_lives_three_minutes(desk: Desk, age: int, good: bool) -> None:
    async def story() -> None:
        attempt_id, code = await desk.ask(ADA)
        desk.clock.advance(age)
        if good:
            assert await desk.sign_in.verify_code(attempt_id, code)
            return
        with pytest.raises(UnauthenticatedError):
            await desk.sign_in.verify_code(attempt_id, code)

    run(story)


def test_a_code_is_no_use_for_another_request(desk: Desk) -> None:
    async def story() -> None:
        _, code = await desk.ask(ADA)
        other_id, other = await desk.ask(ADA)
        if code != other:
            with pytest.raises(UnauthenticatedError):
                await desk.sign_in.verify_code(other_id, code)
        with pytest.raises(UnauthenticatedError):
            await desk.sign_in.verify_code("no attempt of ours", code)
        assert await desk.sign_in.verify_code(other_id, other)

    run(story)


def test_asking_again_leaves_earlier_codes_good(desk: Desk) -> None:
    async def story() -> None:
        attempt_id, code = await desk.ask(ADA)
        await desk.ask(ADA)
        assert await desk.sign_in.verify_code(attempt_id, code)

    run(story)


@pytest.mark.parametrize(("wrong", "good"), [(2, True), (3, False), (4, False)])
def test_three_wrong_tries_void_a_code(desk: Desk, wrong: int, good: bool) -> None:
    async def story() -> None:
        attempt_id, code = await desk.ask(ADA)
        for _ in range(wrong):
            with pytest.raises(UnauthenticatedError):
                await desk.sign_in.verify_code(attempt_id, other_than(code))
        if good:
            assert await desk.sign_in.verify_code(attempt_id, code)
            return
        with pytest.raises(UnauthenticatedError):
            await desk.sign_in.verify_code(attempt_id, code)

    run(story)


def test_of_fifty_guesses_at_once_three_are_counted_and_the_code_is_void(desk: Desk) -> None:
    async def story() -> None:
        attempt_id, code = await desk.ask(ADA)
        guesses = [other_than(code)] * 50
        found = await outcomes(*(desk.sign_in.verify_code(attempt_id, one) for one in guesses))
        assert all(isinstance(one, UnauthenticatedError) for one in found)
        assert desk.installation.read(lambda unit: unit.value(TRIES)) == 3
        with pytest.raises(UnauthenticatedError):
            await desk.sign_in.verify_code(attempt_id, code)

    run(story)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "-12345", " 12345"])
def test_what_cannot_be_a_code_costs_no_try(desk: Desk, code: str) -> None:
    async def story() -> None:
        attempt_id, _ = await desk.ask(ADA)
        with pytest.raises(InvalidArgumentError, match="6 digits"):
            await desk.sign_in.verify_code(attempt_id, code)
        assert desk.installation.read(lambda unit: unit.value(TRIES)) == 0

    run(story)


def test_every_refusal_reads_the_same(desk: Desk) -> None:
    async def refusal(attempt_id: str, code: str) -> str:
        with pytest.raises(UnauthenticatedError) as refused:
            await desk.sign_in.verify_code(attempt_id, code)
        return str(refused.value)

    async def story() -> None:
        attempt_id, code = await desk.ask(ADA)
        nobody_id, _ = await desk.ask("nobody@example.com")
        sentences = {
            await refusal(attempt_id, other_than(code)),
            await refusal("unknown", code),
            await refusal(nobody_id, code),
        }
        await desk.sign_in.verify_code(attempt_id, code)
        sentences.add(await refusal(attempt_id, code))
        assert len(sentences) == 1

    run(story)


def test_an_address_gets_five_codes_and_then_one_every_three_minutes(desk: Desk) -> None:
    async def story() -> None:
        for _ in range(5):
            await desk.sign_in.request_code(ADA)
        with pytest.raises(ResourceExhaustedError) as refused:
            await desk.sign_in.request_code(ADA)
        assert refused.value.retry_after_seconds == 180
        desk.clock.advance(3 * MINUTE - SECOND)
        with pytest.raises(ResourceExhaustedError) as refused:
            await desk.sign_in.request_code(ADA)
        assert refused.value.retry_after_seconds == 1
        desk.clock.advance(SECOND)
        await desk.sign_in.request_code(ADA)
        with pytest.raises(ResourceExhaustedError):
            await desk.sign_in.request_code(ADA)
        await desk.sign_in.request_code("somebody.else@example.com")

    run(story)


def test_the_cap_holds_for_requests_at_once(desk: Desk) -> None:
    async def story() -> None:
        found = await outcomes(*(desk.sign_in.request_code(ADA) for _ in range(20)))
        assert sum(isinstance(one, ResourceExhaustedError) for one in found) == 15
        assert len(desk.unsent()) == 5

    run(story)


def test_an_unknown_address_is_answered_and_capped_alike_and_gets_no_mail(desk: Desk) -> None:
    async def story() -> None:
        known = await desk.sign_in.request_code(ADA)
        unknown = await desk.sign_in.request_code("nobody@example.com")
        assert len(unknown.attempt_id) == len(known.attempt_id)
        assert unknown.lifetime == known.lifetime
        waiting = desk.unsent()
        assert len(waiting) == 2
        statuses = {desk.engine.status(f"mail-sign-in-code/{key}") for key in waiting}
        assert statuses == {TaskStatus.QUEUED}
        assert [mail.recipient for mail in desk.post()] == [ADA]
        assert not desk.unsent()
        for _ in range(4):
            await desk.sign_in.request_code("nobody@example.com")
        with pytest.raises(ResourceExhaustedError):
            await desk.sign_in.request_code("nobody@example.com")

    run(story)


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@example", "a da@example.com", "a" * 255 + "@b.c"]
)
def test_what_cannot_be_an_address_is_refused(desk: Desk, email: str) -> None:
    async def story() -> None:
        with pytest.raises(InvalidArgumentError, match="email"):
            await desk.sign_in.request_code(email)

    run(story)


def test_neither_code_nor_attempt_id_lies_readable_in_the_database(desk: Desk) -> None:
    async def story() -> None:
        requested = await desk.sign_in.request_code(ADA)
        row = desk.installation.read(lambda unit: unit.row(ROW))
        code = code_in(desk.post()[0])
        assert row is not None
        stored = b"".join(part.encode() if isinstance(part, str) else bytes(part) for part in row)
        assert code.encode() not in stored
        assert requested.attempt_id.encode() not in stored
        after = desk.installation.read(lambda unit: unit.row(ROW))
        assert after is not None
        assert after[4] is None

    run(story)


def test_a_verified_address_accepts_its_invitations_everywhere(
    desk: Desk, installation: Installation, acme: Tenant
) -> None:
    globex = installation.found("Globex", "boss@example.com")
    strict = installation.found("Strict", "strict@example.com")
    gone = installation.found("Gone", "gone@example.com")
    for tenant in (acme, globex, strict):
        tenant.add_member("eve@example.com", status=UserStatus.INVITED)
    gone.add_member("eve@example.com", status=UserStatus.DEACTIVATED)
    desk.disable_otp(strict)

    async def story() -> None:
        tokens = await desk.enter("eve@example.com")
        assert tokens.organization_id == acme.id
        assert tokens.organizations == ((acme.id, "Acme"), (globex.id, "Globex"))
        found = installation.read(
            lambda unit: identity_store.memberships_of_address(unit, "eve@example.com", START)
        )
        assert {one.organization_name: one.status for one in found} == {
            "Acme": UserStatus.ACTIVE,
            "Globex": UserStatus.ACTIVE,
            "Strict": UserStatus.INVITED,
            "Gone": UserStatus.DEACTIVATED,
        }

    run(story)


def test_a_suspended_organization_comes_last(
    desk: Desk, installation: Installation, acme: Tenant
) -> None:
    suspend = Statement("update organization set suspended = true where id = :id")
    installation.write(lambda unit: unit.execute(suspend, {"id": acme.id}))

    async def story() -> None:
        assert (await desk.enter(ADA)).organization_id == acme.id
        globex = installation.found("Globex", ADA)
        tokens = await desk.enter(ADA)
        assert tokens.organization_id == globex.id
        assert tokens.organizations == ((globex.id, "Globex"), (acme.id, "Acme"))

    run(story)


def test_a_person_can_name_the_organization(
    desk: Desk, installation: Installation, acme: Tenant
) -> None:
    globex = installation.found("Globex", ADA)
    initech = installation.found("Initech", "boss@example.com")

    async def story() -> None:
        attempt_id, code = await desk.ask(ADA)
        with pytest.raises(PermissionDeniedError):
            await desk.sign_in.verify_code(attempt_id, code, initech.id)
        tokens = await desk.sign_in.verify_code(attempt_id, code, globex.id.upper())
        assert tokens.organization_id == globex.id
        assert desk.signer.verify(tokens.access_token).organization_id == globex.id
        assert (await desk.enter(ADA)).organization_id == acme.id

    run(story)


def test_a_code_opens_nothing_of_an_organization_that_refuses_codes(
    desk: Desk, acme: Tenant
) -> None:
    """It leads to the first passkey only, see test_passkeys.py."""

    async def story() -> None:
        attempt_id, code = await desk.ask(ADA)
        desk.disable_otp(acme)
        for tokens in (await desk.sign_in.verify_code(attempt_id, code), await desk.enter(ADA)):
            assert tokens.organization_id == ""
            assert tokens.organizations == ()
            claims = desk.signer.verify(tokens.access_token)
            assert claims.organization_id == ""
        attempt_id, code = await desk.ask(ADA)
        with pytest.raises(PermissionDeniedError):
            await desk.sign_in.verify_code(attempt_id, code, acme.id)

    run(story)


def test_a_deactivated_member_gets_no_code(desk: Desk, acme: Tenant) -> None:
    member = acme.add_member("eve@example.com", status=UserStatus.DEACTIVATED)

    async def story() -> None:
        assert not (await desk.ask(member.email))[1]

    run(story)


def test_a_person_of_no_organization_gets_a_token_without_one(
    desk: Desk, installation: Installation
) -> None:
    from pidgr.identity import store

    installation.write(
        lambda unit: store.ensure_identity(unit, "solo@example.com", "solo", desk.clock.now())
    )

    async def story() -> None:
        tokens = await desk.enter("solo@example.com")
        claims = desk.signer.verify(tokens.access_token)
        assert (claims.subject, claims.email) == ("solo", "solo@example.com")
        assert claims.organization_id == tokens.organization_id == tokens.user_id == ""
        assert tokens.organizations == ()

    run(story)


@pytest.mark.parametrize(
    ("locale", "subject"),
    [
        ("", "Your sign-in code"),
        ("en", "Your sign-in code"),
        ("es", "Tu código de acceso"),
        ("pt-BR", "Seu código de acesso"),
        ("zh", "您的登录验证码"),
        ("ja", "サインイン用コード"),
    ],
)
@pytest.mark.parametrize("table", ["member", "organization"])
def test_mail_speaks_the_language_of_the_member_or_else_the_organization(
    desk: Desk, installation: Installation, locale: str, subject: str, table: str
) -> None:
    column = {"member": "preferred_locale", "organization": "default_locale"}[table]
    change = Statement(f"update {table} set {column} = :locale")
    installation.write(lambda unit: unit.execute(change, {"locale": locale}))

    async def story() -> None:
        await desk.sign_in.request_code(ADA)
        (mail,) = desk.post()
        assert mail.subject == subject
        assert code_in(mail)
        assert "3" in mail.text

    run(story)


def test_mail_waits_for_an_outage_to_end_but_not_beyond_the_code(desk: Desk) -> None:
    async def story() -> None:
        await desk.sign_in.request_code(ADA)
        desk.outbox.away = True
        with pytest.raises(UnavailableError):
            desk.post()
        desk.outbox.away = False
        assert len(desk.post()) == 1
        await desk.sign_in.request_code(ADA)
        desk.clock.advance(3 * MINUTE)
        assert not desk.post()
        assert not desk.unsent()

    run(story)


def test_old_attempts_are_swept(desk: Desk) -> None:
    count = Statement("select count(*) from sign_in_attempt")

    async def story() -> None:
        for number in range(5):
            await desk.sign_in.request_code(f"{number}@example.com")
        desk.clock.advance(64 * MINUTE)
        await desk.sign_in.request_code(ADA)
        assert desk.installation.read(lambda unit: unit.value(count)) == 1
        limits = Statement("select count(*) from door_limit")
        assert desk.installation.read(lambda unit: unit.value(limits)) == 1

    run(story)

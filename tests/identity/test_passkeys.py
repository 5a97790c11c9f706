"""Passkeys: OWASP ASVS 5.0 V6, WebAuthn Level 3 chapter 7, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Any

import pytest
from support.authenticator import Authenticator, Credential, decode, encode
from support.organization import Installation, Tenant
from support.rows import contents
from support.sign_in import Desk, other_than

from pidgr.clock import MINUTE, SECOND
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
)
from pidgr.identity import store
from pidgr.identity.passkeys.passkey_mail_texts import Change
from pidgr.identity.passkeys.relying_party import RelyingParty
from pidgr.identity.sign_in_method import OTP, PASSKEY
from pidgr.storage.sql import Statement
from pidgr.validation import LOCALES

ADA = "ada@example.com"
SITE = "https://pidgr.example"
CHALLENGES = Statement("select count(*) from passkey_challenge")
SET_LOCALE = Statement("update member set preferred_locale = :locale where email = :email")
LIVE_SESSIONS = Statement("select count(*) from sign_in_session where revoked_at is null")


class Person(Desk):
    """Ada at her desk, with a device of her own."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation)
        self.device = Authenticator(SITE)
        self.subject = ""

    async def arrive(self, email: str = ADA) -> str:
        """Sign in by a code, as everybody does the first time."""
        tokens = await self.enter(email)
        self.subject = self.signer.verify(tokens.access_token).subject
        return self.subject

    async def enrol(self, name: str = "") -> Any:
        await self.arrive()
        options = await self.passkeys.options(self.subject, OTP)
        return await self.passkeys.add(self.subject, OTP, self.device.create(options), name)

    async def come_in(self, organization_id: str = "", **faults: Any) -> Any:
        answer = self.device.get(await self.passkey_sign_in.options(), **faults)
        return await self.passkey_sign_in.verify(answer, organization_id)

    async def refused(self, answer: Any) -> str:
        with pytest.raises(UnauthenticatedError) as refused:
            await self.passkey_sign_in.verify(answer)
        return str(refused.value)

    def live_sessions(self) -> Any:
        return self.installation.read(lambda unit: unit.value(LIVE_SESSIONS))


@pytest.fixture
def ada(installation: Installation, acme: Tenant) -> Person:
    assert acme.admin.email == ADA
    return Person(installation)


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


async def outcomes(*calls: Awaitable[Any]) -> list[Any]:
    return list(await asyncio.gather(*calls, return_exceptions=True))


# --- enrolment ---


def test_options_ask_for_a_discoverable_key_of_this_site_that_checks_its_holder(
    ada: Person,
) -> None:
    async def story() -> None:
        subject = await ada.arrive()
        options: Any = await ada.passkeys.options(subject, OTP)
        assert options["rp"] == {"id": "pidgr.example", "name": "Pidgr"}
        assert options["user"]["name"] == ADA
        assert decode(options["user"]["id"]) == subject.encode()
        assert options["authenticatorSelection"] == {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        }
        assert options["attestation"] == "none"
        assert options["timeout"] == 300_000
        assert len(decode(options["challenge"])) == 32
        again: Any = await ada.passkeys.options(subject, OTP)
        assert again["challenge"] != options["challenge"]

    run(story)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_a_person_enrols_a_key_and_comes_in_by_it(
    ada: Person, acme: Tenant, algorithm: str
) -> None:
    ada.device.algorithm = algorithm

    async def story() -> None:
        made = await ada.enrol("Ada's phone")
        ada.clock.advance(MINUTE)
        request: Any = await ada.passkey_sign_in.options()
        assert request["userVerification"] == "required"
        assert request["rpId"] == "pidgr.example"
        assert request["allowCredentials"] == []
        tokens = await ada.passkey_sign_in.verify(ada.device.get(request))
        claims = ada.signer.verify(tokens.access_token)
        assert claims.subject == ada.subject
        assert claims.methods == {"swk", "mfa"}
        assert claims.authenticated_at == ada.clock.now() // SECOND * SECOND
        assert tokens.organization_id == acme.id
        (kept,) = await ada.passkeys.passkeys(ada.subject)
        assert (kept.id, kept.name, kept.created_at) == (made.id, "Ada's phone", made.created_at)
        assert kept.last_used_at == ada.clock.now()
        assert made.last_used_at is None

    run(story)


def test_a_person_has_several_and_each_opens_on_its_own(ada: Person) -> None:
    async def story() -> None:
        names = ["Phone", "Laptop", ""]
        for name in names:
            ada.device = Authenticator(SITE, synced=name == "Laptop")
            await ada.enrol(name)
            assert (await ada.come_in()).access_token
        listed = await ada.passkeys.passkeys(ada.subject)
        assert [(one.name, one.synced) for one in listed] == [
            ("Phone", False),
            ("Laptop", True),
            ("Passkey", False),
        ]

    run(story)


def test_a_device_is_told_which_keys_there_are_already(ada: Person) -> None:
    async def story() -> None:
        await ada.enrol()
        options: Any = await ada.passkeys.options(ada.subject, OTP)
        assert options["excludeCredentials"] == [
            {
                "id": encode(ada.device.credentials[0].id),
                "type": "public-key",
                "transports": ["internal", "hybrid"],
            }
        ]

    run(story)


def test_a_key_is_registered_once_whoever_tries(ada: Person, acme: Tenant) -> None:
    acme.add_member("eve@example.com")

    async def story() -> None:
        await ada.enrol()
        stolen = ada.device.credentials[0]
        eve = await ada.arrive("eve@example.com")
        forged = Authenticator(SITE)
        forged._new_key = lambda: stolen.private_key  # type: ignore[method-assign]
        answer = forged.create(await ada.passkeys.options(eve, OTP))
        raw = decode(answer["response"]["attestationObject"])
        raw = raw.replace(forged.credentials[0].id, stolen.id)
        answer["response"]["attestationObject"] = encode(raw)
        with pytest.raises(AlreadyExistsError):
            await ada.passkeys.add(eve, OTP, answer)
        assert await ada.passkeys.passkeys(eve) == []

    run(story)


def test_twenty_are_enough_even_if_all_come_at_once(ada: Person) -> None:
    async def story() -> None:
        await ada.arrive()
        answers = [
            ada.device.create(await ada.passkeys.options(ada.subject, OTP)) for _ in range(22)
        ]
        found = await outcomes(*(ada.passkeys.add(ada.subject, OTP, one) for one in answers))
        assert sum(isinstance(one, FailedPreconditionError) for one in found) == 2
        assert len(await ada.passkeys.passkeys(ada.subject)) == 20
        with pytest.raises(FailedPreconditionError, match="20"):
            await ada.passkeys.options(ada.subject, OTP)

    run(story)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"origin": "https://pidgr.example.evil.example"}, InvalidArgumentError),
        ({"origin": "http://pidgr.example"}, InvalidArgumentError),
        ({"rp_id": "evil.example"}, InvalidArgumentError),
        ({"verifies": False}, InvalidArgumentError),
        ({"present": False}, InvalidArgumentError),
    ],
)
def test_a_key_made_elsewhere_or_carelessly_is_not_taken(
    ada: Person, fault: dict[str, Any], problem: type[Exception]
) -> None:
    async def story() -> None:
        await ada.arrive()
        device = Authenticator(**{"origin": SITE, **fault})
        answer = device.create(await ada.passkeys.options(ada.subject, OTP))
        with pytest.raises(problem, match="credential"):
            await ada.passkeys.add(ada.subject, OTP, answer)
        assert await ada.passkeys.passkeys(ada.subject) == []
        good = Authenticator(SITE).create(await ada.passkeys.options(ada.subject, OTP))
        good["response"]["clientDataJSON"] = answer["response"]["clientDataJSON"]
        with pytest.raises(FailedPreconditionError, match="used or have expired"):
            await ada.passkeys.add(ada.subject, OTP, good)

    run(story)


@pytest.mark.parametrize(("age", "good"), [(5 * MINUTE - 1, True), (5 * MINUTE, False)])
def test_options_live_five_minutes(ada: Person, age: int, good: bool) -> None:
    async def story() -> None:
        await ada.enrol()
        making = ada.device.create(await ada.passkeys.options(ada.subject, OTP) | NO_EXCLUSIONS)
        signing = ada.device.get(await ada.passkey_sign_in.options(), ada.device.credentials[0])
        ada.clock.advance(age)
        if good:
            assert await ada.passkeys.add(ada.subject, OTP, making)
            assert await ada.passkey_sign_in.verify(signing)
            return
        with pytest.raises(FailedPreconditionError):
            await ada.passkeys.add(ada.subject, OTP, making)
        await ada.refused(signing)

    run(story)


NO_EXCLUSIONS: dict[str, Any] = {"excludeCredentials": []}


def test_options_are_no_use_to_another_person_or_for_another_purpose(
    ada: Person, acme: Tenant
) -> None:
    acme.add_member("eve@example.com")

    async def story() -> None:
        await ada.enrol()
        own = ada.subject
        eve = await ada.arrive("eve@example.com")
        with pytest.raises(FailedPreconditionError):
            await ada.passkeys.add(
                eve, OTP, Authenticator(SITE).create(await ada.passkeys.options(own, OTP))
            )
        for_making: Any = await ada.passkeys.options(own, OTP)
        await ada.refused(ada.device.get(for_making))
        for_signing: Any = await ada.passkey_sign_in.options()
        template: Any = await ada.passkeys.options(own, OTP) | NO_EXCLUSIONS
        template["challenge"] = for_signing["challenge"]
        with pytest.raises(FailedPreconditionError):
            await ada.passkeys.add(own, OTP, ada.device.create(template))

    run(story)


@pytest.mark.parametrize("name", ["x" * 101, "a\0b"])
def test_a_bad_name_costs_no_challenge(ada: Person, name: str) -> None:
    async def story() -> None:
        await ada.arrive()
        answer = ada.device.create(await ada.passkeys.options(ada.subject, OTP))
        with pytest.raises(InvalidArgumentError, match="name"):
            await ada.passkeys.add(ada.subject, OTP, answer, name)
        made = await ada.passkeys.add(ada.subject, OTP, answer)
        for bad in (name, "", "  "):
            with pytest.raises(InvalidArgumentError, match="name"):
                await ada.passkeys.rename(ada.subject, made.id, bad)

    run(story)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"id": "x", "rawId": "x", "type": "public-key", "response": {}},
        {"id": 7, "rawId": [], "type": "password", "response": "?"},
        {
            "id": "AA",
            "rawId": "AA",
            "type": "public-key",
            "response": {
                "clientDataJSON": "W10",
                "attestationObject": "AA",
                "authenticatorData": "AA",
                "signature": "AA",
            },
        },
    ],
)
def test_what_is_no_answer_is_told_so(ada: Person, answer: dict[str, Any]) -> None:
    async def story() -> None:
        await ada.arrive()
        with pytest.raises(InvalidArgumentError, match="create"):
            await ada.passkeys.add(ada.subject, OTP, answer)
        with pytest.raises(InvalidArgumentError, match="get"):
            await ada.passkey_sign_in.verify(answer)

    run(story)


def test_garbage_inside_an_answer_is_refused_like_everything_else(ada: Person) -> None:
    async def story() -> None:
        await ada.enrol()
        for garbage in ("", "AA", encode(b"\xa1" * 40), encode(bytes(36)), encode(b"\xff" * 3000)):
            making = Authenticator(SITE).create(await ada.passkeys.options(ada.subject, OTP))
            making["response"]["attestationObject"] = garbage
            with pytest.raises(InvalidArgumentError):
                await ada.passkeys.add(ada.subject, OTP, making)
            for member in ("authenticatorData", "signature"):
                options = await ada.passkey_sign_in.options()
                await ada.refused(ada.device.get(options, None, **{member: garbage}))

    run(story)


# --- signing in ---


def test_a_challenge_is_good_for_one_answer(ada: Person) -> None:
    async def story() -> None:
        await ada.enrol()
        answer = ada.device.get(await ada.passkey_sign_in.options())
        assert await ada.passkey_sign_in.verify(answer)
        await ada.refused(answer)
        options = await ada.passkey_sign_in.options()
        await ada.refused(ada.device.get(options, None, signature="AAAA"))
        await ada.refused(ada.device.get(options))
        made_up = {**options, "challenge": encode(b"0" * 32)}
        await ada.refused(ada.device.get(made_up))

    run(story)


def test_of_fifty_uses_of_an_answer_at_once_one_opens_a_session(ada: Person) -> None:
    async def story() -> None:
        await ada.enrol()
        before = ada.live_sessions()
        answer = ada.device.get(await ada.passkey_sign_in.options())
        found = await outcomes(*(ada.passkey_sign_in.verify(answer) for _ in range(50)))
        assert sum(isinstance(one, UnauthenticatedError) for one in found) == 49
        assert ada.live_sessions() == before + 1
        assert await ada.come_in()

    run(story)


@pytest.mark.parametrize(
    "fault",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://pidgr.example:8443"},
        {"rp_id": "evil.example"},
        {"verifies": False},
        {"present": False},
    ],
)
def test_an_answer_for_another_site_or_without_a_check_opens_nothing(
    ada: Person, fault: dict[str, Any]
) -> None:
    async def story() -> None:
        await ada.enrol()
        for name, value in fault.items():
            setattr(ada.device, name, value)
        await ada.refused(ada.device.get(await ada.passkey_sign_in.options()))

    run(story)


def test_a_key_opens_only_for_its_own_person(ada: Person, acme: Tenant) -> None:
    eve = acme.add_member("eve@example.com")

    async def story() -> None:
        await ada.enrol()
        mine = ada.device.credentials[0]
        their_subject = await ada.arrive(eve.email)
        options = ada.passkey_sign_in.options
        for handle in (encode(their_subject.encode()), "", None):
            await ada.refused(ada.device.get(await options(), userHandle=handle))
        unknown = Credential(b"?" * 32, mine.rp_id, mine.user_handle, mine.private_key)
        await ada.refused(ada.device.get(await options(), unknown))
        other_key = Credential(mine.id, mine.rp_id, mine.user_handle, ada.device._new_key(), 10)
        await ada.refused(ada.device.get(await options(), other_key))
        mine.sign_count = 20
        assert await ada.come_in()

    run(story)


def test_every_refusal_of_a_passkey_reads_the_same(ada: Person) -> None:
    async def story() -> None:
        made = await ada.enrol()
        options = ada.passkey_sign_in.options
        used = ada.device.get(await options())
        await ada.passkey_sign_in.verify(used)
        sentences = {
            await ada.refused(used),
            await ada.refused(ada.device.get(await options(), signature="AAAA")),
            await ada.refused(ada.device.get(await options(), userHandle=None)),
        }
        await ada.passkeys.revoke(ada.subject, OTP, made.id)
        sentences.add(await ada.refused(ada.device.get(await options())))
        assert len(sentences) == 1

    run(story)


def test_a_revoked_key_opens_nothing_even_in_the_middle(ada: Person) -> None:
    async def story() -> None:
        made = await ada.enrol()
        begun = ada.device.get(await ada.passkey_sign_in.options())
        await ada.passkeys.revoke(ada.subject, OTP, made.id.upper())
        await ada.refused(begun)
        assert await ada.passkeys.passkeys(ada.subject) == []
        with pytest.raises(NotFoundError):
            await ada.passkeys.revoke(ada.subject, OTP, made.id)

    run(story)


def test_nobody_else_can_rename_or_revoke_a_key(ada: Person, acme: Tenant) -> None:
    acme.add_member("eve@example.com")

    async def story() -> None:
        made = await ada.enrol("Phone")
        owner = ada.subject
        eve = await ada.arrive("eve@example.com")
        sentences = set()
        for key in (made.id, "no key at all"):
            for call in (ada.passkeys.rename(eve, key, "Mine"), ada.passkeys.revoke(eve, OTP, key)):
                with pytest.raises(NotFoundError) as refused:
                    await call
                sentences.add(str(refused.value))
        assert len(sentences) == 1
        renamed = await ada.passkeys.rename(owner, made.id, " Telephone ")
        assert [one.name for one in await ada.passkeys.passkeys(owner)] == ["Telephone"]
        assert renamed.name == "Telephone"

    run(story)


# --- telling of it ---


def test_a_person_is_told_in_their_language_and_nobody_for_who_is_gone(ada: Person) -> None:
    async def story() -> None:
        await ada.enrol()

    run(story)
    texts = set()
    for locale in LOCALES:
        parameters = {"locale": locale, "email": ADA}
        ada.installation.write(
            lambda unit, values=parameters: unit.execute(SET_LOCALE, values)  # type: ignore[misc]
        )
        for change in Change:
            ada.passkey_mail.send(change.value, ada.subject, "an-id", 1_800_000_000 * SECOND)
            told = ada.outbox.sent[-1]
            assert told.recipient == ADA
            assert "2027-01-15 08:00 UTC" in told.text
            assert told.text.endswith(f"\n{SITE}/passkeys\n")
            texts |= {told.subject, told.text}
    assert len(texts) == 4 * len(LOCALES)
    before = len(ada.outbox.sent)
    ada.passkey_mail.send(Change.ADDED.value, "nobody", "an-id", 1)
    assert len(ada.outbox.sent) == before


# --- where codes are refused ---


def test_a_code_makes_the_first_passkey_and_no_other_where_codes_are_refused(
    ada: Person, installation: Installation, acme: Tenant
) -> None:
    globex = installation.found("Globex", "boss@example.com")

    async def story() -> None:
        await ada.arrive()
        ada.disable_otp(acme)
        # Without a passkey there is no other way in; the code opens the person and nothing else.
        tokens = await ada.enter(ADA)
        assert (tokens.organization_id, tokens.user_id) == ("", "")
        made = await ada.enrol()
        assert (await ada.come_in()).organization_id == acme.id
        assert (await ada.ask(ADA))[1] == ""
        # Nor does one that another organization accepts: there anybody could invite the address.
        globex.add_member(ADA)
        assert (await ada.enter(ADA)).organization_id == globex.id
        prepared = await ada.passkeys.options(ada.subject, PASSKEY)
        answer = Authenticator(SITE).create(prepared)
        for change in (
            ada.passkeys.options(ada.subject, OTP),
            ada.passkeys.add(ada.subject, OTP, answer),
            ada.passkeys.revoke(ada.subject, OTP, made.id),
            ada.passkeys.require_change(ada.subject, OTP),
        ):
            with pytest.raises(PermissionDeniedError, match="sign in with a passkey"):
                await change
        assert [one.id for one in await ada.passkeys.passkeys(ada.subject)] == [made.id]
        other = Authenticator(SITE).create(await ada.passkeys.options(ada.subject, PASSKEY))
        assert await ada.passkeys.add(ada.subject, PASSKEY, other)
        await ada.passkeys.revoke(ada.subject, PASSKEY, made.id)

    run(story)


def test_of_two_first_passkeys_by_code_one_is_made(ada: Person, acme: Tenant) -> None:
    async def story() -> None:
        await ada.arrive()
        ada.disable_otp(acme)
        options = [await ada.passkeys.options(ada.subject, OTP) for _ in range(2)]
        answers = [Authenticator(SITE).create(one) for one in options]
        found = await outcomes(*(ada.passkeys.add(ada.subject, OTP, one) for one in answers))
        assert sum(isinstance(one, PermissionDeniedError) for one in found) == 1
        assert len(await ada.passkeys.passkeys(ada.subject)) == 1

    run(story)


def test_an_ended_membership_and_an_invitation_decide_about_codes_as_they_should(
    ada: Person, installation: Installation, acme: Tenant
) -> None:
    invited = "new@example.com"
    globex = installation.found("Globex", "boss@example.com")

    async def story() -> None:
        acme.add_member(invited)
        await ada.arrive(invited)
        await ada.passkeys.add(
            ada.subject, OTP, ada.device.create(await ada.passkeys.options(ada.subject, OTP))
        )
        await ada.passkeys.require_change(ada.subject, OTP)
        # What the passkey would open once the invitation is taken up counts already.
        member = globex.add_member(invited, status=UserStatus.INVITED)
        ada.disable_otp(globex)
        with pytest.raises(PermissionDeniedError):
            await ada.passkeys.require_change(ada.subject, OTP)
        ada.set_status(member.member().id, UserStatus.DEACTIVATED)
        await ada.passkeys.require_change(ada.subject, OTP)

    run(story)


# --- copies ---


def test_a_counter_that_goes_back_closes_the_key_and_ends_the_sessions(ada: Person) -> None:
    async def story() -> None:
        await ada.enrol()
        copy = deepcopy(ada.device)
        first = await ada.come_in()
        ada.clock.advance(SECOND)
        await ada.refused(copy.get(await ada.passkey_sign_in.options()))
        assert ada.live_sessions() == 0
        with pytest.raises(UnauthenticatedError):
            await ada.sessions.refresh(first.refresh_token)
        (kept,) = await ada.passkeys.passkeys(ada.subject)
        assert kept.suspected_at == ada.clock.now()
        for _ in range(2):
            await ada.refused(ada.device.get(await ada.passkey_sign_in.options()))
        assert ada.incidents() == ["passkey_cloned"]
        assert await ada.enter(ADA)
        await ada.passkeys.revoke(ada.subject, OTP, kept.id)
        ada.device = Authenticator(SITE)
        await ada.enrol()
        assert await ada.come_in()

    run(story)


@pytest.mark.parametrize(("before", "after", "good"), [(0, 0, True), (5, 6, True), (5, 9, True)])
def test_counters_that_stand_at_zero_or_go_on_are_fine(
    ada: Person, before: int, after: int, good: bool
) -> None:
    async def story() -> None:
        await ada.enrol()
        ada.device.step = 0
        for count in (before, after) if before else (0, 0, 0):
            ada.device.credentials[0].sign_count = count
            assert bool(await ada.come_in()) is good

    run(story)


@pytest.mark.parametrize("after", [0, 4, 5])
def test_counters_that_fall_or_stay_are_not(ada: Person, after: int) -> None:
    async def story() -> None:
        await ada.enrol()
        ada.device.step = 0
        ada.device.credentials[0].sign_count = 5
        await ada.come_in()
        ada.device.credentials[0].sign_count = after
        await ada.refused(ada.device.get(await ada.passkey_sign_in.options()))
        assert (await ada.passkeys.passkeys(ada.subject))[0].suspected_at is not None

    run(story)


def test_a_forged_answer_with_an_old_counter_closes_nothing(ada: Person) -> None:
    async def story() -> None:
        await ada.enrol()
        for _ in range(3):
            await ada.come_in()
        mine = ada.device.credentials[0]
        forged = Credential(mine.id, mine.rp_id, mine.user_handle, ada.device._new_key())
        await ada.refused(ada.device.get(await ada.passkey_sign_in.options(), forged))
        assert (await ada.passkeys.passkeys(ada.subject))[0].suspected_at is None
        assert await ada.come_in()

    run(story)


# --- failures, in one place ---


def test_failures_of_every_factor_are_counted_in_one_place_and_shut_out_no_passkey(
    ada: Person,
) -> None:
    async def story() -> None:
        await ada.enrol()
        attempts = [await ada.ask(ADA) for _ in range(4)]
        answers = [
            ada.device.get(await ada.passkey_sign_in.options(), signature="AAAA") for _ in range(50)
        ]
        found = await outcomes(*(ada.passkey_sign_in.verify(one) for one in answers[:13]))
        assert all(isinstance(one, UnauthenticatedError) for one in found)
        guesses = [(attempt, other_than(code)) for attempt, code in attempts[:3]] * 3
        found = await outcomes(*(ada.sign_in.verify_code(*guess) for guess in guesses))
        assert sum(isinstance(one, UnauthenticatedError) for one in found) == 7
        assert sum(isinstance(one, ResourceExhaustedError) for one in found) == 2
        found = await outcomes(*(ada.passkey_sign_in.verify(one) for one in answers[13:]))
        assert all(isinstance(one, ResourceExhaustedError) for one in found)
        with pytest.raises(ResourceExhaustedError) as refused:
            await ada.sign_in.verify_code(*attempts[3])
        assert refused.value.retry_after_seconds == 180
        assert await ada.come_in()
        ada.clock.advance(3 * MINUTE)
        assert await ada.enter(ADA)

    run(story)


def test_a_right_code_takes_its_claim_back(ada: Person) -> None:
    async def story() -> None:
        for _ in range(25):
            assert await ada.enter(ADA)
            ada.clock.advance(3 * MINUTE)
        for _ in range(5):
            attempt_id, code = await ada.ask(ADA)
            for _ in range(2):
                with pytest.raises(UnauthenticatedError):
                    await ada.sign_in.verify_code(attempt_id, other_than(code))
            assert await ada.sign_in.verify_code(attempt_id, code)
            ada.clock.advance(3 * MINUTE)

    run(story)


# --- organizations ---


def test_an_organization_that_refuses_codes_accepts_passkeys(ada: Person, acme: Tenant) -> None:
    async def story() -> None:
        await ada.enrol()
        ada.disable_otp(acme)
        attempt_id, code = await ada.ask(ADA)
        assert (attempt_id, code) == (attempt_id, "")
        tokens = await ada.come_in()
        assert tokens.organization_id == acme.id
        again = await ada.sessions.refresh(tokens.refresh_token)
        claims = ada.signer.verify(again.access_token)
        assert claims.methods == {"swk", "mfa"}
        assert claims.organization_id == acme.id

    run(story)


def test_a_passkey_opens_every_organization_of_its_person_and_accepts_invitations(
    ada: Person, installation: Installation, acme: Tenant
) -> None:
    globex = installation.found("Globex", "boss@example.com")

    async def story() -> None:
        await ada.enrol()
        invited = globex.add_member(ADA, status=UserStatus.INVITED)
        ada.disable_otp(globex)
        tokens = await ada.come_in(globex.id.upper())
        assert (tokens.organization_id, tokens.user_id) == (globex.id, invited.actor_id)
        assert {one for one, _ in tokens.organizations} == {acme.id, globex.id}
        member = installation.read(
            lambda unit: store.membership(unit, ada.subject, globex.id, ada.clock.now())
        )
        assert member is not None
        assert member.status == UserStatus.ACTIVE

    run(story)


def test_a_foreign_organization_is_refused_and_leaves_the_counter(
    ada: Person, installation: Installation
) -> None:
    foreign = installation.found("Globex", "boss@example.com")

    async def story() -> None:
        await ada.enrol()
        with pytest.raises(PermissionDeniedError):
            await ada.come_in(foreign.id)
        assert await ada.come_in()

    run(story)


def test_a_deactivated_member_does_not_come_in(ada: Person, acme: Tenant) -> None:
    async def story() -> None:
        await ada.enrol()
        ada.set_status(acme.admin.actor_id, UserStatus.DEACTIVATED)
        await ada.refused(ada.device.get(await ada.passkey_sign_in.options()))
        ada.set_status(acme.admin.actor_id, UserStatus.ACTIVE)
        assert await ada.come_in()

    run(story)


# --- at rest ---


def test_no_challenge_lies_readable_in_the_database_and_old_ones_are_swept(ada: Person) -> None:
    async def story() -> None:
        await ada.enrol()
        options = [await ada.passkey_sign_in.options() for _ in range(12)]
        stored = repr(ada.installation.read(contents))
        for one in options:
            challenge = str(one["challenge"])
            assert challenge not in stored
            assert repr(decode(challenge))[2:-1] not in stored
        ada.clock.advance(5 * MINUTE + 1)
        for _ in range(2):
            await ada.passkey_sign_in.options()
        assert ada.installation.read(lambda unit: unit.value(CHALLENGES)) == 2

    run(story)


@pytest.mark.parametrize(
    ("url", "rp_id", "origin"),
    [
        ("https://pidgr.example", "pidgr.example", "https://pidgr.example"),
        ("https://Pidgr.Example:443/base/", "pidgr.example", "https://pidgr.example"),
        ("https://pidgr.example:8443", "pidgr.example", "https://pidgr.example:8443"),
        ("http://localhost:8080", "localhost", "http://localhost:8080"),
        ("https://bücher.example", "xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_site_and_origin_follow_from_the_public_url(url: str, rp_id: str, origin: str) -> None:
    party = RelyingParty(url)
    party.require_host_name()
    assert (party.id, party.origin) == (rp_id, origin)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "https://[::1]:8443"])
def test_a_site_without_a_name_says_that_it_needs_one(url: str) -> None:
    with pytest.raises(FailedPreconditionError, match="PIDGR_ISSUER"):
        RelyingParty(url).require_host_name()

"""Signing in by an organization's provider, whatever protocol that speaks.

The client sends the browser here with the challenge of a secret it keeps (as in RFC 7636), we send
it to the provider and take it back, and the client exchanges the code we give it for tokens with
that secret. What ties the way there to the way back is the state, in a row that is used once, and a
cookie of the browser, so that nobody is signed in as somebody else by a link (RFC 9700, 4.7).
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pidgr.clock import MINUTE, Clock
from pidgr.contract.v1.sso_pb import SSOProviderType
from pidgr.errors import NotFoundError, UnauthenticatedError, Violations, invalid_field
from pidgr.identity.sessions import Sessions, Tokens
from pidgr.identity.sign_in_method import SSO
from pidgr.identity.sso import admission, attempt_store
from pidgr.identity.sso.attempt_store import Arrival, Attempt
from pidgr.identity.sso.challenges import challenge_of, is_challenge
from pidgr.identity.sso.provider_store import StoredProvider
from pidgr.identity.sso.service import usable_provider
from pidgr.identity.sso.ways import BrokenSignInError, Question, Way
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction
from pidgr.validation import check_email

ATTEMPT_LIFETIME: Final = 10 * MINUTE
"""How long a person may take at the provider, in microseconds."""
ARRIVAL_LIFETIME: Final = MINUTE
"""How long a client may take to ask for tokens."""

_SECRET_BYTES: Final = 32
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_PURPOSE: Final = "sso-attempt"
_VISIT: Final = "visit"


@dataclass(frozen=True, slots=True)
class Departure:
    """How to send the browser to its provider, and the cookie that recognises it afterwards."""

    type: SSOProviderType
    url: str
    form: Mapping[str, str]
    browser: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A person whom their provider and their organization let in.

    Args:
        code: what their client exchanges for tokens; empty when they came from a page of ours.
        visit: what that page has given along; empty when they came from a client.
        subject: who they are.
        organization_key: of the only organization in which that counts.
    """

    code: str
    visit: str
    subject: str
    organization_key: int


class SsoSignIn:
    """Sends people to their provider and takes them back."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        master_key: MasterKey,
        clock: Clock,
        ways: Mapping[SSOProviderType, Way],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._master_key = master_key
        self._clock = clock
        self._ways = ways

    async def depart(self, email: str, challenge: str, browser: str, visit: str = "") -> Departure:
        """Begin a sign-in, for a client or for a page of ours.

        Args:
            email: of who wants to sign in; its domain tells the provider.
            challenge: SHA-256 of the client's verifier, base64url.
            browser: the cookie it has from an earlier sign-in, or nothing.
            visit: what a page of ours wants back; there is no challenge then.

        Raises:
            InvalidArgumentError: a malformed address or challenge.
            NotFoundError: people of this domain do not sign in by a provider.
        """
        violations = Violations()
        check_email(violations, "email", email)
        if not visit and not is_challenge(challenge):
            violations.add("code_challenge", "must be a SHA-256 in base64url, 43 characters")
        violations.raise_if_any()
        if not is_challenge(browser):
            browser = _new_secret()
        state = _new_secret()

        def work(transaction: Transaction) -> tuple[StoredProvider, Question]:
            now = self._clock.now()
            provider = usable_provider(transaction, email, now)
            if provider is None:
                raise NotFoundError("people of this domain do not sign in by a provider")
            question = self._way(provider).ask(provider, email, state)
            kept = json.dumps({**question.remembered, _VISIT: visit}).encode()
            sealed = self._master_key.seal(_PURPOSE, kept)
            attempt_store.sweep(transaction, now)
            attempt = Attempt(provider.key, _digest(browser), sealed, challenge)
            attempt_store.insert(transaction, _digest(state), attempt, now + ATTEMPT_LIFETIME)
            return provider, question

        provider, question = await self._database.write(work)
        return Departure(SSOProviderType(provider.type), question.url, question.form, browser)

    async def arrive(
        self, type_: SSOProviderType, state: str, answer: Mapping[str, str], browser: str
    ) -> Arrived:
        """Take a person back from their provider.

        Args:
            type_: of the providers that send people to this door.
            state: what the provider was to hand back.
            answer: all that came with it.
            browser: the cookie.

        Raises:
            BrokenSignInError: no sign-in of this browser, an answer of somebody else, or one that
                cannot be believed.
            NotAdmittedError: the provider knows them, and the organization does not let them in.
            UnavailableError: the provider does not answer.
        """
        attempt, provider = await self._claim(type_, state, browser)
        kept = json.loads(self._master_key.unseal(_PURPOSE, attempt.sealed))
        claims = await self._way(provider).believe(provider, answer, kept)
        visit = kept.get(_VISIT, "")
        code = "" if visit else _new_secret()

        def work(transaction: Transaction) -> str:
            now = self._clock.now()
            subject = admission.admit(transaction, provider, claims, now)
            if visit:
                return subject
            arrival = Arrival(subject, provider.organization_key, attempt.challenge)
            attempt_store.arrive(transaction, _digest(code), arrival, now + ARRIVAL_LIFETIME)
            return subject

        subject = await self._database.write(work)
        return Arrived(code, visit, subject, provider.organization_key)

    async def tokens(self, code: str, verifier: str) -> Tokens:
        """Open the session of a person who has come back.

        Raises:
            InvalidArgumentError: no verifier can be like this one.
            UnauthenticatedError: the code is unknown, used or expired, or the verifier is not its.
        """
        if _VERIFIER.fullmatch(verifier) is None:
            raise invalid_field("code_verifier", "must be 43 to 128 unreserved characters")
        now = self._clock.now()
        # By itself: a code that is shown with a wrong verifier is used up.
        arrival = await self._database.write(
            lambda transaction: attempt_store.welcome(transaction, _digest(code), now)
        )
        if arrival is None or not hmac.compare_digest(challenge_of(verifier), arrival.challenge):
            raise UnauthenticatedError("the code is wrong or no longer valid; sign in again")
        grant = await self._database.write(
            lambda transaction: self._sessions.open_bound(
                transaction, arrival.subject, SSO, arrival.organization_key
            )
        )
        return await self._sessions.tokens(grant)

    async def _claim(
        self, type_: SSOProviderType, state: str, browser: str
    ) -> tuple[Attempt, StoredProvider]:
        now = self._clock.now()
        attempt = await self._database.write(
            lambda transaction: attempt_store.claim(transaction, _digest(state), now)
        )
        if attempt is None or not hmac.compare_digest(
            _digest(browser), bytes(attempt.browser_digest)
        ):
            raise BrokenSignInError("no sign-in of this browser")
        provider = await self._database.read(
            lambda reader: attempt_store.provider(reader, attempt.sso_provider_key, now)
        )
        if provider is None or provider.type != type_:
            raise BrokenSignInError("the provider is gone")
        return attempt, provider

    def _way(self, provider: StoredProvider) -> Way:
        return self._ways[SSOProviderType(provider.type)]


def _new_secret() -> str:
    return secrets.token_urlsafe(_SECRET_BYTES)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="replace")).digest()

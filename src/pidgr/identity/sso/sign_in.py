"""Signing in by an organization's provider, whatever protocol that speaks.

What ties the way there to the way back is the state, in a row that is used once, and a cookie of
the browser, so that nobody is signed in as somebody else by a link (RFC 9700, 4.7).
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pidgr.clock import MINUTE, SECOND, Clock
from pidgr.contract.v1.sso_pb import SSOProviderType
from pidgr.errors import NotFoundError, Violations
from pidgr.identity.challenges import is_challenge
from pidgr.identity.proof import Proof
from pidgr.identity.sign_in_method import SSO
from pidgr.identity.sso import admission, attempt_store
from pidgr.identity.sso.attempt_store import Attempt
from pidgr.identity.sso.provider_store import StoredProvider
from pidgr.identity.sso.service import usable_provider
from pidgr.identity.sso.ways import BrokenSignInError, Question, Way, Word
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction
from pidgr.validation import check_email

ATTEMPT_LIFETIME: Final = 10 * MINUTE
"""How long a person may take at the provider, in microseconds."""

_SECRET_BYTES: Final = 32
_PURPOSE: Final = "sso-attempt"
_VISIT: Final = "visit"
_NOT_BEFORE: Final = "not_before"
# By how much a provider's clock may differ from ours.
_SKEW: Final = MINUTE


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
        visit: what was given along when they left.
        proof: that they are there, for that organization only.
    """

    visit: str
    proof: Proof


class StaleSignInError(admission.NotAdmittedError):
    """A recent sign-in at the provider was asked for, and its answer is not of one."""

    reason = "stale"


class SsoSignIn:
    """Sends people to their provider and takes them back."""

    def __init__(
        self,
        database: Database,
        master_key: MasterKey,
        clock: Clock,
        ways: Mapping[SSOProviderType, Way],
    ) -> None:
        self._database = database
        self._master_key = master_key
        self._clock = clock
        self._ways = ways

    async def depart(
        self, email: str, visit: str, browser: str, max_age: int | None = None
    ) -> Departure:
        """Begin a sign-in.

        Args:
            email: of who wants to sign in; its domain tells the provider.
            visit: what it is for; comes back with the person.
            browser: the cookie it has from an earlier sign-in, or nothing.
            max_age: by how many seconds they may have signed in at the provider before now; None
                for any.

        Raises:
            InvalidArgumentError: a malformed address.
            NotFoundError: people of this domain do not sign in by a provider.
        """
        violations = Violations()
        check_email(violations, "email", email)
        violations.raise_if_any()
        if not is_challenge(browser):
            browser = _new_secret()
        state = _new_secret()

        def work(transaction: Transaction) -> tuple[StoredProvider, Question]:
            now = self._clock.now()
            provider = usable_provider(transaction, email, now)
            if provider is None:
                raise NotFoundError("people of this domain do not sign in by a provider")
            question = self._way(provider).ask(provider, email, state, max_age)
            remembered = {**question.remembered, _VISIT: visit}
            if max_age is not None:
                remembered[_NOT_BEFORE] = str(now - max_age * SECOND)
            kept = json.dumps(remembered).encode()
            sealed = self._master_key.seal(_PURPOSE, kept)
            attempt_store.sweep(transaction, now)
            attempt = Attempt(provider.key, _digest(browser), sealed)
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
            NotAdmittedError: the provider knows them, and the organization does not let them in; or
                a recent sign-in was asked for, and the provider tells of none.
            UnavailableError: the provider does not answer.
        """
        attempt, provider = await self._claim(type_, state, browser)
        kept = json.loads(self._master_key.unseal(_PURPOSE, attempt.sealed))
        word = await self._way(provider).believe(provider, answer, kept)
        now = self._clock.now()
        authenticated_at = _moment(word, now)
        if authenticated_at + _SKEW < int(kept.get(_NOT_BEFORE, "0")):
            raise StaleSignInError("the provider tells of no sign-in as recent as was asked for")
        subject = await self._database.write(
            lambda transaction: admission.admit(transaction, provider, word.claims, now)
        )
        proof = Proof(subject, SSO, authenticated_at, provider.organization_key)
        return Arrived(kept[_VISIT], proof)

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


def _moment(word: Word, now: int) -> int:
    """Return when somebody signed in at their provider; 0 if it does not tell, or of the future."""
    told = word.authenticated_at
    return 0 if told is None or told > now + _SKEW else min(told, now)


def _new_secret() -> str:
    return secrets.token_urlsafe(_SECRET_BYTES)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="replace")).digest()

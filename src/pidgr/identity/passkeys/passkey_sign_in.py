"""Signing in with a passkey, without saying who one is: the key tells."""

from collections.abc import Callable
from typing import Final, TypeVar

import structlog

from pidgr.audit import incident_store
from pidgr.audit.incident_store import IncidentKind
from pidgr.clock import Clock
from pidgr.errors import UnauthenticatedError
from pidgr.identity import identity_store, people, session_store
from pidgr.identity.failures import Failures
from pidgr.identity.passkeys import challenge_store, passkey_store
from pidgr.identity.passkeys.enrolment import CHALLENGE_LIFETIME, new_challenge, user_handle
from pidgr.identity.passkeys.passkey_store import SigningKey
from pidgr.identity.passkeys.relying_party import (
    Assertion,
    Json,
    RefusedError,
    RelyingParty,
    read_assertion,
    went_back,
)
from pidgr.identity.sessions import Sessions, Tokens
from pidgr.identity.sign_in_method import PASSKEY
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

# A challenge that is not a person's.
_ANYBODY: Final = ""

Result = TypeVar("Result")

log = structlog.get_logger("pidgr.identity")


class PasskeySignIn:
    """Sets challenges and takes them back signed."""

    def __init__(
        self,
        database: Database,
        relying_party: RelyingParty,
        failures: Failures,
        sessions: Sessions,
        clock: Clock,
    ) -> None:
        self._database = database
        self._party = relying_party
        self._failures = failures
        self._sessions = sessions
        self._clock = clock

    async def options(self) -> Json:
        """Return what any browser needs to sign in here, good for ``CHALLENGE_LIFETIME``.

        Raises:
            FailedPreconditionError: this site has no name.
        """
        self._party.require_host_name()
        challenge = new_challenge()

        def work(transaction: Transaction) -> None:
            now = self._clock.now()
            challenge_store.sweep(transaction, now)
            challenge_store.insert(transaction, challenge, _ANYBODY, now + CHALLENGE_LIFETIME)

        await self._database.write(work)
        return self._party.request_options(challenge=challenge, lifetime=CHALLENGE_LIFETIME)

    async def verify(self, answer: Json, organization_id: str = "") -> Tokens:
        """Sign a person in: accept their invitations and open a session.

        Args:
            answer: the JSON of what ``navigator.credentials.get()`` has returned.
            organization_id: where they want to act; empty for the one they joined first.

        Raises:
            InvalidArgumentError: the answer cannot be read; the challenge stays good.
            UnauthenticatedError: anything about it is wrong; what, it does not tell.
            ResourceExhaustedError: the same, after too many failures of this person.
            PermissionDeniedError: the person may not act in the named organization.
        """
        grant = await self._proved(
            answer,
            lambda transaction, subject: self._sessions.open(
                transaction, subject, PASSKEY, organization_id.lower()
            ),
        )
        return await self._sessions.tokens(grant)

    async def prove(self, answer: Json) -> str:
        """Do the same without opening a session; return the person's subject.

        Raises:
            InvalidArgumentError, UnauthenticatedError, ResourceExhaustedError: as above.
        """
        return await self._proved(answer, lambda _transaction, subject: subject)

    async def _proved(self, answer: Json, then: Callable[[Transaction, str], Result]) -> Result:
        assertion = read_assertion(answer)
        key = await self._claim(assertion)
        if key is None:
            raise _refused()
        result = await self._passed(assertion, key, then)
        if result is None:
            await self._database.write(
                lambda transaction: self._failures.count(
                    transaction, identity_store.address_of_subject(transaction, key.subject)
                )
            )
            raise _refused()
        return result

    async def _claim(self, assertion: Assertion) -> SigningKey | None:
        """Use the challenge up and return the key that is said to have signed it."""

        def work(transaction: Transaction) -> SigningKey | None:
            now = self._clock.now()
            claimed = challenge_store.claim(transaction, assertion.challenge, now)
            if claimed is None or claimed.subject != _ANYBODY:
                return None
            return passkey_store.by_credential(transaction, assertion.credential_id)

        return await self._database.write(work)

    async def _passed(
        self, assertion: Assertion, key: SigningKey, then: Callable[[Transaction, str], Result]
    ) -> Result | None:
        try:
            sign_count = self._party.verify_assertion(
                assertion, key.public_key, user_handle(key.subject)
            )
        except RefusedError:
            return None
        return await self._database.write(
            lambda transaction: self._complete(transaction, key.key, sign_count, then)
        )

    def _complete(
        self,
        transaction: Transaction,
        key: int,
        sign_count: int,
        then: Callable[[Transaction, str], Result],
    ) -> Result | None:
        now = self._clock.now()
        stored = passkey_store.lock(transaction, key)
        if stored is None or stored.suspected_at is not None:
            return None
        if went_back(stored.sign_count, sign_count):
            # Two devices hold the key and nobody can tell which is the thief's: as with a refresh
            # token used twice, what has been opened is closed.
            passkey_store.suspect(transaction, key, now)
            session_store.revoke_all(transaction, stored.subject, now)
            kind = IncidentKind.PASSKEY_CLONED
            incident_store.record(transaction, kind, stored.subject, None, now)
            log.warning(
                "a passkey's counter went back; the key is closed and its sessions end",
                subject=stored.subject,
            )
            return None
        passkey_store.used(transaction, key, sign_count, now)
        if not people.readmit(transaction, stored.subject, PASSKEY, now):
            return None
        return then(transaction, stored.subject)


def _refused() -> UnauthenticatedError:
    return UnauthenticatedError("the passkey was not accepted; try again or sign in another way")

"""A person's own passkeys: making one, and looking after those they have."""

import secrets
import uuid
from typing import Final

import structlog

from pidgr.clock import MINUTE, Clock
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    NotFoundError,
    PermissionDeniedError,
    Violations,
    invalid_field,
)
from pidgr.identity import identity_store, people
from pidgr.identity.passkeys import challenge_store, passkey_store
from pidgr.identity.passkeys.passkey_mail import PasskeyMail
from pidgr.identity.passkeys.passkey_mail_texts import Change
from pidgr.identity.passkeys.passkey_store import Passkey
from pidgr.identity.passkeys.relying_party import (
    Json,
    NewCredential,
    RefusedError,
    RelyingParty,
    read_registration,
)
from pidgr.identity.sign_in_method import OTP
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError
from pidgr.validation import check_text

CHALLENGE_LIFETIME: Final = 5 * MINUTE
"""The least that WebAuthn recommends for people who must enter a PIN."""
MOST_PASSKEYS: Final = 20
NAME_LENGTH: Final = 100
_CHALLENGE_BYTES: Final = 32
_DEFAULT_NAME: Final = "Passkey"

log = structlog.get_logger("pidgr.identity")


def new_challenge() -> bytes:
    """Return something nobody can have signed before."""
    return secrets.token_bytes(_CHALLENGE_BYTES)


def user_handle(subject: str) -> bytes:
    """Return what names a person to their authenticator: random, and at most 64 bytes."""
    return subject.encode()


class Enrolment:
    """Makes, lists, renames and revokes the passkeys of a person who has signed in."""

    def __init__(
        self, database: Database, relying_party: RelyingParty, mail: PasskeyMail, clock: Clock
    ) -> None:
        self._database = database
        self._party = relying_party
        self._mail = mail
        self._clock = clock

    async def require_change(self, subject: str, method: str) -> None:
        """Demand that a person may change their keys after a sign-in by this method.

        Raises:
            PermissionDeniedError: they have signed in by a code, and that is not enough.
        """
        await self._database.read(lambda reader: self._require_change(reader, subject, method))

    async def needs_first(self, subject: str, method: str) -> bool:
        """Tell whether who has signed in by this method gets nowhere before their first key."""
        if method != OTP:
            return False
        now = self._clock.now()
        return await self._database.read(
            lambda reader: people.needs_first_passkey(reader, subject, now)
        )

    async def options(self, subject: str, method: str) -> Json:
        """Return what the person's browser needs to make a key, good for ``CHALLENGE_LIFETIME``.

        Raises:
            PermissionDeniedError: as above.
            FailedPreconditionError: they have as many as one may have, or this site has no name.
        """
        self._party.require_host_name()
        challenge = new_challenge()

        def work(transaction: Transaction) -> Json:
            now = self._clock.now()
            self._require_change(transaction, subject, method)
            _require_room(transaction, subject)
            challenge_store.sweep(transaction, now)
            challenge_store.insert(transaction, challenge, subject, now + CHALLENGE_LIFETIME)
            return self._party.creation_options(
                user_handle=user_handle(subject),
                user_name=identity_store.address_of_subject(transaction, subject),
                challenge=challenge,
                lifetime=CHALLENGE_LIFETIME,
                known=passkey_store.known(transaction, subject),
            )

        return await self._database.write(work)

    async def add(self, subject: str, method: str, answer: Json, name: str = "") -> Passkey:
        """Take the key a browser has made.

        Raises:
            PermissionDeniedError: as above.
            InvalidArgumentError: a bad name, an unreadable answer, or one that proves nothing.
            FailedPreconditionError: its options were for somebody else, used or have expired, or
                the person has as many keys as one may have.
            AlreadyExistsError: the key is registered.
        """
        violations = Violations()
        check_text(violations, "name", name, NAME_LENGTH)
        violations.raise_if_any()
        registration = read_registration(answer)
        claimed = await self._database.write(
            lambda transaction: challenge_store.claim(
                transaction, registration.challenge, self._clock.now()
            )
        )
        if claimed is None or claimed.subject != subject:
            raise FailedPreconditionError(
                "the options for this passkey were used or have expired; ask for new ones"
            )
        try:
            new = self._party.verify_registration(registration)
        except RefusedError as error:
            raise invalid_field(
                "credential",
                "was made for another site or without checking who holds the device; try again "
                f"from {self._party.origin}",
            ) from error
        try:
            return await self._database.write(
                lambda transaction: self._store(transaction, subject, method, new, name.strip())
            )
        except UniqueViolationError as error:
            raise AlreadyExistsError("this passkey is registered already") from error

    def _store(
        self, transaction: Transaction, subject: str, method: str, new: NewCredential, name: str
    ) -> Passkey:
        passkey_store.lock_person(transaction, subject)
        self._require_change(transaction, subject, method)
        _require_room(transaction, subject)
        passkey_id = str(uuid.uuid4())
        now = self._clock.now()
        made = Passkey(passkey_id, name or _DEFAULT_NAME, new.synced, now, None, None)
        passkey_store.insert(transaction, passkey_id, subject, new, made.name, now)
        self._mail.enqueue(transaction, Change.ADDED, subject, passkey_id, now)
        log.info("a passkey was added", subject=subject, passkey=passkey_id)
        return made

    async def passkeys(self, subject: str) -> list[Passkey]:
        """Return the person's keys, oldest first."""
        return await self._database.read(lambda reader: passkey_store.of_person(reader, subject))

    async def rename(self, subject: str, passkey_id: str, name: str) -> Passkey:
        """Give a key another name.

        Raises:
            InvalidArgumentError: a bad name.
            NotFoundError: the person has no such key.
        """
        violations = Violations()
        check_text(violations, "name", name, NAME_LENGTH, required=True)
        violations.raise_if_any()
        renamed = await self._database.write(
            lambda transaction: passkey_store.rename(
                transaction, subject, passkey_id.lower(), name.strip()
            )
        )
        if renamed is None:
            raise _unknown()
        return renamed

    async def revoke(self, subject: str, method: str, passkey_id: str) -> None:
        """Let a key open nothing any more, from the next sign-in on.

        Raises:
            PermissionDeniedError: as above.
            NotFoundError: the person has no such key.
        """
        revoked = passkey_id.lower()

        def work(transaction: Transaction) -> bool:
            passkey_store.lock_person(transaction, subject)
            self._require_change(transaction, subject, method)
            if not passkey_store.delete(transaction, subject, revoked):
                return False
            now = self._clock.now()
            self._mail.enqueue(transaction, Change.REMOVED, subject, revoked, now)
            return True

        if not await self._database.write(work):
            raise _unknown()
        log.info("a passkey was revoked", subject=subject, passkey=passkey_id)

    def _require_change(self, reader: Reader, subject: str, method: str) -> None:
        if method == OTP and not people.code_suffices_for_passkeys(
            reader, subject, self._clock.now()
        ):
            raise PermissionDeniedError(
                "an organization of yours accepts no e-mail codes: sign in with a passkey to "
                "change your passkeys"
            )


def _require_room(reader: Reader, subject: str) -> None:
    if passkey_store.count(reader, subject) >= MOST_PASSKEYS:
        raise FailedPreconditionError(
            f"you have {MOST_PASSKEYS} passkeys, the most a person can have; revoke one first"
        )


def _unknown() -> NotFoundError:
    return NotFoundError("you have no such passkey")

"""Signing in with a code sent by mail (SEMANTICS 6.1; OWASP ASVS 5.0 V6.3, V6.5 and V6.6).

A code belongs to the request that caused it: only the holder of that attempt's secret id can use
it, three times at most. What an answer says, and how long it takes, is the same whether or not
anybody has the address.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from pidgr.clock import HOUR, MINUTE, Clock
from pidgr.errors import UnauthenticatedError, Violations
from pidgr.identity import attempt_store, people
from pidgr.identity.attempt_store import ClaimedTry
from pidgr.identity.code_mail import CodeMail
from pidgr.identity.door_limits import DoorLimit, DoorLimits
from pidgr.identity.failures import Failures
from pidgr.identity.one_time_codes import DIGITS, LIFETIME, MAXIMUM_TRIES, Codes, HashedCode
from pidgr.identity.sessions import Sessions, Tokens
from pidgr.identity.sign_in_method import OTP
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction
from pidgr.validation import check_email, fold_address

# With three tries a code, a mail to the owner for every three guesses.
CODES_PER_ADDRESS: Final = DoorLimit("code", burst=5, interval=3 * MINUTE)
_ATTEMPT_BYTES: Final = 32
# An expired attempt answers like one that never was; it stays a while for the operator.
_KEPT_FOR: Final = HOUR


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class CodeRequested:
    """The answer to everybody who asks for a code; the lifetime is in microseconds."""

    attempt_id: str
    lifetime: int


class SignIn:
    """Sends codes and takes them back."""

    def __init__(
        self,
        database: Database,
        codes: Codes,
        limits: DoorLimits,
        failures: Failures,
        mail: CodeMail,
        sessions: Sessions,
        clock: Clock,
    ) -> None:
        self._database = database
        self._codes = codes
        self._limits = limits
        self._failures = failures
        self._mail = mail
        self._sessions = sessions
        self._clock = clock

    async def request_code(self, email: str) -> CodeRequested:
        """Send a code to an address, if anybody may sign in with it.

        Asking again is asking for another code; the earlier ones keep working until they expire,
        so that nobody can spoil somebody else's sign-in by asking too.

        Raises:
            InvalidArgumentError: no such address can exist.
            ResourceExhaustedError: this address has been sent enough codes for now.
        """
        violations = Violations()
        check_email(violations, "email", email)
        violations.raise_if_any()
        attempt_id = secrets.token_urlsafe(_ATTEMPT_BYTES)
        code, hashed = await asyncio.to_thread(self._codes.new)
        sealed = self._mail.seal(code)

        def work(transaction: Transaction) -> None:
            now = self._clock.now()
            address = fold_address(email)
            self._limits.take(transaction, CODES_PER_ADDRESS, address, now)
            attempt_store.sweep(transaction, now - _KEPT_FOR)
            key = attempt_store.insert_attempt(
                transaction,
                digest=_digest(attempt_id),
                email_folded=address,
                salt=hashed.salt,
                code_hash=hashed.digest,
                sealed_code=sealed,
                expires_at=now + LIFETIME,
            )
            self._mail.enqueue(transaction, key)

        await self._database.write(work)
        return CodeRequested(attempt_id, LIFETIME)

    async def verify_code(self, attempt_id: str, code: str, organization_id: str = "") -> Tokens:
        """Sign a person in: accept their invitations and open a session.

        Args:
            attempt_id: what asking for the code has answered.
            code: what the mail says.
            organization_id: where they want to act; empty for the one they joined first.

        Raises:
            InvalidArgumentError: the code is not six digits; no try is used up.
            UnauthenticatedError: a wrong code, or an attempt that is unknown, used, expired or out
                of tries; the answer does not tell which.
            ResourceExhaustedError: too many failures of this person lately, by whatever factor; no
                try is used up.
            PermissionDeniedError: the person may not act in the named organization; the code stays
                good while it has tries left.
        """
        grant = await self._taken(
            attempt_id,
            code,
            lambda transaction, subject: self._sessions.open(
                transaction, subject, OTP, organization_id.lower()
            ),
        )
        return await self._sessions.tokens(grant)

    async def prove(self, attempt_id: str, code: str) -> str:
        """Do the same without opening a session; return the person's subject.

        Raises:
            InvalidArgumentError, UnauthenticatedError, ResourceExhaustedError: as above.
        """
        return await self._taken(attempt_id, code, lambda _transaction, subject: subject)

    async def _taken(
        self, attempt_id: str, code: str, then: Callable[[Transaction, str], Result]
    ) -> Result:
        violations = Violations()
        if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
            violations.add("code", f"must be {DIGITS} digits")
        violations.raise_if_any()
        digest = _digest(attempt_id)
        claimed = await self._database.write(
            lambda transaction: self._claim_try(transaction, digest)
        )
        if claimed is None:
            raise _wrong()
        kept = HashedCode(claimed.salt, claimed.code_hash)
        if not await asyncio.to_thread(self._codes.matches, code, kept):
            raise _wrong()
        return await self._database.write(
            lambda transaction: then(transaction, self._complete(transaction, claimed))
        )

    def _claim_try(self, transaction: Transaction, digest: bytes) -> ClaimedTry | None:
        claimed = attempt_store.claim_try(transaction, digest, MAXIMUM_TRIES, self._clock.now())
        if claimed is not None:
            self._failures.count(transaction, claimed.email_folded)
        return claimed

    def _complete(self, transaction: Transaction, claimed: ClaimedTry) -> str:
        now = self._clock.now()
        if not attempt_store.use_attempt(transaction, claimed.key, now):
            raise _wrong()
        opened = people.welcome(transaction, claimed.email_folded, OTP, now)
        if opened is None:
            raise _wrong()
        self._failures.take_back(transaction, claimed.email_folded)
        return people.admit(transaction, claimed.email_folded, opened, now)


def _digest(attempt_id: str) -> bytes:
    return hashlib.sha256(attempt_id.encode()).digest()


def _wrong() -> UnauthenticatedError:
    return UnauthenticatedError("the code is wrong or no longer valid; ask for a new one")

"""Handing a sign-in on a page over to the client it was for.

The client has sent the browser here with the challenge of a secret it keeps, and exchanges the code
that the browser brings back with that secret (RFC 7636). So a code that somebody else sees on its
way is of no use to them.
"""

import hashlib
import hmac
import re
import secrets
from typing import Final

from pidgr.clock import MINUTE, Clock
from pidgr.errors import UnauthenticatedError, invalid_field
from pidgr.identity import arrival_store
from pidgr.identity.arrival_store import Arrival
from pidgr.identity.challenges import challenge_of
from pidgr.identity.proof import Proof
from pidgr.identity.sessions import Grant, Sessions, Tokens
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

LIFETIME: Final = MINUTE
"""How long a client may take to ask for tokens, in microseconds."""

_CODE_BYTES: Final = 32
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class Arrivals:
    """Gives out codes and takes them back."""

    def __init__(self, database: Database, sessions: Sessions, clock: Clock) -> None:
        self._database = database
        self._sessions = sessions
        self._clock = clock

    async def announce(self, proof: Proof, challenge: str) -> str:
        """Return the code that a client can exchange for the tokens of who has signed in."""
        code = secrets.token_urlsafe(_CODE_BYTES)

        def work(transaction: Transaction) -> None:
            now = self._clock.now()
            arrival_store.sweep(transaction, now)
            arrival = Arrival(
                proof.subject,
                proof.method,
                proof.authenticated_at,
                proof.organization_key,
                challenge,
            )
            arrival_store.insert(transaction, _digest(code), arrival, now + LIFETIME)

        await self._database.write(work)
        return code

    async def tokens(self, code: str, verifier: str) -> Tokens:
        """Open the session of a person who has signed in.

        Raises:
            InvalidArgumentError: no verifier can be like this one.
            UnauthenticatedError: the code is unknown, used or expired, or the verifier is not its.
        """
        if _VERIFIER.fullmatch(verifier) is None:
            raise invalid_field("code_verifier", "must be 43 to 128 unreserved characters")
        now = self._clock.now()
        # By itself: a code that is shown with a wrong verifier is used up.
        arrival = await self._database.write(
            lambda transaction: arrival_store.claim(transaction, _digest(code), now)
        )
        if arrival is None or not hmac.compare_digest(challenge_of(verifier), arrival.challenge):
            raise UnauthenticatedError("the code is wrong or no longer valid; sign in again")
        grant = await self._database.write(lambda transaction: self._open(transaction, arrival))
        return await self._sessions.tokens(grant)

    def _open(self, transaction: Transaction, arrival: Arrival) -> Grant:
        if arrival.organization_key is None:
            return self._sessions.open(transaction, arrival.subject, arrival.method, "")
        return self._sessions.open_bound(
            transaction,
            arrival.subject,
            arrival.method,
            arrival.authenticated_at,
            arrival.organization_key,
        )


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode(errors="replace")).digest()

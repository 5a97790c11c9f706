"""Sessions: short access tokens and a refresh token that changes with every use.

A refresh token that comes back after it was used means that two parties have it, and nobody can
tell which of them is the thief: the whole session ends, and the person signs in again (RFC 9700).
A client must therefore not send two refreshes at once. A client that names its attempt may repeat
it when the answer was lost, and gets the same next token until that is used: who has stolen the
token alone does not know the attempt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from pidgr.audit import incident_store
from pidgr.audit.incident_store import IncidentKind
from pidgr.clock import DAY, MINUTE, Clock
from pidgr.errors import PermissionDeniedError, UnauthenticatedError, invalid_field
from pidgr.identity import identity_store, people, rotating_tokens, session_store
from pidgr.identity.identity_store import Membership
from pidgr.identity.rotating_tokens import RotatingToken
from pidgr.identity.sign_in_method import SSO
from pidgr.identity.tokens import TokenSigner
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

ACCESS_LIFETIME: Final = 15 * MINUTE
SESSION_LIFETIME: Final = 30 * DAY
"""However often it is refreshed."""

_PREFIX: Final = "pidgr_r_"
# Characters of an attempt: of base64url, the fewest that 128 bits need.
_SHORTEST_ATTEMPT: Final = 22
_LONGEST_ATTEMPT: Final = 100

log = structlog.get_logger("pidgr.identity")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a person calls with; the lifetime is in microseconds.

    ``organization_id`` and ``user_id`` are empty for a person without an organization;
    ``organizations`` are all (id, name) that could be chosen instead.
    """

    access_token: str
    lifetime: int
    refresh_token: str
    session_expires_at: int
    organization_id: str
    user_id: str
    organizations: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """What has been decided inside a transaction; tokens are signed after it."""

    subject: str
    method: str
    authenticated_at: int
    email: str
    membership: Membership | None
    choices: tuple[Membership, ...]
    refresh_token: str
    session_expires_at: int


class Sessions:
    """Opens, refreshes and ends sessions."""

    def __init__(
        self, database: Database, signer: TokenSigner, clock: Clock, master_key: MasterKey
    ) -> None:
        self._database = database
        self._attempts_key = master_key.derive("session-refresh-attempts")
        self._signer = signer
        self._clock = clock

    def open(
        self, transaction: Transaction, subject: str, method: str, organization_id: str
    ) -> Grant:
        """Start the session of a person who has just proved who they are.

        Args:
            transaction: the unit of work.
            subject: the person.
            method: how they proved it.
            organization_id: where they want to act; empty for the one they joined first.

        Raises:
            PermissionDeniedError: they may not act there.
        """
        now = self._clock.now()
        choices = _choices(transaction, subject, method, now)
        membership = _choose(choices, organization_id)
        return self._start(transaction, subject, method, now, membership, choices)

    def open_bound(
        self,
        transaction: Transaction,
        subject: str,
        method: str,
        authenticated_at: int,
        organization_key: int,
    ) -> Grant:
        """Start a session that never acts in another organization.

        Args:
            transaction: the unit of work.
            subject: the person.
            method: how they proved who they are to that organization.
            authenticated_at: when; 0 where nobody can tell.
            organization_key: of the organization.

        Raises:
            UnauthenticatedError: they are no member of it any more.
        """
        choices = _choices(transaction, subject, method, self._clock.now())
        membership = _present(choices, organization_key)
        return self._start(
            transaction, subject, method, authenticated_at, membership, (membership,)
        )

    def _start(
        self,
        transaction: Transaction,
        subject: str,
        method: str,
        authenticated_at: int,
        membership: Membership | None,
        choices: tuple[Membership, ...],
    ) -> Grant:
        now = self._clock.now()
        token = rotating_tokens.new_token(_PREFIX, rotating_tokens.new_handle())
        session_store.sweep(transaction, now)
        session_store.insert_session(
            transaction,
            handle=token.handle,
            digest=token.digest,
            subject=subject,
            method=method,
            authenticated_at=authenticated_at,
            organization_key=membership.organization_key if membership else None,
            now=now,
            expires_at=now + SESSION_LIFETIME,
        )
        return Grant(
            subject=subject,
            method=method,
            authenticated_at=authenticated_at,
            email=_email(transaction, subject, membership),
            membership=membership,
            choices=choices,
            refresh_token=token.text,
            session_expires_at=now + SESSION_LIFETIME,
        )

    async def tokens(self, grant: Grant) -> Tokens:
        """Sign the access token of a grant whose transaction has committed."""
        await self._signer.refresh_keys()
        membership = grant.membership
        organization_id = membership.organization_id if membership else ""
        access_token = self._signer.sign(
            subject=grant.subject,
            email=grant.email,
            organization_id=organization_id,
            lifetime=ACCESS_LIFETIME,
            method=grant.method,
            authenticated_at=grant.authenticated_at,
        )
        return Tokens(
            access_token=access_token,
            lifetime=ACCESS_LIFETIME,
            refresh_token=grant.refresh_token,
            session_expires_at=grant.session_expires_at,
            organization_id=organization_id,
            user_id=membership.member_id if membership else "",
            organizations=tuple(
                (one.organization_id, one.organization_name) for one in grant.choices
            ),
        )

    async def refresh(
        self, refresh_token: str, organization_id: str = "", attempt: str = ""
    ) -> Tokens:
        """Exchange a refresh token for new tokens, of another organization if one is named.

        Args:
            refresh_token: the newest of its session, or the one before it with the same attempt.
            organization_id: where the person wants to act.
            attempt: a secret of the client's own for this exchange; without one it is not repeated.

        Raises:
            InvalidArgumentError: the attempt is too short or too long.
            UnauthenticatedError: the token is unknown, expired, revoked or was used before, or the
                person is no longer a member where the session was.
            PermissionDeniedError: the person may not act in the named organization; the token
                stays good.
        """
        token = rotating_tokens.parse(_PREFIX, refresh_token)
        if token is None:
            raise _ended()
        following = self._following(token, attempt)
        grant = await self._database.write(
            lambda transaction: self._refresh(
                transaction, token, following, organization_id.lower()
            )
        )
        if grant is None:
            raise _ended()
        return await self.tokens(grant)

    def _following(self, token: RotatingToken, attempt: str) -> RotatingToken:
        if not attempt:
            return rotating_tokens.new_token(_PREFIX, token.handle)
        if not _SHORTEST_ATTEMPT <= len(attempt) <= _LONGEST_ATTEMPT:
            told = f"must have {_SHORTEST_ATTEMPT} to {_LONGEST_ATTEMPT} characters, at random"
            raise invalid_field("attempt", told)
        return rotating_tokens.following(_PREFIX, token, self._attempts_key, attempt)

    def _refresh(
        self,
        transaction: Transaction,
        token: RotatingToken,
        following: RotatingToken,
        organization_id: str,
    ) -> Grant | None:
        now = self._clock.now()
        session = session_store.lock_session(transaction, token.handle)
        if session is None or session.revoked_at is not None or session.expires_at <= now:
            return None
        # The latter: the same attempt again, and what it gave has not been used.
        if not token.matches(session.digest) and not following.matches(session.digest):
            session_store.revoke(transaction, session.key, now)
            kind, place = IncidentKind.SESSION_TOKEN_REUSED, session.organization_key
            incident_store.record(transaction, kind, session.subject, place, now)
            log.warning("a refresh token was used twice; its session ends", subject=session.subject)
            return None
        choices = _choices(transaction, session.subject, session.method, now)
        if session.method == SSO and session.organization_key is not None:
            choices = (_present(choices, session.organization_key),)
        if organization_id or session.organization_key is None:
            membership = _choose(choices, organization_id)
        else:
            membership = _present(choices, session.organization_key)
        organization_key = membership.organization_key if membership else None
        session_store.rotate(transaction, session.key, following.digest, organization_key, now)
        return Grant(
            subject=session.subject,
            method=session.method,
            authenticated_at=session.authenticated_at,
            email=_email(transaction, session.subject, membership),
            membership=membership,
            choices=choices,
            refresh_token=following.text,
            session_expires_at=session.expires_at,
        )

    async def sign_out(self, refresh_token: str, *, everywhere: bool = False) -> None:
        """End a session, or with it every other of the same person.

        An unknown token or one of an ended session is no error: there is nothing left to end.
        Access tokens that are out run on for at most ``ACCESS_LIFETIME``.
        """
        token = rotating_tokens.parse(_PREFIX, refresh_token)
        if token is None:
            return

        def work(transaction: Transaction) -> None:
            session = session_store.lock_session(transaction, token.handle)
            if session is None or session.revoked_at is not None:
                return
            now = self._clock.now()
            session_store.revoke(transaction, session.key, now)
            if everywhere and token.matches(session.digest):
                session_store.revoke_all(transaction, session.subject, now)

        await self._database.write(work)


def _choices(
    transaction: Transaction, subject: str, method: str, now: int
) -> tuple[Membership, ...]:
    joined = identity_store.memberships(transaction, subject, now)
    return tuple(one for one in joined if people.accepts(one, method))


def _choose(choices: Sequence[Membership], organization_id: str) -> Membership | None:
    """Return the named organization's membership, or the first; None for a person without any."""
    if not organization_id:
        return choices[0] if choices else None
    for membership in choices:
        if membership.organization_id == organization_id:
            return membership
    raise PermissionDeniedError(
        "you are not a member of the organization you chose, or it does not accept the way you "
        "signed in"
    )


def _present(choices: Sequence[Membership], organization_key: int) -> Membership:
    for membership in choices:
        if membership.organization_key == organization_key:
            return membership
    raise _ended()


def _email(transaction: Transaction, subject: str, membership: Membership | None) -> str:
    if membership is not None:
        return membership.email
    return identity_store.address_of_subject(transaction, subject)


def _ended() -> UnauthenticatedError:
    return UnauthenticatedError("the session has ended; sign in again")

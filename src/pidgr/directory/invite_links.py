"""Joining an organization by a link (SEMANTICS 10)."""

import hashlib
import secrets
from typing import Final

from pidgr.audit import trail
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory import invite_link_store, member_store
from pidgr.directory.invite_link_store import GoodInviteLink
from pidgr.directory.member_store import NewMember
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    NotFoundError,
    PermissionDeniedError,
)
from pidgr.identity import store as identity_store
from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError
from pidgr.validation import fold_address

PATH: Final = "/join"
"""Under which the server has the page that a link leads to."""

_TOKEN_BYTES: Final = 32


def new_token() -> str:
    """Return a token: 256 random bits as 43 characters of base64url."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def digest(token: str) -> bytes:
    """Return what a token is found by. A plain hash suffices: it cannot be guessed."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


class InviteLinks:
    """Lets people in who have a link."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def look(self, reader: Reader, token: str) -> GoodInviteLink:
        """Return the link of a token.

        Raises:
            NotFoundError: it lets nobody in, for whatever reason.
        """
        found = invite_link_store.good_link(reader, digest(token), self._clock.now())
        if found is None:
            raise _not_good()
        return found

    def open_to(self, transaction: Transaction, token: str, email: str) -> GoodInviteLink:
        """Let an address ask for a sign-in code, because it comes with a good link.

        The address gets an identity and nothing else: without a proof of it nobody signs in.

        Raises:
            NotFoundError: as above.
        """
        found = self.look(transaction, token)
        identity_store.ensure_identity(
            transaction, fold_address(email), secrets.token_hex(16), self._clock.now()
        )
        return found

    def redeem(self, transaction: Transaction, caller: Caller, token: str) -> str:
        """Make a signed-in person a member, and return the organization's name.

        Raises:
            NotFoundError: the link lets nobody in.
            FailedPreconditionError: the credential names no address.
            AlreadyExistsError: the person, or their address, is a member.
            PermissionDeniedError: their membership was ended.
        """
        now = self._clock.now()
        link = invite_link_store.hold_good_link(transaction, digest(token), now)
        if link is None:
            raise _not_good()
        if not caller.email:
            message = "your credential names no e-mail address; sign in with one to join"
            raise FailedPreconditionError(message)
        known = invite_link_store.standing(
            transaction, link.organization_key, caller.subject, fold_address(caller.email)
        )
        if known is None:
            self._join(transaction, caller, link, now)
        elif known.status == UserStatus.DEACTIVATED:
            message = "your membership was ended; ask an administrator of the organization"
            raise PermissionDeniedError(message)
        elif known.status == UserStatus.ACTIVE:
            raise _already(link)
        else:
            identity_store.activate_member(
                transaction,
                known.member_id,
                caller.subject,
                active=UserStatus.ACTIVE,
                deactivated=UserStatus.DEACTIVATED,
            )
        return link.organization_name

    def _join(
        self, transaction: Transaction, caller: Caller, link: GoodInviteLink, now: int
    ) -> None:
        new = NewMember(
            email=caller.email,
            name="",
            status=UserStatus.ACTIVE,
            role_key=link.role_key,
            data_governance_region=link.data_governance_region,
            subject=caller.subject,
        )
        try:
            member_store.insert_members(transaction, link.organization_key, [new], now)
        except UniqueViolationError as error:
            raise _already(link) from error
        invite_link_store.count_use(transaction, link.key)
        trail.record(
            transaction,
            trail.founder(caller, link.organization_key, new.id),
            AuditEventType.USER_INVITED,
            "user",
            new.id,
            now=now,
            role=link.role_slug,
            invite_link_id=link.id,
        )


def _not_good() -> NotFoundError:
    return NotFoundError("this invite link is not good, or not any more; ask for another one")


def _already(link: GoodInviteLink) -> AlreadyExistsError:
    return AlreadyExistsError(f"you are a member of {link.organization_name} already; sign in")

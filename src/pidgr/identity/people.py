"""Who may sign in, by what method, and where that leads."""

import secrets
from collections.abc import Sequence

from pidgr.contract.v1.user_pb import UserStatus
from pidgr.identity import identity_store, store
from pidgr.identity.identity_store import Membership
from pidgr.identity.passkeys import passkey_store
from pidgr.identity.sign_in_method import OTP, PASSKEY, SSO
from pidgr.identity.sso import domains
from pidgr.storage.transaction import Reader, Transaction


def accepts(membership: Membership, method: str) -> bool:
    """Tell whether a member may act after a sign-in by this method."""
    return membership.status == UserStatus.ACTIVE and not refuses(membership, method)


def welcome(reader: Reader, email_folded: str, method: str, now: int) -> list[Membership] | None:
    """Return the memberships a sign-in with an address opens, invitations included.

    The list is empty for a person who belongs to no organization (any more, or yet), and for one
    who has yet to make the passkey that their organizations want. None: nobody may sign in with
    this address and by this method.
    """
    members = identity_store.memberships_of_address(reader, email_folded, now)
    subject = identity_store.subject_of_address(reader, email_folded)
    opened = [
        member
        for member in members
        if member.status != UserStatus.DEACTIVATED
        and not refuses(member, method)
        and member.subject in {None, subject}
    ]
    if opened or (subject is not None and not members):
        return opened
    ours = [member for member in members if member.subject in {None, subject}]
    if method == OTP and _lacks_first_passkey(reader, subject, ours):
        return []
    return None


def admit(
    transaction: Transaction, email_folded: str, invited: Sequence[Membership], now: int
) -> str:
    """Tie memberships to the person who has proved the address, accept their invitations.

    Returns:
        The person's subject.
    """
    subject = store.ensure_identity(transaction, email_folded, secrets.token_hex(16), now)
    joined = {
        membership.organization_key
        for membership in identity_store.memberships(transaction, subject, now)
    }
    for membership in invited:
        # One person is one member of an organization, whatever their addresses there.
        if membership.subject is None and membership.organization_key in joined:
            continue
        if membership.subject is None or membership.status == UserStatus.INVITED:
            store.activate_member(
                transaction,
                membership.member_id,
                subject,
                active=UserStatus.ACTIVE,
                deactivated=UserStatus.DEACTIVATED,
            )
    return subject


def readmit(transaction: Transaction, subject: str, method: str, now: int) -> bool:
    """Accept the invitations of a person who has proved who they are; False: they may not enter.

    They have proved their address once, or there would be nobody to recognise.
    """
    address = identity_store.address_of_subject(transaction, subject)
    opened = welcome(transaction, address, method, now)
    if opened is None:
        joined = identity_store.memberships(transaction, subject, now)
        return any(accepts(one, method) for one in joined)
    admit(transaction, address, opened, now)
    return True


def code_suffices_for_passkeys(reader: Reader, subject: str, now: int) -> bool:
    """Tell whether a sign-in by code is enough to make a passkey, or to take one away.

    A passkey opens what a code does not. So where an organization of the person refuses codes, a
    code suffices for the first passkey and for no other: who reads somebody's mail does not get
    past what they have proved once.
    """
    ours = _ours(reader, subject, now)
    return not _closed_to_codes(ours) or _lacks_first_passkey(reader, subject, ours)


def needs_first_passkey(reader: Reader, subject: str, now: int) -> bool:
    """Tell whether a sign-in by code leads nowhere until the person has made their passkey."""
    ours = _ours(reader, subject, now)
    return not any(accepts(one, OTP) for one in ours) and _lacks_first_passkey(
        reader, subject, ours
    )


def _ours(reader: Reader, subject: str, now: int) -> list[Membership]:
    """Return the memberships of a person, invitations to their address included."""
    address = identity_store.address_of_subject(reader, subject)
    invited = identity_store.memberships_of_address(reader, address, now)
    return [
        *identity_store.memberships(reader, subject, now),
        *(member for member in invited if member.subject is None),
    ]


def _lacks_first_passkey(reader: Reader, subject: str | None, ours: Sequence[Membership]) -> bool:
    """Tell whether somebody needs a passkey, has none, and no provider has vouched for them."""
    closed = _closed_to_codes(ours)
    if not closed or any(needs_sso(member.email, member.sso_domain) for member in closed):
        return False
    return subject is None or not passkey_store.count(reader, subject)


def _closed_to_codes(ours: Sequence[Membership]) -> list[Membership]:
    """Return the memberships that a passkey opens and a code does not."""
    return [
        member
        for member in ours
        if member.status != UserStatus.DEACTIVATED
        and refuses(member, OTP)
        and not refuses(member, PASSKEY)
    ]


def refuses(membership: Membership | store.Membership, method: str) -> bool:
    """Tell whether an organization keeps a member out who has signed in by this method."""
    by_provider = needs_sso(membership.email, membership.sso_domain)
    if method == SSO:
        # Nobody speaks any more for who came by a provider that is gone.
        return not by_provider
    if method == OTP and membership.otp_disabled:
        return True
    return by_provider and not (
        # Who can mend a broken provider can get in without it.
        method == PASSKEY and membership.is_super_admin
    )


def needs_sso(email: str, sso_domain: str | None) -> bool:
    """Tell whether a member signs in by the organization's provider and by nothing else."""
    return sso_domain is not None and domains.of_address(email) == sso_domain

"""That a member has made a passkey, told to their organizations once for each."""

from pidgr.audit import trail
from pidgr.audit.trail import Actor, ActorKind
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.directory import person_store
from pidgr.identity import identity_store, people
from pidgr.identity.caller import Caller
from pidgr.identity.passkeys import passkey_store
from pidgr.identity.sign_in_method import PASSKEY
from pidgr.storage.transaction import Transaction


def note(
    transaction: Transaction, by: Caller | Actor, member_id: str, newest: int, now: int
) -> None:
    """Put into the trail that a member has made a passkey.

    Args:
        transaction: the unit of work.
        by: the member, which says the organization too.
        member_id: of the member.
        newest: when the newest of their keys was made; noted already if it was before the last
            notice.
        now: the present moment, in microseconds.
    """
    if person_store.note_passkey(transaction, by.organization_key, member_id, newest, now):
        event = AuditEventType.PASSKEY_ENROLLED
        trail.record(transaction, by, event, "user", member_id, now=now)


def note_everywhere(transaction: Transaction, subject: str, now: int) -> None:
    """Do so in each organization that the passkey opens, however the person has signed in."""
    newest = passkey_store.newest(transaction, subject)
    if newest is None:
        return
    for membership in identity_store.memberships(transaction, subject, now):
        if people.accepts(membership, PASSKEY):
            member = Actor(membership.organization_key, ActorKind.USER, membership.member_id)
            note(transaction, member, membership.member_id, newest, now)

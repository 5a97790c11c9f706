"""Changes of what a member is in the organization: role and status (SEMANTICS 2.8 and 3.3)."""

from pidgr.audit import trail
from pidgr.campaigns import erasure_store
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory import member_store, organization_store, standing_store
from pidgr.directory.collective_store import GROUPS, TEAMS
from pidgr.directory.granting import require_role, role_to_grant
from pidgr.directory.member_store import StoredMember, existing_member
from pidgr.errors import FailedPreconditionError
from pidgr.identity.caller import Caller
from pidgr.identity.permissions import SUPER_ADMIN
from pidgr.storage.transaction import Transaction


def change_role(
    transaction: Transaction, caller: Caller, member_id: str, role_id: str, now: int
) -> StoredMember:
    """Give a member another role.

    Raises:
        InvalidArgumentError: the role's id is not a UUID.
        NotFoundError: no such member or role.
        PermissionDeniedError: the role allows something that the caller may not do.
        FailedPreconditionError: it would be taken from the last super admin.
    """
    organization_key = caller.organization_key
    organization_store.lock_organization(transaction, organization_key)
    member = existing_member(transaction, organization_key, member_id)
    role = role_to_grant(transaction, caller, role_id)
    if role.key != member.role_key:
        _keep_a_super_admin(transaction, organization_key, member)
        standing_store.set_role(transaction, organization_key, member.key, role.key)
        trail.record(
            transaction,
            caller,
            AuditEventType.ROLE_CHANGED,
            "user",
            member_id,
            now=now,
            from_role=member.role_slug,
            to_role=role.slug,
        )
    return existing_member(transaction, organization_key, member_id)


def deactivate(
    transaction: Transaction,
    caller: Caller,
    member_id: str,
    now: int,
    told_as: AuditEventType = AuditEventType.USER_DEACTIVATED,
) -> StoredMember:
    """Shut a member out: signed out at once, nothing is pushed to them any more.

    Raises:
        NotFoundError: no such member.
        FailedPreconditionError: it is the caller, or the last super admin.
    """
    organization_key = caller.organization_key
    organization_store.lock_organization(transaction, organization_key)
    member = existing_member(transaction, organization_key, member_id)
    if member.status == UserStatus.DEACTIVATED:
        return member
    if caller.person is not None and caller.person.id == member_id:
        raise FailedPreconditionError("you cannot deactivate yourself; ask another administrator")
    _keep_a_super_admin(transaction, organization_key, member)
    standing_store.lock_member(transaction, organization_key, member.key)
    standing_store.set_status(transaction, organization_key, member.key, UserStatus.DEACTIVATED)
    standing_store.end_sessions(transaction, organization_key, member.key, now)
    standing_store.silence_devices(transaction, organization_key, member.key)
    trail.record(transaction, caller, told_as, "user", member_id, now=now)
    return existing_member(transaction, organization_key, member_id)


def reactivate(transaction: Transaction, caller: Caller, member_id: str, now: int) -> StoredMember:
    """Invite a deactivated member again. Whoever signs in must prove the address anew.

    Raises:
        NotFoundError: no such member.
        PermissionDeniedError: their role allows something that the caller may not do.
        FailedPreconditionError: the member is not deactivated.
    """
    organization_key = caller.organization_key
    organization_store.lock_organization(transaction, organization_key)
    member = existing_member(transaction, organization_key, member_id)
    if member.status != UserStatus.DEACTIVATED:
        raise FailedPreconditionError("only a deactivated member can be reactivated")
    require_role(caller, member.role_slug, member.role_permissions)
    standing_store.invite_again(transaction, organization_key, member.key)
    trail.record(transaction, caller, AuditEventType.USER_REACTIVATED, "user", member_id, now=now)
    return existing_member(transaction, organization_key, member_id)


def revoke_invitation(transaction: Transaction, caller: Caller, member_id: str, now: int) -> None:
    """Delete an invited member with what is stored about them.

    Raises:
        NotFoundError: no such member.
        FailedPreconditionError: the member has signed in, or has been deactivated.
    """
    organization_key = caller.organization_key
    organization_store.lock_organization(transaction, organization_key)
    key = member_store.member_key(transaction, organization_key, member_id)
    if key is not None:
        standing_store.lock_member(transaction, organization_key, key)
    member = existing_member(transaction, organization_key, member_id)
    if member.status != UserStatus.INVITED:
        message = "the invitation has been taken up or withdrawn; deactivate the member instead"
        raise FailedPreconditionError(message)
    for store in (GROUPS, TEAMS):
        store.forget_member(transaction, organization_key, member.key)
    erasure_store.forget_member(transaction, organization_key, member.key)
    standing_store.delete_member(transaction, organization_key, member.key, member_id)
    trail.record(transaction, caller, AuditEventType.INVITE_REVOKED, "user", member_id, now=now)


def _keep_a_super_admin(
    transaction: Transaction, organization_key: int, member: StoredMember
) -> None:
    """Refuse to lose the last super admin. The organization must be locked.

    One who has not signed in yet does not count: the invitation may never be taken up.
    """
    if member.role_slug != SUPER_ADMIN:
        return
    if not standing_store.has_other_super_admin(transaction, organization_key, member.key):
        message = "this is the last super admin who can sign in; make somebody else one first"
        raise FailedPreconditionError(message)

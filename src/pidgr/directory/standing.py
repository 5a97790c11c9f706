"""Changes of what a member is in the organization: role and status (SEMANTICS 2.8 and 3.3)."""

from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory import organization_store, standing_store
from pidgr.directory.granting import role_to_grant
from pidgr.directory.member_store import StoredMember, existing_member
from pidgr.errors import FailedPreconditionError
from pidgr.identity.caller import Caller
from pidgr.identity.permissions import SUPER_ADMIN
from pidgr.storage.transaction import Transaction


def change_role(
    transaction: Transaction, caller: Caller, member_id: str, role_id: str
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
    return existing_member(transaction, organization_key, member_id)


def _keep_a_super_admin(
    transaction: Transaction, organization_key: int, member: StoredMember
) -> None:
    """Refuse to lose the last super admin. The organization must be locked.

    One who has not signed in yet does not count: the invitation may never be taken up.
    """
    if member.role_slug != SUPER_ADMIN or member.status == UserStatus.DEACTIVATED:
        return
    if not standing_store.has_other_super_admin(transaction, organization_key, member.key):
        message = "this is the last super admin who can sign in; make somebody else one first"
        raise FailedPreconditionError(message)

"""Nobody can hand out more than they have (SEMANTICS 2.8, 2.12)."""

from pidgr.contract.v1.common_pb import Permission
from pidgr.directory import role_store
from pidgr.directory.role_store import StoredRole
from pidgr.errors import NotFoundError, PermissionDeniedError
from pidgr.identity import permissions
from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Transaction
from pidgr.validation import require_uuid


def require_all(caller: Caller, granted: frozenset[Permission]) -> None:
    """Demand that the caller holds every permission that they are about to give.

    Raises:
        PermissionDeniedError: naming those that are lacking.
    """
    lacking = granted - caller.permissions
    if lacking:
        names = ", ".join(permission.name for permission in sorted(lacking))
        raise PermissionDeniedError(f"you cannot give what you may not do yourself: {names}")


def role_to_grant(transaction: Transaction, caller: Caller, role_id: str) -> StoredRole:
    """Return a role that the caller may give; it stays until the end of the transaction.

    Raises:
        InvalidArgumentError: the id is not a UUID.
        NotFoundError: no such role.
        PermissionDeniedError: it allows something that the caller may not do.
    """
    role_id = require_uuid("role_id", role_id)
    role = role_store.hold_role(transaction, caller.organization_key, role_id)
    if role is None:
        raise NotFoundError(f"no role has the id {role_id}")
    require_all(caller, permissions.from_names(role.permissions))
    return role


def require_role(caller: Caller, role_slug: str, role_permissions: str) -> None:
    """Demand that the caller could give a role to somebody who gets it by what they do now.

    Raises:
        PermissionDeniedError: it allows something that the caller may not do, and is not the role
            that everybody who invites may give.
    """
    if role_slug != permissions.EMPLOYEE:
        require_all(caller, permissions.from_names(role_permissions))


def invitation_role(transaction: Transaction, caller: Caller, role_id: str) -> StoredRole:
    """Return the role to invite somebody with: the employee role if none is named.

    Raises: as ``role_to_grant``, which the employee role is not held against.
    """
    if role_id:
        return role_to_grant(transaction, caller, role_id)
    return role_store.roles_by_slug(transaction, caller.organization_key)[permissions.EMPLOYEE]


def could_invite_with(caller: Caller, role_slug: str, role_permissions: str) -> bool:
    """Tell whether the caller, who may invite, may do so with a role, as ``invitation_role``."""
    granted = permissions.from_names(role_permissions)
    return role_slug == permissions.EMPLOYEE or granted <= caller.permissions

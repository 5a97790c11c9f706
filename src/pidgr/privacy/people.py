"""Whom a privacy request is about. Clients name people by id or by address (SEMANTICS 9)."""

from pidgr.contract.v1.common_pb import Permission
from pidgr.directory import member_store
from pidgr.directory.member_store import StoredMember
from pidgr.errors import NotFoundError, Violations
from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Reader
from pidgr.validation import check_email, fold_address, require_uuid


def concerned(reader: Reader, caller: Caller, user_id: str, permission: Permission) -> StoredMember:
    """Return whom a request is about, having demanded the permission unless it is the caller.

    Args:
        reader: the unit of work.
        caller: who asks.
        user_id: as sent: a UUID, an address, or empty for the caller.
        permission: what is needed to ask about somebody else.

    Raises:
        InvalidArgumentError: neither a UUID nor an address.
        PermissionDeniedError: somebody else, or nobody from an API key, without the permission.
        NotFoundError: no such person in the organization.
    """
    member = find(reader, caller, user_id, permission)
    if member is None:
        raise NotFoundError(f"no user has the id {user_id}")
    return member


def find(
    reader: Reader, caller: Caller, user_id: str, permission: Permission
) -> StoredMember | None:
    """Do the same; None when there is no such person."""
    organization_key = caller.organization_key
    if not user_id:
        return member_store.member(reader, organization_key, caller.member().id)
    if "@" in user_id:
        violations = Violations()
        check_email(violations, "user_id", user_id)
        violations.raise_if_any()
        found = member_store.member_of_address(reader, organization_key, fold_address(user_id))
    else:
        found = member_store.member(reader, organization_key, require_uuid("user_id", user_id))
    if caller.person is None or found is None or found.id != caller.person.id:
        caller.require(permission)
    return found

"""RoleService: what members may do (SEMANTICS 2.12, 6.6 and 6.7)."""

import re
import uuid
from collections.abc import Sequence
from typing import Final

from pidgr.audit import trail
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission, Role
from pidgr.contract.v1.organization_pb import OrgType
from pidgr.contract.v1.role_pb import (
    CreateRoleRequest,
    CreateRoleResponse,
    DeleteRoleRequest,
    DeleteRoleResponse,
    ListRolesRequest,
    ListRolesResponse,
    UpdateRoleRequest,
    UpdateRoleResponse,
)
from pidgr.directory import invite_link_store, organization_store, role_store
from pidgr.directory.granting import require_all
from pidgr.directory.messages import role_message
from pidgr.directory.role_store import StoredRole
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    NotFoundError,
    Violations,
)
from pidgr.identity import permissions
from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError
from pidgr.validation import NAME_LENGTH, check_enum, check_text, fold, require_uuid

# "_" counts as a word character in regular expressions and not in a slug.
_NOT_ALPHANUMERIC: Final = re.compile(r"[\W_]+")


def slug_of(name: str) -> str:
    """Return the slug of a role's name, for example ``regional_lead`` for "Regional  lead".

    Lower case, runs of anything but letters and digits as one underscore, none at the ends
    (SEMANTICS section 11, decision 21). Letters of every script count.
    """
    return _NOT_ALPHANUMERIC.sub("_", fold(name)).strip("_")


class RoleService:
    """Keeps the organization's roles."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def list_roles(
        self, request: ListRolesRequest, caller: Caller, unit: Reader
    ) -> ListRolesResponse:
        """Return every role by name."""
        del request
        roles = role_store.roles_by_slug(unit, caller.organization_key).values()
        by_name = sorted(roles, key=lambda role: (fold(role.name), role.key))
        return ListRolesResponse(roles=[role_message(role) for role in by_name])

    def create_role(
        self, request: CreateRoleRequest, caller: Caller, unit: Transaction
    ) -> CreateRoleResponse:
        """Make a role.

        Raises:
            InvalidArgumentError: a malformed name, or a permission nobody can be given here.
            PermissionDeniedError: a permission that the caller lacks.
            AlreadyExistsError: the slug of the name is taken.
        """
        organization_key = caller.organization_key
        slug = slug_of(request.name)
        violations = Violations()
        check_text(violations, "name", request.name, NAME_LENGTH, required=True)
        if request.name.strip() and not slug:
            violations.add("name", "must have a letter or a digit")
        granted = _granted(unit, caller, request.permissions, violations)
        role_id = str(uuid.uuid4())
        try:
            role_store.insert_role(
                unit,
                organization_key,
                role_id=role_id,
                slug=slug,
                name=request.name,
                is_default=False,
                is_system=False,
                permissions=permissions.to_names(granted),
                now=self._clock.now(),
            )
        except UniqueViolationError as error:
            message = f"a role with the slug {slug!r} exists already; choose another name"
            raise AlreadyExistsError(message) from error
        self._record(unit, caller, AuditEventType.ROLE_CREATED, role_id, request.name, granted)
        return CreateRoleResponse(role=_stored(unit, organization_key, role_id))

    def update_role(
        self, request: UpdateRoleRequest, caller: Caller, unit: Transaction
    ) -> UpdateRoleResponse:
        """Rename a role or replace its permissions; what is empty stays. The slug always stays.

        Raises:
            InvalidArgumentError: a malformed field, or a permission nobody can be given here.
            NotFoundError: no such role.
            FailedPreconditionError: it is a system role.
            PermissionDeniedError: a permission that the caller lacks.
        """
        role_id = require_uuid("role_id", request.role_id)
        violations = Violations()
        if request.name:
            check_text(violations, "name", request.name, NAME_LENGTH, required=True)
        granted = _granted(unit, caller, request.permissions, violations)
        role = _locked(unit, caller, role_id, "changed")
        name = request.name or role.name
        allowed = permissions.to_names(granted) or role.permissions
        if (name, allowed) != (role.name, role.permissions):
            role_store.update_role(
                unit, caller.organization_key, role.key, name=name, permissions=allowed
            )
            held = permissions.from_names(allowed)
            self._record(unit, caller, AuditEventType.ROLE_UPDATED, role_id, name, held)
        return UpdateRoleResponse(role=_stored(unit, caller.organization_key, role_id))

    def delete_role(
        self, request: DeleteRoleRequest, caller: Caller, unit: Transaction
    ) -> DeleteRoleResponse:
        """Delete a role that nobody holds.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            NotFoundError: no such role.
            FailedPreconditionError: a system role, the role that invitations give, or one that a
                member has or an invite link gives.
        """
        role_id = require_uuid("role_id", request.role_id)
        role = _locked(unit, caller, role_id, "deleted")
        if role.slug == permissions.EMPLOYEE:
            message = f"the role {role.name} is what invitations give; it cannot be deleted"
            raise FailedPreconditionError(message)
        if role_store.is_held(unit, caller.organization_key, role.key):
            message = f"members have the role {role.name}; give them another one first"
            raise FailedPreconditionError(message)
        if invite_link_store.gives_role(unit, caller.organization_key, role.key, self._clock.now()):
            message = f"an invite link gives the role {role.name}; revoke the link first"
            raise FailedPreconditionError(message)
        role_store.delete_role(unit, caller.organization_key, role.key)
        held = permissions.from_names(role.permissions)
        self._record(unit, caller, AuditEventType.ROLE_DELETED, role_id, role.name, held)
        return DeleteRoleResponse()

    def _record(
        self,
        unit: Transaction,
        caller: Caller,
        event_type: AuditEventType,
        role_id: str,
        name: str,
        granted: frozenset[Permission],
    ) -> None:
        trail.record(
            unit,
            caller,
            event_type,
            "role",
            role_id,
            now=self._clock.now(),
            name=name,
            permissions=sorted(permission.name for permission in granted),
        )


def _granted(
    reader: Reader, caller: Caller, listed: Sequence[Permission], violations: Violations
) -> frozenset[Permission]:
    """Return the permissions of a request, once nothing in it is malformed or beyond the caller."""
    for index, permission in enumerate(listed):
        check_enum(violations, f"permissions[{index}]", permission, required=True)
    granted = frozenset(listed)
    if granted & permissions.PLATFORM:
        organization = organization_store.organization(reader, caller.organization_key)
        if organization.org_type != OrgType.STAFF:
            message = "PLATFORM permissions are for the staff of a hosted service"
            violations.add("permissions", message)
    violations.raise_if_any()
    require_all(caller, granted)
    return granted


def _locked(transaction: Transaction, caller: Caller, role_id: str, verb: str) -> StoredRole:
    role = role_store.lock_role(transaction, caller.organization_key, role_id)
    if role is None:
        raise NotFoundError(f"no role has the id {role_id}")
    if role.is_system:
        message = f"the role {role.name} belongs to the system and cannot be {verb}"
        raise FailedPreconditionError(message)
    return role


def _stored(reader: Reader, organization_key: int, role_id: str) -> Role:
    role = role_store.role(reader, organization_key, role_id)
    if role is None:
        raise LookupError(role_id)
    return role_message(role)

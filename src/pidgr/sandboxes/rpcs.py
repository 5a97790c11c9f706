"""OrganizationService's sandboxes: organizations that go away by themselves (SEMANTICS 2.9)."""

from typing import Final

from pidgr.audit import trail
from pidgr.clock import DAY, Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.organization_pb import (
    CreateSandboxOrganizationRequest,
    CreateSandboxOrganizationResponse,
    DeleteSandboxOrganizationRequest,
    DeleteSandboxOrganizationResponse,
    ListSandboxFixturesRequest,
    ListSandboxFixturesResponse,
    ListUserSandboxesRequest,
    ListUserSandboxesResponse,
    OrgType,
)
from pidgr.directory import founding, organization_store
from pidgr.directory.founding import Founding, NewOrganization
from pidgr.directory.member_store import existing_member
from pidgr.directory.messages import organization_message, user_message
from pidgr.errors import (
    FailedPreconditionError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
    Violations,
    invalid_field,
)
from pidgr.identity.caller import Caller
from pidgr.identity.permissions import SUPER_ADMIN
from pidgr.sandboxes import fixtures, store
from pidgr.sandboxes.deletion import SandboxDeletion
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import require_moment, require_uuid

MOST_LIVE: Final = 3
LONGEST_LIFE: Final = 30 * DAY


class SandboxRpcs:
    """The four RPCs of OrganizationService that concern sandboxes."""

    def __init__(self, clock: Clock, deletion: SandboxDeletion) -> None:
        self._clock = clock
        self._deletion = deletion

    def create_sandbox_organization(
        self, request: CreateSandboxOrganizationRequest, caller: Caller, unit: Transaction
    ) -> CreateSandboxOrganizationResponse:
        """Make a sandbox with the caller as its super admin, filled with sample data.

        Raises:
            InvalidArgumentError: a malformed field, or an expiry that is missing, past or too late.
            NotFoundError: no such fixture.
            AlreadyExistsError: the name is taken.
            ResourceExhaustedError: the caller has three live sandboxes.
            UnauthenticatedError: the caller's token names no address.
        """
        email = require_address(caller)
        now = self._clock.now()
        expires_at = _expiry(request, now)
        fixture = fixtures.find(request.fixture_id or fixtures.DEFAULT)
        subject = founding.founder(unit, email, caller.subject, now)
        store.lock_person(unit, subject)
        if store.count_live(unit, subject, now) >= MOST_LIVE:
            message = f"you have {MOST_LIVE} live sandboxes; delete one, or wait until one expires"
            raise ResourceExhaustedError(message)
        founded = founding.create_organization(
            unit,
            NewOrganization(
                name=request.name,
                industry=fixture.industry,
                company_size=fixture.company_size,
                data_governance_region=request.data_governance_region,
                org_type=OrgType.SANDBOX,
                expires_at=expires_at,
            ),
            admin_email=email,
            now=now,
            subject=subject,
        )
        fixtures.fill(unit, founded, fixture, now)
        trail.record(
            unit,
            _home(caller, founded.organization_key, founded.admin_id),
            AuditEventType.SANDBOX_CREATED,
            "organization",
            founded.organization_id,
            now=now,
            fixture=fixture.id,
        )
        self._deletion.schedule(
            unit,
            founded.organization_key,
            founded.organization_id,
            home_key=0 if caller.organization is None else caller.organization.key,
            delay=expires_at - now,
        )
        return _created(unit, founded)

    def delete_sandbox_organization(
        self, request: DeleteSandboxOrganizationRequest, caller: Caller, unit: Transaction
    ) -> DeleteSandboxOrganizationResponse:
        """Shut a sandbox at once and delete it in the background.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            NotFoundError: no such organization that the caller made or belongs to.
            PermissionDeniedError: the caller did not make it and is no super admin of it.
            FailedPreconditionError: it is not a sandbox.
        """
        organization_id = require_uuid("org_id", request.org_id)
        found = store.find(unit, organization_id, caller.subject, self._clock.now())
        if found is None:
            raise NotFoundError(f"no sandbox has the id {organization_id}")
        if not found.is_creator and found.role_slug != SUPER_ADMIN:
            message = "only who made a sandbox and its super admins can delete it"
            raise PermissionDeniedError(message)
        if found.org_type != OrgType.SANDBOX:
            raise FailedPreconditionError("this is a standard organization, not a sandbox")
        by = _home(caller, found.key, found.member_id)
        trail.record(
            unit, by, AuditEventType.ORG_DELETED, "organization", found.id, now=self._clock.now()
        )
        key = self._deletion.hasten(unit, found.key, found.id)
        return DeleteSandboxOrganizationResponse(workflow_id=key)

    def list_sandbox_fixtures(
        self, request: ListSandboxFixturesRequest, caller: Caller, unit: Reader
    ) -> ListSandboxFixturesResponse:
        """Return the sample data on offer, by name."""
        del request, caller, unit
        return ListSandboxFixturesResponse(fixtures=fixtures.catalogue())

    def list_user_sandboxes(
        self, request: ListUserSandboxesRequest, caller: Caller, unit: Reader
    ) -> ListUserSandboxesResponse:
        """Return the sandboxes that the caller made, the next to expire first."""
        del request
        found = organization_store.sandboxes_of(unit, caller.subject, self._clock.now())
        return ListUserSandboxesResponse(
            sandboxes=[organization_message(stored) for stored in found]
        )


def _home(caller: Caller, sandbox_key: int, member_id: str) -> Caller | trail.Actor:
    """Return the caller as an actor in the organization whose trail is told of a sandbox.

    It is the one they act in, because a sandbox's own trail goes with it; only for who acts in none
    it is the sandbox.
    """
    if caller.organization is not None:
        return caller
    return trail.founder(caller, sandbox_key, member_id)


def require_address(caller: Caller) -> str:
    """Return the address of somebody who founds an organization.

    Raises:
        UnauthenticatedError: their token names none.
    """
    if not caller.email:
        raise UnauthenticatedError("the access token names no e-mail address; sign in again")
    return caller.email


def _expiry(request: CreateSandboxOrganizationRequest, now: int) -> int:
    if request.expires_at is None:
        raise invalid_field("expires_at", "must be given")
    expires_at = require_moment("expires_at", request.expires_at)
    violations = Violations()
    if not now < expires_at <= now + LONGEST_LIFE:
        days = LONGEST_LIFE // DAY
        violations.add("expires_at", f"must be in the future and at most {days} days ahead")
    violations.raise_if_any()
    return expires_at


def _created(unit: Transaction, founded: Founding) -> CreateSandboxOrganizationResponse:
    return CreateSandboxOrganizationResponse(
        organization=organization_message(
            organization_store.organization(unit, founded.organization_key)
        ),
        admin_user=user_message(existing_member(unit, founded.organization_key, founded.admin_id)),
    )

"""OrganizationService: founding and reading organizations (SEMANTICS 2.9)."""

from typing import Final

from pidgr.clock import Clock
from pidgr.contract.v1.organization_pb import (
    CreateOrganizationRequest,
    CreateOrganizationResponse,
    GetOrganizationRequest,
    GetOrganizationResponse,
)
from pidgr.directory import founding, member_store, organization_store
from pidgr.directory.founding import NewOrganization
from pidgr.directory.messages import organization_message, user_message
from pidgr.errors import NotFoundError, UnauthenticatedError
from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Reader, Transaction

# The only set of sample data so far is none at all.
_FIXTURES: Final = ("", "empty")


class OrganizationService:
    """Founds organizations and shows callers their own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def create_organization(
        self, request: CreateOrganizationRequest, caller: Caller, unit: Transaction
    ) -> CreateOrganizationResponse:
        """Make an organization with the caller as its super admin.

        The caller is a signed-in person, with or without an organization; ``access_code`` is for
        hosted services and ignored.

        Raises:
            InvalidArgumentError: a malformed field.
            AlreadyExistsError: the name is taken.
            NotFoundError: sample data that this server does not have.
            UnauthenticatedError: the caller's token names no address.
        """
        if not caller.email:
            raise UnauthenticatedError("the access token names no e-mail address; sign in again")
        if request.fixture_id not in _FIXTURES:
            message = f"no fixture has the id {request.fixture_id[:50]!r}; leave it empty for none"
            raise NotFoundError(message)
        founded = founding.create_organization(
            unit,
            NewOrganization(
                name=request.name,
                industry=request.industry,
                company_size=request.company_size,
                data_governance_region=request.data_governance_region,
            ),
            admin_email=caller.email,
            now=self._clock.now(),
            subject=caller.subject,
        )
        admin = member_store.member(unit, founded.organization_key, founded.admin_id)
        if admin is None:
            raise LookupError(founded.admin_id)
        stored = organization_store.organization(unit, founded.organization_key)
        return CreateOrganizationResponse(
            organization=organization_message(stored), admin_user=user_message(admin)
        )

    def get_organization(
        self, request: GetOrganizationRequest, caller: Caller, unit: Reader
    ) -> GetOrganizationResponse:
        """Return the caller's organization."""
        del request
        stored = organization_store.organization(unit, caller.organization_key)
        return GetOrganizationResponse(organization=organization_message(stored))

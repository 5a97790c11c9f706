"""OrganizationService: founding organizations and their settings (SEMANTICS 2.9)."""

from typing import Final

from pidgr.audit import trail
from pidgr.audit.trail import Event, Fact
from pidgr.campaigns import webhook_rules
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.organization_pb import (
    CreateOrganizationRequest,
    CreateOrganizationResponse,
    GetOrganizationRequest,
    GetOrganizationResponse,
    GetOrgPrivacySettingsRequest,
    GetOrgPrivacySettingsResponse,
    ListUserOrganizationsRequest,
    ListUserOrganizationsResponse,
    Organization,
    RotateAnalyticsSaltRequest,
    RotateAnalyticsSaltResponse,
    UpdateAnalyticsEpsilonRequest,
    UpdateAnalyticsEpsilonResponse,
    UpdateOrganizationRequest,
    UpdateOrganizationResponse,
    UpdateOrgPrivacySettingsRequest,
    UpdateOrgPrivacySettingsResponse,
    UpdateSsoAttributeMappingsRequest,
    UpdateSsoAttributeMappingsResponse,
)
from pidgr.directory import founding, member_store, organization_store, privacy
from pidgr.directory.founding import NewOrganization
from pidgr.directory.messages import organization_message, user_message
from pidgr.directory.organization_change import change_organization, check, replace_mappings
from pidgr.directory.sso_mappings import check_mappings
from pidgr.errors import Violations
from pidgr.identity.caller import Caller
from pidgr.outreach.address_guard import AddressGuard
from pidgr.sandboxes import fixtures
from pidgr.sandboxes.deletion import SandboxDeletion
from pidgr.sandboxes.rpcs import SandboxRpcs, require_address
from pidgr.storage.transaction import Reader, Transaction

_TOGGLES: Final = (
    "ai_clustering_enabled",
    "behavioral_analytics_enabled",
    "third_party_channels_enabled",
)


class OrganizationService(SandboxRpcs):
    """Founds organizations, and shows callers their own and changes it."""

    def __init__(
        self, clock: Clock, deletion: SandboxDeletion, address_guard: AddressGuard
    ) -> None:
        super().__init__(clock, deletion)
        self._address_guard = address_guard

    def create_organization(
        self, request: CreateOrganizationRequest, caller: Caller, unit: Transaction
    ) -> CreateOrganizationResponse:
        """Make an organization with the caller as its super admin.

        The caller is a signed-in person, with or without an organization; ``access_code`` is for
        hosted services and ignored. An organization begins empty unless sample data is asked for
        by name: made-up people have no place among real ones (docs/decisions/0010-sandboxes.md).

        Raises:
            InvalidArgumentError: a malformed field.
            AlreadyExistsError: the name is taken.
            NotFoundError: sample data that this server does not have.
            UnauthenticatedError: the caller's token names no address.
        """
        email = require_address(caller)
        fixture = fixtures.find(request.fixture_id or fixtures.EMPTY)
        now = self._clock.now()
        founded = founding.create_organization(
            unit,
            NewOrganization(
                name=request.name,
                industry=request.industry,
                company_size=request.company_size,
                data_governance_region=request.data_governance_region,
            ),
            admin_email=email,
            now=now,
            subject=caller.subject,
        )
        fixtures.fill(unit, founded, fixture, now)
        admin = member_store.member(unit, founded.organization_key, founded.admin_id)
        if admin is None:
            raise LookupError(founded.admin_id)
        trail.record(
            unit,
            trail.founder(caller, founded.organization_key, founded.admin_id),
            AuditEventType.ORG_CREATED,
            "organization",
            founded.organization_id,
            now=now,
        )
        stored = organization_store.organization(unit, founded.organization_key)
        return CreateOrganizationResponse(
            organization=organization_message(stored), admin_user=user_message(admin)
        )

    def get_organization(
        self, request: GetOrganizationRequest, caller: Caller, unit: Reader
    ) -> GetOrganizationResponse:
        """Return the caller's organization."""
        del request
        return GetOrganizationResponse(organization=_organization(unit, caller))

    def list_user_organizations(
        self, request: ListUserOrganizationsRequest, caller: Caller, unit: Reader
    ) -> ListUserOrganizationsResponse:
        """Return where the caller is an active member, oldest first, without expired sandboxes."""
        del request
        found = organization_store.organizations_of(unit, caller.subject, self._clock.now())
        return ListUserOrganizationsResponse(
            organizations=[organization_message(stored) for stored in found]
        )

    async def prepare_update_organization(
        self, request: UpdateOrganizationRequest, caller: Caller
    ) -> None:
        """Check where the default workflow's webhooks lead, which takes name servers.

        Raises:
            InvalidArgumentError: as UpdateOrganization does, or a URL that this server does not
                call.
        """
        del caller
        await webhook_rules.vet(
            request.default_workflow,
            "default_workflow",
            self._address_guard,
            lambda: check(request),
        )

    def update_organization(
        self, request: UpdateOrganizationRequest, caller: Caller, unit: Transaction
    ) -> UpdateOrganizationResponse:
        """Change settings; what is empty, 0, UNSPECIFIED or unset stays.

        Raises:
            InvalidArgumentError: a malformed field or an invalid workflow.
            NotFoundError: a template or version that a step of the workflow names.
            AlreadyExistsError: the name is taken.
            FailedPreconditionError: provisional_archetypes_enabled, in a sandbox.
        """
        fields = change_organization(unit, caller.organization_key, request)
        if fields:
            self._record_update(unit, caller, fields=fields)
        return UpdateOrganizationResponse(organization=_organization(unit, caller))

    def update_sso_attribute_mappings(
        self, request: UpdateSsoAttributeMappingsRequest, caller: Caller, unit: Transaction
    ) -> UpdateSsoAttributeMappingsResponse:
        """Replace how claims of the identity provider fill profiles; an empty list clears it.

        Raises:
            InvalidArgumentError: a claim or field that is malformed, unknown or filled twice.
        """
        mappings = request.sso_attribute_mappings
        violations = Violations()
        check_mappings(violations, "sso_attribute_mappings", mappings)
        violations.raise_if_any()
        if replace_mappings(unit, caller.organization_key, mappings):
            count = len(mappings)
            self._record(unit, caller, AuditEventType.SSO_CONFIGURED, attribute_mappings=count)
        return UpdateSsoAttributeMappingsResponse(organization=_organization(unit, caller))

    def rotate_analytics_salt(
        self, request: RotateAnalyticsSaltRequest, caller: Caller, unit: Transaction
    ) -> RotateAnalyticsSaltResponse:
        """Replace the secret that puts people into cohort buckets.

        Raises:
            InvalidArgumentError: fewer buckets than now.
        """
        count = privacy.rotate_salt(unit, caller.organization_key, request.new_bucket_count)
        self._record_update(unit, caller, fields=["analytics_salt"], bucket_count=count)
        return RotateAnalyticsSaltResponse(bucket_count=count)

    def update_analytics_epsilon(
        self, request: UpdateAnalyticsEpsilonRequest, caller: Caller, unit: Transaction
    ) -> UpdateAnalyticsEpsilonResponse:
        """Set how much noise behavioural features get.

        Raises:
            InvalidArgumentError: outside 0.5 to 5.0.
        """
        if privacy.change_epsilon(unit, caller.organization_key, request.epsilon):
            fields = ["analytics_epsilon"]
            self._record_update(unit, caller, fields=fields, epsilon=str(request.epsilon))
        return UpdateAnalyticsEpsilonResponse(epsilon=request.epsilon)

    def get_org_privacy_settings(
        self, request: GetOrgPrivacySettingsRequest, caller: Caller, unit: Reader
    ) -> GetOrgPrivacySettingsResponse:
        """Return which kinds of processing are switched on."""
        del request
        settings = privacy.settings_message(unit, caller.organization_key)
        return GetOrgPrivacySettingsResponse(settings=settings)

    def update_org_privacy_settings(
        self, request: UpdateOrgPrivacySettingsRequest, caller: Caller, unit: Transaction
    ) -> UpdateOrgPrivacySettingsResponse:
        """Switch kinds of processing on or off; what is unset stays."""
        wanted = {
            field.removesuffix("_enabled"): getattr(request, field)
            for field in _TOGGLES
            if request.has_field(field)
        }
        turned = privacy.turn_toggles(unit, caller, wanted, self._clock.now())
        if turned:
            self._record_update(unit, caller, fields=list(turned), **turned)
        settings = privacy.settings_message(unit, caller.organization_key)
        return UpdateOrgPrivacySettingsResponse(settings=settings)

    def _record_update(self, unit: Transaction, caller: Caller, **facts: Fact) -> None:
        self._record(unit, caller, AuditEventType.ORG_UPDATED, **facts)

    def _record(
        self, unit: Transaction, caller: Caller, event_type: AuditEventType, **facts: Fact
    ) -> None:
        event = Event(event_type, "organization", caller.organization_id, facts)
        trail.record_event(unit, caller, event, now=self._clock.now())


def _organization(reader: Reader, caller: Caller) -> Organization:
    return organization_message(organization_store.organization(reader, caller.organization_key))

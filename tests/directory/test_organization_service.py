import pytest
from support.organization import START, Installation, Tenant

from pidgr.clock import to_timestamp
from pidgr.contract.v1.common_pb import StepType
from pidgr.contract.v1.organization_pb import (
    CompanySize,
    CreateOrganizationRequest,
    CreateOrganizationResponse,
    GetOrganizationRequest,
    Industry,
    Organization,
    OrgType,
)
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory.organization_service import OrganizationService
from pidgr.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    UnauthenticatedError,
)
from pidgr.identity import permissions
from pidgr.identity import store as identity_store
from pidgr.identity.caller import Caller
from pidgr.outreach.address_guard import AddressGuard
from pidgr.storage.sql import Statement

GRACE = Caller(subject="subject-of-grace", email="Grace@Example.com")


@pytest.fixture
def service(installation: Installation) -> OrganizationService:
    return OrganizationService(installation.clock, installation.sandbox_deletion, AddressGuard())


def create(
    installation: Installation,
    service: OrganizationService,
    request: CreateOrganizationRequest,
    caller: Caller = GRACE,
) -> CreateOrganizationResponse:
    return installation.write(lambda unit: service.create_organization(request, caller, unit))


def created(
    installation: Installation, service: OrganizationService, request: CreateOrganizationRequest
) -> Organization:
    organization = create(installation, service, request).organization
    assert organization is not None
    return organization


def test_the_founder_becomes_an_active_super_admin(
    installation: Installation, service: OrganizationService
) -> None:
    response = create(installation, service, CreateOrganizationRequest(name="Acme"))
    admin = response.admin_user
    assert admin is not None
    assert admin.role is not None
    assert (admin.email, admin.status) == ("Grace@Example.com", UserStatus.ACTIVE)
    assert admin.role.slug == permissions.SUPER_ADMIN
    assert admin.role.is_system
    assert set(admin.role.permissions) == permissions.ASSIGNABLE
    assert admin.role_id == admin.role.id
    assert response.organization is not None
    organization_id = response.organization.id
    membership = installation.read(
        lambda unit: identity_store.membership(unit, GRACE.subject, organization_id, START)
    )
    assert membership is not None
    assert membership.id == admin.id


def test_what_is_given_comes_back(installation: Installation, service: OrganizationService) -> None:
    request = CreateOrganizationRequest(
        name="Acme",
        industry=Industry.RETAIL,
        company_size=CompanySize.COMPANY_SIZE_200_500,
        data_governance_region="EU",
        access_code="PIDGR-ABCDEFGH",
    )
    organization = created(installation, service, request)
    assert organization.name == "Acme"
    assert organization.industry == Industry.RETAIL
    assert organization.company_size == CompanySize.COMPANY_SIZE_200_500
    assert organization.org_type == OrgType.STANDARD
    assert organization.data_governance_region == "EU"
    assert organization.data_content_region == "EU"
    assert organization.created_at == to_timestamp(START)
    assert organization.expires_at is None


def test_the_region_is_us_unless_told(
    installation: Installation, service: OrganizationService
) -> None:
    request = CreateOrganizationRequest(name="Acme")
    assert created(installation, service, request).data_governance_region == "US"


def test_a_new_organization_offers_the_default_workflow(
    installation: Installation, service: OrganizationService
) -> None:
    workflow = created(
        installation, service, CreateOrganizationRequest(name="Acme")
    ).default_workflow
    assert workflow is not None
    assert [step.type for step in workflow.steps] == [
        StepType.SEND_NOTIFICATION,
        StepType.DEADLINE_CHECK,
        StepType.SEND_REMINDER,
        StepType.DEADLINE_CHECK,
        StepType.MARK_MISSED,
    ]
    following = [step.id for step in workflow.steps[1:]]
    assert [step.transitions["completed"] for step in workflow.steps[:-1]] == following
    assert not workflow.steps[-1].transitions


@pytest.mark.parametrize(("table", "name"), [("team", "Acme"), ("recipient_group", "Everyone")])
def test_the_founder_is_the_first_of_the_default_group_and_team(
    installation: Installation, service: OrganizationService, table: str, name: str
) -> None:
    create(installation, service, CreateOrganizationRequest(name="Acme"))
    rows = installation.read(
        lambda unit: unit.rows(
            Statement(f"select name, is_default, created_by, member_count from {table}")
        )
    )
    assert [tuple(row) for row in rows] == [(name, True, "", 1)]
    members = installation.read(
        lambda unit: unit.value(Statement(f"select count(*) from {table}_member"))
    )
    assert members == 1


def test_every_organization_starts_with_four_roles(acme: Tenant) -> None:
    ids = {acme.role_id(slug) for slug in ("super_admin", "admin", "manager", "employee")}
    assert len(ids) == 4


def test_one_person_can_found_two_organizations(
    installation: Installation, service: OrganizationService
) -> None:
    first = create(installation, service, CreateOrganizationRequest(name="Acme")).admin_user
    second = create(installation, service, CreateOrganizationRequest(name="Beta")).admin_user
    assert first is not None
    assert second is not None
    assert first.id != second.id


@pytest.mark.parametrize("name", ["Acme", "ACME", " acme "])
def test_a_taken_name_is_refused_and_nothing_is_written(
    installation: Installation, service: OrganizationService, name: str
) -> None:
    create(installation, service, CreateOrganizationRequest(name="Acme"))
    with pytest.raises(AlreadyExistsError):
        create(installation, service, CreateOrganizationRequest(name=name))
    assert installation.read(lambda unit: unit.value(Statement("select count(*) from role"))) == 4


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (CreateOrganizationRequest(), "name"),
        (CreateOrganizationRequest(name="  "), "name"),
        (CreateOrganizationRequest(name="x" * 201), "name"),
        (CreateOrganizationRequest(name="a\0b"), "name"),
        (CreateOrganizationRequest(name="Acme", industry=Industry(99)), "industry"),
        (CreateOrganizationRequest(name="Acme", company_size=CompanySize(99)), "company_size"),
        (
            CreateOrganizationRequest(name="Acme", data_governance_region="MOON"),
            "data_governance_region",
        ),
    ],
)
def test_a_malformed_request_names_its_field(
    installation: Installation,
    service: OrganizationService,
    request_: CreateOrganizationRequest,
    field: str,
) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        create(installation, service, request_)
    assert [violation.field for violation in raised.value.violations] == [field]


def test_a_name_of_200_characters_is_taken(
    installation: Installation, service: OrganizationService
) -> None:
    request = CreateOrganizationRequest(name="ü" * 200)
    assert created(installation, service, request).name == "ü" * 200


def test_a_token_without_an_address_cannot_found(
    installation: Installation, service: OrganizationService
) -> None:
    with pytest.raises(UnauthenticatedError):
        create(
            installation, service, CreateOrganizationRequest(name="Acme"), Caller(subject="someone")
        )


def test_sample_data_that_is_not_there_is_not_found(
    installation: Installation, service: OrganizationService
) -> None:
    create(installation, service, CreateOrganizationRequest(name="Acme", fixture_id="empty"))
    with pytest.raises(NotFoundError):
        create(installation, service, CreateOrganizationRequest(name="Beta", fixture_id="other"))


def test_get_organization_answers_the_callers_own(
    installation: Installation, service: OrganizationService, acme: Tenant
) -> None:
    def read(tenant: Tenant) -> Organization:
        response = installation.read(
            lambda unit: service.get_organization(GetOrganizationRequest(), tenant.admin, unit)
        )
        assert response.organization is not None
        return response.organization

    beta = installation.found("Beta", "bob@example.com")
    assert (read(acme).id, read(acme).name) == (acme.id, "Acme")
    assert (read(beta).id, read(beta).name) == (beta.id, "Beta")
    workflow = read(beta).default_workflow
    assert workflow is not None
    assert len(workflow.steps) == 5


def test_get_organization_needs_an_organization(
    installation: Installation, service: OrganizationService
) -> None:
    with pytest.raises(UnauthenticatedError):
        installation.read(
            lambda unit: service.get_organization(GetOrganizationRequest(), GRACE, unit)
        )

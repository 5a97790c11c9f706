"""What an organization decides about itself after its founding."""

import json
import uuid
from typing import Any

import pytest
from support.calls import Calls
from support.organization import START, Tenant

from pidgr.clock import HOUR, to_timestamp
from pidgr.content.template_service import TemplateService
from pidgr.contract.v1.common_pb import (
    CampaignStatus,
    Permission,
    StepType,
    VerificationUnitLevel,
    WorkflowDefinition,
    WorkflowStep,
)
from pidgr.contract.v1.organization_pb import (
    CompanySize,
    GetOrganizationRequest,
    GetOrgPrivacySettingsRequest,
    Industry,
    ListUserOrganizationsRequest,
    Organization,
    OrgPrivacySettings,
    OrgType,
    RotateAnalyticsSaltRequest,
    SsoAttributeMapping,
    UpdateAnalyticsEpsilonRequest,
    UpdateOrganizationRequest,
    UpdateOrgPrivacySettingsRequest,
    UpdateSsoAttributeMappingsRequest,
)
from pidgr.contract.v1.template_pb import CreateTemplateRequest
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory.organization_service import OrganizationService
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from pidgr.identity import store as identity_store
from pidgr.identity.caller import Caller
from pidgr.outreach.address_guard import AddressGuard
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

MISS = WorkflowDefinition(steps=[WorkflowStep(id="miss", type=StepType.MARK_MISSED)])


@pytest.fixture
def organizations(acme: Tenant) -> Calls:
    return Calls(
        acme,
        OrganizationService(
            acme.installation.clock,
            acme.installation.sandbox_deletion,
            AddressGuard(),
        ),
    )


def update(organizations: Calls, **fields: Any) -> Organization:
    request = UpdateOrganizationRequest(**fields)
    changed: Organization = organizations("update_organization", request).organization
    assert changed == read(organizations)
    return changed


def read(organizations: Calls) -> Organization:
    found: Organization = organizations("get_organization", GetOrganizationRequest()).organization
    return found


def execute(organizations: Calls, text: str, **parameters: object) -> None:
    organizations.tenant.installation.write(
        lambda unit: unit.execute(Statement(text), {"key": organizations.tenant.key, **parameters})
    )


def test_every_setting_is_stored_and_given_back(organizations: Calls) -> None:
    changed = update(
        organizations,
        name="Acme Limited",
        default_workflow=MISS,
        industry=Industry.RETAIL,
        company_size=CompanySize.COMPANY_SIZE_200_500,
        default_locale="ja",
        ml_retrain_cold_threshold=100,
        ml_cancelled_counts=True,
        ml_manual_limit_monthly=0,
        include_synthetic_in_aggregates=False,
        provisional_archetypes_enabled=True,
        default_verification_unit_level=VerificationUnitLevel.ENCLOSING_UNIT,
    )
    assert changed.name == "Acme Limited"
    assert changed.default_workflow == MISS
    assert changed.industry == Industry.RETAIL
    assert changed.company_size == CompanySize.COMPANY_SIZE_200_500
    assert changed.default_locale == "ja"
    assert changed.ml_retrain_cold_threshold == 100
    assert changed.ml_cancelled_counts
    assert changed.ml_manual_limit_monthly == 0
    assert changed.has_field("include_synthetic_in_aggregates")
    assert not changed.include_synthetic_in_aggregates
    assert changed.provisional_archetypes_enabled
    assert changed.default_verification_unit_level == VerificationUnitLevel.ENCLOSING_UNIT
    # Nothing said, nothing changed; and what is said again is no conflict with itself.
    assert update(organizations) == changed
    assert update(organizations, name="Acme Limited") == changed
    assert not update(organizations, ml_cancelled_counts=False).ml_cancelled_counts


def test_a_new_organization_has_defaults(organizations: Calls) -> None:
    fresh = read(organizations)
    assert (fresh.ml_retrain_cold_threshold, fresh.ml_manual_limit_monthly) == (10, 3)
    assert not fresh.has_field("include_synthetic_in_aggregates")
    assert not fresh.provisional_archetypes_enabled
    assert fresh.sso_attribute_mappings == []
    assert not fresh.ml_needs_retrain
    assert fresh.last_ml_training_at is None


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({"ml_manual_limit_monthly": 7}, 7),
        ({"ml_manual_limit_monthly": 0}, 3),
        ({"ml_manual_limit_monthly": -1, "ml_cancelled_counts": True}, 3),
        ({"ml_manual_limit_monthly": 0, "ml_cancelled_counts": False}, 0),
        ({"ml_manual_limit_monthly": 0, "ml_retrain_cold_threshold": 5}, 0),
    ],
)
def test_a_limit_of_none_must_be_meant(
    organizations: Calls, fields: dict[str, Any], limit: int
) -> None:
    assert update(organizations, **fields).ml_manual_limit_monthly == limit


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "n" * 201}, "name"),
        ({"default_workflow": WorkflowDefinition()}, "default_workflow"),
        ({"industry": Industry(99)}, "industry"),
        ({"company_size": CompanySize(99)}, "company_size"),
        ({"default_locale": "de"}, "default_locale"),
        ({"ml_retrain_cold_threshold": 101}, "ml_retrain_cold_threshold"),
        ({"ml_retrain_cold_threshold": -1}, "ml_retrain_cold_threshold"),
        ({"ml_manual_limit_monthly": 11}, "ml_manual_limit_monthly"),
        (
            {"default_verification_unit_level": VerificationUnitLevel(99)},
            "default_verification_unit_level",
        ),
    ],
)
def test_a_malformed_setting_names_its_field(
    organizations: Calls, fields: dict[str, Any], field: str
) -> None:
    before = read(organizations)
    with pytest.raises(InvalidArgumentError) as raised:
        update(organizations, **fields)
    assert [violation.field for violation in raised.value.violations] == [field]
    assert read(organizations) == before


def send(**config: Any) -> WorkflowDefinition:
    step = {"id": "send", "type": "STEP_TYPE_SEND_NOTIFICATION", "send_notification": config}
    return WorkflowDefinition.from_json(json.dumps({"steps": [step]}))


def template(tenant: Tenant) -> str:
    installation = tenant.installation
    calls = Calls(tenant, TemplateService(installation.clock, installation.page_tokens))
    made = calls("create_template", CreateTemplateRequest(name="Policy", body="Read it."))
    return str(made.template.id)


def test_the_default_workflow_names_templates_that_there_are(organizations: Calls) -> None:
    ours = template(organizations.tenant)
    theirs = template(organizations.tenant.installation.found("Beta", "bob@example.com"))
    before = read(organizations)
    for wrong in (theirs, str(uuid.uuid4())):
        with pytest.raises(NotFoundError, match=r"there is no such template$"):
            update(organizations, default_workflow=send(template_id=wrong))
    with pytest.raises(NotFoundError, match=r"there is no such template version$"):
        update(organizations, default_workflow=send(template_id=ours, template_version=2))
    assert read(organizations) == before
    # A version alone is one of the template of whichever campaign it will be.
    for right in (send(template_id=ours, template_version=1), send(template_version=7)):
        assert update(organizations, default_workflow=right).default_workflow == right


def test_a_name_of_another_organization_is_taken(organizations: Calls) -> None:
    organizations.tenant.installation.found("Beta", "bob@example.com")
    with pytest.raises(AlreadyExistsError):
        update(organizations, name="BETA")
    assert read(organizations).name == "Acme"


@pytest.mark.parametrize("enabled", [False, True])
def test_a_sandbox_has_no_archetypes_before_their_time(organizations: Calls, enabled: bool) -> None:
    execute(
        organizations,
        "update organization set org_type = :type where key = :key",
        type=OrgType.SANDBOX,
    )
    with pytest.raises(FailedPreconditionError):
        update(organizations, provisional_archetypes_enabled=enabled)
    assert update(organizations, name="Sandbox").name == "Sandbox"


def test_finished_campaigns_are_counted(organizations: Calls) -> None:
    execute(
        organizations,
        """insert into template (key, id, organization_key, type, latest_version)
           values (1, 't', :key, 1, 1)""",
    )
    states = [CampaignStatus.COMPLETED] * 2 + [CampaignStatus.CANCELLED, CampaignStatus.RUNNING]
    for number, status in enumerate(states):
        execute(
            organizations,
            """insert into campaign (key, id, organization_key, template_key, template_version,
                                     status, created_at)
               values (:number, :id, :key, 1, 1, :status, 1)""",
            number=number,
            id=str(number),
            status=status,
        )
    found = read(organizations)
    assert (found.total_completed_campaigns, found.campaigns_since_last_training) == (2, 2)
    changed = update(organizations, ml_cancelled_counts=True)
    assert (changed.total_completed_campaigns, changed.campaigns_since_last_training) == (2, 3)


def test_settings_are_the_callers_organizations_alone(organizations: Calls) -> None:
    beta = organizations.of(organizations.tenant.installation.found("Beta", "bob@example.com"))
    before = read(beta)
    update(organizations, default_locale="es", ml_retrain_cold_threshold=5)
    organizations(
        "update_org_privacy_settings", UpdateOrgPrivacySettingsRequest(ai_clustering_enabled=False)
    )
    organizations("rotate_analytics_salt", RotateAnalyticsSaltRequest(new_bucket_count=30))
    assert read(beta) == before
    assert privacy(beta).ai_clustering == privacy(beta).third_party_channels
    assert rotate(beta, 0) == 20


def mappings(organizations: Calls, *pairs: tuple[str, str]) -> list[tuple[str, str]]:
    request = UpdateSsoAttributeMappingsRequest(
        sso_attribute_mappings=[
            SsoAttributeMapping(idp_claim=claim, profile_field=field) for claim, field in pairs
        ]
    )
    changed = organizations("update_sso_attribute_mappings", request).organization
    assert changed == read(organizations)
    return [(one.idp_claim, one.profile_field) for one in changed.sso_attribute_mappings]


def test_mappings_are_replaced_as_a_whole(organizations: Calls) -> None:
    pairs = (("given", "first_name"), ("ou", "department"), ("größe", "custom:Shirt size"))
    assert mappings(organizations, *pairs) == list(pairs)
    assert mappings(organizations, pairs[0]) == [pairs[0]]
    assert mappings(organizations) == []


@pytest.mark.parametrize(
    ("pairs", "fields"),
    [
        ([("", "title")], ["[0].idp_claim"]),
        ([("c" * 501, "title")], ["[0].idp_claim"]),
        ([("c", "")], ["[0].profile_field"]),
        ([("c", "salary")], ["[0].profile_field"]),
        ([("c", "custom:")], ["[0].profile_field"]),
        ([("c", "manager_id")], ["[0].profile_field"]),
        ([("c", "custom:" + "k" * 94)], ["[0].profile_field"]),
        ([("a", "title"), ("b", "title")], ["[1].profile_field"]),
        ([("a", "custom:x"), ("", "custom:x")], ["[1].idp_claim", "[1].profile_field"]),
        ([("c", f"custom:{number}") for number in range(60)], [""]),
    ],
)
def test_malformed_mappings_name_their_fields(
    organizations: Calls, pairs: list[tuple[str, str]], fields: list[str]
) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        mappings(organizations, *pairs)
    assert [violation.field for violation in raised.value.violations] == [
        f"sso_attribute_mappings{field}" for field in fields
    ]
    assert read(organizations).sso_attribute_mappings == []


def rotate(organizations: Calls, buckets: int) -> int:
    request = RotateAnalyticsSaltRequest(new_bucket_count=buckets)
    count: int = organizations("rotate_analytics_salt", request).bucket_count
    return count


def salt(organizations: Calls) -> bytes:
    found: bytes = organizations.tenant.installation.read(
        lambda unit: unit.value(
            Statement("select analytics_salt from organization where key = :key"),
            {"key": organizations.tenant.key},
        )
    )
    return bytes(found)


def test_every_rotation_makes_another_salt_and_buckets_only_grow(organizations: Calls) -> None:
    salts = [salt(organizations)]
    for asked, count in ((0, 20), (25, 25), (0, 25), (25, 25)):
        assert rotate(organizations, asked) == count
        salts.append(salt(organizations))
    for asked in (24, -1):
        with pytest.raises(InvalidArgumentError):
            rotate(organizations, asked)
    assert salt(organizations) == salts[-1]
    assert len(set(salts)) == 5
    assert {len(one) for one in salts} == {32}


@pytest.mark.parametrize("epsilon", [0.5, 1.25, 5.0])
def test_noise_is_set_within_its_bounds(organizations: Calls, epsilon: float) -> None:
    request = UpdateAnalyticsEpsilonRequest(epsilon=epsilon)
    assert organizations("update_analytics_epsilon", request).epsilon == epsilon


@pytest.mark.parametrize("epsilon", [0.0, 0.49, 5.01, -1.0, float("nan"), float("inf")])
def test_noise_beyond_its_bounds_is_refused(organizations: Calls, epsilon: float) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        organizations("update_analytics_epsilon", UpdateAnalyticsEpsilonRequest(epsilon=epsilon))
    assert raised.value.violations[0].field == "epsilon"


def privacy(organizations: Calls) -> OrgPrivacySettings:
    request = GetOrgPrivacySettingsRequest()
    found: OrgPrivacySettings = organizations("get_org_privacy_settings", request).settings
    return found


def switch(
    organizations: Calls, caller: Caller | None = None, **fields: bool
) -> OrgPrivacySettings:
    request = UpdateOrgPrivacySettingsRequest(**fields)
    changed: OrgPrivacySettings = organizations(
        "update_org_privacy_settings", request, caller
    ).settings
    assert changed == privacy(organizations)
    return changed


def test_processing_is_on_until_somebody_switches_it_off(organizations: Calls) -> None:
    fresh = privacy(organizations)
    for toggle in (fresh.ai_clustering, fresh.behavioral_analytics, fresh.third_party_channels):
        assert toggle is not None
        assert toggle.enabled
        assert toggle.last_changed_at is None
    # On already: nobody has changed anything.
    assert switch(organizations, ai_clustering_enabled=True) == fresh
    assert switch(organizations) == fresh
    toggle = switch(organizations, behavioral_analytics_enabled=False).behavioral_analytics
    assert toggle is not None
    assert not toggle.enabled
    assert toggle.last_changed_by_email == "ada@example.com"
    assert toggle.last_changed_at == to_timestamp(START)
    assert privacy(organizations).ai_clustering == fresh.ai_clustering


def test_only_a_change_is_put_down_to_somebody(organizations: Calls) -> None:
    tenant = organizations.tenant
    switch(organizations, third_party_channels_enabled=False)
    tenant.installation.clock.advance(HOUR)
    program = tenant.api_key(Permission.PRIVACY_WRITE)
    toggle = switch(organizations, program, third_party_channels_enabled=False)
    assert toggle.third_party_channels is not None
    assert toggle.third_party_channels.last_changed_at == to_timestamp(START)
    toggle = switch(organizations, program, third_party_channels_enabled=True)
    assert toggle.third_party_channels is not None
    assert toggle.third_party_channels.enabled
    assert toggle.third_party_channels.last_changed_by_email == ""
    assert toggle.third_party_channels.last_changed_at == to_timestamp(START + HOUR)


def sign_in(tenant: Tenant, member_id: str, subject: str) -> None:
    def work(unit: Transaction) -> None:
        identity_store.ensure_identity(unit, "grace@example.com", subject, START)
        identity_store.activate_member(
            unit,
            member_id,
            subject,
            active=UserStatus.ACTIVE,
            deactivated=UserStatus.DEACTIVATED,
        )

    tenant.installation.write(work)


def test_a_person_sees_where_they_can_act_oldest_first(organizations: Calls) -> None:
    installation = organizations.tenant.installation
    names = ["Acme", "Beta", "Gamma", "Delta", "Expired"]
    tenants = [organizations.tenant]
    for name in names[1:]:
        installation.clock.advance(HOUR)
        tenants.append(installation.found(name, f"{name}@example.com"))
    subject = "grace"
    now = installation.clock.now()
    statuses = {"Delta": UserStatus.DEACTIVATED}
    for tenant, name in reversed(list(zip(tenants, names, strict=True))):
        if name == "Gamma":
            continue
        member = tenant.add_member("grace@example.com", status=UserStatus.INVITED).member()
        sign_in(tenant, member.id, subject)
        execute(
            organizations,
            "update member set status = :status where key = :member",
            status=statuses.get(name, UserStatus.ACTIVE),
            member=member.key,
        )
    execute(
        organizations,
        "update organization set expires_at = :now where name = 'Expired'",
        now=now,
    )
    grace = Caller(subject=subject, email="grace@example.com")

    def listed(caller: Caller) -> list[Organization]:
        found: list[Organization] = organizations(
            "list_user_organizations", ListUserOrganizationsRequest(), caller
        ).organizations
        return found

    assert [one.name for one in listed(grace)] == ["Acme", "Beta"]
    assert listed(grace)[0] == read(organizations)
    assert listed(Caller(subject="stranger", email="grace@example.com")) == []

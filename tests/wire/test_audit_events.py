"""Every writing RPC leaves its event in the audit trail, or is on a list that says why not."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.grpc_client import Client
from support.requests import REQUESTS
from support.running import Installation
from support.stage import Stage

from pidgr.audit.trail import ActorKind
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.rpc.app import CONTRACT, implementations
from pidgr.rpc.binding import snake_case
from pidgr.rpc.policy import POLICY, Unit
from pidgr.storage.sql import Statement

_EVENTS = Statement("""
    select event_type, actor_kind, actor_id, entity_type, entity_id, facts, request_id
    from audit_event where organization_key =
      (select key from organization where id = :organization_id)
    order by key
""")

_REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "audit.md"
RECORD_NOTHING = {
    "ActionService/SubmitAction": "ACK_REGISTERED is read from the delivery",
    "InboxService/MarkRead": "MESSAGE_OPENED is read from the delivery",
    "MemberService/ConfirmPasskeyEnrollment": "see test_passkey_http.py",
    "CampaignService/ResolveOrCreateShortCode": "a service asks, for a link it makes",
    "AuditService/ExportAuditTrail": "its answer names no export: test_audit.py",
    "InviteLinkService/RedeemInviteLink": "see test_invite_links.py",
    "InviteLinkService/ValidateInviteLink": "an address may ask for a code; nobody has joined",
    "PrivacyService/CancelDeletion": "about a request of somebody: see test_privacy.py",
    "PrivacyService/ImmediateDelete": "about a request of somebody: see test_privacy.py",
    "AuditService/Append": "the event is what it is asked for: test_internal_calls.py",
    "RenderService/RenderBatch": "nothing is stored",
    "SSOService/CreateSSOProvider": "needs a provider: tests/identity/sso/test_providers.py",
    "SSOService/DeleteSSOProvider": "needs a provider: tests/identity/sso/test_providers.py",
    "HeatmapService/UploadScreenshot": "the app of a recipient sends it by itself",
    "HeatmapService/IngestTouchEvents": "touches of a recipient are no administrative action",
    "DeviceService/Register": "a person's own phone is no administrative action",
    "DeviceService/Deactivate": "a person's own phone is no administrative action",
}


@dataclass(frozen=True)
class Event:
    type: str
    actor_kind: ActorKind
    actor_id: str
    entity_type: str
    entity_id: str
    facts: dict[str, str]
    request_id: str


def events_of(installation: Installation, organization_id: str) -> list[Event]:
    rows = installation.system.database.read_now(
        lambda reader: reader.rows(_EVENTS, {"organization_id": organization_id})
    )
    return [
        Event(
            AuditEventType(type_).name,
            ActorKind(kind),
            actor,
            entity,
            id_,
            json.loads(facts or "{}"),
            request,
        )
        for type_, kind, actor, entity, id_, facts, request in rows
    ]


@dataclass(frozen=True)
class Scenario:
    """Which event an RPC that succeeds must leave about what."""

    event: str
    entity_type: str
    # The name of the request's field that has the entity's id; empty: the organization's, or the
    # message of the answer.
    id_field: str = ""


def _collective(noun: str) -> dict[str, Scenario]:
    name, upper = noun.lower(), noun.upper()
    one = f"{name}_id"
    return {
        f"{noun}Service/Create{noun}": Scenario(f"{upper}_CREATED", name),
        f"{noun}Service/Update{noun}": Scenario(f"{upper}_UPDATED", name, one),
        f"{noun}Service/Delete{noun}": Scenario(f"{upper}_DELETED", name, one),
        f"{noun}Service/Add{noun}Members": Scenario(f"{upper}_MEMBERS_ADDED", name, one),
        f"{noun}Service/Remove{noun}Members": Scenario(f"{upper}_MEMBERS_REMOVED", name, one),
    }


SCENARIOS = {
    "ApiKeyService/CreateApiKey": Scenario("API_KEY_CREATED", "api_key"),
    "ApiKeyService/RevokeApiKey": Scenario("API_KEY_REVOKED", "api_key", "api_key_id"),
    "CampaignService/CreateCampaign": Scenario("CAMPAIGN_CREATED", "campaign"),
    "CampaignService/UpdateCampaign": Scenario("CAMPAIGN_UPDATED", "campaign", "campaign_id"),
    "CampaignService/StartCampaign": Scenario("CAMPAIGN_STARTED", "campaign", "campaign_id"),
    "CampaignService/CancelCampaign": Scenario("CAMPAIGN_CANCELLED", "campaign", "campaign_id"),
    "InviteLinkService/CreateInviteLink": Scenario("INVITE_LINK_CREATED", "invite_link"),
    "InviteLinkService/RevokeInviteLink": Scenario(
        "INVITE_LINK_REVOKED", "invite_link", "invite_link_id"
    ),
    "MemberService/InviteUser": Scenario("USER_INVITED", "user"),
    "MemberService/BulkInviteUsers": Scenario("USER_INVITED", "user"),
    "MemberService/UpdateUserRole": Scenario("ROLE_CHANGED", "user", "user_id"),
    "MemberService/DeactivateUser": Scenario("USER_DEACTIVATED", "user", "user_id"),
    "MemberService/ReactivateUser": Scenario("USER_REACTIVATED", "user", "user_id"),
    "MemberService/RevokeInvite": Scenario("INVITE_REVOKED", "user", "user_id"),
    "MemberService/UpdateUserProfile": Scenario("PROFILE_UPDATED", "user", "user_id"),
    "MemberService/UpdateUserRegion": Scenario("PROFILE_UPDATED", "user", "user_id"),
    "MemberService/UpdateUserSettings": Scenario("SETTINGS_UPDATED", "user"),
    "OrganizationService/CreateOrganization": Scenario("ORG_CREATED", "organization"),
    "OrganizationService/UpdateOrganization": Scenario("ORG_UPDATED", "organization"),
    "OrganizationService/UpdateSsoAttributeMappings": Scenario("SSO_CONFIGURED", "organization"),
    "OrganizationService/RotateAnalyticsSalt": Scenario("ORG_UPDATED", "organization"),
    "OrganizationService/UpdateAnalyticsEpsilon": Scenario("ORG_UPDATED", "organization"),
    "OrganizationService/UpdateOrgPrivacySettings": Scenario("ORG_UPDATED", "organization"),
    "OrganizationService/CreateSandboxOrganization": Scenario("SANDBOX_CREATED", "organization"),
    "OrganizationService/DeleteSandboxOrganization": Scenario(
        "ORG_DELETED", "organization", "org_id"
    ),
    "PrivacyService/ExportUserData": Scenario("DATA_EXPORT_REQUESTED", "user", "user_id"),
    "PrivacyService/ExportOrgData": Scenario("DATA_EXPORT_REQUESTED", "organization"),
    "PrivacyService/DeleteUserData": Scenario("DATA_DELETION_REQUESTED", "user", "user_id"),
    "PrivacyService/RectifyUserData": Scenario("DATA_RECTIFIED", "user", "user_id"),
    "PrivacyService/RestrictProcessing": Scenario("PROCESSING_RESTRICTED", "user", "user_id"),
    "RoleService/CreateRole": Scenario("ROLE_CREATED", "role"),
    "RoleService/UpdateRole": Scenario("ROLE_UPDATED", "role", "role_id"),
    "RoleService/DeleteRole": Scenario("ROLE_DELETED", "role", "role_id"),
    "TemplateService/CreateTemplate": Scenario("TEMPLATE_CREATED", "template"),
    "TemplateService/UpdateTemplate": Scenario("TEMPLATE_UPDATED", "template", "template_id"),
    "TemplateService/CreateTemplateTranslation": Scenario("TRANSLATION_CREATED", "translation"),
    "TemplateService/UpdateTemplateTranslation": Scenario(
        "TEMPLATE_UPDATED", "translation", "translation_id"
    ),
    "TemplateService/ApproveTemplateTranslation": Scenario(
        "TRANSLATION_APPROVED", "translation", "translation_id"
    ),
    **_collective("Group"),
    **_collective("Team"),
}


def events(stage: Stage) -> list[Event]:
    return events_of(stage.installation, stage.organization.id)


def acts(stage: Stage) -> int:
    """Count what somebody did: what earlier tests have started may go on by itself meanwhile."""
    return sum(event.actor_kind is not ActorKind.SYSTEM for event in events(stage))


@pytest.fixture(scope="module")
def stage(installation: Installation, client: Client) -> Stage:
    return Stage(installation, client)


def _entity_id(stage: Stage, scenario: Scenario, fields: dict[str, Any], answer: Any) -> str:
    """Return the id that the event must have: of what was sent, or of what was made."""
    if scenario.id_field:
        return str(fields[scenario.id_field])
    if scenario.event == "SETTINGS_UPDATED":
        return stage.organization.admin_id
    if hasattr(answer, "results"):
        return str(answer.results[0].user.id)
    made = getattr(answer, scenario.entity_type, None)
    return str(made.id) if made is not None else stage.organization.id


def test_every_writing_rpc_is_played_or_excused(installation: Installation) -> None:
    ours = implementations(installation.system)
    writing = set()
    for description in CONTRACT:
        name = description.type_name.rpartition(".")[2]
        for method in description.methods:
            reads = str(method.idempotency) == "NO_SIDE_EFFECTS"
            offered = hasattr(ours.get(name), snake_case(method.name))
            if offered and not reads and POLICY[f"{name}/{method.name}"].unit is not Unit.READ:
                writing.add(f"{name}/{method.name}")
    assert len(writing) > 40
    assert SCENARIOS.keys() & RECORD_NOTHING.keys() == set()
    assert SCENARIOS.keys() | RECORD_NOTHING.keys() == writing


@pytest.mark.parametrize("rpc", sorted(SCENARIOS))
def test_the_reference_names_the_event(rpc: str) -> None:
    scenario = SCENARIOS[rpc]
    row = f"| `{rpc}` | `{scenario.event}` | `{scenario.entity_type}` |"
    assert row in _REFERENCE.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("rpc", sorted(SCENARIOS))
def test_a_writing_rpc_leaves_its_event(stage: Stage, rpc: str) -> None:
    scenario = SCENARIOS[rpc]
    fields = REQUESTS[rpc](stage)
    before = events(stage)
    answer = stage.client(rpc, stage.admin, **fields)
    actor = stage.organization.admin_id
    if rpc == "OrganizationService/CreateOrganization":
        actor = answer.admin_user.id
        found = events_of(stage.installation, answer.organization.id)
    else:
        # A campaign that was started goes on by itself.
        found = [e for e in events(stage)[len(before) :] if e.actor_kind != ActorKind.SYSTEM]
    (event,) = found
    assert (event.type, event.entity_type) == (scenario.event, scenario.entity_type)
    assert event.entity_id == _entity_id(stage, scenario, fields, answer)
    assert (event.actor_kind, event.actor_id) == (ActorKind.USER, actor)
    assert event.request_id


def _nothing_new(stage: Stage) -> dict[str, dict[str, Any]]:
    """Return calls that succeed and change nothing, because they have been made before."""
    user_id, role_id = stage.member(), stage.role()
    translation = {"translation_id": stage.translation()}
    calls: dict[str, dict[str, Any]] = {
        "ApiKeyService/RevokeApiKey": {"api_key_id": stage.api_key()},
        "GroupService/AddGroupMembers": {
            "group_id": stage.collective("Group"),
            "user_ids": [user_id],
        },
        "GroupService/RemoveGroupMembers": stage.with_member("Group"),
        "GroupService/UpdateGroup": {"group_id": stage.collective("Group"), "description": "x"},
        "MemberService/UpdateUserProfile": {
            "user_id": user_id,
            "profile": stage.stubs.UserProfile(title="Lead", custom_attributes={"a": "b"}),
        },
        "MemberService/UpdateUserRegion": {"user_id": user_id, "data_governance_region": "BR"},
        "MemberService/UpdateUserRole": {"user_id": user_id, "role_id": role_id},
        "MemberService/UpdateUserSettings": {
            "settings": stage.stubs.UserSettings(preferred_locale="zh")
        },
        "OrganizationService/UpdateOrganization": {"default_locale": "zh"},
        "OrganizationService/UpdateOrgPrivacySettings": {"third_party_channels_enabled": False},
        "OrganizationService/UpdateSsoAttributeMappings": stage.mappings("location"),
        "OrganizationService/UpdateAnalyticsEpsilon": {"epsilon": 3.5},
        "RoleService/UpdateRole": {"role_id": role_id, "name": "Again"},
        "TemplateService/ApproveTemplateTranslation": translation,
        "CampaignService/UpdateCampaign": {"campaign_id": stage.create().id, "title": "Same"},
        # Last: a deactivated member can be given nothing.
        "MemberService/DeactivateUser": {"user_id": user_id},
    }
    return calls


def test_what_changes_nothing_leaves_no_event(stage: Stage) -> None:
    for rpc, fields in _nothing_new(stage).items():
        before = acts(stage)
        stage.make(rpc, **fields)
        assert acts(stage) == before + 1, rpc
        stage.make(rpc, **fields)
        assert acts(stage) == before + 1, rpc


# These have nothing that could be missing from an empty request.
_NEED_NO_FIELD = {
    "InviteLinkService/CreateInviteLink",
    "OrganizationService/RotateAnalyticsSalt",
    "OrganizationService/UpdateOrganization",
    "OrganizationService/UpdateOrgPrivacySettings",
    "OrganizationService/UpdateSsoAttributeMappings",
    "PrivacyService/ExportOrgData",
}


# Without a field they are about the caller, and an API key is nobody.
_ABOUT_ONESELF = {
    "PrivacyService/DeleteUserData",
    "PrivacyService/ExportUserData",
    "PrivacyService/RectifyUserData",
    "PrivacyService/RestrictProcessing",
}


def test_what_is_refused_leaves_no_event(stage: Stage) -> None:
    employee = stage.tokens[stage.member()]
    before = acts(stage)
    for rpc in SCENARIOS:
        credential = employee if rpc in _NEED_NO_FIELD else stage.admin
        stage.client.error(rpc, stage.key if rpc in _ABOUT_ONESELF else credential)
    assert acts(stage) == before


def test_an_api_key_acts_in_its_own_name(stage: Stage) -> None:
    stage.template()
    event = events(stage)[-1]
    keys = stage.client("ApiKeyService/ListApiKeys", stage.key).api_keys
    assert event.actor_kind is ActorKind.API_KEY
    assert event.actor_id in {key.id for key in keys}


def test_events_hold_facts_and_nobodys_address_name_or_text(stage: Stage) -> None:
    secret = f"Secret{secrets.token_hex(6)}"
    user_id = stage.invite(f"{secret}@example.com", name=secret)
    profile = stage.stubs.UserProfile(first_name=secret, custom_attributes={"badge": secret})
    stage.make("MemberService/UpdateUserProfile", user_id=user_id, profile=profile)
    template_id = stage.template(title=secret, body=secret)
    stage.make("TemplateService/UpdateTemplate", template_id=template_id, body=secret + "2")
    stage.create(title=secret, template_id=template_id)
    key = stage.make(
        "ApiKeyService/CreateApiKey", name="robot", permissions=[stage.stubs.PERMISSION_ORG_READ]
    )
    found = events(stage)
    assert found[-1].facts == {
        "name": "robot",
        "key_type": "API_KEY",
        "permissions": "ORG_READ",
    }
    updated = [e for e in found if e.type == "PROFILE_UPDATED" and e.entity_id == user_id]
    assert [e.facts for e in updated] == [{"fields": "first_name,custom_attributes"}]
    told = repr(found)
    assert secret not in told
    assert key.key not in told


def test_a_running_campaign_leaves_one_event_for_each_sending_step(stage: Stage) -> None:
    people = [stage.member() for _ in range(5)]
    escalation = stage.stubs.WorkflowStep(
        id="escalate",
        type=stage.stubs.STEP_TYPE_ESCALATE,
        escalate_config=stage.stubs.EscalateConfig(
            condition=stage.stubs.ESCALATION_CONDITION_IF_NOT_ACKED,
            targets=[
                stage.stubs.EscalationTarget(
                    type=stage.stubs.ESCALATION_TARGET_TYPE_USER, target_id=people[0]
                )
            ],
        ),
    )
    steps = stage.steps
    workflow = steps(
        steps.send(), steps.wait(), steps.remind(), escalation, steps.wait("again"), steps.missed()
    )
    campaign = stage.start(
        user_ids=people[1:], workflow=workflow, wait_for_enrollment=True, until_step="wait"
    )
    stage.pass_deadline(campaign.id)
    stage.reach(campaign.id, "again")
    told = [e for e in events(stage) if e.entity_id == campaign.id]
    assert [(e.type, e.actor_kind) for e in told] == [
        ("CAMPAIGN_CREATED", ActorKind.API_KEY),
        ("CAMPAIGN_STARTED", ActorKind.API_KEY),
        ("MESSAGE_SENT", ActorKind.SYSTEM),
        ("MESSAGE_SENT", ActorKind.SYSTEM),
        ("ESCALATION_EXECUTED", ActorKind.SYSTEM),
    ]
    sent, reminded, escalated = (e.facts for e in told[2:])
    assert sent == {"step_id": "send", "step_type": "SEND_NOTIFICATION", "deliveries": "4"}
    assert reminded == {"step_id": "remind", "step_type": "SEND_REMINDER", "deliveries": "0"}
    assert escalated == {
        "step_id": "escalate",
        "step_type": "ESCALATE",
        "deliveries": "4",
        "round": "1",
    }


def test_the_operators_commands_are_in_the_trail(installation: Installation) -> None:
    made = installation.found()
    first, second = events_of(installation, made.id)
    assert (first.type, first.entity_id, first.actor_kind) == (
        "ORG_CREATED",
        made.id,
        ActorKind.OPERATOR,
    )
    assert (second.type, second.actor_kind, second.actor_id) == (
        "API_KEY_CREATED",
        ActorKind.OPERATOR,
        "",
    )

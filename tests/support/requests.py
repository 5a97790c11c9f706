"""For every RPC: the fields of a request that succeeds when an organization's administrator sends
it, with every field filled that names something.
"""

import secrets
from collections.abc import Callable
from typing import Any

from support.stage import Stage

Fields = Callable[[Stage], dict[str, Any]]


def _nothing(_: Stage) -> dict[str, Any]:
    return {}


def _address(_: Stage) -> dict[str, Any]:
    return {"email": f"{secrets.token_hex(5)}@example.com"}


def _member(stage: Stage) -> dict[str, Any]:
    return {"user_id": stage.member()}


def _campaign(stage: Stage) -> dict[str, Any]:
    return {"campaign_id": stage.create().id}


def _translation(stage: Stage) -> dict[str, Any]:
    return {"translation_id": stage.translation()}


def _managed(stage: Stage) -> Any:
    return stage.stubs.UserProfile(department="Finance", manager_id=stage.member())


def _second_page(rpc: str) -> Fields:
    return lambda stage: stage.second_page(rpc)


def _plain_second_page(rpc: str) -> Fields:
    return lambda stage: stage.plain_second_page(rpc)


def _collective(noun: str) -> dict[str, Fields]:
    one, service = f"{noun.lower()}_id", f"{noun}Service"

    def made(stage: Stage, **fields: Any) -> dict[str, Any]:
        return {one: stage.collective(noun), **fields}

    def members(stage: Stage) -> dict[str, Any]:
        fields = made(stage, user_ids=[stage.member(), stage.member()])
        stage.make(f"{service}/Add{noun}Members", **fields)
        return stage.second_page(f"{service}/List{noun}Members", **{one: fields[one]})

    return {
        f"{service}/Create{noun}": lambda _: {"name": f"New {secrets.token_hex(4)}"},
        f"{service}/Get{noun}": made,
        f"{service}/List{noun}s": lambda stage: (
            made(stage) and stage.second_page(f"{service}/List{noun}s")
        ),
        f"{service}/Update{noun}": lambda stage: made(stage, description="Ours"),
        f"{service}/Delete{noun}": made,
        f"{service}/Add{noun}Members": lambda stage: made(stage, user_ids=[stage.member()]),
        f"{service}/Remove{noun}Members": lambda stage: stage.with_member(noun),
        f"{service}/List{noun}Members": members,
    }


def _campaigns(stage: Stage) -> dict[str, Any]:
    stage.create()
    stage.create()
    return stage.second_page("CampaignService/ListCampaigns")


def _templates(stage: Stage) -> dict[str, Any]:
    stage.template()
    stage.template()
    return stage.second_page("TemplateService/ListTemplates")


def _deliveries(stage: Stage) -> dict[str, Any]:
    people = [stage.member(), stage.member()]
    campaign = stage.start(user_ids=people, wait_for_enrollment=True)
    return stage.second_page("CampaignService/ListDeliveries", campaign_id=campaign.id)


def _recordings(stage: Stage) -> dict[str, Any]:
    campaign_id, _ = stage.recorded
    return stage.second_page("ReplayService/ListSessionRecordings", campaign_id=campaign_id)


def _privacy_requests(rpc: str) -> Fields:
    def fields(stage: Stage) -> dict[str, Any]:
        for title in ("Head", secrets.token_hex(4)):
            stage.make("PrivacyService/RectifyUserData", corrections={"title": title})
        return stage.plain_second_page(rpc)

    return fields


def _incidents(stage: Stage) -> dict[str, Any]:
    stage.incident()
    stage.incident()
    return stage.plain_second_page("PrivacyService/ListOrgSecurityIncidents")


def _appended(stage: Stage) -> dict[str, Any]:
    return {
        "event_type": "REACHABILITY_UPSERT",
        "org_id": stage.organization.id,
        "subject_user_id": stage.member(),
        "actor_id": stage.api_key(),
    }


def _deeplink(stage: Stage) -> dict[str, Any]:
    return {
        **_campaign(stage),
        "recipient_user_id": stage.member(),
        "step_kind": stage.stubs.CHANNEL_STEP_KIND_REMINDER,
        "ttl_seconds": 60,
    }


REQUESTS: dict[str, Fields] = {
    "ActionService/SubmitAction": lambda stage: {
        "delivery_id": stage.delivery(),
        "action_id": "ack",
    },
    "ApiKeyService/CreateApiKey": lambda stage: {
        "name": "robot",
        "permissions": [stage.stubs.PERMISSION_ORG_READ],
    },
    "ApiKeyService/ListApiKeys": _nothing,
    "ApiKeyService/RevokeApiKey": lambda stage: {"api_key_id": stage.api_key()},
    "AuditService/ListAuditEvents": lambda stage: {"actor_id": stage.organization.admin_id},
    "AuditService/ExportAuditTrail": lambda stage: {"format": stage.stubs.AUDIT_EXPORT_FORMAT_CSV},
    "AuditService/ListAuditExports": _nothing,
    "AuditService/Append": _appended,
    "CampaignService/CreateCampaign": lambda stage: stage.request(workflow=stage.workflow()),
    "CampaignService/StartCampaign": _campaign,
    "CampaignService/GetCampaign": _campaign,
    "CampaignService/ListCampaigns": _campaigns,
    "CampaignService/UpdateCampaign": lambda stage: {
        **_campaign(stage),
        "title": "Another",
        "template_id": stage.template(),
        "workflow": stage.workflow(),
        "audience_replacement": {"members": [{"user_id": stage.member()}]},
    },
    "CampaignService/GetCampaignAudience": _campaign,
    "CampaignService/CancelCampaign": _campaign,
    "CampaignService/ListDeliveries": _deliveries,
    "CampaignService/ResolveOrCreateShortCode": _campaign,
    "DeviceService/Deactivate": lambda stage: {"device_id": stage.phone()},
    "DeviceService/ListDevices": _nothing,
    "DeviceService/ListMemberDevices": lambda stage: {"user_id": stage.member()},
    **_collective("Group"),
    "GroupService/GetUserGroupMemberships": lambda stage: {"user_ids": [stage.member()]},
    "HeatmapService/IngestTouchEvents": lambda stage: stage.touch(),
    "HeatmapService/QueryHeatmapData": lambda stage: stage.touched,
    "HeatmapService/ListScreenshots": _nothing,
    "InboxService/Sync": _nothing,
    "InboxService/MarkRead": lambda stage: {"delivery_id": stage.delivery_to_read},
    "InboxService/GetMessage": lambda stage: {"delivery_id": stage.delivery_to_read},
    "InviteLinkService/CreateInviteLink": lambda stage: {"max_uses": 1, "role_id": stage.role()},
    "InviteLinkService/ListInviteLinks": _nothing,
    "InviteLinkService/RevokeInviteLink": lambda stage: {"invite_link_id": stage.invite_link()},
    "MemberService/InviteUser": lambda stage: {
        **_address(stage),
        "role_id": stage.role(),
        "profile": _managed(stage),
    },
    "MemberService/GetUser": _member,
    "MemberService/ListUsers": lambda stage: (
        _member(stage) and stage.second_page("MemberService/ListUsers")
    ),
    "MemberService/UpdateUserRole": lambda stage: {
        "user_id": stage.member(),
        "role_id": stage.role(),
    },
    "MemberService/DeactivateUser": _member,
    "MemberService/ReactivateUser": lambda stage: {"user_id": stage.deactivated()},
    "MemberService/RevokeInvite": lambda stage: {"user_id": stage.guest()},
    "MemberService/UpdateUserProfile": lambda stage: {
        "user_id": stage.member(),
        "profile": _managed(stage),
    },
    "MemberService/GetUserSettings": _nothing,
    "MemberService/UpdateUserSettings": lambda stage: {
        "settings": stage.stubs.UserSettings(preferred_locale="ja")
    },
    "MemberService/BulkInviteUsers": lambda stage: {
        "emails": [f"{secrets.token_hex(5)}@example.com"],
        "role_id": stage.role(),
    },
    "MemberService/UpdateUserRegion": lambda stage: {
        "user_id": stage.member(),
        "data_governance_region": "EU",
    },
    "OrganizationService/CreateOrganization": lambda _: {"name": f"New {secrets.token_hex(5)}"},
    "OrganizationService/GetOrganization": _nothing,
    "OrganizationService/UpdateOrganization": lambda stage: {
        "default_locale": "es",
        "default_workflow": stage.workflow(),
    },
    "OrganizationService/UpdateSsoAttributeMappings": lambda stage: stage.mappings("department"),
    "OrganizationService/RotateAnalyticsSalt": _nothing,
    "OrganizationService/UpdateAnalyticsEpsilon": lambda _: {"epsilon": 2.0},
    "OrganizationService/GetOrgPrivacySettings": _nothing,
    "OrganizationService/UpdateOrgPrivacySettings": lambda _: {"ai_clustering_enabled": False},
    "OrganizationService/CreateSandboxOrganization": lambda stage: stage.sandbox(),
    "OrganizationService/DeleteSandboxOrganization": lambda stage: {"org_id": stage.sandbox_id()},
    "OrganizationService/ListSandboxFixtures": _nothing,
    "OrganizationService/ListUserOrganizations": _nothing,
    "OrganizationService/ListUserSandboxes": _nothing,
    "PrivacyService/ExportUserData": _member,
    "PrivacyService/ExportOrgData": _nothing,
    "PrivacyService/DeleteUserData": _member,
    "PrivacyService/RectifyUserData": lambda stage: {
        "user_id": stage.member(),
        "corrections": {"first_name": "Ada"},
    },
    "PrivacyService/RestrictProcessing": lambda stage: {
        "user_id": stage.member(),
        "restricted": True,
    },
    "PrivacyService/GetDataExistenceConfirmation": _member,
    "PrivacyService/ListPrivacyRequests": _privacy_requests("PrivacyService/ListPrivacyRequests"),
    "PrivacyService/CancelDeletion": lambda stage: stage.deletion(),
    "PrivacyService/ImmediateDelete": lambda stage: stage.deletion(),
    "PrivacyService/ListMyPrivacyRequests": _privacy_requests(
        "PrivacyService/ListMyPrivacyRequests"
    ),
    "PrivacyService/ListOrgSecurityIncidents": _incidents,
    "RenderService/RenderBatch": lambda stage: {
        "template_id": stage.template(),
        "users": [{"user_id": stage.member()}],
    },
    "ReplayService/ListSessionRecordings": _recordings,
    "ReplayService/GetSessionSnapshots": lambda stage: {"recording_id": stage.recording()},
    "RoleService/ListRoles": _nothing,
    "RoleService/CreateRole": lambda _: {"name": f"New {secrets.token_hex(4)}"},
    "RoleService/UpdateRole": lambda stage: {"role_id": stage.role(), "name": "Renamed"},
    "RoleService/DeleteRole": lambda stage: {"role_id": stage.role()},
    "SSOService/GetSSOProvider": _nothing,
    "TokenService/SignDeeplinkToken": _deeplink,
    **_collective("Team"),
    "TemplateService/CreateTemplate": lambda _: {"name": "New", "body": "Text"},
    "TemplateService/UpdateTemplate": lambda stage: {
        "template_id": stage.template(),
        "body": "Text",
    },
    "TemplateService/GetTemplate": lambda stage: {"template_id": stage.template()},
    "TemplateService/ListTemplates": _templates,
    "TemplateService/CreateTemplateTranslation": lambda stage: {
        "template_id": stage.template(source_locale="en"),
        "locale": "ja",
        "body": "Text",
    },
    "TemplateService/UpdateTemplateTranslation": lambda stage: {
        **_translation(stage),
        "body": "Text",
    },
    "TemplateService/ListTemplateTranslations": lambda stage: {"template_id": stage.template()},
    "TemplateService/ApproveTemplateTranslation": _translation,
}

"""Who may call each RPC, and in what unit of work it runs. A test proves the table complete.

Sources: SEMANTICS section 2 (per RPC), 6.5 (exposure classes) and 11 (decisions 1, 2 and 46).
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from pidgr.contract.v1.common_pb import Permission


class Access(Enum):
    """The kinds of door an RPC can have."""

    PUBLIC = auto()
    """Anyone, without a credential."""
    IDENTITY = auto()
    """A signed-in person, with or without an organization; no API keys."""
    MEMBER = auto()
    """Any caller of the organization; the service checks what depends on the data."""
    OWN = auto()
    """A person, on their own records."""
    INTERNAL = auto()
    """Parts of this system only; refused on the tenants' port."""


class Unit(Enum):
    """The unit of work the front door opens around an RPC."""

    READ = auto()
    HEAVY_READ = auto()
    """A read that may return thousands of rows and must not hold up the event loop."""
    WRITE = auto()
    OWN = auto()
    """The service opens its own, because the RPC reads first and seldom writes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The row of one RPC: a door, the permissions of which one is needed, and the unit of work."""

    access: Access
    unit: Unit
    any_of: tuple[Permission, ...] = ()
    while_suspended: bool = False
    """Open to a suspended organization too (SEMANTICS 11, decision 39)."""
    of_invites: bool = False
    """A public one with the smaller allowance of invite links (SEMANTICS 6.5)."""
    fresh: bool = False
    """With step-up on, the person's sign-in must be young (SEMANTICS 11, decision 43)."""
    unnamed: bool = False
    """The log does not tell who called: its times would lead from what is stored back to people."""


STEP_UP_SECONDS: Final = 300
"""How old a sign-in may be for what is sensitive (SEMANTICS 2.0; RFC 9470)."""


P = Permission


def _read(*any_of: Permission, access: Access = Access.MEMBER) -> Rule:
    return Rule(access, Unit.READ, any_of)


def _write(*any_of: Permission, access: Access = Access.MEMBER, fresh: bool = False) -> Rule:
    return Rule(access, Unit.WRITE, any_of, fresh=fresh)


_GROUP_WRITE: Final = (P.GROUPS_WRITE, P.GROUPS_ALL_WRITE)
_TEAM_WRITE: Final = (P.TEAMS_WRITE, P.TEAMS_ALL_WRITE)

POLICY: Final[dict[str, Rule]] = {
    "ActionService/SubmitAction": Rule(Access.OWN, Unit.WRITE, (P.INBOX_ACT,)),
    "ApiKeyService/CreateApiKey": _write(P.ORG_WRITE, fresh=True),
    "ApiKeyService/ListApiKeys": _read(P.ORG_READ),
    "ApiKeyService/RevokeApiKey": _write(P.ORG_WRITE),
    "AuditService/ListAuditEvents": _read(P.AUDIT_READ),
    "AuditService/ExportAuditTrail": _write(P.AUDIT_READ),
    "AuditService/ListAuditExports": _read(P.AUDIT_READ),
    "AuditService/Append": _write(access=Access.INTERNAL),
    "CampaignService/CreateCampaign": _write(P.CAMPAIGNS_WRITE),
    "CampaignService/StartCampaign": _write(P.CAMPAIGNS_START),
    "CampaignService/GetCampaign": _read(P.CAMPAIGNS_READ),
    "CampaignService/ListCampaigns": _read(P.CAMPAIGNS_READ),
    "CampaignService/UpdateCampaign": _write(P.CAMPAIGNS_WRITE),
    "CampaignService/GetCampaignAudience": Rule(
        Access.MEMBER, Unit.HEAVY_READ, (P.CAMPAIGNS_READ,)
    ),
    "CampaignService/CancelCampaign": _write(P.CAMPAIGNS_WRITE),
    # A status filter may have to pass over many rows of other statuses.
    "CampaignService/ListDeliveries": Rule(Access.MEMBER, Unit.HEAVY_READ, (P.CAMPAIGNS_READ,)),
    "CampaignService/GetCampaignArchetypeBreakdown": _read(P.CAMPAIGNS_READ),
    "CampaignService/ResolveOrCreateShortCode": _write(access=Access.INTERNAL),
    "CampaignService/GetCampaignByShortCode": _read(access=Access.PUBLIC),
    "DeviceService/Register": _write(access=Access.OWN),
    "DeviceService/Deactivate": _write(access=Access.OWN),
    "DeviceService/ListDevices": _read(access=Access.OWN),
    # One's own devices need no permission; the service checks.
    "DeviceService/ListMemberDevices": _read(),
    "GroupService/CreateGroup": _write(*_GROUP_WRITE),
    "GroupService/GetGroup": _read(),
    "GroupService/ListGroups": _read(),
    "GroupService/UpdateGroup": _write(*_GROUP_WRITE),
    "GroupService/DeleteGroup": _write(*_GROUP_WRITE),
    "GroupService/AddGroupMembers": _write(*_GROUP_WRITE),
    "GroupService/RemoveGroupMembers": _write(*_GROUP_WRITE),
    "GroupService/ListGroupMembers": _read(),
    "GroupService/GetUserGroupMemberships": _read(P.GROUPS_ALL_READ, P.GROUPS_ALL_WRITE),
    "HeatmapService/IngestTouchEvents": Rule(Access.OWN, Unit.WRITE, unnamed=True),
    # Adds up megabytes of counts.
    "HeatmapService/QueryHeatmapData": Rule(Access.MEMBER, Unit.HEAVY_READ, (P.CAMPAIGNS_READ,)),
    "HeatmapService/ListScreenshots": _read(P.CAMPAIGNS_READ),
    "HeatmapService/UploadScreenshot": _write(access=Access.OWN),
    "InboxService/Sync": Rule(Access.OWN, Unit.OWN, (P.INBOX_READ,)),
    "InboxService/MarkRead": Rule(Access.OWN, Unit.WRITE, (P.INBOX_READ,)),
    "InboxService/GetMessage": Rule(Access.OWN, Unit.OWN, (P.INBOX_READ,)),
    "InviteLinkService/CreateInviteLink": _write(P.MEMBERS_INVITE),
    "InviteLinkService/ListInviteLinks": _read(P.MEMBERS_INVITE),
    "InviteLinkService/RevokeInviteLink": _write(P.MEMBERS_INVITE, P.MEMBERS_MANAGE),
    "InviteLinkService/ValidateInviteLink": Rule(Access.PUBLIC, Unit.WRITE, of_invites=True),
    "InviteLinkService/RedeemInviteLink": _write(access=Access.IDENTITY),
    "MemberService/InviteUser": _write(P.MEMBERS_INVITE),
    # One's own record needs no permission; the service checks.
    "MemberService/GetUser": _read(),
    "MemberService/ListUsers": _read(P.MEMBERS_READ),
    "MemberService/UpdateUserRole": _write(P.MEMBERS_MANAGE),
    "MemberService/DeactivateUser": _write(P.MEMBERS_MANAGE, fresh=True),
    "MemberService/ReactivateUser": _write(P.MEMBERS_MANAGE),
    "MemberService/RevokeInvite": _write(P.MEMBERS_MANAGE),
    "MemberService/UpdateUserProfile": _write(),
    "MemberService/GetUserSettings": _read(access=Access.OWN),
    "MemberService/UpdateUserSettings": _write(access=Access.OWN),
    "MemberService/BulkInviteUsers": _write(P.MEMBERS_INVITE),
    "MemberService/ConfirmPasskeyEnrollment": _write(access=Access.OWN),
    "MemberService/UpdateUserRegion": _write(P.MEMBERS_MANAGE),
    "OrganizationService/CreateOrganization": _write(access=Access.IDENTITY),
    "OrganizationService/GetOrganization": Rule(
        Access.MEMBER, Unit.READ, (P.ORG_READ,), while_suspended=True
    ),
    "OrganizationService/UpdateOrganization": _write(P.ORG_WRITE),
    "OrganizationService/UpdateSsoAttributeMappings": _write(P.ORG_WRITE, fresh=True),
    "OrganizationService/RotateAnalyticsSalt": _write(P.PRIVACY_WRITE),
    "OrganizationService/UpdateAnalyticsEpsilon": _write(P.PRIVACY_WRITE),
    "OrganizationService/GetOrgPrivacySettings": _read(P.PRIVACY_READ),
    "OrganizationService/UpdateOrgPrivacySettings": _write(P.PRIVACY_WRITE),
    "OrganizationService/CreateSandboxOrganization": _write(access=Access.IDENTITY),
    "OrganizationService/DeleteSandboxOrganization": _write(access=Access.IDENTITY),
    "OrganizationService/ListSandboxFixtures": _read(access=Access.IDENTITY),
    "OrganizationService/ListUserOrganizations": _read(access=Access.IDENTITY),
    "OrganizationService/ListUserSandboxes": _read(access=Access.IDENTITY),
    # Oneself needs no permission; the service checks.
    "PrivacyService/ExportUserData": _write(),
    "PrivacyService/ExportOrgData": _write(P.PRIVACY_WRITE),
    "PrivacyService/DeleteUserData": _write(),
    "PrivacyService/RectifyUserData": _write(),
    "PrivacyService/RestrictProcessing": _write(),
    "PrivacyService/GetDataExistenceConfirmation": _read(),
    "PrivacyService/ListPrivacyRequests": _read(P.PRIVACY_READ),
    "PrivacyService/CancelDeletion": _write(),
    "PrivacyService/ImmediateDelete": _write(P.PRIVACY_WRITE, fresh=True),
    "PrivacyService/ListMyPrivacyRequests": _read(access=Access.OWN),
    "PrivacyService/ListOrgSecurityIncidents": _read(P.PRIVACY_READ),
    "RenderService/RenderBatch": Rule(Access.INTERNAL, Unit.OWN),
    # Who keeps them may be elsewhere; and megabytes come out of a blob store. No transaction waits.
    "ReplayService/ListSessionRecordings": Rule(Access.MEMBER, Unit.OWN, (P.CAMPAIGNS_READ,)),
    "ReplayService/GetSessionSnapshots": Rule(Access.MEMBER, Unit.OWN, (P.CAMPAIGNS_READ,)),
    "RoleService/ListRoles": _read(P.ORG_READ),
    "RoleService/CreateRole": _write(P.MEMBERS_MANAGE, fresh=True),
    "RoleService/UpdateRole": _write(P.MEMBERS_MANAGE, fresh=True),
    "RoleService/DeleteRole": _write(P.MEMBERS_MANAGE, fresh=True),
    "SSOService/CheckSSOByDomain": _read(access=Access.PUBLIC),
    "SSOService/CreateSSOProvider": _write(P.ORG_WRITE, fresh=True),
    "SSOService/GetSSOProvider": _read(P.ORG_READ),
    "SSOService/DeleteSSOProvider": _write(P.ORG_WRITE, fresh=True),
    "TokenService/SignDeeplinkToken": _read(access=Access.INTERNAL),
    "TokenService/ValidateDeeplinkToken": _read(access=Access.PUBLIC),
    "TeamService/CreateTeam": _write(*_TEAM_WRITE),
    "TeamService/GetTeam": _read(),
    "TeamService/ListTeams": _read(),
    "TeamService/UpdateTeam": _write(*_TEAM_WRITE),
    "TeamService/DeleteTeam": _write(*_TEAM_WRITE),
    "TeamService/AddTeamMembers": _write(*_TEAM_WRITE),
    "TeamService/RemoveTeamMembers": _write(*_TEAM_WRITE),
    "TeamService/ListTeamMembers": _read(),
    "TemplateService/CreateTemplate": _write(P.TEMPLATES_WRITE),
    "TemplateService/UpdateTemplate": _write(P.TEMPLATES_WRITE),
    "TemplateService/GetTemplate": _read(P.TEMPLATES_READ),
    "TemplateService/ListTemplates": _read(P.TEMPLATES_READ),
    "TemplateService/CreateTemplateTranslation": _write(P.TEMPLATES_WRITE),
    "TemplateService/UpdateTemplateTranslation": _write(P.TEMPLATES_WRITE),
    "TemplateService/ListTemplateTranslations": _read(P.TEMPLATES_READ),
    "TemplateService/ApproveTemplateTranslation": _write(P.TEMPLATES_REVIEW),
}

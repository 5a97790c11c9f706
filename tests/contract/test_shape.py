"""What the contract offers: services, RPCs, streaming kinds, reads by GET, retired numbers."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from protobuf import DescFile, DescMethod, DescService
from protobuf.wkt.google.protobuf.descriptor_pb import MethodOptions

import pidgr.contract.v1

PUBLISHED = {
    "ActionService": 1,
    "ApiKeyService": 3,
    "CampaignService": 11,
    "DeviceService": 4,
    "GroupService": 9,
    "HeatmapService": 4,
    "InboxService": 3,
    "MemberService": 13,
    "OrganizationService": 13,
    "RenderService": 1,
    "ReplayService": 2,
    "RoleService": 4,
    "SSOService": 4,
    "TeamService": 8,
    "TemplateService": 8,
}
BEYOND = {
    "AuditService": 4,
    "InviteLinkService": 5,
    "PrivacyService": 11,
    "TokenService": 2,
}
READS = {
    "ApiKeyService": "ListApiKeys",
    "AuditService": "ListAuditEvents ListAuditExports",
    "CampaignService": "GetCampaign ListCampaigns GetCampaignAudience ListDeliveries"
    " GetCampaignArchetypeBreakdown GetCampaignByShortCode",
    "DeviceService": "ListDevices ListMemberDevices",
    "GroupService": "GetGroup ListGroups ListGroupMembers GetUserGroupMemberships",
    "HeatmapService": "QueryHeatmapData ListScreenshots",
    "InboxService": "Sync GetMessage",
    "InviteLinkService": "ListInviteLinks",
    "MemberService": "GetUser ListUsers GetUserSettings",
    "OrganizationService": "GetOrganization GetOrgPrivacySettings ListSandboxFixtures"
    " ListUserOrganizations ListUserSandboxes",
    "PrivacyService": "GetDataExistenceConfirmation ListPrivacyRequests ListMyPrivacyRequests"
    " ListOrgSecurityIncidents",
    "ReplayService": "ListSessionRecordings GetSessionSnapshots",
    "RoleService": "ListRoles",
    "SSOService": "CheckSSOByDomain GetSSOProvider",
    "TeamService": "GetTeam ListTeams ListTeamMembers",
    "TemplateService": "GetTemplate ListTemplates ListTemplateTranslations",
    "TokenService": "SignDeeplinkToken ValidateDeeplinkToken",
}
RETIRED = {
    "InviteUserRequest": {3},
    "SendReminderConfig": {2, 3},
    "User": {4},
}


def files() -> Iterator[DescFile]:
    for module in pkgutil.iter_modules(pidgr.contract.v1.__path__):
        if module.name.endswith("_pb"):
            generated = importlib.import_module(f"pidgr.contract.v1.{module.name}")
            file = generated.desc()
            assert isinstance(file, DescFile)
            yield file


def services() -> list[DescService]:
    return [service for file in files() for service in file.services]


def rpcs() -> list[DescMethod]:
    return [method for service in services() for method in service.methods]


def test_there_are_fifteen_published_services_with_eighty_eight_rpcs_and_those_beyond() -> None:
    assert {service.name: len(service.methods) for service in services()} == PUBLISHED | BEYOND
    assert (len(PUBLISHED), sum(PUBLISHED.values())) == (15, 88)


def test_render_batch_alone_streams_and_only_from_the_server() -> None:
    kinds = {f"{rpc.parent.name}.{rpc.name}": rpc.method_kind for rpc in rpcs()}
    assert {name: kind for name, kind in kinds.items() if kind != "unary"} == {
        "RenderService.RenderBatch": "server_streaming"
    }


def test_exactly_the_reads_can_be_called_with_get() -> None:
    found: dict[str, list[str]] = {}
    for rpc in rpcs():
        if rpc.idempotency == MethodOptions.IdempotencyLevel.NO_SIDE_EFFECTS:
            found.setdefault(rpc.parent.name, []).append(rpc.name)
    assert found == {service: names.split() for service, names in READS.items()}


def test_every_rpc_has_a_request_and_a_response_of_its_own() -> None:
    for rpc in rpcs():
        assert rpc.input.name == f"{rpc.name}Request"
        assert rpc.output.name == f"{rpc.name}Response"


@pytest.mark.parametrize("message", RETIRED)
def test_retired_numbers_stay_reserved(message: str) -> None:
    (found,) = (m for file in files() for m in file.messages if m.name == message)
    reserved = {
        number for span in found.proto.reserved_range for number in range(span.start, span.end)
    }
    assert reserved == RETIRED[message]


def test_the_baseline_holds_the_whole_contract(root: Path) -> None:
    image = (root / "proto" / "published.binpb").read_bytes()
    baseline = descriptor_pb2.FileDescriptorSet.FromString(image)
    ours = [file for file in baseline.file if file.package == "pidgr.v1"]
    counted = {s.name: len(s.method) for file in ours for s in file.service}
    assert counted == PUBLISHED
    assert not any(file.HasField("source_code_info") for file in baseline.file)

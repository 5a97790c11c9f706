"""Sandboxes over the wire: what a fixture really holds, and that nothing is left in the end."""

import time
import uuid
from typing import Any

import grpc
import pytest
from support.grpc_client import Client
from support.rows import Contents, contents, differences
from support.running import Installation
from support.waiting import until

from pidgr.clock import DAY, MINUTE
from pidgr.sandboxes.deletion import deletion_key
from pidgr.storage.sql import Statement

ORPHANED_EVENTS = Statement("""
    select count(*) from audit_event
    where organization_key not in (select key from organization)
""")
DEVICE = {"platform": 1, "push_token": "token"}


def nothing_left(before: Contents, after: Contents) -> bool:
    """Tell whether a sandbox is gone; the maker's own organization remembers it in its trail."""
    return differences(before, after).keys() <= {"audit_event"}


def in_days(client: Client, days: float) -> Any:
    from google.protobuf.timestamp_pb2 import Timestamp

    del client
    moment = Timestamp()
    moment.FromSeconds(int(time.time() + days * DAY / 1e6))
    return moment


class Maker:
    """A signed-in person who makes sandboxes and acts in them."""

    def __init__(self, installation: Installation, client: Client) -> None:
        self.installation, self.client = installation, client
        home = installation.found()
        self.token = installation.token(home.admin_id)
        self.home = home

    def create(self, fixture_id: str) -> Any:
        return self.client(
            "OrganizationService/CreateSandboxOrganization",
            self.token,
            name=f"Trial {uuid.uuid4()}",
            expires_at=in_days(self.client, 1),
            fixture_id=fixture_id,
        )


@pytest.fixture
def maker(installation: Installation, client: Client) -> Maker:
    return Maker(installation, client)


@pytest.mark.parametrize(
    ("fixture_id", "people", "departments"),
    [("starter", 24, 3), ("fintech", 120, 5), ("sales", 80, 5)],
)
def test_a_fixture_fills_an_organization(
    maker: Maker, client: Client, fixture_id: str, people: int, departments: int
) -> None:
    made = maker.create(fixture_id)
    token = maker.installation.token(made.admin_user.id)
    page = {"page_size": 100}
    users = client("MemberService/ListUsers", token, pagination=page)
    assert users.pagination_meta.total_count == people + 1
    known = {user.id: user for user in users.users}
    led = [user for user in known.values() if user.profile.manager_id in known]
    assert len(led) >= len(known) - 3
    assert len({user.profile.department for user in led}) == departments
    assert {user.email.rpartition(".")[2] for user in led} == {"example"}

    groups = client("GroupService/ListGroups", token).groups
    assert {group.name for group in groups} == {
        "Everyone",
        "People managers",
        "New joiners",
        "Latin America",
    }
    assert all(0 < group.member_count <= people + 1 for group in groups)
    for group in groups:
        members = client("GroupService/ListGroupMembers", token, group_id=group.id)
        assert members.pagination_meta.total_count == group.member_count
    teams = client("TeamService/ListTeams", token).teams
    assert len(teams) == departments + 1
    assert sum(team.member_count for team in teams if not team.is_default) == people

    templates = client("TemplateService/ListTemplates", token).templates
    assert len(templates) == 2
    translated = {
        len(
            client(
                "TemplateService/ListTemplateTranslations", token, template_id=template.id
            ).translations
        )
        for template in templates
    }
    assert translated == {2, 4}

    (campaign,) = client("CampaignService/ListCampaigns", token).campaigns
    assert campaign.status == client.stubs.CAMPAIGN_STATUS_COMPLETED
    assert campaign.synthetic
    assert campaign.total_recipients == people
    assert campaign.sender_name in {team.name for team in teams}
    check_deliveries(client, token, campaign)


def check_deliveries(client: Client, token: str, campaign: Any) -> None:
    """They add up to the counters, and tell a story that can have happened."""
    stubs = client.stubs
    deliveries: list[Any] = []
    page_token = ""
    while True:
        page = client(
            "CampaignService/ListDeliveries",
            token,
            campaign_id=campaign.id,
            pagination={"page_size": 100, "page_token": page_token},
        )
        deliveries += page.deliveries
        page_token = page.pagination_meta.next_page_token
        if not page_token:
            break
    assert len(deliveries) == campaign.total_recipients
    assert all(delivery.synthetic for delivery in deliveries)
    by_status: dict[int, list[Any]] = {}
    for delivery in deliveries:
        by_status.setdefault(delivery.status, []).append(delivery)
    acknowledged = by_status[stubs.DELIVERY_STATUS_ACKNOWLEDGED]
    assert len(acknowledged) == campaign.action_completed_count
    missed = by_status[stubs.DELIVERY_STATUS_MISSED]
    assert len(missed) == campaign.missed_count
    assert by_status.keys() <= {
        stubs.DELIVERY_STATUS_ACKNOWLEDGED,
        stubs.DELIVERY_STATUS_MISSED,
        stubs.DELIVERY_STATUS_NO_DEVICE,
    }
    assert len(acknowledged) > len(missed) > 0
    end = campaign.completed_at.ToMicroseconds()
    for delivery in acknowledged:
        times = [
            campaign.started_at.ToMicroseconds(),
            delivery.delivered_at.ToMicroseconds(),
            delivery.read_at.ToMicroseconds(),
            delivery.acted_at.ToMicroseconds(),
            end,
        ]
        assert times == sorted(times)
    assert len({delivery.acted_at.ToMicroseconds() // MINUTE for delivery in acknowledged}) > 10
    assert not any(delivery.HasField("acted_at") for delivery in missed)
    assert len({delivery.rendered_locale for delivery in deliveries}) == 5
    assert end < time.time() * 1e6


def test_its_people_find_the_campaign_in_their_inbox(maker: Maker, client: Client) -> None:
    made = maker.create("starter")
    token = maker.installation.token(made.admin_user.id)
    users = client("MemberService/ListUsers", token, pagination={"page_size": 100}).users
    person = next(user for user in users if user.id != made.admin_user.id)
    (entry,) = client("InboxService/Sync", maker.installation.token(person.id)).entries
    assert entry.message.title
    assert entry.message.body


def test_three_at_once_and_no_fourth_over_the_wire(maker: Maker, client: Client) -> None:
    for _ in range(3):
        maker.create("empty")
    error = client.error(
        "OrganizationService/CreateSandboxOrganization",
        maker.token,
        name="One too many",
        expires_at=in_days(client, 1),
    )
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    listed = client("OrganizationService/ListUserSandboxes", maker.token).sandboxes
    assert len(listed) == 3


def test_an_api_key_has_no_sandboxes(maker: Maker, client: Client) -> None:
    for rpc, fields in (
        ("CreateSandboxOrganization", {"name": "Trial", "expires_at": in_days(client, 1)}),
        ("DeleteSandboxOrganization", {"org_id": maker.home.id}),
        ("ListSandboxFixtures", {}),
        ("ListUserSandboxes", {}),
    ):
        error = client.error(f"OrganizationService/{rpc}", maker.home.api_key, **fields)
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        error = client.error(f"OrganizationService/{rpc}", **fields)
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_deleted_sandbox_opens_no_more_and_is_gone_soon(maker: Maker, client: Client) -> None:
    database = maker.installation.system.database
    before = database.read_now(contents)
    made = maker.create("starter")
    token = maker.installation.token(made.admin_user.id)
    key = client(
        "ApiKeyService/CreateApiKey",
        token,
        name="For a trial",
        permissions=[client.stubs.PERMISSION_MEMBERS_READ],
    ).key
    client("DeviceService/Register", token, device_id=str(uuid.uuid4()), **DEVICE)
    started = client(
        "OrganizationService/DeleteSandboxOrganization", maker.token, org_id=made.organization.id
    )
    assert started.workflow_id == deletion_key(made.organization.id)
    for credential in (token, key):
        error = client.error("MemberService/ListUsers", credential)
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    until(lambda: nothing_left(before, database.read_now(contents)))
    assert database.read_now(lambda unit: unit.value(ORPHANED_EVENTS)) == 0


def test_an_expired_sandbox_is_deleted_by_itself(maker: Maker) -> None:
    system = maker.installation.system
    before = system.database.read_now(contents)
    made = maker.create("empty")
    # As if its time had come.
    system.database.write_now(
        lambda unit: system.engine.move(unit, deletion_key(made.organization.id), 0)
    )
    until(lambda: nothing_left(before, system.database.read_now(contents)))
    assert system.database.read_now(lambda unit: unit.value(ORPHANED_EVENTS)) == 0
    left = Statement("select count(*) from organization where id = :id")
    parameters = {"id": made.organization.id}
    assert system.database.read_now(lambda unit: unit.value(left, parameters)) == 0

"""Pushes wait for the end of the recipient's quiet hours; the inbox does not."""

from typing import Any

import pytest
from support.grpc_client import Client
from support.held import (
    ASLEEP,
    AWAKE,
    held_tasks,
    let_the_night_end,
    set_quiet,
    unfinished_tasks,
)
from support.push_gateway import PushGateway
from support.running import Installation
from support.story import World
from support.waiting import until

from pidgr import reports
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement

HELD = Statement("""
    select sum(l.held) from lane l join step_run r on r.key = l.step_run_key
    join campaign c on c.key = r.campaign_key where c.id = :id
""")


@pytest.fixture
def database(installation: Installation) -> Database:
    return installation.system.database


@pytest.fixture
def world(installation: Installation, client: Client, database: Database) -> World:
    """It is night for Ada and Cleo, and day for Bob."""
    world = World(installation, client)
    zone(world, world.ada, ASLEEP)
    zone(world, world.bob, AWAKE)
    zone(world, world.cleo, "Mars/Olympus")
    set_quiet(database, world.organization.id)
    return world


def zone(world: World, user_id: str, name: str) -> None:
    profile = world.stubs.UserProfile(custom_attributes={"timezone": name})
    world.client("MemberService/UpdateUserProfile", world.key, user_id=user_id, profile=profile)


def send_only(world: World) -> Any:
    return world.steps(world.steps.send(action_label="Got it"))


def pushed(world: World, gateway: PushGateway, campaign_id: str) -> list[str]:
    """Return who was pushed about a campaign, in order, once for each push."""
    tokens = [push["push_token"].removeprefix("token-") for push in gateway.of(campaign_id)]
    names = {world.ada: "ada", world.bob: "bob", world.cleo: "cleo"}
    return [names[user_id] for user_id in tokens]


def morning(database: Database) -> None:
    """Let the night end, and wait until everything that was held back has been pushed."""
    let_the_night_end(database)
    until(lambda: not unfinished_tasks(database))


def with_status(world: World, campaign_id: str, status: str) -> tuple[set[str], int]:
    value = world.stubs.DeliveryStatus.Value(f"DELIVERY_STATUS_{status}")
    found = world.deliveries(campaign_id, status_filter=value)
    return {one.user_id for one in found.deliveries}, found.pagination_meta.total_count


def test_who_sleeps_is_pushed_in_the_morning_and_has_the_message_at_once(
    world: World, gateway: PushGateway, database: Database
) -> None:
    campaign = world.start()
    assert pushed(world, gateway, campaign.id) == ["bob"]
    assert world.statuses(campaign.id) == {
        world.ada: "PENDING",
        world.bob: "SENT",
        world.cleo: "PENDING",
        world.dan: "NO_DEVICE",
    }
    assert with_status(world, campaign.id, "PENDING") == ({world.ada, world.cleo}, 2)
    assert with_status(world, campaign.id, "SENT") == ({world.bob}, 1)
    assert world.entry(world.cleo).message.title == "New policy"
    assert with_status(world, campaign.id, "PENDING") == ({world.ada}, 1)
    (key,) = held_tasks(database)
    morning(database)
    assert sorted(pushed(world, gateway, campaign.id)) == ["ada", "bob", "cleo"]
    assert world.statuses(campaign.id)[world.ada] == "SENT"
    assert with_status(world, campaign.id, "SENT") == ({world.ada, world.bob}, 2)
    assert database.read_now(lambda reader: reader.value(HELD, {"id": campaign.id})) == 0
    assert key not in held_tasks(database)
    world.acknowledge(campaign.id, world.ada)
    assert world.counts(campaign.id) == (4, 1, 0)


def test_a_critical_campaign_wakes_everybody(
    world: World, gateway: PushGateway, database: Database
) -> None:
    campaign = world.start(critical=True)
    assert sorted(pushed(world, gateway, campaign.id)) == ["ada", "bob", "cleo"]
    assert held_tasks(database) == []


def test_who_confirms_at_night_is_left_alone(
    world: World, gateway: PushGateway, database: Database
) -> None:
    campaign = world.start()
    world.acknowledge(campaign.id, world.ada)
    assert with_status(world, campaign.id, "PENDING") == ({world.cleo}, 1)
    morning(database)
    assert sorted(pushed(world, gateway, campaign.id)) == ["bob", "cleo"]
    assert world.statuses(campaign.id)[world.ada] == "ACKNOWLEDGED"


def test_a_campaign_cancelled_at_night_is_quiet_in_the_morning(
    world: World, gateway: PushGateway, database: Database
) -> None:
    campaign = world.start()
    world.cancel(campaign.id)
    morning(database)
    assert pushed(world, gateway, campaign.id) == ["bob"]
    assert world.statuses(campaign.id)[world.ada] == "PENDING"


def test_a_campaign_that_is_over_before_the_morning_still_reaches_everybody(
    world: World, gateway: PushGateway, database: Database
) -> None:
    campaign = world.start(workflow=send_only(world))
    world.complete(campaign.id)
    assert pushed(world, gateway, campaign.id) == ["bob"]
    morning(database)
    assert sorted(pushed(world, gateway, campaign.id)) == ["ada", "bob", "cleo"]


def test_a_message_and_its_reminder_in_one_night_are_one_push(
    world: World, gateway: PushGateway, database: Database
) -> None:
    workflow = world.steps(
        world.steps.send(action_label="Got it"),
        world.steps.wait(),
        world.steps.remind(),
        world.steps.wait("late"),
    )
    campaign = world.start(workflow=workflow)
    world.pass_deadline(campaign.id)
    world.reach(campaign.id, "late")
    assert pushed(world, gateway, campaign.id) == ["bob", "bob"]
    ada = world.delivery_id(campaign.id, world.ada)
    told = reports.explain_in(world.installation.system, ada).happenings
    assert "one push is enough" in next(one for one in told if one.event == "not_reminded").detail
    morning(database)
    assert sorted(pushed(world, gateway, campaign.id)) == ["ada", "bob", "bob", "cleo"]


def test_a_reminder_at_night_waits_too(
    world: World, gateway: PushGateway, database: Database
) -> None:
    set_quiet(database, world.organization.id, hours_from_now=-2)
    workflow = world.steps(
        world.steps.send(action_label="Got it"),
        world.steps.wait(),
        world.steps.remind(),
        world.steps.wait("late"),
    )
    campaign = world.start(workflow=workflow)
    set_quiet(database, world.organization.id)
    world.pass_deadline(campaign.id)
    world.reach(campaign.id, "late")
    assert sorted(pushed(world, gateway, campaign.id)) == ["ada", "bob", "bob", "cleo"]
    # Their first push has been sent: what waits is the reminder.
    assert world.statuses(campaign.id)[world.ada] == "SENT"
    morning(database)
    assert sorted(pushed(world, gateway, campaign.id)) == [
        "ada",
        "ada",
        "bob",
        "bob",
        "cleo",
        "cleo",
    ]


def test_for_whom_it_is_night_again_it_becomes_morning_again(
    world: World, gateway: PushGateway, database: Database
) -> None:
    campaign = world.start()
    set_quiet(database, world.organization.id, hours_from_now=6)
    zone(world, world.cleo, AWAKE)
    let_the_night_end(database)
    until(lambda: "cleo" in pushed(world, gateway, campaign.id))
    until(lambda: held_tasks(database))
    assert world.statuses(campaign.id) == {
        world.ada: "PENDING",
        world.bob: "SENT",
        world.cleo: "SENT",
        world.dan: "NO_DEVICE",
    }
    morning(database)
    assert sorted(pushed(world, gateway, campaign.id)) == ["ada", "bob", "cleo"]


def test_a_batch_to_more_people_than_before_does_not_look_like_a_repeat(
    world: World, gateway: PushGateway, database: Database
) -> None:
    gateway.requests.clear()
    gateway.away = True
    campaign = world.create()
    world.client("CampaignService/StartCampaign", world.key, campaign_id=campaign.id)
    until(lambda: gateway.requests)
    set_quiet(database, world.organization.id, hours_from_now=-2)
    # An attempt may be on its way that has looked at the clock before.
    seen = len(gateway.requests)
    until(lambda: len(gateway.requests) > seen)
    gateway.away = False
    world.reach(campaign.id, "wait")
    assert sorted(pushed(world, gateway, campaign.id)) == ["ada", "bob", "cleo"]
    devices: dict[str, set[str]] = {}
    for key, sent in gateway.requests:
        assert devices.setdefault(key, set(sent)) == set(sent)
    assert len(devices) == 2


def test_what_the_provider_says_in_the_morning_counts(
    world: World, gateway: PushGateway, database: Database
) -> None:
    campaign = world.start()
    gateway.results[f"token-{world.ada}"] = "dead_token"
    (device,) = world.client("DeviceService/ListDevices", world.tokens[world.cleo]).devices
    world.client("DeviceService/Deactivate", world.tokens[world.cleo], device_id=device.device_id)
    morning(database)
    assert world.statuses(campaign.id) == {
        world.ada: "NO_DEVICE",
        world.bob: "SENT",
        world.cleo: "NO_DEVICE",
        world.dan: "NO_DEVICE",
    }
    assert with_status(world, campaign.id, "NO_DEVICE")[1] == 3


def test_another_s_message_waits_for_their_own_morning(
    world: World, gateway: PushGateway, database: Database
) -> None:
    stubs = world.stubs
    target = stubs.EscalationTarget(
        type=stubs.EscalationTargetType.Value("ESCALATION_TARGET_TYPE_USER"), target_id=world.ada
    )
    escalate = stubs.WorkflowStep(
        id="escalate",
        type=stubs.STEP_TYPE_ESCALATE,
        escalate_config=stubs.EscalateConfig(
            condition=stubs.ESCALATION_CONDITION_IF_NOT_ACKED, targets=[target]
        ),
    )
    workflow = world.steps(world.steps.send(action_label="Got it"), world.steps.wait(), escalate)
    campaign = world.start(workflow=workflow, user_ids=[world.bob])
    world.pass_deadline(campaign.id)
    world.complete(campaign.id)
    assert pushed(world, gateway, campaign.id) == ["bob"]
    assert with_status(world, campaign.id, "PENDING") == ({world.ada}, 1)
    morning(database)
    assert pushed(world, gateway, campaign.id) == ["bob", "ada"]
    assert with_status(world, campaign.id, "SENT") == ({world.ada, world.bob}, 2)


def test_the_timeline_tells_of_the_night(world: World, database: Database) -> None:
    campaign = world.start()
    delivery_id = world.delivery_id(campaign.id, world.ada)
    asleep = reports.explain_in(world.installation.system, delivery_id).happenings
    assert [one.event for one in asleep] == ["created", "rendered", "held_back"]
    assert "quiet hours" in asleep[-1].detail
    morning(database)
    awake = reports.explain_in(world.installation.system, delivery_id).happenings
    assert [one.event for one in awake] == ["created", "rendered", "held_back", "pushed", "answer"]
    assert awake[-1].detail.endswith("taken by the provider")

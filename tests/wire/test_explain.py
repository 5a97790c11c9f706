"""The timeline of a delivery, told about campaigns that really ran."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.browser import Browser
from support.grpc_client import Client
from support.push_gateway import PushGateway
from support.rows import contents, differences
from support.running import Installation
from support.story import World
from support.waiting import until

from pidgr import reports
from pidgr.campaigns.timeline import Happening
from pidgr.errors import InvalidArgumentError, NotFoundError


@pytest.fixture
def world(installation: Installation, client: Client) -> World:
    return World(installation, client)


@pytest.fixture
def held(gateway: PushGateway) -> Iterator[threading.Event]:
    """Keep the gateway from answering until it is set."""
    gateway.hold = threading.Event()
    yield gateway.hold
    gateway.hold.set()
    gateway.hold = None


def told(world: World, delivery_id: str) -> list[Happening]:
    return reports.explain_in(world.installation.system, delivery_id).happenings


def of(world: World, campaign_id: str, user_id: str) -> list[Happening]:
    """Return the timeline of somebody's own delivery."""
    return told(world, primary(world, campaign_id, user_id))


def primary(world: World, campaign_id: str, user_id: str) -> str:
    kind = world.stubs.Delivery.KIND_PRIMARY
    everything = world.deliveries(campaign_id, pagination={"page_size": 100}).deliveries
    (found,) = (one.id for one in everything if (one.user_id, one.kind) == (user_id, kind))
    return str(found)


def names(happenings: list[Happening]) -> list[str]:
    return [one.event for one in happenings]


def detail(happenings: list[Happening], event: str) -> str:
    (found,) = (one.detail for one in happenings if one.event == event)
    return found


def whole_story(world: World) -> Any:
    stubs = world.stubs
    boss = world.invite("boss@example.com", name="Boss")
    profile = stubs.UserProfile(manager_id=boss)
    for user_id in (world.ada, world.bob, world.cleo, world.dan):
        world.client("MemberService/UpdateUserProfile", world.key, user_id=user_id, profile=profile)
    target = stubs.EscalationTarget(
        type=stubs.EscalationTargetType.Value("ESCALATION_TARGET_TYPE_MANAGER")
    )
    remind = stubs.WorkflowStep(
        id="remind",
        type=stubs.STEP_TYPE_SEND_REMINDER,
        send_reminder=stubs.SendReminderConfig(notify_targets=[target]),
    )
    escalate = stubs.WorkflowStep(
        id="escalate",
        type=stubs.STEP_TYPE_ESCALATE,
        escalate_config=stubs.EscalateConfig(
            condition=stubs.ESCALATION_CONDITION_IF_NOT_ACKED, targets=[target]
        ),
    )
    workflow = world.steps(
        world.steps.send(action_label="Got it"),
        world.steps.wait(),
        remind,
        world.steps.wait("late"),
        escalate,
        world.steps.missed(),
    )
    people = [world.ada, world.bob, world.cleo, world.dan]
    return world.start(workflow=workflow, user_ids=people)


def test_each_person_s_part_of_a_campaign_is_told(
    installation: Installation, world: World, gateway: PushGateway
) -> None:
    gateway.results[f"token-{world.cleo}"] = "dead_token"
    silenced = world.register(world.dan)
    world.client("DeviceService/Deactivate", world.tokens[world.dan], device_id=silenced)
    campaign = whole_story(world)
    world.acknowledge(campaign.id, world.ada)
    world.pass_deadline(campaign.id)
    world.reach(campaign.id, "late")
    world.acknowledge(campaign.id, world.bob)
    world.complete(campaign.id)
    ids = {user_id: primary(world, campaign.id, user_id) for user_id in world.user_ids[:4]}
    before = installation.system.database.read_now(contents)
    timelines = {user_id: told(world, delivery_id) for user_id, delivery_id in ids.items()}
    assert not differences(before, installation.system.database.read_now(contents))

    ada = timelines[world.ada]
    assert sorted(names(ada)) == sorted(
        [
            "created",
            "rendered",
            "pushed",
            "answer",
            "delivered",
            "read",
            "acknowledged",
            "not_reminded",
            "not_reminder_copied",
            "not_escalated",
            "not_missed",
            "campaign_completed",
        ]
    )
    assert [one.at for one in ada] == sorted(one.at for one in ada)
    assert detail(ada, "not_reminded") == "acknowledged before"
    assert detail(ada, "rendered").endswith("in en, because it was the only approved text")

    bob = timelines[world.bob]
    assert {"reminded", "reminder_copied", "acknowledged", "not_escalated"} <= set(names(bob))
    (copied,) = (one for one in bob if one.event == "reminder_copied")
    copy = told(world, copied.detail.partition("delivery ")[2].split()[0])
    assert {"created", "dismissed"} <= set(names(copy))
    assert "rendered" not in names(copy)
    assert primary(world, campaign.id, world.bob) in detail(copy, "created")

    cleo = timelines[world.cleo]
    assert "dead_token" in detail(cleo, "answer")
    assert detail(cleo, "not_reminded") == "the recipient had no active device"
    assert detail(cleo, "not_missed") == "it never reached a device"
    assert "escalated" in names(cleo)

    dan = timelines[world.dan]
    assert detail(dan, "not_pushed") == "the recipient had no active device"
    assert detail(dan, "not_reminder_copied") == "it never reached a device"
    everything = repr([ada, bob, cleo, dan, copy])
    for secret in ("token-", "@example.com", "Please", "New policy"):
        assert secret not in everything


def test_who_does_nothing_is_reminded_and_missed(world: World) -> None:
    workflow = world.steps(
        world.steps.send(action_label="Got it"),
        world.steps.wait(),
        world.steps.remind(),
        world.steps.missed(),
    )
    campaign = world.start(workflow=workflow, user_ids=[world.ada])
    world.pass_deadline(campaign.id)
    world.complete(campaign.id)
    happenings = of(world, campaign.id, world.ada)
    assert names(happenings) == [
        "created",
        "rendered",
        "pushed",
        "answer",
        "reminded",
        "answer",
        "missed",
        "campaign_completed",
    ]
    answers = [one.detail for one in happenings if one.event == "answer"]
    assert all(answer.endswith("taken by the provider") for answer in answers)
    for one in happenings:
        assert one.until is None or one.at <= one.until


def test_a_message_is_missed_once_however_often_a_workflow_counts(world: World) -> None:
    steps = world.steps
    workflow = steps(steps.send(), steps.missed("first"), steps.missed("second"))
    campaign = world.start(workflow=workflow, user_ids=[world.ada], until_step="")
    timeline = of(world, campaign.id, world.ada)
    counted = [(one.event, one.step_id) for one in timeline if one.step_id in {"first", "second"}]
    assert counted == [("missed", "first"), ("not_missed", "second")]
    assert detail(timeline, "not_missed") == "counted as missed before"


def test_an_alert_without_deliveries_is_told_of_the_messages_it_is_about(world: World) -> None:
    steps, stubs = world.steps, world.stubs
    alert = steps.escalate(
        "alert",
        targets=[steps.target("USER", user_id) for user_id in (world.cleo, world.dan)],
        mode=stubs.ESCALATE_MODE_ALERT_ONLY,
    )
    workflow = steps(steps.send(), steps.wait(), alert, steps.send("second"))
    campaign = world.start(workflow=workflow, user_ids=[world.ada, world.bob])
    world.pass_deadline(campaign.id)
    world.complete(campaign.id)

    def alerts() -> list[list[str]]:
        deliveries = world.deliveries(campaign.id).deliveries
        return [
            [
                f"{one.step_id}: {one.detail}"
                for one in told(world, delivery.id)
                if one.event == "alerted"
            ]
            for delivery in deliveries
            if delivery.user_id == world.ada
        ]

    # A step's people are noted once it is over. The second message came after the alert.
    expected = "alert: people whom the step tells of the campaign, without a delivery: 2"
    until(lambda: alerts() == [[expected], []])


def test_a_device_that_registered_since_leaves_the_answer_unknown(world: World) -> None:
    campaign = world.start(user_ids=[world.ada])
    (device,) = world.client("DeviceService/ListDevices", world.tokens[world.ada]).devices
    world.register(world.ada, device_id=device.device_id)
    assert detail(of(world, campaign.id, world.ada), "answer").endswith(
        "unknown, it has registered or been refused since"
    )


def test_before_the_provider_answers_and_after_a_cancel(
    world: World, held: threading.Event, gateway: PushGateway
) -> None:
    campaign = world.create(user_ids=[world.ada, world.bob])
    world.client("CampaignService/StartCampaign", world.key, campaign_id=campaign.id)
    until(lambda: gateway.of(campaign.id))
    assert detail(of(world, campaign.id, world.ada), "not_pushed") == (
        "no push provider has answered yet"
    )
    world.acknowledge(campaign.id, world.bob)
    assert detail(of(world, campaign.id, world.bob), "not_pushed") == (
        "it was acknowledged before its turn"
    )
    held.set()
    world.reach(campaign.id, "wait")
    world.cancel(campaign.id)
    assert names(of(world, campaign.id, world.ada))[-1] == "campaign_cancelled"


def subscribe(world: World, user_id: str) -> None:
    """Let somebody read in a browser."""
    answer = httpx.post(
        f"{world.installation.url}/push/web/subscriptions",
        headers={"authorization": f"Bearer {world.tokens[user_id]}"},
        json={"subscription": Browser(f"https://fcm.googleapis.com/{user_id}").subscription},
    )
    assert answer.status_code == 200


def test_of_a_batch_that_is_cut_off_what_has_left_is_told_apart(
    world: World, held: threading.Event, gateway: PushGateway
) -> None:
    # Browsers are told after all devices.
    subscribe(world, world.bob)
    subscribe(world, world.dan)
    campaign = world.create(user_ids=[world.ada, world.bob, world.dan])
    world.client("CampaignService/StartCampaign", world.key, campaign_id=campaign.id)
    until(lambda: gateway.of(campaign.id))
    # It does not wait for the answer.
    world.cancel(campaign.id)
    held.set()
    until(lambda: world.statuses(campaign.id)[world.ada] == "SENT")
    assert len(gateway.of(campaign.id)) == 2
    assert world.statuses(campaign.id) == {
        world.ada: "SENT",
        world.bob: "SENT",
        world.dan: "PENDING",
    }
    pending = world.stubs.DELIVERY_STATUS_PENDING
    assert world.deliveries(campaign.id, status_filter=pending).pagination_meta.total_count == 1
    assert detail(of(world, campaign.id, world.ada), "answer").endswith("taken by the provider")
    device, browser = (
        one.detail for one in of(world, campaign.id, world.bob) if one.event == "answer"
    )
    assert device.endswith("taken by the provider")
    assert browser.endswith("none: the campaign was stopped before its turn")
    dan = of(world, campaign.id, world.dan)
    assert sorted(names(dan)) == sorted(["created", "rendered", "not_pushed", "campaign_cancelled"])
    assert detail(dan, "not_pushed") == "the campaign was stopped before"


def test_who_gets_a_new_token_while_the_old_one_is_refused_is_pushed_to_again(
    world: World, held: threading.Event, gateway: PushGateway
) -> None:
    gateway.results["old"] = "dead_token"
    device_id = world.register(world.dan, push_token="old")
    campaign = world.create(user_ids=[world.ada, world.dan])
    world.client("CampaignService/StartCampaign", world.key, campaign_id=campaign.id)
    until(lambda: gateway.of(campaign.id))
    world.register(world.dan, device_id=device_id, push_token="new")
    held.set()
    until(lambda: "new" in [push["push_token"] for push in gateway.of(campaign.id)])
    until(lambda: world.statuses(campaign.id)[world.dan] == "SENT")
    world.reach(campaign.id, "wait")
    assert len(gateway.of(campaign.id)) == 3
    answers = [one.detail for one in of(world, campaign.id, world.dan) if one.event == "answer"]
    assert answers == [
        f"device {device_id} refused: dead_token",
        f"IOS device {device_id}: taken by the provider",
    ]


def test_a_message_that_could_not_be_made_says_why(world: World) -> None:
    variables = [world.variable("desk", required=True)]
    template_id = world.template(body="Your desk is {{desk}}.", variables=variables)
    audience = [world.stubs.AudienceMember(user_id=world.ada, variables={"desk": "by the window"})]
    audience.append(world.stubs.AudienceMember(user_id=world.bob))
    campaign = world.start(template_id=template_id, user_ids=[], audience=audience)
    bob = of(world, campaign.id, world.bob)
    assert names(bob)[:2] == ["created", "render_failed"]
    assert detail(bob, "render_failed") == "no value for the required variables: desk"
    assert "pushed" not in names(bob)
    assert "window" not in repr(of(world, campaign.id, world.ada))


def test_who_reads_another_language_is_told_why(world: World) -> None:
    template_id = world.template()
    call = world.client
    made = call(
        "TemplateService/CreateTemplateTranslation",
        world.key,
        template_id=template_id,
        locale="es",
        body="Por favor",
    )
    translation_id = made.translation.id
    call("TemplateService/ApproveTemplateTranslation", world.key, translation_id=translation_id)
    call(
        "MemberService/UpdateUserSettings",
        world.tokens[world.ada],
        settings={"preferred_locale": "es"},
    )
    call(
        "MemberService/UpdateUserSettings",
        world.tokens[world.bob],
        settings={"preferred_locale": "ja"},
    )
    campaign = world.start(template_id=template_id, user_ids=[world.ada, world.bob, world.cleo])
    reasons = {
        user_id: detail(of(world, campaign.id, user_id), "rendered").partition(" in ")[2]
        for user_id in (world.ada, world.bob, world.cleo)
    }
    assert reasons[world.ada] == "es, because the recipient prefers it"
    assert reasons[world.bob] == (
        "en, because the recipient prefers ja, which had no approved text"
    )
    assert reasons[world.cleo].startswith("en, because the recipient prefers none")
    call(
        "MemberService/UpdateUserSettings",
        world.tokens[world.ada],
        settings={"preferred_locale": "en"},
    )
    assert detail(of(world, campaign.id, world.ada), "rendered").endswith(
        "the recipient preferred another locale then than now"
    )


def test_what_is_no_delivery_is_not_explained(installation: Installation) -> None:
    with pytest.raises(InvalidArgumentError):
        reports.explain_in(installation.system, "nothing")
    with pytest.raises(NotFoundError):
        reports.explain_in(installation.system, "00000000-0000-8000-8000-000000000000")
    made_up = installation.system.delivery_ids.encode(1 << 40, 7)
    with pytest.raises(NotFoundError):
        reports.explain_in(installation.system, made_up)

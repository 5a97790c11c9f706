"""Deadlines, reminders, several sends, and where a campaign stands."""

import threading

from support.push_gateway import PushGateway
from support.running import Installation
from support.story import World
from support.waiting import at_once, until

from pidgr.contract.v1.action_pb import SubmitActionRequest
from pidgr.identity.caller import Caller, Organization, Person
from pidgr.inbox.action_service import ActionService
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

_MEMBER = Statement("""
    select m.key, m.email, o.key, o.id
    from member m join organization o on o.key = m.organization_key where m.id = :id
""")


def caller_of(installation: Installation, user_id: str) -> Caller:
    """Return who the server takes a member for."""
    found = installation.system.database.read_now(
        lambda reader: reader.row(_MEMBER, {"id": user_id})
    )
    assert found is not None
    key, email, organization_key, organization_id = found
    return Caller(
        organization=Organization(organization_key, organization_id, suspended=False),
        person=Person(key, user_id, email, ""),
    )


def test_the_deadline_ends_once_everyone_has_acknowledged(world: World) -> None:
    campaign = world.start(user_ids=[world.ada, world.bob])
    world.acknowledge(campaign.id, world.ada)
    assert world.get(campaign.id).status == world.stubs.CAMPAIGN_STATUS_RUNNING
    world.acknowledge(campaign.id, world.bob)
    world.complete(campaign.id)
    assert world.counts(campaign.id) == (2, 2, 0)


def test_the_last_acknowledgements_at_once_end_the_deadline(world: World) -> None:
    campaign = world.start(user_ids=[world.ada, world.bob, world.cleo])
    people = iter([world.ada, world.bob, world.cleo])
    lock = threading.Lock()

    def acknowledge() -> None:
        with lock:
            user_id = next(people)
            action = world.ack(campaign.id, user_id)
        world.client("ActionService/SubmitAction", world.tokens[user_id], **action)

    at_once(3, acknowledge)
    world.complete(campaign.id)
    assert world.counts(campaign.id) == (3, 3, 0)


def test_who_has_no_device_is_waited_for_only_if_asked(world: World) -> None:
    passing = world.start(user_ids=[world.dan], until_step="")
    world.complete(passing.id)
    assert world.statuses(passing.id) == {world.dan: "NO_DEVICE"}
    patient = world.start(user_ids=[world.dan], wait_for_enrollment=True)
    world.acknowledge(patient.id, world.dan)
    world.complete(patient.id)
    assert world.counts(patient.id) == (1, 1, 0)


def test_a_reminder_reaches_those_who_have_not_acted_and_can_be_reached(
    world: World, gateway: PushGateway
) -> None:
    late = world.invite("late@example.com")
    world.user_ids.remove(late)
    steps = world.steps
    workflow = steps(steps.send(), steps.wait(), steps.remind(), steps.wait("last"), steps.missed())
    people = [world.ada, world.bob, world.dan, late]
    campaign = world.start(workflow=workflow, user_ids=people)
    world.acknowledge(campaign.id, world.ada)
    world.message(campaign.id, world.bob)
    world.register(late)
    first = {push["push_token"] for push in gateway.of(campaign.id)}
    assert first == {f"token-{world.ada}", f"token-{world.bob}"}
    before = len(gateway.of(campaign.id))
    world.pass_deadline(campaign.id)
    world.reach(campaign.id, "last")
    reminded = [push["push_token"] for push in gateway.of(campaign.id)[before:]]
    assert sorted(reminded) == sorted([f"token-{world.bob}", f"token-{late}"])
    assert world.statuses(campaign.id) == {
        world.ada: "ACKNOWLEDGED",
        world.bob: "DELIVERED",
        world.dan: "NO_DEVICE",
        late: "SENT",
    }
    world.pass_deadline(campaign.id, "last")
    world.complete(campaign.id)
    assert world.statuses(campaign.id)[late] == "MISSED"
    assert world.counts(campaign.id) == (4, 1, 2)


def test_who_is_shut_out_drops_from_sends_that_wait(world: World, gateway: PushGateway) -> None:
    early, late = (world.invite(f"{when}-leaver@example.com") for when in ("early", "late"))
    for leaver in (early, late):
        world.register(leaver)
        world.user_ids.remove(leaver)
    steps = world.steps
    workflow = steps(steps.send(), steps.wait(), steps.remind(), steps.wait("last"))
    people = [world.bob, early, late]
    campaign_id = world.create(workflow=workflow, user_ids=people).id

    def shut_out(user_id: str) -> None:
        world.client("MemberService/DeactivateUser", world.key, user_id=user_id)

    def pushed() -> list[str]:
        return sorted(push["push_token"] for push in gateway.of(campaign_id))

    shut_out(early)
    world.client("CampaignService/StartCampaign", world.key, campaign_id=campaign_id)
    world.reach(campaign_id, "wait")
    sent = sorted([f"token-{world.bob}", f"token-{late}"])
    assert pushed() == sent
    shut_out(late)
    world.pass_deadline(campaign_id)
    world.reach(campaign_id, "last")
    assert pushed() == sorted([*sent, f"token-{world.bob}"])
    world.cancel(campaign_id)


def test_what_the_gateway_refuses_fails_and_a_dead_token_is_no_device(
    world: World, gateway: PushGateway
) -> None:
    refused, dead = world.invite("refused@example.com"), world.invite("dead@example.com")
    world.user_ids.remove(refused)
    world.user_ids.remove(dead)
    world.register(refused)
    world.register(dead)
    gateway.results |= {f"token-{refused}": "refused", f"token-{dead}": "dead_token"}
    campaign = world.start(user_ids=[world.ada, refused, dead])
    assert world.statuses(campaign.id) == {
        world.ada: "SENT",
        refused: "FAILED",
        dead: "NO_DEVICE",
    }
    (device,) = world.client("DeviceService/ListDevices", world.tokens[dead]).devices
    assert not device.active
    (device,) = world.client("DeviceService/ListDevices", world.tokens[refused]).devices
    assert device.active
    assert world.counts(campaign.id) == (3, 0, 0)
    # One accepted device is enough.
    world.register(refused, push_token="another")
    again = world.start(user_ids=[refused])
    assert world.statuses(again.id) == {refused: "SENT"}


def test_two_sends_are_two_messages_and_both_count(world: World) -> None:
    steps = world.steps
    second = world.template(body="Second message")
    workflow = steps(
        steps.send("one"),
        steps.wait("pause"),
        steps.send("two", template_id=second),
        steps.wait(),
        steps.missed(),
    )
    campaign = world.start(workflow=workflow, user_ids=[world.ada, world.bob], until_step="pause")
    assert world.counts(campaign.id) == (2, 0, 0)
    world.acknowledge(campaign.id, world.ada)
    world.pass_deadline(campaign.id, "pause")
    world.reach(campaign.id, "wait")
    assert world.counts(campaign.id) == (4, 1, 0)
    found = world.deliveries(campaign.id).deliveries
    assert [one.user_id for one in found] == [world.ada, world.bob] * 2
    world.pass_deadline(campaign.id)
    world.complete(campaign.id)
    assert world.counts(campaign.id) == (4, 1, 3)


def test_progress_names_the_step_and_when_it_wakes(world: World) -> None:
    steps = world.steps
    workflow = steps(
        steps.send(), steps.wait(delay="90m"), steps.remind(), steps.wait("last", delay="1m")
    )
    campaign = world.create(workflow=workflow, user_ids=[world.ada])
    assert not campaign.HasField("workflow_progress")
    started = world.client("CampaignService/StartCampaign", world.key, campaign_id=campaign.id)
    assert started.campaign.workflow_progress.current_step_id == "send"
    world.reach(campaign.id, "wait")
    progress = world.get(campaign.id).workflow_progress
    asleep = progress.next_wake_at.ToMicroseconds() - progress.step_entered_at.ToMicroseconds()
    assert asleep == 90 * 60 * 1_000_000
    world.pass_deadline(campaign.id)
    world.reach(campaign.id, "last")
    later = world.get(campaign.id).workflow_progress
    assert later.step_entered_at.ToMicroseconds() > progress.step_entered_at.ToMicroseconds()
    world.cancel(campaign.id)
    assert not world.get(campaign.id).HasField("workflow_progress")


def test_when_no_message_can_be_made_the_campaign_fails(world: World) -> None:
    template = world.template(
        body="Room {{room}}", variables=[world.variable("room", required=True)]
    )
    campaign = world.start(template_id=template, until_step="")
    failed = world.stubs.CAMPAIGN_STATUS_FAILED
    completed = world.stubs.CAMPAIGN_STATUS_COMPLETED
    until(lambda: world.get(campaign.id).status in {failed, completed})
    over = world.get(campaign.id)
    assert over.status == failed
    assert over.HasField("completed_at")
    assert set(world.statuses(campaign.id).values()) == {"FAILED"}


def test_an_answer_that_comes_while_the_deadline_begins_is_not_overlooked(
    installation: Installation, world: World, gateway: PushGateway
) -> None:
    """The last answer is given, not yet committed, when the campaign starts to wait."""
    held, answered, commit = threading.Event(), threading.Event(), threading.Event()
    gateway.hold = held
    campaign = world.create(user_ids=[world.ada])
    world.client("CampaignService/StartCampaign", world.key, campaign_id=campaign.id)
    until(lambda: gateway.of(campaign.id))
    system = installation.system
    actions = ActionService(system.database, system.engine, system.clock, system.delivery_ids)
    delivery_id = world.delivery_id(campaign.id, world.ada)
    request = SubmitActionRequest(delivery_id=delivery_id, action_id="ack")
    caller = caller_of(installation, world.ada)

    def answer(transaction: Transaction) -> None:
        actions.submit_action(request, caller, transaction)
        answered.set()
        assert commit.wait(20)

    thread = threading.Thread(target=lambda: system.database.write_now(answer))
    thread.start()
    assert answered.wait(20)
    held.set()
    gateway.hold = None
    if system.database.dialect == "postgresql":
        world.reach(campaign.id, "wait")
    commit.set()
    thread.join()
    world.complete(campaign.id)
    assert world.counts(campaign.id) == (1, 1, 0)

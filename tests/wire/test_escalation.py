"""Reminders with copies, and escalations: who is told on whose account."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from support.grpc_client import Client, Organization
from support.push_gateway import PushGateway
from support.running import Installation
from support.story import Story
from support.waiting import until

from pidgr import reports
from pidgr.campaigns.advance import step_task, wake_key
from pidgr.storage.sql import Statement


@pytest.fixture
def story(installation: Installation, client: Client, organization: Organization) -> Story:
    """Four people with a device each: without one a deadline has nobody to wait for."""
    story = Story(installation, client, organization, people=4)
    for user_id in story.user_ids:
        story.register(user_id)
    return story


def manage(story: Story, user_id: str, manager_id: str) -> None:
    statement = Statement("update member set manager_id = :manager_id where id = :id")
    story.installation.system.database.write_now(
        lambda transaction: transaction.execute(
            statement, {"manager_id": manager_id, "id": user_id}
        )
    )


def workflow(story: Story, middle: Any) -> Any:
    stubs = story.client.stubs
    return stubs.WorkflowDefinition(
        steps=[
            stubs.WorkflowStep(
                id="send",
                type=stubs.STEP_TYPE_SEND_NOTIFICATION,
                send_notification=stubs.SendNotificationConfig(
                    action_type=stubs.ACTION_TYPE_ACK, action_label="Got it"
                ),
                transitions={"completed": "wait"},
            ),
            stubs.WorkflowStep(
                id="wait",
                type=stubs.STEP_TYPE_DEADLINE_CHECK,
                deadline_check=stubs.DeadlineCheckConfig(delay="1h"),
                transitions={"completed": "middle"},
            ),
            middle,
            stubs.WorkflowStep(
                id="late",
                type=stubs.STEP_TYPE_DEADLINE_CHECK,
                deadline_check=stubs.DeadlineCheckConfig(delay="1h"),
                transitions={"completed": "missed"},
            ),
            stubs.WorkflowStep(id="missed", type=stubs.STEP_TYPE_MARK_MISSED),
        ]
    )


def escalate(story: Story, targets: list[Any], **fields: Any) -> Any:
    stubs = story.client.stubs
    values = {"condition": stubs.ESCALATION_CONDITION_IF_NOT_ACKED, "targets": targets, **fields}
    return stubs.WorkflowStep(
        id="middle",
        type=stubs.STEP_TYPE_ESCALATE,
        escalate_config=stubs.EscalateConfig(**values),
        transitions={"completed": "late"},
    )


def remind(story: Story, targets: list[Any]) -> Any:
    stubs = story.client.stubs
    return stubs.WorkflowStep(
        id="middle",
        type=stubs.STEP_TYPE_SEND_REMINDER,
        send_reminder=stubs.SendReminderConfig(notify_targets=targets),
        transitions={"completed": "late"},
    )


def target(story: Story, kind: str, target_id: str = "") -> Any:
    stubs = story.client.stubs
    number = stubs.EscalationTargetType.Value(f"ESCALATION_TARGET_TYPE_{kind}")
    return stubs.EscalationTarget(type=number, target_id=target_id)


def wake(story: Story, campaign_id: str, step_id: str, iteration: int | None = None) -> None:
    """Let a waiting timer fire now: of a deadline, or of an escalation's round."""
    system = story.installation.system
    find = Statement("select key from campaign where id = :id")
    key = system.database.read_now(lambda reader: reader.value(find, {"id": campaign_id}))
    task = wake_key(key, step_id) if iteration is None else step_task(key, step_id, iteration).key
    system.database.write_now(lambda transaction: system.engine.move(transaction, task, 0))


def at(story: Story, campaign_id: str, step_id: str) -> None:
    until(lambda: story.get(campaign_id).workflow_progress.current_step_id == step_id)


def next_round(story: Story, campaign_id: str, after: Any) -> Any:
    """Return when the escalation's next round is due, once the one before is over."""

    def progress() -> Any:
        return story.get(campaign_id).workflow_progress

    def planned() -> bool:
        now = progress()
        is_waiting = now.current_step_id == "middle" and now.HasField("next_wake_at")
        return bool(is_waiting and now.next_wake_at != after)

    until(planned)
    return progress().next_wake_at


def entries(story: Story, user_id: str) -> list[Any]:
    return list(story.client("InboxService/Sync", story.tokens[user_id]).entries)


def acknowledge(story: Story, user_id: str, entry: Any) -> Any:
    return story.client(
        "ActionService/SubmitAction",
        story.tokens[user_id],
        delivery_id=entry.delivery_id,
        action_id="ack",
    )


def begin(story: Story, middle: Any, recipients: list[str]) -> str:
    campaign = story.start(workflow=workflow(story, middle), user_ids=recipients)
    return str(campaign.id)


def children(story: Story, campaign_id: str, kind: int) -> list[Any]:
    found = story.deliveries(campaign_id)
    assert found.pagination_meta.total_count == len(found.deliveries)
    return [delivery for delivery in found.deliveries if delivery.kind == kind]


def test_a_manager_gets_the_message_of_whoever_has_not_confirmed(story: Story) -> None:
    stubs = story.client.stubs
    ann, bob, cy, mia = story.user_ids
    manage(story, ann, mia)
    manage(story, cy, bob)
    campaign_id = begin(story, escalate(story, [target(story, "MANAGER")]), [ann, bob, cy])
    (own,) = entries(story, cy)
    acknowledge(story, cy, own)
    wake(story, campaign_id, "wait")
    at(story, campaign_id, "late")

    # Cy has confirmed, Bob has no manager: only Ann's manager is told.
    (escalated,) = children(story, campaign_id, stubs.Delivery.KIND_ESCALATION)
    by_user = {d.user_id: d for d in story.deliveries(campaign_id).deliveries if d.kind == 1}
    assert escalated.user_id == mia
    assert escalated.parent_delivery_id == by_user[ann].id
    (entry,) = entries(story, mia)
    assert entry.kind == stubs.Delivery.KIND_ESCALATION
    assert entry.parent_delivery_id == by_user[ann].id
    assert entry.message.body == "Please **read** it."
    assert [action.label for action in entry.message.actions] == ["Got it"]

    counts = story.get(campaign_id)
    assert (counts.total_recipients, counts.action_completed_count) == (3, 1)
    acknowledge(story, mia, entry)
    assert story.get(campaign_id).action_completed_count == 1


def test_users_groups_and_roles_are_told_once_each_and_never_of_themselves(story: Story) -> None:
    stubs = story.client.stubs
    ann, bob, cy, mia = story.user_ids
    group = story.client("GroupService/CreateGroup", story.key, name="Watch").group
    story.client("GroupService/AddGroupMembers", story.key, group_id=group.id, user_ids=[ann, cy])
    targets = [
        target(story, "USER", mia),
        target(story, "GROUP", group.id),
        target(story, "USER", cy),
    ]
    campaign_id = begin(story, escalate(story, targets), [ann, bob])
    wake(story, campaign_id, "wait")
    at(story, campaign_id, "late")
    made = children(story, campaign_id, stubs.Delivery.KIND_ESCALATION)
    parents = {d.id: d.user_id for d in story.deliveries(campaign_id).deliveries if d.kind == 1}
    assert sorted((parents[d.parent_delivery_id], d.user_id) for d in made) == sorted(
        [(ann, mia), (ann, cy), (bob, mia), (bob, ann), (bob, cy)]
    )


@pytest.mark.parametrize("is_included", [False, True])
def test_who_has_restricted_their_processing_is_told_only_by_campaigns_that_include_them(
    story: Story, is_included: bool
) -> None:
    stubs = story.client.stubs
    ann, _, cy, mia = story.user_ids
    manage(story, ann, mia)
    for user_id in (cy, mia):
        restricted = {"user_id": user_id, "restricted": True}
        story.client("PrivacyService/RestrictProcessing", story.key, **restricted)
    targets = [target(story, "USER", cy), target(story, "MANAGER")]
    definition = workflow(story, escalate(story, targets))
    campaign = story.create(workflow=definition, user_ids=[ann], include_restricted=is_included)
    told = reports.simulate_in(story.installation.system, campaign.id)
    story.client("CampaignService/StartCampaign", story.key, campaign_id=campaign.id)
    story.reach(campaign.id, "wait")
    wake(story, campaign.id, "wait")
    at(story, campaign.id, "late")
    made = children(story, campaign.id, stubs.Delivery.KIND_ESCALATION)
    assert {one.user_id for one in made} == ({cy, mia} if is_included else set())
    assert [one.others for one in told.firings if one.step_id == "middle"] == [len(made)]


@pytest.mark.parametrize("step", [escalate, remind])
def test_nobody_is_told_of_a_recipient_who_has_left(
    story: Story, step: Callable[[Story, list[Any]], Any]
) -> None:
    ann, _, cy, mia = story.user_ids
    campaign_id = begin(story, step(story, [target(story, "USER", mia)]), [ann, cy])
    story.client("MemberService/DeactivateUser", story.key, user_id=ann)
    wake(story, campaign_id, "wait")
    at(story, campaign_id, "late")
    told = [one for one in story.deliveries(campaign_id).deliveries if one.user_id == mia]
    assert [one.parent_delivery_id for one in told] == [story.delivery_id(campaign_id, cy)]


def test_later_rounds_stop_once_everyone_has_confirmed(story: Story) -> None:
    stubs = story.client.stubs
    ann, _, _, mia = story.user_ids
    step = escalate(story, [target(story, "USER", mia)], repeat_count=5, repeat_interval_minutes=30)
    campaign_id = begin(story, step, [ann])
    wake(story, campaign_id, "wait")
    first = next_round(story, campaign_id, after=None)
    assert len(children(story, campaign_id, stubs.Delivery.KIND_ESCALATION)) == 1
    wake(story, campaign_id, "middle", iteration=1)
    next_round(story, campaign_id, after=first)
    # A round pushes again and makes nothing new.
    assert len(children(story, campaign_id, stubs.Delivery.KIND_ESCALATION)) == 1
    (own,) = entries(story, ann)
    acknowledge(story, ann, own)
    wake(story, campaign_id, "middle", iteration=2)
    until(lambda: story.get(campaign_id).status == stubs.CAMPAIGN_STATUS_COMPLETED)


@pytest.mark.parametrize("condition", ["IF_NOT_ACKED", "IF_NOT_CLOSED"])
def test_a_repeat_is_on_account_of_those_who_have_not_confirmed_since(
    story: Story, gateway: PushGateway, condition: str
) -> None:
    stubs = story.client.stubs
    ann, bob, _, mia = story.user_ids
    step = escalate(
        story,
        [target(story, "USER", mia)],
        condition=stubs.EscalationCondition.Value(f"ESCALATION_CONDITION_{condition}"),
        repeat_count=3,
        repeat_interval_minutes=30,
    )
    campaign_id = begin(story, step, [ann, bob])
    wake(story, campaign_id, "wait")
    first = next_round(story, campaign_id, after=None)
    made = children(story, campaign_id, stubs.Delivery.KIND_ESCALATION)
    of = {one.parent_delivery_id: one.id for one in made}
    about_ann, about_bob = (of[story.delivery_id(campaign_id, one)] for one in (ann, bob))

    def told() -> Counter[str]:
        """Return how often each was pushed; the first two pushes are Ann's and Bob's own."""
        return Counter(push["delivery_id"] for push in gateway.of(campaign_id)[2:])

    assert told() == {about_ann: 1, about_bob: 1}
    story.acknowledge(campaign_id, ann)
    wake(story, campaign_id, "middle", iteration=1)
    next_round(story, campaign_id, after=first)
    is_spared = condition == "IF_NOT_ACKED"
    assert told() == {about_ann: 1 if is_spared else 2, about_bob: 2}
    explained = reports.explain_in(story.installation.system, about_ann).happenings
    again = [one for one in explained if "again" in one.event]
    assert [one.event for one in again] == [
        "not_escalated_again" if is_spared else "escalated_again"
    ]
    assert ("its original was acknowledged before" in again[0].detail) == is_spared


def test_a_copy_of_a_reminder_tells_and_is_dismissed_when_the_original_is_confirmed(
    story: Story,
) -> None:
    stubs = story.client.stubs
    ann, bob, _, mia = story.user_ids
    manage(story, ann, mia)
    manage(story, bob, mia)
    campaign_id = begin(story, remind(story, [target(story, "MANAGER")]), [ann, bob])
    wake(story, campaign_id, "wait")
    at(story, campaign_id, "late")
    copies = {entry.metadata.original_recipient_name: entry for entry in entries(story, mia)}
    assert copies.keys() == {"Person 0", "Person 1"}
    of_ann = copies["Person 0"]
    assert of_ann.kind == stubs.Delivery.KIND_REMINDER_FYI
    assert not of_ann.message.actions
    assert of_ann.metadata.campaign_title == "New policy"
    assert of_ann.metadata.original_message.body == "Please **read** it."
    assert of_ann.metadata.HasField("reminder_fired_at")
    with pytest.raises(grpc.RpcError) as refused:
        acknowledge(story, mia, of_ann)
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION

    (own,) = [entry for entry in entries(story, ann) if entry.kind == 1]
    acknowledge(story, ann, own)
    statuses = {
        entry.metadata.original_recipient_name: entry.status for entry in entries(story, mia)
    }
    assert statuses == {
        "Person 0": stubs.DELIVERY_STATUS_ACKNOWLEDGED,
        "Person 1": stubs.DELIVERY_STATUS_DELIVERED,
    }
    counts = story.get(campaign_id)
    assert (counts.total_recipients, counts.action_completed_count) == (2, 1)
    assert len(children(story, campaign_id, stubs.Delivery.KIND_REMINDER_FYI)) == 2


def test_others_are_told_of_who_is_reminded_on_a_device_they_have_got_since(story: Story) -> None:
    ann, mia = story.user_ids[0], story.user_ids[3]
    late, never = (story.invite(f"{name}@example.com", name=name) for name in ("late", "never"))
    for user_id in (late, never):
        manage(story, user_id, mia)
    campaign_id = begin(story, remind(story, [target(story, "MANAGER")]), [ann, late, never])
    story.register(late)
    wake(story, campaign_id, "wait")
    at(story, campaign_id, "late")
    assert story.statuses(campaign_id)[late] == "SENT"
    assert [one.metadata.original_recipient_name for one in entries(story, mia)] == ["late"]


def test_personal_messages_are_escalated_as_the_recipient_got_them(story: Story) -> None:
    stubs = story.client.stubs
    ann, _, _, mia = story.user_ids
    audience = [stubs.AudienceMember(user_id=ann, variables={"who": "Ann"})]
    campaign = story.start(
        template_id=story.template(body="For {{who}}"),
        workflow=workflow(story, escalate(story, [target(story, "USER", mia)])),
        user_ids=[],
        audience=audience,
    )
    wake(story, campaign.id, "wait")
    at(story, campaign.id, "late")
    (entry,) = entries(story, mia)
    assert entry.message.body == "For Ann"
    assert entry.message.content_id == entries(story, ann)[0].message.content_id

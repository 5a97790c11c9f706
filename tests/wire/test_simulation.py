"""What a simulation tells, held against what the same campaign then does."""

from collections import Counter
from typing import Any

import pytest
from support.rows import contents, differences
from support.running import Installation
from support.story import World
from support.waiting import until

from pidgr import reports
from pidgr.errors import FailedPreconditionError, NotFoundError


def escalate(world: World, *targets: Any) -> Any:
    stubs = world.stubs
    return stubs.WorkflowStep(
        id="escalate",
        type=stubs.STEP_TYPE_ESCALATE,
        escalate_config=stubs.EscalateConfig(
            condition=stubs.ESCALATION_CONDITION_IF_NOT_ACKED, targets=targets
        ),
    )


def test_a_campaign_in_which_nobody_acts_does_what_was_told(
    installation: Installation, world: World
) -> None:
    stubs, client = world.stubs, world.client
    boss = world.invite("boss@example.com", name="Boss")
    helper = world.invite("helper@example.com", name="Helper")
    group = client("GroupService/CreateGroup", world.key, name="Helpers").group
    fields = {"group_id": group.id, "user_ids": [helper, boss, world.bob]}
    client("GroupService/AddGroupMembers", world.key, **fields)
    for user_id in (world.ada, world.dan):
        profile = stubs.UserProfile(manager_id=boss)
        client("MemberService/UpdateUserProfile", world.key, user_id=user_id, profile=profile)
    kinds = stubs.EscalationTargetType
    targets = [
        stubs.EscalationTarget(type=kinds.Value("ESCALATION_TARGET_TYPE_MANAGER")),
        stubs.EscalationTarget(
            type=kinds.Value("ESCALATION_TARGET_TYPE_GROUP"), target_id=group.id
        ),
    ]
    remind = stubs.WorkflowStep(
        id="remind",
        type=stubs.STEP_TYPE_SEND_REMINDER,
        send_reminder=stubs.SendReminderConfig(notify_targets=targets),
    )
    workflow = world.steps(
        world.steps.send(action_label="Got it"),
        world.steps.wait(delay="2h"),
        remind,
        escalate(world, *targets),
        world.steps.missed(),
    )
    people = [world.ada, world.bob, world.cleo, world.dan]
    campaign = world.create(workflow=workflow, user_ids=people)
    before = installation.system.database.read_now(contents)
    found = reports.simulate_in(installation.system, campaign.id)
    assert not differences(before, installation.system.database.read_now(contents))
    assert (found.audience.members, found.audience.reachable) == (4, 3)
    told = {firing.step_id: (firing.recipients, firing.others) for firing in found.firings}
    assert told["wait"] == (3, 0)
    assert [firing.after for firing in found.firings] == [0, 0, *[2 * 3_600_000_000] * 3]

    client("CampaignService/StartCampaign", world.key, campaign_id=campaign.id)
    world.reach(campaign.id, "wait")
    world.pass_deadline(campaign.id)
    until(lambda: world.get(campaign.id).status == stubs.CAMPAIGN_STATUS_COMPLETED)
    deliveries = world.deliveries(campaign.id, pagination={"page_size": 100}).deliveries
    made = Counter(stubs.Delivery.Kind.Name(delivery.kind) for delivery in deliveries)
    assert made == {
        "KIND_PRIMARY": told["send"][0],
        "KIND_REMINDER_FYI": told["remind"][1],
        "KIND_ESCALATION": told["escalate"][1],
    }
    missed = [one for one in deliveries if one.status == stubs.DELIVERY_STATUS_MISSED]
    assert len(missed) == told["missed"][0]
    with pytest.raises(FailedPreconditionError):
        reports.simulate_in(installation.system, campaign.id)
    with pytest.raises(NotFoundError):
        reports.simulate_in(installation.system, "nothing")


@pytest.mark.parametrize("is_patient", [False, True])
def test_what_comes_before_the_message_and_after_a_second_one_is_told_too(
    installation: Installation, world: World, is_patient: bool
) -> None:
    stubs, client, steps = world.stubs, world.client, world.steps
    boss = world.invite(f"second-boss-{is_patient}@example.com", name="Boss")
    told_too = [steps.target("USER", boss)]
    early = steps.escalate(
        "early",
        targets=told_too,
        condition=stubs.ESCALATION_CONDITION_IF_NOT_CLOSED,
        repeat_count=2,
        repeat_interval_minutes=60,
    )
    workflow = steps(
        early,
        steps.wait("morning"),
        steps.send("first", action_label="Got it"),
        steps.missed("missed first"),
        steps.send("second", action_label="Got it"),
        steps.wait(),
        steps.remind(notify_targets=told_too),
        steps.escalate(targets=told_too),
        steps.missed(),
    )
    people = [world.ada, world.bob, world.dan]
    campaign = world.create(workflow=workflow, user_ids=people, wait_for_enrollment=is_patient)
    found = reports.simulate_in(installation.system, campaign.id)
    told = {firing.step_id: firing for firing in found.firings}
    assert len(told) == len(found.firings)

    client("CampaignService/StartCampaign", world.key, campaign_id=campaign.id)
    for step_id in ("morning", "wait"):
        world.reach(campaign.id, step_id)
        world.pass_deadline(campaign.id, step_id)
    world.complete(campaign.id)
    deliveries = world.deliveries(campaign.id, pagination={"page_size": 100}).deliveries
    made = Counter(stubs.Delivery.Kind.Name(delivery.kind) for delivery in deliveries)
    assert made == {
        "KIND_PRIMARY": told["first"].recipients + told["second"].recipients,
        "KIND_REMINDER_FYI": told["remind"].others,
        "KIND_ESCALATION": told["early"].others + told["escalate"].others,
    }
    missed = [one for one in deliveries if one.status == stubs.DELIVERY_STATUS_MISSED]
    assert len(missed) == told["missed first"].recipients + told["missed"].recipients

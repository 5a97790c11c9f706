"""Starting and cancelling, and who is addressed."""

import asyncio
import threading
from typing import Any

import grpc
from support.grpc_client import Client
from support.push_gateway import PushGateway
from support.running import Installation
from support.story import Story, World
from support.waiting import at_once

from pidgr.storage.sql import Statement

_DEACTIVATE = Statement("update member set status = 3 where id = :id")
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


def test_a_cancelled_campaign_stands_still(world: World, gateway: PushGateway) -> None:
    steps = world.steps
    workflow = steps(steps.send(), steps.wait(), steps.remind(), steps.missed())
    campaign = world.start(workflow=workflow)
    action = world.ack(campaign.id, world.ada)
    world.acknowledge(campaign.id, world.bob)
    cancelled = world.cancel(campaign.id)
    assert cancelled.status == world.stubs.CAMPAIGN_STATUS_CANCELLED
    assert cancelled.HasField("completed_at")
    assert not cancelled.HasField("workflow_progress")
    assert world.refusal("ActionService/SubmitAction", world.ada, **action)[0] is PRECONDITION
    pushes = len(gateway.of(campaign.id))
    world.pass_deadline(campaign.id)
    other = world.start()
    assert world.get(other.id).status == world.stubs.CAMPAIGN_STATUS_RUNNING
    assert world.get(campaign.id) == cancelled
    assert len(gateway.of(campaign.id)) == pushes
    assert world.statuses(campaign.id)[world.ada] == "SENT"
    entry = world.client(
        "InboxService/GetMessage", world.tokens[world.ada], delivery_id=action["delivery_id"]
    ).entry
    assert entry.message.campaign_id == campaign.id


def test_a_cancel_stops_batches_of_its_own_process_itself(world: World) -> None:
    departures = world.installation.system.departures
    campaign, other = world.start(), world.start()
    with departures.of(campaign.id) as mine, departures.of(other.id) as theirs:
        # The database still has it running, so nobody else could have stopped it.
        asyncio.run(departures.stop(campaign.id))
        assert (mine.is_stopped, theirs.is_stopped) == (True, False)
        theirs.begin()
        theirs.end()


def test_a_campaign_is_cancelled_before_it_starts(world: World) -> None:
    campaign = world.create()
    cancelled = world.cancel(campaign.id)
    assert (cancelled.total_recipients, cancelled.audience_snapshot_size) == (0, 4)
    refused = world.client.error(
        "CampaignService/StartCampaign", world.key, campaign_id=campaign.id
    )
    assert refused.code() is PRECONDITION
    assert not world.deliveries(campaign.id).deliveries


def test_what_is_over_is_not_started_or_cancelled_again(world: World) -> None:
    running = world.start().id
    cancelled = world.create().id
    world.cancel(cancelled)
    completed = world.start(user_ids=[world.dan], until_step="").id
    world.complete(completed)
    refused = {
        (rpc, campaign_id): world.client.error(
            f"CampaignService/{rpc}", world.key, campaign_id=campaign_id
        ).code()
        for rpc, campaign_id in (
            ("StartCampaign", running),
            ("StartCampaign", cancelled),
            ("StartCampaign", completed),
            ("CancelCampaign", cancelled),
            ("CancelCampaign", completed),
        )
    }
    assert set(refused.values()) == {PRECONDITION}


def test_of_many_starts_at_once_one_wins(world: World, gateway: PushGateway) -> None:
    campaign = world.create()

    def start() -> str:
        try:
            world.client("CampaignService/StartCampaign", world.key, campaign_id=campaign.id)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"

    outcomes = at_once(6, start)
    assert sorted(outcomes) == sorted(["OK"] + ["FAILED_PRECONDITION"] * 5)
    world.reach(campaign.id, "wait")
    assert world.deliveries(campaign.id).pagination_meta.total_count == 4
    assert len(gateway.of(campaign.id)) == 3


def test_a_start_and_a_cancel_at_once_leave_one_clear_state(world: World) -> None:
    for _ in range(4):
        campaign = world.create()
        turn = iter(("StartCampaign", "CancelCampaign"))
        lock = threading.Lock()

        def race(campaign_id: str = campaign.id, turn: Any = turn, lock: Any = lock) -> str:
            with lock:
                rpc = next(turn)
            try:
                world.client(f"CampaignService/{rpc}", world.key, campaign_id=campaign_id)
            except grpc.RpcError as error:
                return f"{rpc} {error.code().name}"
            return f"{rpc} OK"

        outcomes = at_once(2, race)
        assert "CancelCampaign OK" in outcomes
        assert world.get(campaign.id).status == world.stubs.CAMPAIGN_STATUS_CANCELLED


def test_a_deadline_before_the_message_puts_it_off(world: World, gateway: PushGateway) -> None:
    steps = world.steps
    workflow = steps(steps.wait("morning"), steps.send(), steps.wait())
    campaign = world.start(workflow=workflow, until_step="morning")
    # A later campaign gets on, so the engine would have come to this one by now.
    world.start(user_ids=[world.bob])
    waiting = world.get(campaign.id)
    assert waiting.workflow_progress.current_step_id == "morning"
    assert waiting.workflow_progress.HasField("next_wake_at")
    assert not world.deliveries(campaign.id).deliveries
    assert not gateway.of(campaign.id)
    world.pass_deadline(campaign.id, "morning")
    world.reach(campaign.id, "wait")
    assert world.statuses(campaign.id)[world.ada] == "SENT"


def test_an_empty_audience_is_over_at_once(world: World) -> None:
    steps = world.steps
    workflow = steps(steps.wait("morning"), steps.send(), steps.wait(), steps.missed())
    campaign = world.start(workflow=workflow, user_ids=[], until_step="")
    world.complete(campaign.id)
    assert world.counts(campaign.id) == (0, 0, 0)
    assert not world.deliveries(campaign.id).deliveries


def test_nobody_is_addressed_twice_and_the_first_mention_counts(world: World) -> None:
    member = world.stubs.AudienceMember
    audience = [
        member(user_id=world.ada, variables={"who": "first"}),
        member(user_id=world.bob),
        member(user_id=world.ada.upper(), variables={"who": "second"}),
    ]
    template = world.template(body="Hello {{who}}")
    campaign = world.start(template_id=template, audience=audience, user_ids=[world.cleo])
    assert set(world.statuses(campaign.id)) == {world.ada, world.bob}
    assert world.message(campaign.id, world.ada).body == "Hello first"
    assert world.message(campaign.id, world.bob).body == "Hello "


def test_deactivated_members_are_left_out(world: World) -> None:
    leaver = world.invite("leaver@example.com")
    world.installation.system.database.write_now(
        lambda transaction: transaction.execute(_DEACTIVATE, {"id": leaver})
    )
    world.user_ids.remove(leaver)
    campaign = world.create(user_ids=[world.ada, leaver])
    assert campaign.audience_snapshot_size == 1


def test_who_joins_later_gets_nothing_and_makes_only_a_campaign_to_everyone_stale(
    installation: Installation, client: Client
) -> None:
    story = Story(installation, client, installation.found(), people=1)
    users = client("MemberService/ListUsers", story.key).users
    to_all = story.create(user_ids=[user.id for user in users])
    to_one = story.create()
    assert not to_all.audience_snapshot_stale
    story.invite("late@example.com")
    now = story.get(to_all.id)
    assert (now.audience_snapshot_size, now.current_audience_size) == (2, 3)
    assert now.audience_snapshot_stale
    assert not story.get(to_one.id).audience_snapshot_stale
    client("CampaignService/StartCampaign", story.key, campaign_id=to_all.id)
    story.complete(to_all.id)
    assert story.get(to_all.id).total_recipients == 2

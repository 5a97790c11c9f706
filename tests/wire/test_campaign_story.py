"""One campaign through the wire, as administrators and recipients live it."""

import grpc
from support.grpc_client import Client, Organization
from support.running import Installation
from support.story import Story
from support.waiting import until


def test_a_campaign_runs_from_creation_to_completion(
    installation: Installation, client: Client, organization: Organization
) -> None:
    story = Story(installation, client, organization, people=5)
    stubs = client.stubs
    for user_id in story.user_ids[:4]:
        story.register(user_id)

    created = story.create()
    assert created.status == stubs.CAMPAIGN_STATUS_CREATED
    assert (created.audience_snapshot_size, created.total_recipients) == (5, 0)
    assert not story.deliveries(created.id).deliveries

    started = client("CampaignService/StartCampaign", story.key, campaign_id=created.id).campaign
    assert started.status == stubs.CAMPAIGN_STATUS_RUNNING
    assert started.HasField("started_at")
    until(lambda: story.get(created.id).workflow_progress.current_step_id == "wait")
    waiting = story.get(created.id)
    assert waiting.total_recipients == 5
    assert waiting.workflow_progress.HasField("next_wake_at")

    deliveries = story.deliveries(created.id)
    assert deliveries.pagination_meta.total_count == 5
    by_user = {delivery.user_id: delivery for delivery in deliveries.deliveries}
    assert by_user.keys() == set(story.user_ids)
    assert [by_user[user_id].status for user_id in story.user_ids] == [
        *[stubs.DELIVERY_STATUS_SENT] * 4,
        stubs.DELIVERY_STATUS_NO_DEVICE,
    ]

    first, second, *_ = story.user_ids
    inbox = client("InboxService/Sync", story.tokens[first])
    (entry,) = inbox.entries
    assert entry.delivery_id == by_user[first].id
    assert entry.message.body == "Please **read** it."
    assert entry.message.title == "New policy"
    assert entry.message.sender_name == "People team"
    assert entry.message.campaign_id == created.id
    (action,) = entry.message.actions
    assert (action.type, action.label) == (stubs.ACTION_TYPE_ACK, "Got it")
    assert entry.status == stubs.DELIVERY_STATUS_DELIVERED
    again = client("InboxService/Sync", story.tokens[first], since=inbox.next_since)
    assert not again.entries
    assert again.next_since == inbox.next_since

    marked = client("InboxService/MarkRead", story.tokens[first], delivery_id=entry.delivery_id)
    assert marked.success
    opened = client("InboxService/GetMessage", story.tokens[first], delivery_id=entry.delivery_id)
    assert opened.entry.read
    submitted = client(
        "ActionService/SubmitAction",
        story.tokens[first],
        delivery_id=entry.delivery_id,
        action_id=action.id,
    )
    assert submitted.success
    client("InboxService/Sync", story.tokens[second])

    story.pass_deadline(created.id)
    until(lambda: story.get(created.id).status == stubs.CAMPAIGN_STATUS_COMPLETED)
    done = story.get(created.id)
    assert (done.total_recipients, done.action_completed_count, done.missed_count) == (5, 1, 3)
    assert done.HasField("completed_at")
    assert not done.HasField("workflow_progress")
    final = {d.user_id: d for d in story.deliveries(created.id).deliveries}
    assert final[first].status == stubs.DELIVERY_STATUS_ACKNOWLEDGED
    assert final[first].HasField("delivered_at")
    assert final[first].HasField("read_at")
    assert final[first].HasField("acted_at")
    assert final[second].status == stubs.DELIVERY_STATUS_MISSED
    assert final[story.user_ids[4]].status == stubs.DELIVERY_STATUS_NO_DEVICE

    late = client.error(
        "ActionService/SubmitAction",
        story.tokens[second],
        delivery_id=final[second].id,
        action_id=action.id,
    )
    assert late.code() == grpc.StatusCode.FAILED_PRECONDITION

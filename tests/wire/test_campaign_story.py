"""One campaign through the wire, as administrators and recipients live it."""

import uuid
from typing import Any

import grpc
from support.grpc_client import Client, Organization
from support.running import Installation
from support.waiting import until


def deadline_workflow(client: Client, delay: str = "1h") -> Any:
    stubs = client.stubs
    return stubs.WorkflowDefinition(
        steps=[
            stubs.WorkflowStep(
                id="send",
                type=stubs.STEP_TYPE_SEND_NOTIFICATION,
                send_notification=stubs.SendNotificationConfig(
                    type="push", action_type=stubs.ACTION_TYPE_ACK, action_label="Got it"
                ),
                transitions={"completed": "wait"},
            ),
            stubs.WorkflowStep(
                id="wait",
                type=stubs.STEP_TYPE_DEADLINE_CHECK,
                deadline_check=stubs.DeadlineCheckConfig(delay=delay),
                transitions={"completed": "missed"},
            ),
            stubs.WorkflowStep(id="missed", type=stubs.STEP_TYPE_MARK_MISSED),
        ]
    )


class Story:
    """An organization with members, a sender and a template, ready to send."""

    def __init__(
        self, installation: Installation, client: Client, organization: Organization, people: int
    ) -> None:
        self.installation = installation
        self.client = client
        self.key = organization.api_key
        client("TeamService/CreateTeam", self.key, name="People team")
        self.user_ids = [
            client(
                "MemberService/InviteUser",
                self.key,
                email=f"person{number}@example.com",
                name=f"Person {number}",
            ).user.id
            for number in range(people)
        ]
        self.tokens = {user_id: installation.token(user_id) for user_id in self.user_ids}

    def template(self, **fields: Any) -> str:
        values = {"name": "Policy", "title": "New policy", "body": "Please **read** it.", **fields}
        created = self.client("TemplateService/CreateTemplate", self.key, **values)
        return str(created.template.id)

    def register(self, user_id: str) -> None:
        self.client(
            "DeviceService/Register",
            self.tokens[user_id],
            device_id=str(uuid.uuid4()),
            platform=self.client.stubs.PLATFORM_IOS,
            push_token=f"token-{user_id}",
        )

    def create(self, **fields: Any) -> Any:
        values = {
            "name": "Policy 2026",
            "template_id": fields.pop("template_id", None) or self.template(),
            "user_ids": self.user_ids,
            "sender_name": "People team",
            "workflow": deadline_workflow(self.client),
            **fields,
        }
        return self.client("CampaignService/CreateCampaign", self.key, **values).campaign

    def get(self, campaign_id: str) -> Any:
        found = self.client("CampaignService/GetCampaign", self.key, campaign_id=campaign_id)
        return found.campaign

    def deliveries(self, campaign_id: str, **fields: Any) -> Any:
        return self.client(
            "CampaignService/ListDeliveries", self.key, campaign_id=campaign_id, **fields
        )

    def start(self, **fields: Any) -> Any:
        campaign = self.create(**fields)
        self.client("CampaignService/StartCampaign", self.key, campaign_id=campaign.id)
        until(lambda: self.get(campaign.id).workflow_progress.current_step_id == "wait")
        return campaign

    def pass_deadline(self, campaign_id: str) -> None:
        """Let the waiting timer fire now, as if its time had come."""
        system = self.installation.system
        from pidgr.campaigns import store
        from pidgr.campaigns.advance import wake_key
        from pidgr.storage.sql import Statement

        find = Statement("select key from campaign where id = :id")
        key = system.database.read_now(lambda reader: reader.value(find, {"id": campaign_id}))
        system.database.write_now(
            lambda transaction: system.engine.move(transaction, wake_key(key, "wait"), 0)
        )
        assert store is not None


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

"""An organization that sends campaigns over the wire, and what its people do."""

import itertools
import uuid
from typing import Any

import grpc

from pidgr.campaigns.advance import wake_key
from pidgr.storage.schema import metadata
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader
from support.grpc_client import Client, Organization
from support.running import Installation
from support.waiting import until

_CAMPAIGN_KEY = Statement("select key from campaign where id = :id")
_TABLES = Statement(
    "select name from sqlite_master where type = 'table'",
    postgresql="select tablename from pg_tables where schemaname = 'public'",
)


class Steps:
    """Builds workflows from a client's stubs."""

    def __init__(self, client: Client) -> None:
        self.stubs = client.stubs

    def __call__(self, *steps: Any) -> Any:
        """Return the workflow that takes the steps one after another."""
        for step, following in itertools.pairwise(steps):
            step.transitions["completed"] = following.id
        return self.stubs.WorkflowDefinition(steps=steps)

    def send(self, name: str = "send", **config: Any) -> Any:
        values = {"type": "push", "action_type": self.stubs.ACTION_TYPE_ACK} | config
        return self.stubs.WorkflowStep(
            id=name,
            type=self.stubs.STEP_TYPE_SEND_NOTIFICATION,
            send_notification=self.stubs.SendNotificationConfig(**values),
        )

    def wait(self, name: str = "wait", delay: str = "1h") -> Any:
        return self.stubs.WorkflowStep(
            id=name,
            type=self.stubs.STEP_TYPE_DEADLINE_CHECK,
            deadline_check=self.stubs.DeadlineCheckConfig(delay=delay),
        )

    def remind(self, name: str = "remind", **config: Any) -> Any:
        step = self.stubs.WorkflowStep(id=name, type=self.stubs.STEP_TYPE_SEND_REMINDER)
        if config:
            step.send_reminder.CopyFrom(self.stubs.SendReminderConfig(**config))
        return step

    def escalate(self, name: str = "escalate", **config: Any) -> Any:
        values = {"condition": self.stubs.ESCALATION_CONDITION_IF_NOT_ACKED} | config
        return self.stubs.WorkflowStep(
            id=name,
            type=self.stubs.STEP_TYPE_ESCALATE,
            escalate_config=self.stubs.EscalateConfig(**values),
        )

    def target(self, kind: str, target_id: str = "") -> Any:
        """Return a target of an escalation, or of a reminder's copies."""
        number = self.stubs.EscalationTargetType.Value(f"ESCALATION_TARGET_TYPE_{kind}")
        return self.stubs.EscalationTarget(type=number, target_id=target_id)

    def missed(self, name: str = "missed") -> Any:
        return self.stubs.WorkflowStep(id=name, type=self.stubs.STEP_TYPE_MARK_MISSED)


def deadline_workflow(client: Client, delay: str = "1h") -> Any:
    """Return the plain story: send, wait, mark the rest missed."""
    steps = Steps(client)
    return steps(steps.send(action_label="Got it"), steps.wait(delay=delay), steps.missed())


class Story:
    """An organization with members, a sender and a template, ready to send."""

    def __init__(
        self,
        installation: Installation,
        client: Client,
        organization: Organization,
        people: int,
        *,
        devices: bool = False,
    ) -> None:
        self.installation = installation
        self.client = client
        self.stubs = client.stubs
        self.steps = Steps(client)
        self.organization = organization
        self.key = organization.api_key
        client("TeamService/CreateTeam", self.key, name="People team")
        self.user_ids: list[str] = []
        self.tokens: dict[str, str] = {}
        for number in range(people):
            user_id = self.invite(f"person{number}@example.com", name=f"Person {number}")
            if devices:
                self.register(user_id)

    def invite(self, email: str, **fields: Any) -> str:
        invited = self.client("MemberService/InviteUser", self.key, email=email, **fields)
        user_id = str(invited.user.id)
        self.user_ids.append(user_id)
        self.tokens[user_id] = self.installation.token(user_id)
        return user_id

    def template(self, **fields: Any) -> str:
        values = {"name": "Policy", "title": "New policy", "body": "Please **read** it.", **fields}
        created = self.client("TemplateService/CreateTemplate", self.key, **values)
        return str(created.template.id)

    def register(self, user_id: str, **fields: Any) -> str:
        values = {
            "device_id": str(uuid.uuid4()),
            "platform": self.stubs.PLATFORM_IOS,
            "push_token": f"token-{user_id}",
            **fields,
        }
        registered = self.client("DeviceService/Register", self.tokens[user_id], **values)
        return str(registered.device.device_id)

    def request(self, **fields: Any) -> dict[str, Any]:
        """Return the fields of a CreateCampaign that succeeds."""
        return {
            "name": "Policy 2026",
            "template_id": fields.pop("template_id", None) or self.template(),
            "user_ids": self.user_ids,
            "sender_name": "People team",
            "workflow": deadline_workflow(self.client),
            **fields,
        }

    def create(self, **fields: Any) -> Any:
        created = self.client("CampaignService/CreateCampaign", self.key, **self.request(**fields))
        return created.campaign

    def get(self, campaign_id: str) -> Any:
        found = self.client("CampaignService/GetCampaign", self.key, campaign_id=campaign_id)
        return found.campaign

    def deliveries(self, campaign_id: str, **fields: Any) -> Any:
        return self.client(
            "CampaignService/ListDeliveries", self.key, campaign_id=campaign_id, **fields
        )

    def statuses(self, campaign_id: str) -> dict[str, str]:
        """Return the status of each recipient's delivery, its name without the prefix."""
        name = self.stubs.DeliveryStatus.Name
        return {
            delivery.user_id: name(delivery.status).removeprefix("DELIVERY_STATUS_")
            for delivery in self.deliveries(campaign_id).deliveries
        }

    def counts(self, campaign_id: str) -> tuple[int, int, int]:
        """Return the recipients, those who acknowledged and those who missed it."""
        campaign = self.get(campaign_id)
        return (
            campaign.total_recipients,
            campaign.action_completed_count,
            campaign.missed_count,
        )

    def start(self, *, until_step: str = "wait", **fields: Any) -> Any:
        """Create a campaign, start it and wait until it stands at a step or is over."""
        campaign = self.create(**fields)
        self.client("CampaignService/StartCampaign", self.key, campaign_id=campaign.id)
        self.reach(campaign.id, until_step)
        return campaign

    def reach(self, campaign_id: str, step_id: str) -> None:
        """Wait until a campaign stands at a step or is over.

        With nobody to wait for it goes from step to step faster than anyone can look.
        """
        running = self.client.stubs.CAMPAIGN_STATUS_RUNNING

        def there() -> bool:
            campaign = self.get(campaign_id)
            at_step = campaign.workflow_progress.current_step_id == step_id
            return bool(at_step or campaign.status != running)

        until(there)

    def complete(self, campaign_id: str) -> None:
        until(lambda: self.get(campaign_id).status == self.stubs.CAMPAIGN_STATUS_COMPLETED)

    def cancel(self, campaign_id: str) -> Any:
        cancelled = self.client("CampaignService/CancelCampaign", self.key, campaign_id=campaign_id)
        return cancelled.campaign

    def entry(self, user_id: str) -> Any:
        """Return the only entry of somebody's inbox."""
        (entry,) = self.client("InboxService/Sync", self.tokens[user_id]).entries
        return entry

    def delivery_id(self, campaign_id: str, user_id: str) -> str:
        """Return the id of somebody's delivery without their reading anything."""
        found = self.deliveries(campaign_id).deliveries
        return next(str(one.id) for one in found if one.user_id == user_id)

    def acknowledge(self, campaign_id: str, user_id: str) -> None:
        self.client(
            "ActionService/SubmitAction", self.tokens[user_id], **self.ack(campaign_id, user_id)
        )

    def ack(self, campaign_id: str, user_id: str) -> dict[str, str]:
        """Return the fields of a SubmitAction that acknowledges somebody's delivery."""
        return {"delivery_id": self.delivery_id(campaign_id, user_id), "action_id": "ack"}

    def pass_deadline(self, campaign_id: str, step_id: str = "wait") -> None:
        """Let a waiting timer fire now, as if its time had come."""
        system = self.installation.system
        key = system.database.read_now(
            lambda reader: reader.value(_CAMPAIGN_KEY, {"id": campaign_id})
        )
        system.database.write_now(
            lambda transaction: system.engine.move(transaction, wake_key(key, step_id), 0)
        )


class World(Story):
    """Three people with a phone each, and Dan without."""

    def __init__(self, installation: Installation, client: Client) -> None:
        super().__init__(installation, client, installation.found(), people=3, devices=True)
        self.ada, self.bob, self.cleo = self.user_ids
        self.dan = self.invite("dan@example.com", name="Dan")

    def refusal(self, rpc: str, user_id: str, **fields: Any) -> tuple[grpc.StatusCode, str]:
        error = self.client.error(rpc, self.tokens[user_id], **fields)
        return error.code(), error.details()

    def message(self, campaign_id: str, user_id: str) -> Any:
        """Return somebody's message of a campaign; opening it is its delivery receipt."""
        delivery_id = self.delivery_id(campaign_id, user_id)
        opened = self.client(
            "InboxService/GetMessage", self.tokens[user_id], delivery_id=delivery_id
        )
        return opened.entry.message

    def variable(self, name: str, **fields: Any) -> Any:
        return self.stubs.TemplateVariable(name=name, **fields)


def row_counts(installation: Installation) -> dict[str, int]:
    """Return how many rows each table of ours has, to show that a refused call wrote nothing."""

    def count(reader: Reader) -> dict[str, int]:
        names = sorted(name for (name,) in reader.rows(_TABLES) if name in metadata.tables)
        assert len(names) == len(metadata.tables)
        return {name: reader.value(Statement(f"select count(*) from {name}")) for name in names}

    return installation.system.database.read_now(count)

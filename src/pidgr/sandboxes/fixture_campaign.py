"""A campaign that is over: planned and written as a real one, with answers nobody gave.

It is flagged synthetic, and so are its deliveries. They are stamped as inbox changes of today, like
everything that is new in an inbox, whatever the times they tell.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.campaigns import audience_store, creation, run_store, store, text_store, workflow
from pidgr.campaigns.lanes import divide
from pidgr.campaigns.planning import plan_send
from pidgr.campaigns.run_store import NewStepRun
from pidgr.campaigns.store import CampaignRow
from pidgr.clock import DAY, HOUR, MINUTE
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import (
    CampaignStatus,
    DeliveryStatus,
    StepType,
    WorkflowDefinition,
)
from pidgr.directory.founding import Founding
from pidgr.sandboxes import fixture_store
from pidgr.storage.transaction import Transaction

_DEADLINE: Final = 72 * HOUR
_FIRST_ANSWER: Final = 4 * MINUTE
_LAST_ANSWER: Final = 70 * HOUR


@dataclass(frozen=True, slots=True)
class FinishedCampaign:
    """What it was and how it went: shares are of a hundred recipients."""

    name: str
    label: str
    days_ago: int
    acknowledged: int
    unreachable: int


def insert(
    transaction: Transaction,
    founded: Founding,
    campaign: FinishedCampaign,
    *,
    template_id: str,
    sender: str,
    recipients: Sequence[str],
    now: int,
) -> None:
    """Store a campaign that was started, waited for its deadline and has ended since."""
    started_at = now - campaign.days_ago * DAY
    row = _create(transaction, founded, campaign, template_id, sender, recipients, started_at)
    store.start_campaign(transaction, row.key, running=CampaignStatus.RUNNING, now=started_at)
    definition = WorkflowDefinition.from_json(row.workflow)
    run_key = _send(transaction, row, started_at)
    for step_id in ("wait", "missed"):
        step = workflow.find_step(definition, step_id)
        begun = started_at + (_DEADLINE if step.type == StepType.MARK_MISSED else 0)
        run = _run(row, step_id, step.type, begun)
        key = run_store.insert_step_run(transaction, run)
        assert key is not None  # noqa: S101 - a new campaign has no runs
        run_store.finish_step_run(transaction, key, started_at + _DEADLINE)
    counters = fixture_store.settle(
        transaction,
        founded.organization_key,
        run_key,
        acknowledged_share=campaign.acknowledged,
        unreachable_share=campaign.unreachable,
        started_at=started_at,
        shortest=_FIRST_ANSWER,
        longest=_LAST_ANSWER,
    )
    store.count_deliveries(transaction, row.key, 0, counters)
    store.finish_campaign(
        transaction, row.key, status=CampaignStatus.COMPLETED, now=started_at + _DEADLINE
    )


def _create(
    transaction: Transaction,
    founded: Founding,
    campaign: FinishedCampaign,
    template_id: str,
    sender: str,
    recipients: Sequence[str],
    started_at: int,
) -> CampaignRow:
    organization_key = founded.organization_key
    template = creation.pin_template(transaction, organization_key, template_id, 0)
    key = store.insert_campaign(
        transaction,
        {
            "id": str(uuid.uuid4()),
            "organization_key": organization_key,
            "name": campaign.name,
            "title": "",
            "sender_name": sender,
            "template_key": template.key,
            "template_version": template.version,
            "workflow": _workflow(campaign.label).to_json(),
            "status": CampaignStatus.CREATED,
            "include_restricted": False,
            "critical": False,
            "default_locale": "",
            "wait_for_enrollment": False,
            "now": started_at - HOUR,
        },
    )
    fixture_store.mark_synthetic(transaction, organization_key, key)
    audience_store.freeze_audience(
        transaction, key, organization_key, dict.fromkeys(recipients, ""), include_restricted=False
    )
    return _stored(transaction, key)


def _stored(transaction: Transaction, key: int) -> CampaignRow:
    row = store.campaign_by_key(transaction, key)
    assert row is not None  # noqa: S101 - just stored
    return row


def _send(transaction: Transaction, campaign: CampaignRow, started_at: int) -> int:
    """Write the deliveries as the engine would, in one statement; return the run's key."""
    campaign = _stored(transaction, campaign.key)
    step = WorkflowDefinition.from_json(campaign.workflow).steps[0]
    planned = plan_send(transaction, campaign, step, _run(campaign, step.id, step.type, started_at))
    key = run_store.insert_step_run(transaction, planned.run)
    assert key is not None  # noqa: S101 - a new campaign has no runs
    text_store.insert_texts(transaction, key, planned.texts)
    size, lanes = divide(key, [key], campaign.audience_size)
    run_store.insert_lanes(transaction, key, size, lanes, started_at)
    text_store.insert_by_locale(
        transaction,
        {
            "step_run_key": key,
            "campaign_key": campaign.key,
            "organization_key": campaign.organization_key,
            "since": 0,
            "upto": campaign.audience_size,
            "kind": Delivery.Kind.PRIMARY,
            "pending": DeliveryStatus.PENDING,
            "no_device": DeliveryStatus.NO_DEVICE,
            "now": started_at,
            "changed_at": transaction.change_time(),
        },
    )
    for lane in lanes:
        run_store.move_written(transaction, lane, lane.low, lane.high, started_at)
        run_store.move_pushed(transaction, lane, lane.low, lane.high, started_at)
        run_store.finish_lane(transaction, lane)
    run_store.finish_step_run(transaction, key, started_at + MINUTE)
    return key


def _run(campaign: CampaignRow, step_id: str, step_type: StepType, started_at: int) -> NewStepRun:
    waits = step_type == StepType.DEADLINE_CHECK
    return NewStepRun(
        campaign_key=campaign.key,
        organization_key=campaign.organization_key,
        step_id=step_id,
        step_type=step_type,
        started_at=started_at,
        due_at=started_at + _DEADLINE if waits else None,
    )


def _workflow(label: str) -> WorkflowDefinition:
    steps = (
        {
            "id": "send",
            "type": "STEP_TYPE_SEND_NOTIFICATION",
            "sendNotification": {
                "type": "push",
                "actionType": "ACTION_TYPE_ACK",
                "actionLabel": label,
            },
            "transitions": {"completed": "wait"},
        },
        {
            "id": "wait",
            "type": "STEP_TYPE_DEADLINE_CHECK",
            "deadlineCheck": {"delay": f"{_DEADLINE // HOUR}h"},
            "transitions": {"completed": "missed"},
        },
        {"id": "missed", "type": "STEP_TYPE_MARK_MISSED"},
    )
    return WorkflowDefinition.from_json(json.dumps({"steps": steps}))

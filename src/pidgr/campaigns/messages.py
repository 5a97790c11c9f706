"""From campaign rows to the contract's messages."""

import json

from pidgr.campaigns.audience_store import AudienceEntry
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.campaigns.delivery_store import DeliveryRow
from pidgr.campaigns.store import CampaignRow, Counters
from pidgr.clock import to_timestamp
from pidgr.contract.v1.campaign_pb import (
    AudienceMember,
    Campaign,
    CampaignAudienceEntry,
    CampaignWorkflowProgress,
    Delivery,
)
from pidgr.contract.v1.common_pb import CampaignStatus, DeliveryStatus, WorkflowDefinition
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.validation import LOCALES


def campaign_message(row: CampaignRow, counters: Counters, eligible_members: int) -> Campaign:
    """Return a campaign as the API shows it.

    Args:
        row: the campaign.
        counters: its primary deliveries by state.
        eligible_members: how many members a campaign to everyone would reach today.
    """
    # Someone who joins later makes only a campaign to everyone stale; an explicit list stays
    # what it was meant to be (SEMANTICS 11, decision 18).
    current = eligible_members if row.audience_is_everyone else row.audience_size
    return Campaign(
        id=row.id,
        name=row.name,
        template_id=row.template_id,
        template_version=row.template_version,
        audience_snapshot_ref=row.audience_snapshot_ref,
        status=CampaignStatus(row.status),
        workflow=WorkflowDefinition.from_json(row.workflow),
        total_recipients=_total_recipients(row, counters),
        action_completed_count=counters.acknowledged,
        missed_count=counters.missed,
        created_at=to_timestamp(row.created_at),
        started_at=to_timestamp(row.started_at) if row.started_at else None,
        completed_at=to_timestamp(row.completed_at) if row.completed_at else None,
        sender_name=row.sender_name,
        title=row.title,
        critical=bool(row.critical),
        default_locale=row.default_locale,
        wait_for_enrollment=bool(row.wait_for_enrollment),
        synthetic=bool(row.synthetic),
        audience_snapshot_size=row.audience_size,
        current_audience_size=current,
        audience_snapshot_stale=current > row.audience_size,
        workflow_progress=_progress(row),
    )


def _total_recipients(row: CampaignRow, counters: Counters) -> int:
    """Return the primary deliveries there are, or will be moments after the start."""
    if row.status == CampaignStatus.RUNNING:
        return max(counters.total, row.audience_size)
    return counters.total


def _progress(row: CampaignRow) -> CampaignWorkflowProgress | None:
    if not row.current_step_id or row.step_entered_at is None:
        return None
    return CampaignWorkflowProgress(
        current_step_id=row.current_step_id,
        step_entered_at=to_timestamp(row.step_entered_at),
        next_wake_at=to_timestamp(row.next_wake_at) if row.next_wake_at else None,
    )


def delivery_message(
    campaign: CampaignRow, row: DeliveryRow, delivery_ids: DeliveryIds
) -> Delivery:
    """Return a delivery as the API shows it; the recipient is empty once their record is gone."""
    return Delivery(
        id=delivery_ids.encode(row.step_run_key, row.ordinal),
        user_id=row.member_id or "",
        campaign_id=campaign.id,
        status=DeliveryStatus(row.status),
        delivered_at=to_timestamp(row.delivered_at) if row.delivered_at else None,
        read_at=to_timestamp(row.read_at) if row.read_at else None,
        acted_at=to_timestamp(row.acted_at) if row.acted_at else None,
        recipient_email=row.email or "",
        synthetic=bool(campaign.synthetic),
        kind=Delivery.Kind(row.kind),
        parent_delivery_id=_parent_id(row, delivery_ids),
        rendered_locale=LOCALES[row.locale],
    )


def _parent_id(row: DeliveryRow, delivery_ids: DeliveryIds) -> str:
    if row.parent_run_key is None or row.parent_ordinal is None:
        return ""
    return delivery_ids.encode(row.parent_run_key, row.parent_ordinal)


def audience_entry(entry: AudienceEntry) -> CampaignAudienceEntry:
    """Return a frozen recipient as the API shows them."""
    variables: dict[str, str] = json.loads(entry.variables) if entry.variables else {}
    return CampaignAudienceEntry(
        member=AudienceMember(user_id=entry.member_id or "", variables=variables),
        email=entry.email or "",
        display_name=entry.name or "",
        active=entry.status in {UserStatus.ACTIVE, UserStatus.INVITED},
    )

"""From inbox rows to the contract's messages."""

from typing import Final

from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.clock import to_timestamp
from pidgr.contract.v1.campaign_pb import Delivery, DeliveryMetadata
from pidgr.contract.v1.common_pb import ActionType, DeliveryStatus, Message, MessageAction
from pidgr.contract.v1.inbox_pb import InboxEntry
from pidgr.inbox.store import InboxRow
from pidgr.validation import LOCALES

ACKNOWLEDGE_ACTION: Final = "ack"
_DEFAULT_LABEL: Final = "Acknowledge"


def inbox_entry(row: InboxRow, delivery_ids: DeliveryIds) -> InboxEntry:
    """Return an entry as the recipient sees it."""
    return InboxEntry(
        delivery_id=delivery_ids.encode(row.step_run_key, row.ordinal),
        message=_message(row),
        status=DeliveryStatus(row.status),
        read=row.read_at is not None,
        received_at=to_timestamp(row.created_at),
        kind=Delivery.Kind(row.kind),
        parent_delivery_id=_parent_id(row, delivery_ids),
        rendered_locale=LOCALES[row.locale],
        metadata=_metadata(row),
    )


def _parent_id(row: InboxRow, delivery_ids: DeliveryIds) -> str:
    if row.parent_run_key is None or row.parent_ordinal is None:
        return ""
    return delivery_ids.encode(row.parent_run_key, row.parent_ordinal)


def _metadata(row: InboxRow) -> DeliveryMetadata | None:
    """Return what a copy of a reminder says of its original; None of any other delivery."""
    if row.kind != Delivery.Kind.REMINDER_FYI:
        return None
    return DeliveryMetadata(
        original_message=_message(row),
        original_recipient_name=row.original_name or row.original_email or "",
        campaign_title=row.title,
        reminder_fired_at=to_timestamp(row.step_started_at),
    )


def _message(row: InboxRow) -> Message:
    return Message(
        content_id=row.content_id,
        campaign_id=row.campaign_id,
        sender_name=row.sender_name,
        title=row.title,
        summary=row.summary,
        preview=row.preview,
        body=row.body,
        critical=bool(row.critical),
        actions=_actions(row),
        created_at=to_timestamp(row.created_at),
    )


def _actions(row: InboxRow) -> list[MessageAction]:
    if row.action_type != ActionType.ACK:
        return []
    label = row.action_label or _DEFAULT_LABEL
    return [MessageAction(id=ACKNOWLEDGE_ACTION, type=ActionType.ACK, label=label)]

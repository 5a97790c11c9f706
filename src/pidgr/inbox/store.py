"""SQL of a person's inbox.

Entries are ordered by ``changed_at``, database time. A cursor must not pass a change that another
transaction is still writing, or the recipient would never see it. On SQLite commits are ordered by
that time, so no change can appear behind a cursor. On PostgreSQL ``changed_at`` is a moment after
the writing transaction's start, so a cursor may go up to the start of the oldest transaction in
flight, read before the entries are. The start itself would not do: it is stamped a moment before
other sessions can see the transaction, and a reader in between would go past it.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from pidgr.campaigns.delivery_id import DeliveryKey
from pidgr.campaigns.delivery_status import EFFECTIVE_STATUS, LANE_OF_DELIVERY
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import CampaignStatus, DeliveryStatus
from pidgr.storage.sql import Statement, planned_once
from pidgr.storage.transaction import Reader, Transaction

NO_HORIZON: Final = 2**62


class InboxRow(NamedTuple):
    """One inbox entry with its message; a tuple, because it is made faster than a dataclass."""

    step_run_key: int
    ordinal: int
    status: int
    kind: int
    locale: int
    created_at: int
    changed_at: int
    read_at: int | None
    parent_run_key: int | None
    parent_ordinal: int | None
    action_type: int
    action_label: str
    campaign_id: str
    sender_name: str
    critical: bool
    content_id: str
    title: str
    summary: str
    preview: str
    body: str
    # Of a copy of a reminder: whom the original was for, and when the reminder fired.
    original_name: str | None
    original_email: str | None
    step_started_at: int


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """What decides whether a delivery can be acted on."""

    member_key: int
    kind: int
    status: int
    action_type: int
    campaign_key: int
    campaign_status: int
    has_content: bool


# Deliveries that could not be rendered have nothing to show.
_ENTRY: Final = f"""
    select d.step_run_key, d.ordinal, {EFFECTIVE_STATUS}, d.kind, d.locale, d.created_at,
           d.changed_at, d.read_at, d.parent_run_key, d.parent_ordinal, r.action_type,
           r.action_label, p.id, p.sender_name, p.critical,
           coalesce(c.content_id, b.content_id), coalesce(c.title, b.title),
           coalesce(c.summary, b.summary), coalesce(c.preview, b.preview),
           coalesce(c.body, b.body), om.name, om.email, r.started_at
    from delivery d
    {LANE_OF_DELIVERY}
    join campaign p on p.key = r.campaign_key
    left join content c on c.key = d.content_key
    left join delivery_body b on b.step_run_key = coalesce(d.parent_run_key, d.step_run_key)
     and b.ordinal = coalesce(d.parent_ordinal, d.ordinal)
    left join delivery od on od.step_run_key = d.parent_run_key and od.ordinal = d.parent_ordinal
    left join member om on om.key = od.member_key
    where d.member_key = :member_key and (c.key is not null or b.ordinal is not null)
"""
_NEWEST: Final = Statement(f"""
    {_ENTRY} order by d.changed_at desc, d.step_run_key desc, d.ordinal desc limit :limit
""")
_CHANGED: Final = Statement(f"""
    {_ENTRY} and d.changed_at > :since
    order by d.changed_at, d.step_run_key, d.ordinal limit :limit
""")
_CHANGED_AT: Final = Statement(f"{_ENTRY} and d.changed_at = :moment")
_RUN: Final = planned_once("step_run_key")
_ONE: Final = Statement(f"{_ENTRY} and d.step_run_key = {_RUN} and d.ordinal = :ordinal")
_HORIZON: Final = Statement(
    f"select {NO_HORIZON}",
    postgresql="""
    select (extract(epoch from least(now(), min(xact_start))) * 1000000)::bigint
    from pg_stat_activity
    where datname = current_database() and application_name = 'pidgr' and pid <> pg_backend_pid()
    """,
)
_MARK_READ: Final = Statement(f"""
    update delivery set read_at = :now, changed_at = :changed_at
    where step_run_key = {_RUN} and ordinal = :ordinal and member_key = :member_key
      and read_at is null
""")
_MARK_DELIVERED: Final = Statement(f"""
    update delivery set status = :delivered, delivered_at = :now
    where step_run_key = {_RUN} and ordinal = :ordinal and member_key = :member_key
      and status = :pending
""")
_CAMPAIGN_OF_RUN: Final = Statement("select campaign_key from step_run where key = :step_run_key")
_SELECT_STATE: Final = f"""
    select d.member_key, d.kind, d.status, r.action_type, p.key, p.status,
           d.content_key is not null or exists (
             select 1 from delivery_body b
             where b.step_run_key = coalesce(d.parent_run_key, d.step_run_key)
               and b.ordinal = coalesce(d.parent_ordinal, d.ordinal))
    from delivery d
    join step_run r on r.key = d.step_run_key
    join campaign p on p.key = r.campaign_key
    where d.step_run_key = {_RUN} and d.ordinal = :ordinal
      and d.organization_key = :organization_key
"""
_STATE: Final = Statement(_SELECT_STATE, postgresql=f"{_SELECT_STATE} for update of d")
# The copies are looked for behind the lock: those that it has waited for are among them. Their run
# did not begin before the original's, so older partitions have none.
_ACKNOWLEDGE: Final = Statement(f"""
    update delivery
    set status = :acknowledged, acted_at = :now, read_at = coalesce(read_at, :now),
        delivered_at = coalesce(delivered_at, :now), changed_at = :changed_at
    where step_run_key = {_RUN} and ordinal = :ordinal
    returning exists (
      select 1 from delivery x
      where x.parent_run_key = delivery.step_run_key and x.parent_ordinal = delivery.ordinal
        and x.step_run_key >= delivery.step_run_key
        and x.kind = {int(Delivery.Kind.REMINDER_FYI)})
""")


def horizon(reader: Reader) -> int:
    """Return the time before which every inbox change is visible, in microseconds."""
    moment: int = reader.value(_HORIZON)
    return moment


def newest(reader: Reader, member_key: int, limit: int) -> list[InboxRow]:
    """Return the newest entries, newest first."""
    return reader.records(InboxRow, _NEWEST, {"member_key": member_key, "limit": limit})


def changed_since(reader: Reader, member_key: int, since: int, limit: int) -> list[InboxRow]:
    """Return entries that changed after a moment, oldest change first.

    Entries that share the last moment are all returned, beyond the limit if need be, because the
    next cursor is that moment.
    """
    parameters: dict[str, object] = {"member_key": member_key, "since": since, "limit": limit + 1}
    rows = reader.records(InboxRow, _CHANGED, parameters)
    if len(rows) <= limit:
        return rows
    last = rows[limit - 1].changed_at
    if rows[limit].changed_at != last:
        return rows[:limit]
    parameters["moment"] = last
    before = [row for row in rows if row.changed_at < last]
    return before + reader.records(InboxRow, _CHANGED_AT, parameters)


def entry(reader: Reader, member_key: int, key: DeliveryKey) -> InboxRow | None:
    """Return one entry of a person's inbox."""
    return reader.record(InboxRow, _ONE, {"member_key": member_key, **key._asdict()})


def mark_read(transaction: Transaction, member_key: int, key: DeliveryKey, now: int) -> None:
    """Note the first time an entry was opened."""
    parameters = {
        "member_key": member_key,
        "now": now,
        "changed_at": transaction.change_time(),
        **key._asdict(),
    }
    transaction.execute(_MARK_READ, parameters)


def mark_delivered(
    transaction: Transaction, member_key: int, key: DeliveryKey, now: int
) -> int | None:
    """Note that a waiting delivery has reached its recipient; returns its campaign if it was.

    The change is not announced to the recipient's inbox: the answer that carries the entry is the
    announcement.
    """
    parameters = {
        "member_key": member_key,
        "now": now,
        "pending": DeliveryStatus.PENDING,
        "delivered": DeliveryStatus.DELIVERED,
        **key._asdict(),
    }
    if transaction.execute(_MARK_DELIVERED, parameters) == 0:
        return None
    campaign_key: int = transaction.value(_CAMPAIGN_OF_RUN, {"step_run_key": key.step_run_key})
    return campaign_key


def lock_delivery(
    transaction: Transaction, organization_key: int, key: DeliveryKey
) -> DeliveryState | None:
    """Return a delivery's state, which nobody else changes until this transaction ends."""
    parameters = {"organization_key": organization_key, **key._asdict()}
    return transaction.record(DeliveryState, _STATE, parameters)


def acknowledge(transaction: Transaction, key: DeliveryKey, now: int) -> bool:
    """Set a delivery acknowledged; times that are still unknown become now.

    Returns:
        Whether others have copies of a reminder of it.
    """
    parameters = {
        "acknowledged": DeliveryStatus.ACKNOWLEDGED,
        "now": now,
        "changed_at": transaction.change_time(),
        **key._asdict(),
    }
    return bool(transaction.value(_ACKNOWLEDGE, parameters))


PRIMARY: Final = int(Delivery.Kind.PRIMARY)
STOPPED: Final = frozenset({CampaignStatus.CANCELLED, CampaignStatus.FAILED})

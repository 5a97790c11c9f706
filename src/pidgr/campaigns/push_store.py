"""SQL of pushing: who is pushed what, and what becomes of those a push did not reach."""

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from operator import itemgetter
from typing import Final, NamedTuple

from pidgr.campaigns.push_batch import PushBatch
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

BROWSER: Final = -1
"""The platform of browsers, beside the contract's numbers."""


class Target(NamedTuple):
    """One active device or browser of a recipient who has not settled yet.

    ``content_key`` is None where the message is the recipient's own; ``platform`` is ``BROWSER``
    or one of the contract's.
    """

    ordinal: int
    status: int
    content_key: int | None
    device_id: str
    platform: int
    push_token: str


class MemberDevice(NamedTuple):
    """An active device or a browser, and whose it is; ``platform`` as in ``Target``."""

    member_id: str
    device_id: str
    platform: int
    push_token: str


TargetRow = tuple[int, int, int | None, str, int, str]
"""The fields of a ``Target``, which most of a batch's thousands need not become."""

PushText = tuple[str, str]
"""What a push shows of a message: title and summary."""

_DEVICE_ID: Final = itemgetter(Target._fields.index("device_id"))
_BATCH: Final = f"""
    where d.step_run_key = :run_key and d.ordinal >= :since and d.ordinal < :upto
      and d.status in ({int(DeliveryStatus.PENDING)}, {int(DeliveryStatus.DELIVERED)},
                       {int(DeliveryStatus.NO_DEVICE)})
"""
_SELECT_TARGETS: Final = f"""
    select d.ordinal, d.status, d.content_key, v.id, v.platform, v.push_token
    from delivery d {{among}} left join device v on v.member_key = d.member_key and v.active
    {_BATCH}
      and (v.id is not null or d.status = {int(DeliveryStatus.PENDING)} and not exists
           (select 1 from web_push_subscription w where w.member_key = d.member_key))
    union all
    select d.ordinal, d.status, d.content_key, w.id, {BROWSER}, w.push_token
    from delivery d {{among}} join web_push_subscription w on w.member_key = d.member_key
    {_BATCH}
    order by 1
"""
# PostgreSQL walks the index of devices once with all members of the batch. That the two sides
# are joined one by one, a row after the other, is what a full join excludes; its other side has
# nobody else.
_SELECT_TARGETS_AT_ONCE: Final = f"""
    with waiting as materialized (
      select d.ordinal, d.status, d.content_key, d.member_key from delivery d {{among}} {_BATCH}
    )
    select d.ordinal, d.status, d.content_key, v.id, v.platform, v.push_token
    from waiting d
    full join (select member_key, id, platform, push_token from device
               where active and member_key = any(array(select member_key from waiting))
               union all
               select member_key, id, {BROWSER}, push_token from web_push_subscription
               where member_key = any(array(select member_key from waiting))
              ) v on v.member_key = d.member_key
    where v.id is not null or d.status = {int(DeliveryStatus.PENDING)}
    order by d.ordinal
"""
_DEVICES: Final = f"""
    select m.id, v.id, v.platform, v.push_token
    from member m join device v on v.member_key = m.key and v.active
    where {{hint}}m.organization_key = :organization_key and m.id {{ids}}
    union all
    select m.id, w.id, {BROWSER}, w.push_token
    from member m join web_push_subscription w on w.member_key = m.key
    where {{hint}}m.organization_key = :organization_key and m.id {{ids}}
    order by 1, 2
"""
# "+" keeps SQLite off the organization's index: see member_store.
_DEVICES_OF: Final = Statement(
    _DEVICES.format(hint="+", ids="in (select value from json_each(:member_ids))"),
    postgresql=_DEVICES.format(hint="", ids="= any(:member_ids)"),
)
_AMONG_HELD: Final = """
    join held_push h on h.step_run_key = d.step_run_key and h.ordinal = d.ordinal
     and h.pushing_run_key = :pushing_run_key and h.held_at = :held_at and h.due_at = :due_at
     and h.settled_at is null
"""
_WHOSE_ORIGINAL_WAITS: Final = f"""
    join delivery o on o.step_run_key = d.parent_run_key and o.ordinal = d.parent_ordinal
     and o.status <> {int(DeliveryStatus.ACKNOWLEDGED)}
"""
# By whether a batch is of held pushes, and whether it spares those whose original is confirmed.
_TARGETS: Final = {
    (held, spares): Statement(
        _SELECT_TARGETS.format(among=among), postgresql=_SELECT_TARGETS_AT_ONCE.format(among=among)
    )
    for held, spares in product((False, True), repeat=2)
    for among in [(_AMONG_HELD if held else "") + (_WHOSE_ORIGINAL_WAITS if spares else "")]
}
_SHARED_TEXTS: Final = Statement(
    "select key, title, summary from content where key in (select value from json_each(:keys))",
    postgresql="select key, title, summary from content where key = any(:keys)",
)
_OWN_TEXTS: Final = Statement("""
    select ordinal, title, summary from delivery_body
    where step_run_key = :run_key and ordinal >= :since and ordinal < :upto
""")
# What was made on account of another delivery shows that one's message. "offset 0" has PostgreSQL
# look them up one by one: it would rather read all messages there are (docs/decisions/0033).
_SELECT_PARENTS_TEXTS: Final = """
    select d.ordinal, b.title, b.summary
    from delivery d {parent}
    where d.step_run_key = :run_key and d.ordinal >= :since and d.ordinal < :upto
"""
_PARENT: Final = "b.step_run_key = d.parent_run_key and b.ordinal = d.parent_ordinal"
_PARENTS_TEXTS: Final = Statement(
    _SELECT_PARENTS_TEXTS.format(parent=f"join delivery_body b on {_PARENT}"),
    postgresql=_SELECT_PARENTS_TEXTS.format(
        parent=f"cross join lateral (select * from delivery_body b where {_PARENT} offset 0) b"
    ),
)
_SET_STATUS: Final = Statement(
    """
    update delivery set status = :status, changed_at = :changed_at
    where step_run_key = :run_key and status = :since_status
      and ordinal in (select value from json_each(:ordinals))
    """,
    postgresql="""
    update delivery set status = :status, changed_at = :changed_at
    where step_run_key = :run_key and status = :since_status and ordinal = any(:ordinals)
    """,
)
# Who could be pushed to now, of a few deliveries.
_HAS_DEVICE: Final = """
    select d.ordinal from delivery d
    where d.step_run_key = :run_key and d.ordinal {ordinals}
      and (exists (select 1 from device v where v.member_key = d.member_key and v.active)
        or exists (select 1 from web_push_subscription w where w.member_key = d.member_key))
"""
_WITH_DEVICE: Final = Statement(
    _HAS_DEVICE.format(ordinals="in (select value from json_each(:ordinals))"),
    postgresql=_HAS_DEVICE.format(ordinals="= any(:ordinals)"),
)
_DEACTIVATE_DEVICE: Final = Statement("""
    update device set active = false where id = :device_id and push_token = :push_token
""")
_FORGET_BROWSER: Final = Statement("""
    delete from web_push_subscription where id = :id and push_token = :push_token
""")


def targets(reader: Reader, batch: PushBatch) -> tuple[list[TargetRow], list[int]]:
    """Return the devices and browsers to push to for a batch's deliveries.

    Also the ordinals of those who wait for a push and have neither any more.
    """
    parameters: dict[str, object] = {
        "run_key": batch.delivery_run_key,
        "since": batch.since,
        "upto": batch.upto,
    }
    if batch.held is not None:
        parameters |= {"pushing_run_key": batch.run.key, **batch.held._asdict()}
    statement = _TARGETS[batch.held is not None, batch.spares_confirmed]
    rows = reader.rows(statement, parameters)
    if None not in map(_DEVICE_ID, rows):
        return rows, []
    found = [row for row in rows if _DEVICE_ID(row) is not None]
    return found, [row[0] for row in rows if _DEVICE_ID(row) is None]


def devices_of(
    reader: Reader, organization_key: int, member_ids: Sequence[str]
) -> list[MemberDevice]:
    """Return the active devices and the browsers of some members of an organization."""
    parameters = {"organization_key": organization_key, "member_ids": reader.array(member_ids)}
    return reader.records(MemberDevice, _DEVICES_OF, parameters)


def shared_texts(reader: Reader, content_keys: Collection[int]) -> Mapping[int, PushText]:
    """Return shared messages by content key."""
    rows = reader.rows(_SHARED_TEXTS, {"keys": reader.array(list(content_keys))})
    return {key: (title, summary) for key, title, summary in rows}


def own_texts(
    reader: Reader, run_key: int, since: int, upto: int, *, are_primary: bool
) -> Mapping[int, PushText]:
    """Return recipients' own messages by ordinal, for a range of a run's deliveries."""
    parameters = {"run_key": run_key, "since": since, "upto": upto}
    rows = reader.rows(_OWN_TEXTS if are_primary else _PARENTS_TEXTS, parameters)
    return {ordinal: (title, summary) for ordinal, title, summary in rows}


def with_device(reader: Reader, run_key: int, ordinals: Sequence[int]) -> set[int]:
    """Return those of some deliveries whose recipients have an active device or a browser."""
    parameters = {"run_key": run_key, "ordinals": reader.array(ordinals)}
    return {row[0] for row in reader.rows(_WITH_DEVICE, parameters)}


def set_status(
    transaction: Transaction, run_key: int, ordinals: Sequence[int], since_status: int, status: int
) -> int:
    """Move single deliveries from one status to another; returns how many were still in it."""
    return transaction.execute(
        _SET_STATUS,
        {
            "run_key": run_key,
            "ordinals": transaction.array(ordinals),
            "since_status": since_status,
            "status": status,
            "changed_at": transaction.change_time(),
        },
    )


def forget_browser(transaction: Transaction, subscription_id: str, push_token: str) -> None:
    """Forget a browser that its push service calls gone, unless it has subscribed anew."""
    parameters = {"id": subscription_id, "push_token": push_token}
    transaction.execute(_FORGET_BROWSER, parameters)


def deactivate_device(transaction: Transaction, device_id: str, push_token: str) -> None:
    """Retire a device whose token the provider calls dead, unless it has registered a new one."""
    transaction.execute(_DEACTIVATE_DEVICE, {"device_id": device_id, "push_token": push_token})


def retire(transaction: Transaction, platform: int, device_id: str, push_token: str) -> None:
    """Push no more to a device or a browser whose token the provider calls dead."""
    forget = forget_browser if platform == BROWSER else deactivate_device
    forget(transaction, device_id, push_token)

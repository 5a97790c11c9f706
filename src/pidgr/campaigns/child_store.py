"""SQL of deliveries made on account of another one: escalations and copies of reminders."""

from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Row, Transaction


@dataclass(frozen=True, slots=True)
class Targets:
    """Whom to address on account of a recipient, by the ids of the workflow step."""

    users: tuple[str, ...]
    groups: tuple[str, ...]
    roles: tuple[str, ...]
    manager: bool
    include_restricted: bool
    """Whether those are addressed, too, whose processing is restricted."""

    def parameters(self, reader: Reader) -> dict[str, object]:
        """Return what ``NAMED`` and ``MANAGER`` ask for, but for the organization."""
        return {
            "users": reader.array(self.users),
            "groups": reader.array(self.groups),
            "roles": reader.array(self.roles),
            "manager": self.manager,
            "include_restricted": self.include_restricted,
            "deactivated": UserStatus.DEACTIVATED,
        }


@dataclass(frozen=True, slots=True)
class SpawnBatch:
    """A part of a base run, for whose deliveries children are made."""

    step_run_key: int
    organization_key: int
    base_run_key: int
    since: int
    upto: int
    statuses: tuple[int, ...]
    kind: Delivery.Kind


# Whom a campaign may address at all: who has left, or has asked to be left out, is not found.
_ADDRESSABLE: Final = """
    {member}.status <> :deactivated and (not {member}.processing_restricted or :include_restricted)
"""
# Who is named by a workflow's step, in ``named``; formatted like the statements it is part of.
NAMED: Final = f"""
      select m.key
      from member m join role r on r.key = m.role_key
      where m.organization_key = :organization_key and {_ADDRESSABLE.format(member="m")}
        and (m.id in ({{users}}) or r.id in ({{roles}}) or m.key in
             (select g.member_key from recipient_group_member g
              join recipient_group p on p.key = g.recipient_group_key
              where p.organization_key = :organization_key and p.id in ({{groups}})))
"""
# The manager ``n`` of a recipient, whose row ``b`` has their key.
MANAGER: Final = f"""
      join member m on m.key = b.member_key
      join member n on n.organization_key = :organization_key and n.id = m.manager_id
       and n.key <> b.member_key and {_ADDRESSABLE.format(member="n")}
      where :manager
"""
# Nobody is told of a recipient who has left: they cannot confirm any more.
STAYS: Final = """
      join member s on s.key = {row}.member_key and s.status <> :deactivated
"""
_REACHABLE: Final = """
    (exists (select 1 from device v where v.member_key = {member_key} and v.active)
     or exists (select 1 from web_push_subscription w where w.member_key = {member_key}))
"""
# One row per (delivery, target): nobody is told about themself, nor twice on one account. Who has
# got a device since is reminded, so others are told of them, whether that push or this comes first.
# The lock makes a confirmation come before or after: one that saw no copies would dismiss none.
_SPAWN: Final = f"""
    insert into delivery
      (step_run_key, ordinal, organization_key, member_key, kind, status, content_key, locale,
       created_at, changed_at, parent_run_key, parent_ordinal)
    with base as (
      select d.ordinal, d.member_key, d.content_key, d.locale
      from delivery d {STAYS.format(row="d")}
      where d.step_run_key = :base_run_key and d.ordinal >= :since and d.ordinal < :upto
        and (d.status in ({{statuses}})
             or d.status = :no_device and {_REACHABLE.format(member_key="d.member_key")})
        and (d.content_key is not null or exists
             (select 1 from delivery_body b
              where b.step_run_key = d.step_run_key and b.ordinal = d.ordinal))
      {{lock}}
    ), named as ({NAMED}
    ), pairs as (
      select b.ordinal, b.content_key, b.locale, n.key as target_key
      from base b cross join named n
      where n.key <> b.member_key
      union
      select b.ordinal, b.content_key, b.locale, n.key
      from base b {MANAGER}
    )
    select :step_run_key,
           :first_ordinal + row_number() over (order by p.ordinal, p.target_key) - 1,
           :organization_key, p.target_key, :kind,
           case when {_REACHABLE.format(member_key="p.target_key")}
                then :pending else :no_device end,
           p.content_key, p.locale, :now, :changed_at, :base_run_key, p.ordinal
    from pairs p
"""
_LISTS: Final = {"statuses": "int", "users": "text", "groups": "text", "roles": "text"}


def over_lists(text: str) -> Statement:
    """Return a statement whose holes are the lists of statuses and of targets, and a row lock."""
    return Statement(
        text.format(lock="", **{name: f"select value from json_each(:{name})" for name in _LISTS}),
        postgresql=text.format(
            lock="for share of d",
            **{name: f"select unnest(:{name}::{kind}[])" for name, kind in _LISTS.items()},
        ),
    )


_INSERT_CHILDREN: Final = over_lists(_SPAWN)
_MOVE_SPAWNED: Final = Statement("""
    update lane set spawned = :spawned
    where step_run_key = :step_run_key and number = :number
""")
_SELECT_COPIES: Final = """
    select ordinal, status from delivery
    where parent_run_key = :parent_run_key and parent_ordinal = :parent_ordinal
      and kind = :copy and status <> :acknowledged
"""
# Locked, as each is counted from the status it has: its recipient may be opening it.
# Inboxes lock deliveries in this order, too, when they note what they have shown.
_COPIES: Final = Statement(
    _SELECT_COPIES, postgresql=f"{_SELECT_COPIES} order by step_run_key, ordinal for update"
)
_DISMISS: Final = Statement("""
    update delivery
    set status = :acknowledged, acted_at = :now, changed_at = :changed_at
    where parent_run_key = :parent_run_key and parent_ordinal = :parent_ordinal
      and kind = :copy and status <> :acknowledged
""")


def insert_children(
    transaction: Transaction, batch: SpawnBatch, targets: Targets, first_ordinal: int, now: int
) -> int:
    """Write the children of a batch, numbered from an ordinal, and return how many there are."""
    return transaction.execute(
        _INSERT_CHILDREN,
        {
            "step_run_key": batch.step_run_key,
            "organization_key": batch.organization_key,
            "base_run_key": batch.base_run_key,
            "since": batch.since,
            "upto": batch.upto,
            "statuses": transaction.array(batch.statuses),
            **targets.parameters(transaction),
            "kind": batch.kind,
            "first_ordinal": first_ordinal,
            "pending": DeliveryStatus.PENDING,
            "no_device": DeliveryStatus.NO_DEVICE,
            "now": now,
            "changed_at": transaction.change_time(),
        },
    )


def set_spawned(transaction: Transaction, step_run_key: int, number: int, spawned: int) -> None:
    """Note how many children a lane has made."""
    transaction.execute(
        _MOVE_SPAWNED, {"step_run_key": step_run_key, "number": number, "spawned": spawned}
    )


def dismiss_copies(
    transaction: Transaction, parent_run_key: int, parent_ordinal: int, now: int
) -> list[Row]:
    """Settle the copies of reminders about a delivery; returns their (ordinal, former status)."""
    parameters = {
        "parent_run_key": parent_run_key,
        "parent_ordinal": parent_ordinal,
        "copy": Delivery.Kind.REMINDER_FYI,
        "acknowledged": DeliveryStatus.ACKNOWLEDGED,
        "now": now,
        "changed_at": transaction.change_time(),
    }
    copies = transaction.rows(_COPIES, parameters)
    if copies:
        transaction.execute(_DISMISS, parameters)
    return copies

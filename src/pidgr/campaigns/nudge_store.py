"""SQL of nudges: who is to be nudged, who still needs it, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pidgr.campaigns.child_store import MANAGER, NAMED, STAYS, Targets, over_lists
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


class NudgeStatus(IntEnum):
    """What has become of a nudge, as it is stored."""

    WAITING = 0
    SENT = 1
    REFUSED = 2
    SKIPPED = 3


@dataclass(frozen=True, slots=True)
class Round:
    """The nudges of one step over one channel."""

    step_run_key: int
    channel: int
    organization_key: int


@dataclass(frozen=True, slots=True)
class WaitingNudge:
    """Somebody to nudge, as they are now.

    ``is_own`` is whether a message of their own waits for them, ``is_about_others`` whether they
    were told of somebody else's; who has neither is nudged no more.
    """

    member_key: int
    member_id: str | None
    email: str
    phone: str
    line_user_id: str
    first_name: str
    preferred_locale: str
    is_active: bool
    is_own: bool
    is_about_others: bool


@dataclass(frozen=True, slots=True)
class Area:
    """Deliveries of a run by ordinal: those in ``statuses`` are the ones that count."""

    run_key: int
    since: int
    upto: int
    statuses: tuple[DeliveryStatus, ...]


@dataclass(frozen=True, slots=True)
class NudgingOrganization:
    """In whose name people are nudged; a closed one is suspended, or has expired."""

    id: str
    default_locale: str
    is_closed: bool


# Of a profile's custom attributes, the one with the id that people have in LINE.
_LINE_ATTRIBUTE: Final = "line_user_id"
# Of deliveries that nobody has confirmed.
_OPEN: Final = ", ".join(
    str(int(status))
    for status in (
        DeliveryStatus.PENDING,
        DeliveryStatus.DELIVERED,
        DeliveryStatus.NO_DEVICE,
        DeliveryStatus.MISSED,
    )
)
_IN_AREA: Final = """
    d.step_run_key = :delivery_run_key and d.ordinal >= :since and d.ordinal < :upto
    and d.organization_key = :organization_key and d.status in ({{statuses}})
"""
_INSERT: Final = over_lists(f"""
    insert into nudge (step_run_key, channel, member_key, organization_key)
    select :step_run_key, :channel, d.member_key, :organization_key
    from delivery d where {_IN_AREA.format()}
    on conflict (step_run_key, channel, member_key) do nothing
""")
# Nobody is told about themself. "where true" keeps SQLite from reading "on" as part of a join.
_INSERT_TARGETS: Final = over_lists(f"""
    insert into nudge (step_run_key, channel, member_key, organization_key)
    with base as (
      select d.member_key from delivery d {STAYS.format(row="d")} where {_IN_AREA.format()}
    ), named as ({NAMED}
    ), target as (
      select n.key from named n where exists (select 1 from base b where b.member_key <> n.key)
      union
      select n.key
      from base b {MANAGER}
    )
    select :step_run_key, :channel, t.key, :organization_key from target t where true
    on conflict (step_run_key, channel, member_key) do nothing
""")
_OF_ROUND: Final = """
    n.step_run_key = :step_run_key and n.channel = :channel
    and n.organization_key = :organization_key
"""
# A person's deliveries are found by the inbox's index.
_NEXT: Final = """
    select n.member_key, m.id, coalesce(m.email, ''), coalesce(m.phone, ''),
           coalesce({line_user_id}, ''),
           coalesce(m.first_name, ''),
           coalesce(m.preferred_locale, ''),
           coalesce(m.status <> :deactivated, false),
           exists (select 1 from delivery d
                   where d.member_key = n.member_key and d.step_run_key in ({own_runs})
                     and d.status in ({open})),
           :is_alert or exists
             (select 1 from delivery d
              where d.member_key = n.member_key and d.step_run_key = :step_run_key
                and d.status in ({open})
                and (not :spares_confirmed or exists
                     (select 1 from delivery o
                      where o.step_run_key = d.parent_run_key and o.ordinal = d.parent_ordinal
                        and o.status <> {acknowledged})))
    from nudge n left join member m on m.key = n.member_key
    where {of_round} and n.member_key > :after and n.status = {waiting}
    order by n.member_key limit :limit
"""
_VALUES: Final = {
    "open": _OPEN,
    "of_round": _OF_ROUND,
    "waiting": int(NudgeStatus.WAITING),
    "acknowledged": int(DeliveryStatus.ACKNOWLEDGED),
}
_WAITING_NUDGES: Final = Statement(
    _NEXT.format(
        own_runs="select value from json_each(:own_runs)",
        line_user_id=f"json_extract(m.custom_attributes, '$.{_LINE_ATTRIBUTE}')",
        **_VALUES,
    ),
    postgresql=_NEXT.format(
        own_runs="select unnest(:own_runs::bigint[])",
        line_user_id=f"m.custom_attributes::json ->> '{_LINE_ATTRIBUTE}'",
        **_VALUES,
    ),
)
_SETTLE: Final = f"""
    update nudge as n set status = :status, reason = :reason, settled_at = :now
    where {_OF_ROUND} and n.status = {int(NudgeStatus.WAITING)} and n.member_key {{keys}}
"""
_SETTLE_SOME: Final = Statement(
    _SETTLE.format(keys="in (select value from json_each(:member_keys))"),
    postgresql=_SETTLE.format(keys="= any(:member_keys)"),
)
_SETTLE_NEXT: Final = Statement(f"""
    update nudge as n set status = :status, reason = :reason, settled_at = :now
    where {_OF_ROUND} and n.member_key in
      (select w.member_key from nudge w
       where w.step_run_key = :step_run_key and w.channel = :channel and w.member_key > :after
         and w.status = {int(NudgeStatus.WAITING)}
       order by w.member_key limit :limit)
    returning member_key
""")
_ANY_WAITING: Final = Statement(f"""
    select 1 from nudge n where {_OF_ROUND} and n.status = {int(NudgeStatus.WAITING)} limit 1
""")
_ORGANIZATION: Final = Statement("""
    select id, default_locale, suspended or coalesce(expires_at <= :now, false)
    from organization where key = :organization_key
""")


def _parameters(nudges: Round) -> dict[str, object]:
    return {
        "step_run_key": nudges.step_run_key,
        "channel": nudges.channel,
        "organization_key": nudges.organization_key,
    }


def insert_people(transaction: Transaction, nudges: Round, area: Area) -> None:
    """Let everybody be nudged whose delivery is in an area; repeating adds nobody."""
    transaction.execute(_INSERT, {**_parameters(nudges), **_area(transaction, area)})


def insert_targets(transaction: Transaction, nudges: Round, area: Area, targets: Targets) -> None:
    """Let those be nudged whom a step names on account of an area's people."""
    transaction.execute(
        _INSERT_TARGETS,
        {
            **_parameters(nudges),
            **_area(transaction, area),
            **targets.parameters(transaction),
        },
    )


def _area(reader: Reader, area: Area) -> dict[str, object]:
    return {
        "delivery_run_key": area.run_key,
        "since": area.since,
        "upto": area.upto,
        "statuses": reader.array([int(status) for status in area.statuses]),
    }


def waiting(
    reader: Reader,
    nudges: Round,
    own_runs: Sequence[int],
    after: int,
    limit: int,
    *,
    is_alert: bool,
    spares_confirmed: bool,
) -> list[WaitingNudge]:
    """Return who waits for a nudge behind a member, by key.

    Args:
        reader: the unit of work.
        nudges: which.
        own_runs: the runs whose deliveries are people's own messages that this step is about.
        after: the key of the last member before.
        limit: the most to return.
        is_alert: whether people have no delivery of this step to confirm.
        spares_confirmed: whether nobody is told of a message that is confirmed by now.
    """
    return reader.records(
        WaitingNudge,
        _WAITING_NUDGES,
        {
            **_parameters(nudges),
            "own_runs": reader.array(own_runs),
            "after": after,
            "limit": limit,
            "is_alert": is_alert,
            "spares_confirmed": spares_confirmed,
            "deactivated": UserStatus.DEACTIVATED,
        },
    )


def settle(
    transaction: Transaction,
    nudges: Round,
    member_keys: Sequence[int],
    status: NudgeStatus,
    reason: str,
    now: int,
) -> None:
    """Note what has become of some nudges that were waiting."""
    transaction.execute(
        _SETTLE_SOME,
        {
            **_parameters(nudges),
            "member_keys": transaction.array(member_keys),
            "status": status,
            "reason": reason,
            "now": now,
        },
    )


def skip_next(
    transaction: Transaction, nudges: Round, after: int, limit: int, reason: str, now: int
) -> int | None:
    """Skip the next nudges behind a member; return the last one's key, None if there was none."""
    skipped = transaction.rows(
        _SETTLE_NEXT,
        {
            **_parameters(nudges),
            "after": after,
            "limit": limit,
            "status": NudgeStatus.SKIPPED,
            "reason": reason,
            "now": now,
        },
    )
    return max((key for (key,) in skipped), default=None)


def any_waiting(reader: Reader, nudges: Round) -> bool:
    """Tell whether anybody waits for a nudge."""
    return reader.value(_ANY_WAITING, _parameters(nudges)) is not None


def nudging_organization(
    reader: Reader, organization_key: int, now: int
) -> NudgingOrganization | None:
    """Return what nudges need to know of an organization."""
    parameters = {"organization_key": organization_key, "now": now}
    return reader.record(NudgingOrganization, _ORGANIZATION, parameters)

"""SQL of nudges: who is to be nudged, who still needs it, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

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
    first_name: str
    preferred_locale: str
    is_active: bool
    is_own: bool
    is_about_others: bool


@dataclass(frozen=True, slots=True)
class NudgingOrganization:
    """In whose name people are nudged; a closed one is suspended, or has expired."""

    id: str
    default_locale: str
    is_closed: bool


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
# Who has missed a message is reminded of it no more.
_WAITING: Final = ", ".join(
    str(int(status))
    for status in (DeliveryStatus.PENDING, DeliveryStatus.DELIVERED, DeliveryStatus.NO_DEVICE)
)
_INSERT: Final = Statement(f"""
    insert into nudge (step_run_key, channel, member_key, organization_key)
    select :step_run_key, :channel, d.member_key, :organization_key
    from delivery d
    where d.step_run_key = :delivery_run_key and d.ordinal >= :since and d.ordinal < :upto
      and d.organization_key = :organization_key and d.status in ({_WAITING})
    on conflict (step_run_key, channel, member_key) do nothing
""")
_OF_ROUND: Final = """
    n.step_run_key = :step_run_key and n.channel = :channel
    and n.organization_key = :organization_key
"""
# A person's deliveries are found by the inbox's index.
_NEXT: Final = """
    select n.member_key, m.id, coalesce(m.email, ''), coalesce(m.first_name, ''),
           coalesce(m.preferred_locale, ''),
           coalesce(m.status <> :deactivated, false),
           exists (select 1 from delivery d
                   where d.member_key = n.member_key and d.step_run_key in ({own_runs})
                     and d.status in ({open})),
           exists (select 1 from delivery d
                   where d.member_key = n.member_key and d.step_run_key = :step_run_key
                     and d.status in ({open}))
    from nudge n left join member m on m.key = n.member_key
    where {of_round} and n.member_key > :after and n.status = {waiting}
    order by n.member_key limit :limit
"""
_VALUES: Final = {"open": _OPEN, "of_round": _OF_ROUND, "waiting": int(NudgeStatus.WAITING)}
_WAITING_NUDGES: Final = Statement(
    _NEXT.format(own_runs="select value from json_each(:own_runs)", **_VALUES),
    postgresql=_NEXT.format(own_runs="select unnest(:own_runs::bigint[])", **_VALUES),
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


def insert_waiting(
    transaction: Transaction, nudges: Round, delivery_run_key: int, since: int, upto: int
) -> None:
    """Let everybody be nudged whose delivery waits in a range of a run; repeating adds nobody."""
    transaction.execute(
        _INSERT,
        {
            **_parameters(nudges),
            "delivery_run_key": delivery_run_key,
            "since": since,
            "upto": upto,
        },
    )


def waiting(
    reader: Reader, nudges: Round, own_runs: Sequence[int], after: int, limit: int
) -> list[WaitingNudge]:
    """Return who waits for a nudge behind a member, by key.

    Args:
        reader: the unit of work.
        nudges: which.
        own_runs: the runs whose deliveries are people's own messages that this step is about.
        after: the key of the last member before.
        limit: the most to return.
    """
    return reader.records(
        WaitingNudge,
        _WAITING_NUDGES,
        {
            **_parameters(nudges),
            "own_runs": reader.array(own_runs),
            "after": after,
            "limit": limit,
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

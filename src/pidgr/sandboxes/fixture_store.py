"""SQL that lets a campaign have happened."""

from typing import Final

from pidgr.campaigns.store import Counters
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

_MARK_SYNTHETIC: Final = Statement("""
    update campaign set synthetic = true
    where organization_key = :organization_key and key = :campaign_key
""")
# A number from 0 to 99 that looks like chance and is the same every time.
_LUCK: Final = "(ordinal * 31 + 17) % 100"
# From nobody's to everybody's answer, many of them early: a square grows slowly at first.
_PACE: Final = "cast(ordinal * 7919 % 1000 as bigint)"
_ANSWERED: Final = f":started_at + :shortest + {_PACE} * {_PACE} * :step"
_SETTLE: Final = Statement(f"""
    update delivery
    set status = case when {_LUCK} < :acknowledged_share then :acknowledged
                      when {_LUCK} >= 100 - :unreachable_share then status
                      else :missed end,
        delivered_at = case when {_LUCK} < 100 - :unreachable_share
                            then :started_at + {_PACE} * :shortest / 1000 end,
        read_at = case when {_LUCK} < :acknowledged_share
                         or ({_LUCK} < 100 - :unreachable_share and {_LUCK} % 2 = 0)
                       then {_ANSWERED} - :shortest / 4 end,
        acted_at = case when {_LUCK} < :acknowledged_share then {_ANSWERED} end
    where organization_key = :organization_key and step_run_key = :step_run_key
""")
_COUNT: Final = Statement("""
    select status, count(*) from delivery
    where organization_key = :organization_key and step_run_key = :step_run_key
    group by status
""")


def mark_synthetic(transaction: Transaction, organization_key: int, campaign_key: int) -> None:
    """Flag a campaign, and with it its deliveries, as made up."""
    parameters = {"organization_key": organization_key, "campaign_key": campaign_key}
    transaction.execute(_MARK_SYNTHETIC, parameters)


def settle(
    transaction: Transaction,
    organization_key: int,
    step_run_key: int,
    *,
    acknowledged_share: int,
    unreachable_share: int,
    started_at: int,
    shortest: int,
    longest: int,
) -> Counters:
    """Let the recipients of a send have answered, or not, and return how many did what.

    Args:
        transaction: the unit of work.
        organization_key: whose deliveries.
        step_run_key: the send.
        acknowledged_share: how many of a hundred have confirmed.
        unreachable_share: how many of a hundred had no device.
        started_at: when it was sent, in microseconds.
        shortest: microseconds until the first answer.
        longest: microseconds from then until the last one.
    """
    scope = {"organization_key": organization_key, "step_run_key": step_run_key}
    transaction.execute(
        _SETTLE,
        {
            **scope,
            "acknowledged_share": acknowledged_share,
            "unreachable_share": unreachable_share,
            "acknowledged": DeliveryStatus.ACKNOWLEDGED,
            "missed": DeliveryStatus.MISSED,
            "started_at": started_at,
            "shortest": shortest,
            "step": longest // 1_000_000,
        },
    )
    counted: dict[int, int] = dict(transaction.rows(_COUNT, scope))
    return Counters(
        acknowledged=counted.get(DeliveryStatus.ACKNOWLEDGED, 0),
        missed=counted.get(DeliveryStatus.MISSED, 0),
        no_device=counted.get(DeliveryStatus.NO_DEVICE, 0),
    )

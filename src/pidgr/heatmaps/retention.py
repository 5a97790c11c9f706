"""How far back touches go."""

from pidgr.heatmaps.touches import minute_of


def first_day(now: int, retention_days: int, expired_before: int) -> int:
    """Return the first day, counted from 1970, whose touches are kept.

    Args:
        now: in microseconds.
        retention_days: for how many days before today.
        expired_before: the days before this one have been deleted already. They stay gone when a
            longer time is set later, because the sums over many days still hold parts of them.
    """
    return max(minute_of(now)[0] - retention_days, expired_before, 0)

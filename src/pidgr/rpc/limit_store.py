"""SQL of allowances that several processes share; PostgreSQL only.

One row for each name. It tells when the allowance will be whole again, and how much of it is lent:
processes take some calls in advance and use them later. Without more ado a lent call would let the
allowance refill behind its back, and a burst of everything could follow on everything. So what is
lent counts as taken when the allowance is capped: what is free and what is lent are never more
than the burst together. That sum grows no faster than the rate and shrinks with each call, which
is what makes the limit hold exactly, whoever uses what was lent and when.

What is lent lapses, or the calls lent to a process that died would be missing for ever. Time is cut
into epochs; a row knows what it lent in the present one and in the one before, and forgets older
loans, which their borrowers have stopped using by then.
"""

from dataclasses import dataclass
from typing import Final

from pidgr.clock import SECOND
from pidgr.rpc.limits import Rate
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

EPOCH: Final = 2 * SECOND
"""In microseconds; a loan lasts one to two of them."""
# Of what is free. The less there is, the less is lent, and of the last few calls nothing.
_LENT_PART: Final = 8

_SQLITE: Final = "select 0"
# The row is locked first and the time looked at afterwards, so that a row sees times in order. What
# was lent has capped the allowance until it lapsed or until now, so that comes before anything is
# settled. ``room`` is what is free then, in microseconds of the rate. A clock of the database that
# is set back leaves the epoch as it is, and an allowance no further from whole than its burst.
_TAKE: Final = Statement(
    _SQLITE,
    postgresql="""
    with locked as materialized (
      select whole_at, epoch, lent, lent_before from rate_bucket where name = :name for update
    ), asked as materialized (
      select locked.*, cast(:interval as bigint) as step, cast(:burst as bigint) as burst,
        cast(:demand as bigint) as demand, cast(:wanted as bigint) as wanted,
        cast(:settled_epoch as bigint) as settled_epoch, cast(:settled as bigint) as settled,
        cast(:unspent as bigint) as unspent, cast(:length as bigint) as length,
        coalesce(
          cast(:now as bigint), (extract(epoch from clock_timestamp()) * 1000000)::bigint
        ) as now
      from locked
    ), aged as (
      select asked.*, greatest(now / length, epoch) as present,
        case when now / length <= epoch then lent else 0 end as lent_now,
        case when now / length <= epoch then lent_before
             when now / length = epoch + 1 then lent else 0 end as lent_then,
        greatest(whole_at,
          case when now / length > epoch
               then (epoch + 1) * length + (lent + lent_before) * step end,
          case when now / length > epoch + 1 then (epoch + 2) * length + lent * step end
        ) as due_at
      from asked
    ), capped as (
      select aged.*, now + burst * step - least(
        greatest(due_at, now + (lent_now + lent_then) * step), now + burst * step
      ) as held from aged
    ), settled as (
      select capped.*,
        held + case when settled_epoch >= present - 1 then unspent * step else 0 end as room,
        lent_now - case when settled_epoch = present then settled else 0 end as out_now,
        lent_then - case when settled_epoch = present - 1 then settled else 0 end as out_then
      from capped
    ), granted as (
      select settled.*, least(room / step, demand) as taken,
        least(wanted, greatest(room / step - demand, 0) / :part) as extra
      from settled
    )
    update rate_bucket set
      whole_at = now + (burst + taken + extra) * step - room,
      epoch = present,
      lent = out_now + extra,
      lent_before = out_then
    from granted where rate_bucket.name = :name
    returning taken, extra, present, least((present + 2) * length - now, 2 * length),
      (taken + extra + 1) * step - room
    """,
)
_ADD: Final = Statement(
    _SQLITE,
    postgresql="""
    insert into rate_bucket (name, whole_at, epoch, lent, lent_before) values (:name, 0, 0, 0, 0)
    on conflict (name) do nothing
    """,
)
_FORGET: Final = Statement(
    _SQLITE,
    postgresql="""
    delete from rate_bucket where name in (
      select name from rate_bucket
      where greatest(whole_at, (epoch + 2) * :length) < coalesce(
        cast(:now as bigint), (extract(epoch from clock_timestamp()) * 1000000)::bigint
      )
      limit 1000 for update skip locked
    )
    """,
)


@dataclass(frozen=True, slots=True)
class Loan:
    """Calls a process may use later: when they were lent and how many, all or what is left."""

    epoch: int
    calls: int
    unspent: int


NO_LOAN: Final = Loan(epoch=-2, calls=0, unspent=0)


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to a process: what it may use now and later, and when to ask again.

    ``lives`` is for how many microseconds the extra calls are good, ``wait`` in how many there will
    be one more call; not positive if there is one already.
    """

    taken: int
    extra: int
    epoch: int
    lives: int
    wait: int


def take(
    transaction: Transaction,
    name: bytes,
    rate: Rate,
    *,
    demand: int,
    wanted: int,
    settled: Loan,
    now: int | None,
) -> Grant:
    """Take calls out of a shared allowance.

    Args:
        transaction: the unit of work.
        name: whose allowance.
        rate: what it is.
        demand: calls to be made at once; fewer are granted where there are fewer.
        wanted: calls to borrow, of what is left after that.
        settled: the process's earlier loan, which this ends.
        now: the time; None for the database's own, which all processes share.
    """
    parameters = {
        "name": name,
        "now": now,
        "length": EPOCH,
        "interval": rate.interval,
        "burst": rate.burst,
        "part": _LENT_PART,
        "demand": demand,
        "wanted": wanted,
        "settled_epoch": settled.epoch,
        "settled": settled.calls,
        "unspent": settled.unspent,
    }
    granted = transaction.record(Grant, _TAKE, parameters)
    if granted is None:
        transaction.execute(_ADD, {"name": name})
        granted = transaction.record(Grant, _TAKE, parameters)
    assert granted is not None  # noqa: S101 - rows in use are not deleted
    return granted


def forget_whole(transaction: Transaction, now: int | None) -> None:
    """Delete rows that say nothing: allowances that are whole, and lent to nobody."""
    transaction.execute(_FORGET, {"now": now, "length": EPOCH})

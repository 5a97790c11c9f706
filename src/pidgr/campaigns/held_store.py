"""SQL of pushes that are held back, nearly all until the end of somebody's quiet hours."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from pidgr.campaigns.push_batch import PushBatch
from pidgr.outreach.push import WANTED_LATER
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

NEVER: Final = 2**63 - 1
"""Until when pushes are held back that a stop has cut off from their batch, in microseconds."""

# A delivery whose push another step has held back already gets one push for both.
_INSERT: Final = """
    insert into held_push
      (step_run_key, ordinal, pushing_run_key, organization_key, held_at, due_at)
    select :run_key, o.value, :pushing_run_key, :organization_key, :now, :due_at
    from {ordinals} o
    where not exists
      (select 1 from held_push h
       where h.step_run_key = :run_key and h.ordinal = o.value
         and h.pushing_run_key <> :pushing_run_key and h.settled_at is null)
    on conflict (step_run_key, ordinal, pushing_run_key) do update set
      held_at = excluded.held_at, due_at = excluded.due_at, settled_at = null
"""
_HOLD: Final = Statement(
    _INSERT.format(ordinals="json_each(:ordinals)"),
    postgresql=_INSERT.format(ordinals="(select unnest(:ordinals::int[]) as value)"),
)
_SETTLE_ALL: Final = """
    update held_push set settled_at = :now
    where step_run_key = :run_key and ordinal >= :since and ordinal < :upto
      and pushing_run_key = :pushing_run_key and held_at = :held_at and due_at = :due_at
      and settled_at is null
"""
_SETTLE: Final = Statement(
    f"{_SETTLE_ALL} and ordinal not in (select value from json_each(:left))",
    postgresql=f"{_SETTLE_ALL} and ordinal <> all(:left::int[])",
)
# Since when a device's push is wanted later, which trying in vain again does not change.
_NOTE_WANTED: Final = Statement("""
    insert into delivery_error (step_run_key, ordinal, device_id, error, occurred_at)
    values (:run_key, :ordinal, :device_id, :error, :now)
    on conflict (step_run_key, ordinal, device_id)
    do update set error = excluded.error, occurred_at = excluded.occurred_at
    where delivery_error.error <> excluded.error or delivery_error.occurred_at < :held_at
""")
_FORGET_WANTED: Final = Statement("""
    delete from delivery_error
    where step_run_key = :run_key and ordinal = :ordinal and device_id = :device_id
""")
_TROUBLES: Final = Statement("""
    select ordinal, device_id, error, occurred_at from delivery_error
    where step_run_key = :run_key and ordinal >= :since and ordinal < :upto
      and occurred_at >= :held_at and device_id <> ''
""")
_WANT: Final = """
    update delivery_error set occurred_at = :now
    where step_run_key = :run_key and error = :error and occurred_at >= :held_at
      and ordinal {ordinals}
"""
_WANT_AGAIN: Final = Statement(
    _WANT.format(ordinals="in (select value from json_each(:ordinals))"),
    postgresql=_WANT.format(ordinals="= any(:ordinals)"),
)
_CHANGE_HELD: Final = Statement("""
    update lane set held = held + :change
    where step_run_key = :step_run_key and number = :number
""")


class Trouble(NamedTuple):
    """Why a device has not had a push, and since when."""

    is_wanted: bool
    """Whether its provider wants the push later; it has refused it otherwise."""
    occurred_at: int


def hold(
    transaction: Transaction, batch: PushBatch, ordinals: Sequence[int], *, due_at: int, now: int
) -> int:
    """Hold back a batch's pushes to some recipients; returns to how many of them.

    The others are about to get the push of another step about the same delivery.
    """
    return transaction.execute(
        _HOLD,
        {
            "run_key": batch.delivery_run_key,
            "ordinals": transaction.array(ordinals),
            "pushing_run_key": batch.run.key,
            "organization_key": batch.campaign.organization_key,
            "due_at": due_at,
            "now": now,
        },
    )


def settle(transaction: Transaction, batch: PushBatch, left: Sequence[int], now: int) -> int:
    """Note that a batch of held pushes is done with, but for those ``left``; returns how many."""
    assert batch.held is not None  # noqa: S101 - the caller's condition
    return transaction.execute(
        _SETTLE,
        {
            "run_key": batch.delivery_run_key,
            "since": batch.since,
            "upto": batch.upto,
            "pushing_run_key": batch.run.key,
            **batch.held._asdict(),
            "left": transaction.array(left),
            "now": now,
        },
    )


def change_held(transaction: Transaction, batch: PushBatch, change: int) -> None:
    """Count how many of the deliveries that a lane has made are held back."""
    parameters = {
        "step_run_key": batch.lane.step_run_key,
        "number": batch.lane.number,
        "change": change,
    }
    transaction.execute(_CHANGE_HELD, parameters)


def note_wanted(
    transaction: Transaction, batch: PushBatch, ordinal: int, device_id: str, now: int
) -> None:
    """Note that the provider wants the push to a device of a held recipient later."""
    transaction.execute(
        _NOTE_WANTED,
        {
            "run_key": batch.delivery_run_key,
            "ordinal": ordinal,
            "device_id": device_id,
            "error": WANTED_LATER.reason,
            "now": now if batch.held is None else max(now, batch.held.held_at),
            "held_at": now if batch.held is None else batch.held.held_at,
        },
    )


def forget_wanted(transaction: Transaction, batch: PushBatch, ordinal: int, device_id: str) -> None:
    """Note that the provider has taken what it had wanted later."""
    parameters = {
        "run_key": batch.delivery_run_key,
        "ordinal": ordinal,
        "device_id": device_id,
    }
    transaction.execute(_FORGET_WANTED, parameters)


def want_again(
    transaction: Transaction, batch: PushBatch, ordinals: Sequence[int], now: int
) -> None:
    """Keep what is known of the devices of recipients who are held back once more now."""
    assert batch.held is not None  # noqa: S101 - the caller's condition
    transaction.execute(
        _WANT_AGAIN,
        {
            "run_key": batch.delivery_run_key,
            "ordinals": transaction.array(ordinals),
            "error": WANTED_LATER.reason,
            "held_at": batch.held.held_at,
            "now": now,
        },
    )


def troubles(reader: Reader, batch: PushBatch) -> Mapping[int, Mapping[str, Trouble]]:
    """Return what devices have answered since a batch was held, by ordinal and device.

    Only of recipients of whose devices one is still wanted; those without trouble have had it.
    """
    if batch.held is None:
        return {}
    found: dict[int, dict[str, Trouble]] = defaultdict(dict)
    parameters = {
        "run_key": batch.delivery_run_key,
        "since": batch.since,
        "upto": batch.upto,
        "held_at": batch.held.held_at,
    }
    for ordinal, device_id, error, occurred_at in reader.rows(_TROUBLES, parameters):
        found[ordinal][device_id] = Trouble(error == WANTED_LATER.reason, occurred_at)
    return {
        ordinal: devices
        for ordinal, devices in found.items()
        if any(trouble.is_wanted for trouble in devices.values())
    }

"""Holds pushes back, nearly all until the end of quiet hours, each group as one task."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from pidgr.campaigns import held_store, quiet_store
from pidgr.campaigns.push_batch import PushBatch
from pidgr.campaigns.quiet_hours import pushable_from
from pidgr.engine.port import Engine, Queue, Task
from pidgr.storage.transaction import Reader, Transaction

HELD: Final = "campaign.held"


def held_until(
    reader: Reader, batch: PushBatch, ordinals: Iterable[int], now: int
) -> dict[int, int]:
    """Return until when to hold back the pushes to those recipients for whom it is night."""
    if batch.quiet is None:
        return {}
    # A task that the database's clock let start is not early by this machine's.
    moment = max(now, batch.held.due_at) if batch.held is not None else now
    due = pushable_from(batch.quiet, moment)
    zones = quiet_store.zones(reader, batch.delivery_run_key, batch.since, batch.upto)
    moments = {ordinal: due(zones.get(ordinal, "")) for ordinal in ordinals}
    return {ordinal: until for ordinal, until in moments.items() if until > moment}


def hold(
    transaction: Transaction,
    engine: Engine,
    batch: PushBatch,
    until: Mapping[int, int],
    now: int,
) -> int:
    """Note what is held back and enqueue the tasks that push it; returns how many pushes."""
    groups: dict[int, list[int]] = defaultdict(list)
    for ordinal, due_at in until.items():
        groups[due_at].append(ordinal)
    held = 0
    for due_at, ordinals in groups.items():
        count = held_store.hold(transaction, batch, ordinals, due_at=due_at, now=now)
        if count and due_at != held_store.NEVER:
            engine.enqueue(transaction, _task(batch, due_at, now))
        held += count
    return held


def _task(batch: PushBatch, due_at: int, now: int) -> Task:
    run_key, number = batch.run.key, batch.lane.number
    key = f"r{run_key}:{number}:held{now}:{batch.since}:{due_at}"
    arguments = (run_key, number, batch.since, batch.upto, now, due_at)
    return Task(HELD, key, arguments, Queue.PUSHES, due_at - now)

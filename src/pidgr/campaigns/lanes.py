"""Lanes: the parts a fan-out is divided into, and the loops that work through them.

The inbox must not wait for a push provider. So a lane's rows come first, and of its pushes only
what goes quickly: the rest is another task's, behind which no other lane waits.

A lane has two cursors. Moving one is a compare-and-set in the transaction that does the work, so
rows are written exactly once whoever runs the lane, and after a crash at most one push batch per
lane is sent again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from pidgr.campaigns import delivery_store, run_store, store, workflow
from pidgr.campaigns.advance import LANE, LANE_PUSHES, Advance, lane_pushes_task
from pidgr.campaigns.children import Children, PushLane
from pidgr.campaigns.delivery_id import LARGEST_ORDINAL
from pidgr.campaigns.held_pushes import HeldPushes, quiet_hours_of
from pidgr.campaigns.holding import HELD
from pidgr.campaigns.push_batch import PushBatch
from pidgr.campaigns.push_pace import PushPace, TooSlowError
from pidgr.campaigns.pushing import Pushing, Sent
from pidgr.campaigns.run_store import Lane, StepRun
from pidgr.campaigns.sending import PrepareBatch, Sender, Write
from pidgr.campaigns.store import CampaignRow, Counters
from pidgr.clock import Clock
from pidgr.contract.v1.common_pb import CampaignStatus, DeliveryStatus, StepType
from pidgr.engine.port import Engine, ProgressError, Task
from pidgr.errors import UnavailableError
from pidgr.storage.database import Database
from pidgr.storage.sql import Dialect
from pidgr.storage.transaction import Transaction

_MOST_LANES: Final = 8
# Rows of one transaction, long enough to amortise the commit. On SQLite an API write waits behind
# it, and Python holds the messages that it has rendered for it.
_ROWS_PER_BATCH: Final[Mapping[Dialect, int]] = {"sqlite": 2_000, "postgresql": 5_000}
# Of a message that all share, Python holds nothing; PostgreSQL is asked half as often.
_SHARED_ROWS_PER_BATCH: Final[Mapping[Dialect, int]] = {"sqlite": 2_000, "postgresql": 10_000}
_FEWEST_ROWS_OF_A_LANE: Final = 5_000
# Recipients of one push batch, which a crash may repeat. PostgreSQL is asked five times for each
# and waits for its disk: a fan-out is a fifth faster than with 2,000.
PUSHES_PER_BATCH: Final[Mapping[Dialect, int]] = {"sqlite": 2_000, "postgresql": 4_000}

log = structlog.get_logger("pidgr.campaigns")


def divide(
    step_run_key: int, base_run_keys: Sequence[int], recipients: int
) -> tuple[int, list[Lane]]:
    """Cut the recipients into contiguous lanes, the same cut for every base run.

    Returns:
        How many ordinals a lane spans, and the lanes.
    """
    if recipients == 0:
        return 0, []
    count = min(_MOST_LANES, -(-recipients // _FEWEST_ROWS_OF_A_LANE))
    size = -(-recipients // count)
    cuts = [(low, min(low + size, recipients)) for low in range(0, recipients, size)]
    spans = [(base, low, high) for base in base_run_keys for low, high in cuts]
    return size, [
        Lane(
            step_run_key,
            number,
            base,
            low,
            high,
            written_upto=low,
            pushed_upto=low,
            spawns=False,
            spawned=0,
            stopped=False,
            finished=False,
        )
        for number, (base, low, high) in enumerate(spans)
    ]


def divide_children(
    step_run_key: int, base_run_keys: Sequence[int], recipients: int, first_number: int
) -> tuple[int, list[Lane]]:
    """Return one lane per base run that makes children of its deliveries.

    Each lane numbers its children from a range of its own, as wide as the ids allow.

    Returns:
        How many ordinals a lane spans, and the lanes.
    """
    if recipients == 0:
        return 0, []
    size = (LARGEST_ORDINAL + 1) // (first_number + len(base_run_keys))
    return size, [
        Lane(
            step_run_key,
            number,
            base,
            0,
            recipients,
            written_upto=0,
            pushed_upto=number * size,
            spawns=True,
            spawned=0,
            stopped=False,
            finished=False,
        )
        for number, base in enumerate(base_run_keys, first_number)
    ]


class LaneRunner:
    """Handles the engine's lane tasks, and those of the pushes that lanes have held back."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        clock: Clock,
        sender: Sender,
        pushing: Pushing,
    ) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock
        self._sender = sender
        self._pushing = pushing
        self._held = HeldPushes(database, pushing)
        self._children = Children(database, engine, clock)
        self._advance = Advance(engine, clock)
        self._pace = PushPace()

    def register(self, fail: Callable[[Task, Exception], None]) -> None:
        """Give the engine its handlers; ``fail`` ends the campaign of a step task."""
        for name, handler in (
            (LANE, self.run),
            (LANE_PUSHES, self.push),
            (HELD, self._held.run),
        ):
            self._engine.register(name, handler, lambda task, error: self._fail(task, error, fail))

    def run(self, step_run_key: int, number: int) -> None:
        """Write a lane's rows and push; what goes slowly is left to a task of its own.

        Raises:
            UnavailableError: the database is away, or has lost what was written.
        """
        if self._engine.status(lane_pushes_task(step_run_key, number).key) is not None:
            return
        try:
            self._run(step_run_key, number, partial(self._push, pace=self._pace))
        except TooSlowError as slow:
            task = lane_pushes_task(step_run_key, number, slow.pause)
            self._database.write_now(lambda transaction: self._engine.enqueue(transaction, task))

    def push(self, step_run_key: int, number: int) -> None:
        """Send the pushes that are left of a lane.

        Raises:
            UnavailableError: the database or a provider is away, or has lost what was written.
        """
        self._run(step_run_key, number, self._push)

    def _run(self, step_run_key: int, number: int, push: PushLane) -> None:
        """Work through a lane from where its cursors stand."""
        run = self._database.read_now(lambda reader: run_store.step_run(reader, step_run_key))
        lane = self._database.read_now(lambda reader: run_store.lane(reader, step_run_key, number))
        if run is None or lane is None or lane.finished or lane.stopped:
            return
        campaign = self._database.read_now(
            lambda reader: store.campaign_by_key(reader, run.campaign_key)
        )
        if campaign is None or campaign.status != CampaignStatus.RUNNING:
            return
        worked = self._work(campaign, run, lane, push)
        if worked is None or not self._database.write_now(
            lambda transaction: self._finish(transaction, run, worked)
        ):
            self._require_over(step_run_key, number)

    def _require_over(self, step_run_key: int, number: int) -> None:
        """Check that a lane has been stopped or finished if work on it ended before its end.

        If not, the database may have crashed and lost what was written without waiting for its
        disk. It is also so when another process has taken the lane over; then nobody heeds this.

        Raises:
            UnavailableError: there is work left, from where the cursors stand now.
        """
        lane = self._database.read_now(lambda reader: run_store.lane(reader, step_run_key, number))
        if lane is not None and not lane.stopped and not lane.finished:
            raise UnavailableError("the database is not where it was: a lane begins again")

    def _work(self, campaign: CampaignRow, run: StepRun, lane: Lane, push: PushLane) -> Lane | None:
        """Do the lane's work and return the lane as it is then; None if somebody has moved it."""
        if lane.spawns:
            return lane if self._children.work(campaign, run, lane, push) else None
        match run.step_type:
            case StepType.SEND_NOTIFICATION:
                prepare = self._sender.preparer(campaign, run, lane)
                # All rows first: the inbox is the truth and must not wait for a slow provider.
                rows = _SHARED_ROWS_PER_BATCH if run.content_key is not None else _ROWS_PER_BATCH
                written = self._write(lane, rows, prepare)
                return written if written and push(campaign, run, written) else None
            case StepType.SEND_REMINDER | StepType.ESCALATE:
                return lane if push(campaign, run, lane) else None
            case StepType.MARK_MISSED:
                mark = partial(self._mark_missed, campaign, lane)
                return self._write(
                    lane, _ROWS_PER_BATCH, lambda since, upto: partial(mark, since, upto)
                )
            case _:
                message = f"step type {run.step_type} has no lanes"
                raise NotImplementedError(message)

    def _write(
        self, lane: Lane, rows_per_batch: Mapping[Dialect, int], prepare: PrepareBatch
    ) -> Lane | None:
        """Write all rows and return the lane as it is then, or None."""
        rows = rows_per_batch[self._database.dialect]
        for since in range(lane.written_upto, lane.high, rows):
            self._engine.checkpoint()
            upto = min(since + rows, lane.high)
            batch = partial(self._write_batch, lane, since, upto, prepare(since, upto))
            # Rows and cursor are undone together or not at all, and the first push batch, or the
            # end of the lane, makes them durable, or finds that they have been undone.
            if not self._database.write_now(batch, durable=False):
                return None
        return replace(lane, written_upto=lane.high)

    def _write_batch(
        self, lane: Lane, since: int, upto: int, write: Write, transaction: Transaction
    ) -> bool:
        if not run_store.move_written(transaction, lane, since, upto, self._clock.now()):
            return False
        write(transaction)
        return True

    def _push(
        self, campaign: CampaignRow, run: StepRun, lane: Lane, pace: PushPace | None = None
    ) -> bool:
        """Push batch by batch; False when the lane is stopped or taken over.

        Raises:
            TooSlowError: it does not go at the ``pace`` that is demanded.
            UnavailableError: none is, and the provider is away.
        """
        begun_at = time.monotonic()
        end = lane.number * run.lane_size + lane.spawned if lane.spawns else lane.high
        quiet = self._database.read_now(lambda reader: quiet_hours_of(reader, campaign))
        pushes = PUSHES_PER_BATCH[self._database.dialect]
        if pace and lane.pushed_upto < end:
            pace.require_quick(is_long=end - lane.pushed_upto > pushes)
        for since in range(lane.pushed_upto, end, pushes):
            self._engine.checkpoint()
            if pace:
                pace.require_steady(since - lane.pushed_upto, time.monotonic() - begun_at)
            upto = min(since + pushes, end)
            sent = self._send(PushBatch(campaign, run, lane, since, upto, quiet), pace)
            if sent is Sent.NOT:
                return False
            if sent is Sent.PARTLY and pace:
                pace.note_away()
                if upto < end:
                    raise TooSlowError
        return True

    def _send(self, batch: PushBatch, pace: PushPace | None) -> Sent:
        try:
            return self._pushing.send(batch)
        except UnavailableError as error:
            if pace:
                pace.note_away()
                raise TooSlowError(error.pause) from error
            if batch.since == batch.lane.pushed_upto:
                raise
            raise ProgressError(error.message, pause=error.pause) from error

    def _mark_missed(
        self,
        campaign: CampaignRow,
        lane: Lane,
        since: int,
        upto: int,
        transaction: Transaction,
    ) -> None:
        """Settle as missed whoever was reached and has not acknowledged (SEMANTICS 3.2)."""
        waiting, delivered = (
            run_store.mark_missed(
                transaction,
                lane.base_run_key,
                since,
                upto,
                status=status,
                missed=DeliveryStatus.MISSED,
            )
            for status in (DeliveryStatus.PENDING, DeliveryStatus.DELIVERED)
        )
        changes = Counters(waiting=-waiting, delivered=-delivered, missed=waiting + delivered)
        store.count_deliveries(transaction, campaign.key, lane.number, changes)

    def _finish(self, transaction: Transaction, run: StepRun, lane: Lane) -> bool:
        """End the lane, and with the last one the step; False when the lane could not be ended.

        A campaign none of whose messages could be made has failed (SEMANTICS 3.1).
        The campaign's lock comes first, as everywhere, so that a cancel cannot deadlock with it.
        """
        campaign = store.lock_campaign_by_key(transaction, run.campaign_key)
        if campaign is None:
            return False
        left = run_store.finish_lane(transaction, lane)
        if left is None:
            return False
        if left == 0:
            self._finish_step(transaction, campaign, run)
        return True

    def _finish_step(self, transaction: Transaction, campaign: CampaignRow, run: StepRun) -> None:
        running = campaign.status == CampaignStatus.RUNNING
        if running and not delivery_store.anything_sent(transaction, campaign.key):
            log.error("campaign failed: no recipient's message could be made", key=campaign.key)
            store.finish_campaign(
                transaction, campaign.key, status=CampaignStatus.FAILED, now=self._clock.now()
            )
            return
        self._advance.finish(transaction, campaign, run, workflow.COMPLETED)

    def _fail(self, task: Task, error: Exception, fail: Callable[[Task, Exception], None]) -> None:
        step_run_key = int(task.arguments[0])
        run = self._database.read_now(lambda reader: run_store.step_run(reader, step_run_key))
        if run is not None:
            fail(Task(task.handler, task.key, (run.campaign_key,)), error)

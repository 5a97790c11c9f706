"""Stores a step's run and its lanes, and sets the lanes to work."""

from collections.abc import Sequence

from pidgr.campaigns import run_store, store, workflow
from pidgr.campaigns.advance import Advance, lane_task
from pidgr.campaigns.lanes import divide, divide_children
from pidgr.campaigns.partitions import Partitions
from pidgr.campaigns.run_store import Lane, NewStepRun, StepRun
from pidgr.campaigns.store import CampaignRow
from pidgr.clock import Clock
from pidgr.engine.port import Engine
from pidgr.storage.transaction import Transaction


def insert_run(transaction: Transaction, run: NewStepRun) -> StepRun | None:
    """Store a run and show it as the campaign's progress; None when the step has begun."""
    key = run_store.insert_step_run(transaction, run)
    if key is None:
        return None
    store.set_progress(
        transaction, run.campaign_key, run.step_id, now=run.started_at, next_wake_at=run.due_at
    )
    return run_store.step_run(transaction, key)


class LanePlanner:
    """Plans lanes; a run without any is over at once."""

    def __init__(
        self, engine: Engine, clock: Clock, advance: Advance, partitions: Partitions
    ) -> None:
        self._engine = engine
        self._partitions = partitions
        self._clock = clock
        self._advance = advance

    def plan(
        self,
        transaction: Transaction,
        campaign: CampaignRow,
        run: StepRun,
        bases: Sequence[int],
        *,
        children_of: Sequence[int] = (),
    ) -> None:
        """Plan lanes over the deliveries of some runs, and lanes for children of others."""
        size, lanes = divide(run.key, bases, campaign.audience_size)
        if children_of:
            size, children = divide_children(
                run.key, children_of, campaign.audience_size, len(lanes)
            )
            lanes = [*lanes, *children]
        self.set_to_work(transaction, campaign, run, size, lanes)

    def set_to_work(
        self,
        transaction: Transaction,
        campaign: CampaignRow,
        run: StepRun,
        size: int,
        lanes: Sequence[Lane],
    ) -> None:
        """Store lanes and enqueue their tasks."""
        if not lanes:
            self._advance.finish(transaction, campaign, run, workflow.COMPLETED)
            return
        run_store.insert_lanes(transaction, run.key, size, lanes, self._clock.now())
        for lane in lanes:
            self._engine.enqueue(transaction, lane_task(run.key, lane.number))
        self._partitions.watch(transaction)

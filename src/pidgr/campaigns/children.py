"""Deliveries on account of others: escalations, copies of reminders (SEMANTICS 4.4, 4.5)."""

from collections.abc import Callable
from typing import Final

from pidgr.campaigns import child_store, run_store, store, workflow
from pidgr.campaigns.advance import definition_of
from pidgr.campaigns.child_store import SpawnBatch, Targets
from pidgr.campaigns.run_store import Lane, StepRun
from pidgr.campaigns.store import CampaignRow, Counters
from pidgr.campaigns.targets import targets_of
from pidgr.clock import Clock
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import (
    DeliveryStatus,
    EscalateConfig,
    EscalationCondition,
    WorkflowStep,
)
from pidgr.engine.port import Engine
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

# Each recipient may have a whole group of targets.
_PARENTS_PER_BATCH: Final = 200

_WAITING: Final = (DeliveryStatus.PENDING, DeliveryStatus.DELIVERED)
NOT_ACKNOWLEDGED: Final = (*_WAITING, DeliveryStatus.NO_DEVICE, DeliveryStatus.MISSED)

PushLane = Callable[[CampaignRow, StepRun, Lane], bool]


class TooManyTargetsError(Exception):
    """The step would address more people than a run can number."""


class Children:
    """Works through lanes that make deliveries on account of others."""

    def __init__(self, database: Database, engine: Engine, clock: Clock) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock

    def work(self, campaign: CampaignRow, run: StepRun, lane: Lane, push: PushLane) -> bool:
        """Write every child, then push them; False when stopped or taken over on the way."""
        step = workflow.find_step(definition_of(campaign), run.step_id)
        targets = targets_of(
            workflow.targets(step), include_restricted=bool(campaign.include_restricted)
        )
        for since in range(lane.written_upto, lane.high, _PARENTS_PER_BATCH):
            self._engine.checkpoint()
            upto = min(since + _PARENTS_PER_BATCH, lane.high)
            batch = _batch(campaign, run, lane, step, since, upto)

            def write(transaction: Transaction, batch: SpawnBatch = batch) -> bool:
                return self._write(transaction, campaign, run, lane, batch, targets)

            if not self._database.write_now(write):
                return False
        made = self._database.read_now(
            lambda reader: run_store.lane(reader, lane.step_run_key, lane.number)
        )
        return made is not None and push(campaign, run, made)

    def _write(
        self,
        transaction: Transaction,
        campaign: CampaignRow,
        run: StepRun,
        lane: Lane,
        batch: SpawnBatch,
        targets: Targets,
    ) -> bool:
        now = self._clock.now()
        if not run_store.move_written(transaction, lane, batch.since, batch.upto, now):
            return False
        current = run_store.lane(transaction, lane.step_run_key, lane.number)
        assert current is not None  # noqa: S101 - its cursor was moved
        first = lane.number * run.lane_size + current.spawned
        written = child_store.insert_children(transaction, batch, targets, first, now)
        spawned = current.spawned + written
        if spawned > run.lane_size:
            message = f"the step addresses more than {run.lane_size:,} people"
            raise TooManyTargetsError(message)
        child_store.set_spawned(transaction, lane.step_run_key, lane.number, spawned)
        self._count(transaction, campaign, lane, first, written, run.key)
        return True

    @staticmethod
    def _count(
        transaction: Transaction,
        campaign: CampaignRow,
        lane: Lane,
        first: int,
        written: int,
        step_run_key: int,
    ) -> None:
        counts = run_store.count_batch(
            transaction,
            {
                "step_run_key": step_run_key,
                "since": first,
                "upto": first + written,
                "no_device": DeliveryStatus.NO_DEVICE,
            },
            written,
        )
        changes = Counters(waiting=counts.waiting, no_device=counts.no_device)
        store.count_deliveries(transaction, campaign.key, lane.number, changes, is_primary=False)


def escalated_statuses(config: EscalateConfig) -> tuple[DeliveryStatus, ...]:
    """Return the statuses of deliveries on whose account a step escalates."""
    if config.condition == EscalationCondition.IF_NOT_CLOSED:
        # As long as the campaign is open, acknowledged or not.
        return (*NOT_ACKNOWLEDGED, DeliveryStatus.ACKNOWLEDGED)
    return NOT_ACKNOWLEDGED


def _batch(
    campaign: CampaignRow, run: StepRun, lane: Lane, step: WorkflowStep, since: int, upto: int
) -> SpawnBatch:
    """Return what to make: escalations of what is not acknowledged, or copies of what waits."""
    config = step.config.value if step.config is not None else None
    if isinstance(config, EscalateConfig):
        kind = Delivery.Kind.ESCALATION
        statuses = escalated_statuses(config)
    else:
        kind = Delivery.Kind.REMINDER_FYI
        statuses = _WAITING
        if campaign.wait_for_enrollment:
            statuses = (*_WAITING, DeliveryStatus.NO_DEVICE)
    return SpawnBatch(
        step_run_key=run.key,
        organization_key=campaign.organization_key,
        base_run_key=lane.base_run_key,
        since=since,
        upto=upto,
        statuses=tuple(int(status) for status in statuses),
        kind=kind,
    )

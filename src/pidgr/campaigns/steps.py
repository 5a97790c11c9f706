"""Begins workflow steps, one short transaction each."""

from dataclasses import replace

import structlog

from pidgr.campaigns import run_store, store, text_store, webhook_store, workflow
from pidgr.campaigns.advance import (
    STEP,
    WAKE,
    Advance,
    call_task,
    definition_of,
    wake_task,
)
from pidgr.campaigns.early_wake import has_nobody_to_wait_for, wake_if_settled
from pidgr.campaigns.escalation import Escalation
from pidgr.campaigns.lane_plan import LanePlanner, insert_run
from pidgr.campaigns.partitions import Partitions
from pidgr.campaigns.planning import plan_send
from pidgr.campaigns.run_store import NewStepRun
from pidgr.campaigns.store import CampaignRow
from pidgr.clock import Clock
from pidgr.contract.v1.common_pb import CampaignStatus, StepType, WorkflowStep
from pidgr.engine.port import Engine, Task
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

log = structlog.get_logger("pidgr.campaigns")


class StepRunner:
    """Handles the engine's step and timer tasks.

    A step is begun in the same transaction that plans its lanes or its timer, and at most once:
    step_run is unique by campaign and step. Nothing stays in memory while a campaign waits.
    """

    def __init__(self, database: Database, engine: Engine, clock: Clock) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock
        self._advance = Advance(engine, clock)
        self._partitions = Partitions(database, engine)
        self._planner = LanePlanner(engine, clock, self._advance, self._partitions)
        self._escalation = Escalation(self._planner, self._advance)

    def register(self) -> None:
        """Give the engine its handlers."""
        self._engine.register(STEP, self.begin, self.fail)
        self._engine.register(WAKE, self.wake, self.fail)
        self._partitions.register()

    def begin(self, campaign_key: int, step_id: str, iteration: int) -> None:
        """Begin a step or its repeat, unless it has begun or the campaign no longer runs."""
        self._database.write_now(
            lambda transaction: self._begin(transaction, campaign_key, step_id, iteration)
        )

    def _begin(
        self, transaction: Transaction, campaign_key: int, step_id: str, iteration: int
    ) -> None:
        campaign = store.lock_campaign_by_key(transaction, campaign_key)
        if campaign is None or campaign.status != CampaignStatus.RUNNING:
            return
        step = workflow.find_step(definition_of(campaign), step_id)
        match step.type:
            case StepType.SEND_NOTIFICATION:
                self._begin_send(transaction, campaign, step)
            case StepType.DEADLINE_CHECK:
                self._begin_deadline(transaction, campaign, step)
            case StepType.SEND_REMINDER | StepType.MARK_MISSED:
                self._begin_sweep(transaction, campaign, step)
            case StepType.ESCALATE:
                self._escalation.begin(
                    transaction, campaign, step, self._new_run(campaign, step, iteration)
                )
            case StepType.CALL_WEBHOOK:
                self._begin_call(transaction, campaign, step)
            case _:
                message = f"no code runs a {step.type.name} step"
                raise NotImplementedError(message)

    def _new_run(self, campaign: CampaignRow, step: WorkflowStep, iteration: int = 0) -> NewStepRun:
        return NewStepRun(
            campaign_key=campaign.key,
            organization_key=campaign.organization_key,
            step_id=step.id,
            iteration=iteration,
            step_type=step.type,
            started_at=self._clock.now(),
        )

    def _begin_send(
        self, transaction: Transaction, campaign: CampaignRow, step: WorkflowStep
    ) -> None:
        planned = plan_send(transaction, campaign, step, self._new_run(campaign, step))
        run = insert_run(transaction, planned.run)
        if run is not None:
            text_store.insert_texts(transaction, run.key, planned.texts)
            self._planner.plan(transaction, campaign, run, [run.key])

    def _begin_sweep(
        self, transaction: Transaction, campaign: CampaignRow, step: WorkflowStep
    ) -> None:
        run = insert_run(transaction, self._new_run(campaign, step))
        if run is not None:
            bases = run_store.primary_runs(transaction, campaign.key, StepType.SEND_NOTIFICATION)
            copies = bases if workflow.targets(step) else []
            self._planner.plan(transaction, campaign, run, bases, children_of=copies)

    def _begin_deadline(
        self, transaction: Transaction, campaign: CampaignRow, step: WorkflowStep
    ) -> None:
        delay = workflow.deadline_delay(step)
        entered = self._new_run(campaign, step)
        planned = replace(entered, due_at=entered.started_at + delay)
        run = insert_run(transaction, planned)
        if run is None:
            return
        counters = store.counters(transaction, [campaign.key])[campaign.key]
        if has_nobody_to_wait_for(campaign, counters):
            self._advance.finish(transaction, campaign, run, workflow.COMPLETED)
        else:
            self._engine.enqueue(transaction, wake_task(campaign.key, step.id, delay))
            transaction.after_commit.append(
                lambda: wake_if_settled(self._database, self._engine, campaign.key)
            )

    def _begin_call(
        self, transaction: Transaction, campaign: CampaignRow, step: WorkflowStep
    ) -> None:
        run = insert_run(transaction, self._new_run(campaign, step))
        if run is not None:
            webhook_store.insert_call(transaction, run.key)
            self._engine.enqueue(transaction, call_task(campaign.key, step.id, attempt=1))

    def wake(self, campaign_key: int, step_id: str) -> None:
        """End a deadline that is due, or whose recipients have all settled."""
        self._database.write_now(lambda transaction: self._wake(transaction, campaign_key, step_id))

    def _wake(self, transaction: Transaction, campaign_key: int, step_id: str) -> None:
        campaign = store.lock_campaign_by_key(transaction, campaign_key)
        run = run_store.run_of_step(transaction, campaign_key, step_id)
        if campaign is None or run is None:
            return
        self._advance.finish(transaction, campaign, run, workflow.COMPLETED)

    def fail(self, task: Task, error: Exception) -> None:
        """Fail the campaign of a step that cannot be run, after the engine's last attempt."""
        campaign_key = int(task.arguments[0])
        log.error("campaign failed", campaign_key=campaign_key, task=task.key, error=repr(error))
        self._database.write_now(lambda transaction: self._fail(transaction, campaign_key))

    def _fail(self, transaction: Transaction, campaign_key: int) -> None:
        campaign = store.lock_campaign_by_key(transaction, campaign_key)
        if campaign is not None and campaign.status == CampaignStatus.RUNNING:
            run_store.stop_lanes(transaction, campaign_key)
            store.finish_campaign(
                transaction, campaign_key, status=CampaignStatus.FAILED, now=self._clock.now()
            )

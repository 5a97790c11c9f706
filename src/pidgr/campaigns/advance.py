"""From the end of one step to the beginning of the next, in one transaction."""

from typing import Final

from pidgr.campaigns import run_events, run_store, store, workflow
from pidgr.campaigns.run_store import StepRun
from pidgr.campaigns.store import CampaignRow
from pidgr.clock import Clock
from pidgr.contract.v1.common_pb import CampaignStatus, WorkflowDefinition
from pidgr.engine.port import Engine, Queue, Task
from pidgr.storage.transaction import Transaction

STEP: Final = "campaign.step"
LANE: Final = "campaign.lane"
LANE_PUSHES: Final = "campaign.lane-pushes"
WAKE: Final = "campaign.wake"
CALL: Final = "campaign.call"
NUDGE: Final = "campaign.nudge"


def definition_of(campaign: CampaignRow) -> WorkflowDefinition:
    """Return the campaign's frozen workflow."""
    return WorkflowDefinition.from_json(campaign.workflow)


def step_task(campaign_key: int, step_id: str, iteration: int = 0, delay: int = 0) -> Task:
    """Return the task that begins a step, or one of its repeats after a delay."""
    key = f"c{campaign_key}:step{iteration}:{step_id}"
    return Task(STEP, key, (campaign_key, step_id, iteration), Queue.STEPS, delay)


def wake_task(campaign_key: int, step_id: str, delay: int) -> Task:
    """Return the timer of a deadline."""
    return Task(WAKE, wake_key(campaign_key, step_id), (campaign_key, step_id), delay=delay)


def wake_key(campaign_key: int, step_id: str) -> str:
    """Return the key under which a deadline's timer waits."""
    return f"c{campaign_key}:wake:{step_id}"


def call_task(campaign_key: int, step_id: str, attempt: int, delay: int = 0) -> Task:
    """Return the task of one attempt at a webhook, counted from 1."""
    key = call_key(campaign_key, step_id, attempt)
    return Task(CALL, key, (campaign_key, step_id, attempt), Queue.CALLS, delay)


def call_key(campaign_key: int, step_id: str, attempt: int) -> str:
    """Return the key under which an attempt at a webhook waits."""
    return f"c{campaign_key}:call{attempt}:{step_id}"


def lane_task(step_run_key: int, number: int) -> Task:
    """Return the task that works through a lane."""
    return Task(LANE, f"r{step_run_key}:{number}", (step_run_key, number), Queue.LANES)


def lane_pushes_task(step_run_key: int, number: int, delay: int = 0) -> Task:
    """Return the task that sends those pushes of a lane that its provider was too slow for."""
    key = f"r{step_run_key}:{number}:pushes"
    return Task(LANE_PUSHES, key, (step_run_key, number), Queue.PUSHES, delay)


def nudge_task(step_run_key: int, channel: int) -> Task:
    """Return the task that finds out whom a step nudges over a channel."""
    return Task(NUDGE, f"r{step_run_key}:nudge{channel}", (step_run_key, channel), Queue.LANES)


class Advance:
    """Ends steps and begins their successors."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def finish(
        self, transaction: Transaction, campaign: CampaignRow, run: StepRun, outcome: str
    ) -> None:
        """End a step run once, and enqueue its repeat, what follows, or complete the campaign.

        The caller holds the campaign's row lock, so a concurrent cancel comes before or after.
        """
        step = workflow.find_step(definition_of(campaign), run.step_id)
        pause = workflow.pause_before_repeat(step, run.iteration)
        if pause is None:
            self.move_on(transaction, campaign, run, outcome)
        elif self._end(transaction, campaign, run):
            now = self._clock.now()
            repeat = step_task(campaign.key, step.id, run.iteration + 1, pause)
            self._engine.enqueue(transaction, repeat)
            store.set_progress(
                transaction, campaign.key, step.id, now=now, next_wake_at=now + pause
            )

    def _end(self, transaction: Transaction, campaign: CampaignRow, run: StepRun) -> bool:
        """End a run; False when it has ended before or its campaign no longer runs."""
        if campaign.status != CampaignStatus.RUNNING:
            return False
        now = self._clock.now()
        if not run_store.finish_step_run(transaction, run.key, now):
            return False
        run_events.record_end(transaction, campaign, run, now)
        self._nudge(transaction, campaign, run)
        return True

    def _nudge(self, transaction: Transaction, campaign: CampaignRow, run: StepRun) -> None:
        """Let people be nudged now that the step has made its deliveries."""
        step = workflow.find_step(definition_of(campaign), run.step_id)
        for channel in workflow.nudge_channels(step, run.iteration):
            self._engine.enqueue(transaction, nudge_task(run.key, channel))

    def move_on(
        self, transaction: Transaction, campaign: CampaignRow, run: StepRun, outcome: str
    ) -> None:
        """End a step run once, without repeats."""
        if not self._end(transaction, campaign, run):
            return
        now = self._clock.now()
        step = workflow.find_step(definition_of(campaign), run.step_id)
        following = workflow.next_step(step, outcome)
        if following is None:
            store.finish_campaign(
                transaction, campaign.key, status=CampaignStatus.COMPLETED, now=now
            )
        else:
            self._engine.enqueue(transaction, step_task(campaign.key, following))

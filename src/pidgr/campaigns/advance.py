"""From the end of one step to the beginning of the next, in one transaction."""

from typing import Final

from pidgr.campaigns import run_store, store, workflow
from pidgr.campaigns.run_store import StepRun
from pidgr.campaigns.store import CampaignRow
from pidgr.clock import Clock
from pidgr.contract.v1.common_pb import CampaignStatus, WorkflowDefinition
from pidgr.engine.port import Engine, Queue, Task
from pidgr.storage.transaction import Transaction

STEP: Final = "campaign.step"
LANE: Final = "campaign.lane"
WAKE: Final = "campaign.wake"


def definition_of(campaign: CampaignRow) -> WorkflowDefinition:
    """Return the campaign's frozen workflow."""
    return WorkflowDefinition.from_json(campaign.workflow)


def step_task(campaign_key: int, step_id: str) -> Task:
    """Return the task that begins a step. A step runs once in a campaign."""
    return Task(STEP, f"c{campaign_key}:{step_id}", (campaign_key, step_id), Queue.STEPS)


def wake_task(campaign_key: int, step_id: str, delay: int) -> Task:
    """Return the timer of a deadline."""
    return Task(WAKE, wake_key(campaign_key, step_id), (campaign_key, step_id), delay=delay)


def wake_key(campaign_key: int, step_id: str) -> str:
    """Return the key under which a deadline's timer waits."""
    return f"c{campaign_key}:{step_id}:wake"


def lane_task(step_run_key: int, number: int) -> Task:
    """Return the task that works through a lane."""
    return Task(LANE, f"r{step_run_key}:{number}", (step_run_key, number), Queue.LANES)


class Advance:
    """Ends steps and begins their successors."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def finish(
        self, transaction: Transaction, campaign: CampaignRow, run: StepRun, outcome: str
    ) -> None:
        """End a step run once, and enqueue what follows or complete the campaign.

        The caller holds the campaign's row lock, so a concurrent cancel comes before or after.
        """
        now = self._clock.now()
        if campaign.status != CampaignStatus.RUNNING:
            return
        if not run_store.finish_step_run(transaction, run.key, now):
            return
        step = workflow.find_step(definition_of(campaign), run.step_id)
        following = workflow.next_step(step, outcome)
        if following is None:
            store.finish_campaign(
                transaction, campaign.key, status=CampaignStatus.COMPLETED, now=now
            )
        else:
            self._engine.enqueue(transaction, step_task(campaign.key, following))

"""ESCALATE: the first round makes deliveries for the targets, later rounds push them again.

With ALERT_ONLY there are no deliveries: each round alerts the targets by push, and the first one by
the step's channels too.
"""

from dataclasses import replace

from pidgr.campaigns import run_store, store, workflow
from pidgr.campaigns.advance import Advance
from pidgr.campaigns.lane_plan import LanePlanner, insert_run
from pidgr.campaigns.run_store import Lane, NewStepRun, StepRun
from pidgr.campaigns.store import CampaignRow
from pidgr.contract.v1.common_pb import EscalateConfig, EscalationCondition, StepType, WorkflowStep
from pidgr.storage.transaction import Reader, Transaction


class Escalation:
    """Begins rounds of an escalation."""

    def __init__(self, planner: LanePlanner, advance: Advance) -> None:
        self._planner = planner
        self._advance = advance

    def begin(
        self, transaction: Transaction, campaign: CampaignRow, step: WorkflowStep, run: NewStepRun
    ) -> None:
        """Begin the round that ``run.iteration`` counts from 0."""
        bases = run_store.primary_runs(transaction, campaign.key, StepType.SEND_NOTIFICATION)
        planned = run
        if bases:
            # The target gets the message with the recipient's own button.
            original = run_store.step_run(transaction, bases[-1])
            assert original is not None  # noqa: S101 - just listed
            planned = replace(
                run, action_type=original.action_type, action_label=original.action_label
            )
        stored = insert_run(transaction, planned)
        if stored is None:
            return
        if is_settled(transaction, campaign, step):
            self._advance.move_on(transaction, campaign, stored, workflow.COMPLETED)
        elif workflow.is_alert(step):
            # Whoever is alerted is nudged once the round has ended.
            self._advance.finish(transaction, campaign, stored, workflow.COMPLETED)
        elif stored.iteration == 0:
            self._planner.plan(transaction, campaign, stored, [], children_of=bases)
        else:
            lanes = _lanes_over_children(transaction, campaign, stored)
            self._planner.set_to_work(transaction, campaign, stored, 0, lanes)


def is_settled(reader: Reader, campaign: CampaignRow, step: WorkflowStep) -> bool:
    """Tell whether nobody is left on whose account to escalate."""
    config = step.config.value if step.config is not None else None
    assert isinstance(config, EscalateConfig)  # noqa: S101 - validated
    counters = store.counters(reader, [campaign.key])[campaign.key]
    settled = counters.failed
    if config.condition != EscalationCondition.IF_NOT_CLOSED:
        settled += counters.acknowledged
    return counters.total == settled


def _lanes_over_children(
    transaction: Transaction, campaign: CampaignRow, run: StepRun
) -> list[Lane]:
    """Return lanes that push what the first round has made once more."""
    first = run_store.run_of_step(transaction, campaign.key, run.step_id)
    assert first is not None  # noqa: S101 - rounds follow each other
    made = [lane for lane in run_store.lanes(transaction, first.key) if lane.spawned]
    return [
        replace(
            lane,
            step_run_key=run.key,
            number=number,
            base_run_key=first.key,
            low=lane.number * first.lane_size,
            high=lane.number * first.lane_size + lane.spawned,
            written_upto=lane.number * first.lane_size,
            pushed_upto=lane.number * first.lane_size,
            spawns=False,
            spawned=0,
            finished=False,
        )
        for number, lane in enumerate(made)
    ]

"""Whom a finished step nudges: those it reminds, those it told about others, those it alerts."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from pidgr.campaigns import nudge_store, run_store, store, workflow
from pidgr.campaigns.advance import definition_of
from pidgr.campaigns.children import NOT_ACKNOWLEDGED, escalated_statuses
from pidgr.campaigns.nudge_store import Area, Round
from pidgr.campaigns.run_store import StepRun
from pidgr.campaigns.store import CampaignRow
from pidgr.campaigns.targets import targets_of
from pidgr.contract.v1.common_pb import (
    DeliveryStatus,
    EscalateConfig,
    StepType,
    WorkflowStep,
)
from pidgr.storage.transaction import Reader, Transaction

# Rows of one transaction, as lanes write them.
_ROWS_PER_BATCH: Final = 5_000
# Mail is for those who have no device. Who has missed a message is reminded of it no more.
_REMINDED: Final = (DeliveryStatus.PENDING, DeliveryStatus.DELIVERED, DeliveryStatus.NO_DEVICE)

Insert = Callable[[Transaction], None]
"""Notes some of the people; harmless to repeat."""


def inserts(reader: Reader, run: StepRun, nudges: Round) -> list[Insert]:
    """Return what notes everybody whom a step nudges, in transactions of a bearable size."""
    campaign = store.campaign_by_key(reader, run.campaign_key)
    if campaign is None:
        return []
    step = workflow.find_step(definition_of(campaign), run.step_id)
    if workflow.is_alert(step):
        return list(_alerts(reader, run, nudges, step, campaign))
    reminded = own_runs(reader, run)
    made = [
        (lane.number * run.lane_size, lane.spawned)
        for lane in run_store.lanes(reader, run.key)
        if lane.spawns
    ]
    areas = [
        *(area for key in reminded for area in _cut(key, 0, campaign.audience_size, _REMINDED)),
        *(
            area
            for low, spawned in made
            for area in _cut(run.key, low, low + spawned, NOT_ACKNOWLEDGED)
        ),
    ]
    return [partial(nudge_store.insert_people, nudges=nudges, area=area) for area in areas]


def _alerts(
    reader: Reader, run: StepRun, nudges: Round, step: WorkflowStep, campaign: CampaignRow
) -> Iterator[Insert]:
    assert step.config is not None  # noqa: S101 - an escalation has one
    config = step.config.value
    assert isinstance(config, EscalateConfig)  # noqa: S101
    addressed = targets_of(config.targets, include_restricted=bool(campaign.include_restricted))
    for key in run_store.primary_runs(reader, run.campaign_key, StepType.SEND_NOTIFICATION):
        for area in _cut(key, 0, campaign.audience_size, escalated_statuses(config)):
            yield partial(nudge_store.insert_targets, nudges=nudges, area=area, targets=addressed)


def own_runs(reader: Reader, run: StepRun) -> list[int]:
    """Return the runs that made the messages a reminder is about; an escalation's are others'."""
    if run.step_type != StepType.SEND_REMINDER:
        return []
    return run_store.primary_runs(reader, run.campaign_key, StepType.SEND_NOTIFICATION)


def _cut(run_key: int, low: int, high: int, statuses: tuple[DeliveryStatus, ...]) -> Iterator[Area]:
    for since in range(low, high, _ROWS_PER_BATCH):
        yield Area(run_key, since, min(since + _ROWS_PER_BATCH, high), statuses)

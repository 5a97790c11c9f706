"""What a campaign will do, told before it is started: when each step fires, and for how many.

Nobody acts in a simulation, which is what the largest numbers and the latest times come from: who
confirms is not reminded, escalated or counted as missed, and a deadline ends early once everybody
has settled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pidgr.campaigns import workflow
from pidgr.contract.v1.common_pb import StepType, WorkflowDefinition, WorkflowStep


@dataclass(frozen=True, slots=True)
class Audience:
    """How many a campaign is for, and how many of them have a device that can be pushed to."""

    members: int
    reachable: int


@dataclass(frozen=True, slots=True)
class Firing:
    """One step, or one round of an escalation.

    ``after`` is when it fires, in microseconds after the start. ``recipients`` counts members of
    the audience, ``others`` who is told on their account, once for each of them. A deadline has
    the recipients it waits for, a webhook those it tells about. ``channels`` are those besides push
    over which everybody who waits, with a device or without, and the others are nudged.
    """

    step_id: str
    step_type: StepType
    round: int
    after: int
    recipients: int
    others: int
    channels: tuple[str, ...]


CountOthers = Callable[[WorkflowStep, bool], int]
"""Returns how many pairs of recipient and target a step has: of all the audience, or of those who
can be pushed to."""

# A valid workflow has no circle, so it is never walked further than it is long.
_FIRST_ROUND: Final = 1


def simulate(
    definition: WorkflowDefinition,
    audience: Audience,
    count_others: CountOthers,
    *,
    wait_for_enrollment: bool,
) -> list[Firing]:
    """Return what happens, in order, if nobody acts."""
    waiting = audience.members if wait_for_enrollment else audience.reachable
    firings: list[Firing] = []
    after = 0
    step_id: str | None = definition.steps[0].id if definition.steps else None
    while step_id is not None:
        step = workflow.find_step(definition, step_id)
        for number in range(_FIRST_ROUND, _rounds(step, audience) + _FIRST_ROUND):
            firings.append(
                Firing(
                    step_id=step.id,
                    step_type=step.type,
                    round=number,
                    after=after,
                    recipients=_recipients(step, audience, waiting),
                    others=_others(step, count_others, wait_for_enrollment=wait_for_enrollment)
                    if waiting or step.type == StepType.ESCALATE
                    else 0,
                    channels=_channels(step, number),
                )
            )
            after += _pause(step, number) or 0
        match step.type:
            case StepType.DEADLINE_CHECK if waiting:
                after += workflow.deadline_delay(step)
            case StepType.MARK_MISSED:
                waiting = 0
        step_id = workflow.next_step(step, workflow.COMPLETED)
    return firings


def _recipients(step: WorkflowStep, audience: Audience, waiting: int) -> int:
    match step.type:
        case StepType.DEADLINE_CHECK | StepType.SEND_REMINDER | StepType.MARK_MISSED:
            return waiting
        case _:
            return audience.members


def _others(step: WorkflowStep, count_others: CountOthers, *, wait_for_enrollment: bool) -> int:
    if not workflow.targets(step):
        return 0
    # A reminder's copies are on account of those who are reminded.
    reachable_only = step.type == StepType.SEND_REMINDER and not wait_for_enrollment
    return count_others(step, reachable_only)


def _channels(step: WorkflowStep, number: int) -> tuple[str, ...]:
    """Return over what a round nudges besides push: only the first one does."""
    channels = workflow.nudge_channels(step, number - _FIRST_ROUND)
    return tuple(workflow.channel_name(one) for one in channels if one != workflow.PUSH)


def _rounds(step: WorkflowStep, audience: Audience) -> int:
    """Return how often a step fires; an escalation of nobody is over at once."""
    if step.type != StepType.ESCALATE or not audience.members:
        return 1
    number = 0
    while workflow.pause_before_repeat(step, number) is not None:
        number += 1
    return number + 1


def _pause(step: WorkflowStep, number: int) -> int | None:
    return workflow.pause_before_repeat(step, number - _FIRST_ROUND)

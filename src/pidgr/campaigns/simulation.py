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


@dataclass(frozen=True, slots=True)
class _Messages:
    """How many messages everybody has got by now, and how many of those may still be missed."""

    sent: int = 0
    open: int = 0


def simulate(
    definition: WorkflowDefinition,
    audience: Audience,
    count_others: CountOthers,
    *,
    wait_for_enrollment: bool,
) -> list[Firing]:
    """Return what happens, in order, if nobody acts."""
    crowd = _Crowd(audience, count_others, wait_for_enrollment=wait_for_enrollment)
    firings: list[Firing] = []
    after = 0
    messages = _Messages()
    step_id: str | None = definition.steps[0].id if definition.steps else None
    while step_id is not None:
        step = workflow.find_step(definition, step_id)
        if step.type == StepType.SEND_NOTIFICATION:
            messages = _Messages(messages.sent + 1, messages.open + 1)
        rounds = crowd.rounds(step, messages)
        for number in range(_FIRST_ROUND, rounds + _FIRST_ROUND):
            firings.append(
                Firing(
                    step_id=step.id,
                    step_type=step.type,
                    round=number,
                    after=after,
                    recipients=crowd.recipients(step, messages),
                    others=crowd.others(step, messages),
                    channels=_channels(step, number),
                )
            )
            if number < rounds:
                after += _pause(step, number) or 0
        match step.type:
            case StepType.DEADLINE_CHECK if crowd.keeps_waiting(messages):
                after += workflow.deadline_delay(step)
            case StepType.MARK_MISSED:
                messages = _Messages(messages.sent)
        step_id = workflow.next_step(step, workflow.COMPLETED)
    return firings


class _Crowd:
    """Answers for how many a step fires, once they have got some messages."""

    def __init__(
        self, audience: Audience, count_others: CountOthers, *, wait_for_enrollment: bool
    ) -> None:
        self._audience = audience
        self._count_others = count_others
        self._wait_for_enrollment = wait_for_enrollment

    def recipients(self, step: WorkflowStep, messages: _Messages) -> int:
        """Return how many of the audience a step is about."""
        match step.type:
            case StepType.MARK_MISSED:
                return self._reached(messages)
            case StepType.DEADLINE_CHECK | StepType.SEND_REMINDER:
                return self._waiting(messages)
            case _:
                return self._audience.members if messages.sent else 0

    def others(self, step: WorkflowStep, messages: _Messages) -> int:
        """Return how often somebody is told, on account of each message that is not confirmed."""
        if not (workflow.targets(step) and messages.sent):
            return 0
        if step.type == StepType.ESCALATE:
            # Who is alerted has no delivery for each message, but is told once.
            times = 1 if workflow.is_alert(step) else messages.sent
            return times * self._count_others(step, False)
        if not self._waiting(messages):
            return 0
        # A reminder's copies are on account of those who are reminded.
        of_reached = self._count_others(step, True)
        found = messages.open * of_reached
        if self._wait_for_enrollment:
            found += messages.sent * (self._count_others(step, False) - of_reached)
        return found

    def rounds(self, step: WorkflowStep, messages: _Messages) -> int:
        """Return how often a step fires; an escalation of nobody is over at once."""
        if step.type != StepType.ESCALATE or not (messages.sent and self._audience.members):
            return 1
        number = 0
        while workflow.pause_before_repeat(step, number) is not None:
            number += 1
        return number + 1

    def keeps_waiting(self, messages: _Messages) -> bool:
        """Tell whether a deadline takes its time: before the first message it always does."""
        return bool(self._waiting(messages) if messages.sent else self._audience.members)

    def _reached(self, messages: _Messages) -> int:
        return self._audience.reachable if messages.open else 0

    def _waiting(self, messages: _Messages) -> int:
        """Return whom a deadline waits for; who has no device is never counted as missed."""
        if not (self._wait_for_enrollment and messages.sent):
            return self._reached(messages)
        return self._reached(messages) + self._audience.members - self._audience.reachable


def _channels(step: WorkflowStep, number: int) -> tuple[str, ...]:
    """Return over what a round nudges besides push: only the first one does."""
    channels = workflow.nudge_channels(step, number - _FIRST_ROUND)
    return tuple(workflow.channel_name(one) for one in channels if one != workflow.PUSH)


def _pause(step: WorkflowStep, number: int) -> int | None:
    return workflow.pause_before_repeat(step, number - _FIRST_ROUND)

"""The part of a lane that is pushed at once."""

from dataclasses import dataclass
from typing import NamedTuple

from pidgr.campaigns import workflow
from pidgr.campaigns.advance import definition_of
from pidgr.campaigns.quiet_hours import QuietHours
from pidgr.campaigns.run_store import Lane, StepRun
from pidgr.campaigns.store import CampaignRow
from pidgr.contract.v1.common_pb import StepType


class Held(NamedTuple):
    """What tells pushes that were held back together from others: since when, until when."""

    held_at: int
    due_at: int


@dataclass(frozen=True, slots=True)
class PushBatch:
    """A range of deliveries; of those only what is ``held``, if the batch is of held pushes.

    ``quiet`` is None where nobody's night counts: the organization has no quiet hours, or the
    campaign is critical.
    """

    campaign: CampaignRow
    run: StepRun
    lane: Lane
    since: int
    upto: int
    quiet: QuietHours | None = None
    held: Held | None = None

    @property
    def delivery_run_key(self) -> int:
        """The run whose deliveries are pushed: the lane's own children, or its base run's."""
        return self.run.key if self.lane.spawns else self.lane.base_run_key

    @property
    def is_primary(self) -> bool:
        """Whether the deliveries are the campaign's own, not made on account of others."""
        # The repeats of an escalation sweep over the children of its first run.
        return not self.lane.spawns and self.run.step_type != StepType.ESCALATE

    @property
    def is_first_send(self) -> bool:
        """Whether a delivery that nobody takes has failed; a reminder's has not."""
        return self.lane.spawns or self.run.step_type == StepType.SEND_NOTIFICATION

    @property
    def spares_confirmed(self) -> bool:
        """Whether nobody is told again of a message that has been confirmed meanwhile.

        That is what the repeats of most escalations are like.
        """
        if self.is_primary or self.is_first_send:
            return False
        step = workflow.find_step(definition_of(self.campaign), self.run.step_id)
        return workflow.spares_confirmed(step)

    @property
    def idempotency_key(self) -> str:
        """The same key whenever the same batch is sent, so that a gateway can drop repeats."""
        part = f"{self.since}" if self.held is None else f"{self.since}@{self.held.held_at}"
        until = "" if self.held is None else f"-{self.held.due_at}"
        return f"{self.run.key}:{self.lane.number}:{part}{until}"

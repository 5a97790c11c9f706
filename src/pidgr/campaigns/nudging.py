"""Nudges over channels besides push, once a reminder or an escalation has made its deliveries.

One task finds out whom to nudge; a row each, so nobody is nudged twice by a step. Other tasks work
through the rows in batches: look who still needs it, hand the nudges over, note the answers. A
crash between the last two repeats one batch, under the same keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from pidgr.campaigns import nudge_store, run_store, store, workflow
from pidgr.campaigns.advance import NUDGE, definition_of
from pidgr.campaigns.departures import Departures
from pidgr.campaigns.escalation import is_settled
from pidgr.campaigns.nudge_letters import Letters
from pidgr.campaigns.nudge_people import inserts, own_runs
from pidgr.campaigns.nudge_store import NudgeStatus, NudgingOrganization, Round
from pidgr.campaigns.run_store import StepRun
from pidgr.campaigns.store import CampaignRow
from pidgr.clock import HOUR, MINUTE, Clock
from pidgr.contract.v1.common_pb import CampaignStatus, WorkflowStep
from pidgr.directory import privacy
from pidgr.engine.port import Engine, ProgressError, Queue, Task
from pidgr.outreach.channels import Channel, Handed, Nudge, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction

_SEND: Final = "campaign.send-nudges"
# Rows of one transaction, where all are skipped.
_ROWS_PER_BATCH: Final = 5_000
# What a crash may repeat.
_NUDGES_PER_BATCH: Final = 50
# Then it is somebody else's turn: one organization's million must not hold up another's ten.
_BATCHES_PER_TASK: Final = 20
# Before those are tried again whom the receiver would not take now, a full mailbox for example.
_PAUSES: Final = (10 * MINUTE, HOUR, 6 * HOUR)

# Why nobody was nudged. The contract's words where it has one.
OPTED_OUT: Final = "OPTED_OUT"
ORG_SUSPENDED: Final = "ORG_SUSPENDED"
NO_IDENTIFIER: Final = "NO_IDENTIFIER"
NOT_SET_UP: Final = "NOT_SET_UP"
NO_LONGER_NEEDED: Final = "NO_LONGER_NEEDED"
FAULT: Final = "FAULT"

_OVER: Final = frozenset({CampaignStatus.CANCELLED, CampaignStatus.FAILED})

log = structlog.get_logger("pidgr.campaigns")


@dataclass(frozen=True, slots=True)
class _Batch:
    """Nudges that leave together, whose they are, and the last member that was looked at."""

    nudges: Sequence[Nudge]
    member_keys: Sequence[int]
    last: int


class Nudging:
    """Handles the engine's tasks of nudges.

    Args:
        database: where they wait.
        engine: what runs the tasks.
        departures: keeps them from leaving after a cancel.
        clock: tells when they were settled.
        channels: what is set up, by the contract's number; nudges over others are skipped.
        letters: writes them.
        nudges_per_batch: how many are handed over at once.
        batches_per_task: after how many it is another task's turn.
    """

    def __init__(
        self,
        database: Database,
        engine: Engine,
        departures: Departures,
        clock: Clock,
        channels: Mapping[int, Channel],
        letters: Letters,
        *,
        nudges_per_batch: int = _NUDGES_PER_BATCH,
        batches_per_task: int = _BATCHES_PER_TASK,
    ) -> None:
        self._database = database
        self._engine = engine
        self._departures = departures
        self._clock = clock
        self._channels = channels
        self._letters = letters
        self._nudges_per_batch = nudges_per_batch
        self._batches_per_task = batches_per_task

    def register(self) -> None:
        """Give the engine its handlers."""
        self._engine.register(NUDGE, self.collect, self.give_up)
        self._engine.register(_SEND, self.send, self.give_up)

    def collect(self, step_run_key: int, channel: int) -> None:
        """Note whom a step nudges, and have the nudges sent; harmless to repeat."""
        run = self._database.read_now(lambda reader: run_store.step_run(reader, step_run_key))
        if run is None:
            return
        nudges = _round(run, channel)
        for insert in self._database.read_now(lambda reader: inserts(reader, run, nudges)):
            self._engine.checkpoint()
            self._database.write_now(insert)
        self._database.write_now(
            lambda transaction: self._engine.enqueue(transaction, _send_task(nudges, 0, 0))
        )

    def send(self, step_run_key: int, channel: int, attempt: int, after: int) -> None:
        """Nudge the next people behind a member, then leave the rest to another task.

        Raises:
            UnavailableError: the channel cannot be reached or asks to wait.
        """
        found = self._database.read_now(lambda reader: _run(reader, step_run_key))
        if found is None:
            return
        run, campaign_id = found
        nudges = _round(run, channel)
        begun_after = after
        has_moved = False
        for _ in range(self._batches_per_task):
            self._engine.checkpoint()
            with self._departures.of(campaign_id) as departure:
                batch = self._database.write_now(
                    partial(self._take, run=run, of=nudges, after=after)
                )
                handed = self._hand_over(nudges, batch, departure) if batch else Handed(())
            if batch is None:
                self._database.write_now(partial(self._end, of=nudges, attempt=attempt))
                return
            self._database.write_now(
                partial(self._record, of=nudges, batch=batch, handed=handed, attempt=attempt)
            )
            has_moved = has_moved or bool(handed.answers) or not batch.nudges
            if handed.outage is not None:
                if has_moved:
                    outage = handed.outage
                    raise ProgressError(outage.message, pause=outage.pause) from outage
                raise handed.outage
            is_cut_off = len(handed.answers) < len(batch.nudges)
            if is_cut_off or (batch.nudges and departure.is_stopped):
                # The next look settles those who must not be nudged any more.
                continue
            after = batch.last
        if after == begun_after:
            # The next part would have this one's key.
            raise ProgressError("nudges were interrupted")
        self._database.write_now(
            lambda transaction: self._engine.enqueue(
                transaction, _send_task(nudges, attempt, after)
            )
        )

    def _take(self, transaction: Transaction, run: StepRun, of: Round, after: int) -> _Batch | None:
        """Return the next batch; what needs no nudge, or must have none, is settled on the way.

        The campaign's lock makes a cancel come before or after: what it finds taken is on its way.
        """
        now = self._clock.now()
        campaign = store.lock_campaign_by_key(transaction, run.campaign_key)
        organization = nudge_store.nudging_organization(transaction, of.organization_key, now)
        if campaign is None or organization is None:
            return None
        step = workflow.find_step(definition_of(campaign), run.step_id)
        reason = self._objection(transaction, campaign, organization, of, step)
        if reason:
            last = nudge_store.skip_next(transaction, of, after, _ROWS_PER_BATCH, reason, now)
            return None if last is None else _Batch((), (), last)
        waiting = nudge_store.waiting(
            transaction,
            of,
            own_runs(transaction, run),
            after,
            self._nudges_per_batch,
            is_alert=workflow.is_alert(step),
            spares_confirmed=workflow.spares_confirmed(step),
        )
        if not waiting:
            return None
        wanted = [one for one in waiting if one.is_active and (one.is_own or one.is_about_others)]
        unwanted = {one.member_key for one in waiting} - {one.member_key for one in wanted}
        if unwanted:
            status, reason = NudgeStatus.SKIPPED, NO_LONGER_NEEDED
            nudge_store.settle(transaction, of, sorted(unwanted), status, reason, now)
        occasion = self._letters.occasion(transaction, campaign, run, organization)
        return _Batch(
            [self._letters.write(occasion, one) for one in wanted],
            [one.member_key for one in wanted],
            waiting[-1].member_key,
        )

    def _objection(
        self,
        reader: Reader,
        campaign: CampaignRow,
        organization: NudgingOrganization,
        of: Round,
        step: WorkflowStep,
    ) -> str:
        """Return why nobody at all is to be nudged, or nothing."""
        if campaign.status in _OVER:
            return NO_LONGER_NEEDED
        if workflow.is_alert(step) and is_settled(reader, campaign, step):
            return NO_LONGER_NEEDED
        if organization.is_closed:
            return ORG_SUSPENDED
        kind = privacy.THIRD_PARTY_CHANNELS
        if of.channel != workflow.PUSH and not privacy.is_allowed(
            reader, of.organization_key, kind
        ):
            return OPTED_OUT
        return "" if of.channel in self._channels else NOT_SET_UP

    def _hand_over(self, of: Round, batch: _Batch, departure: Departure) -> Handed:
        if not batch.nudges:
            return Handed(())
        return self._channels[of.channel].send(batch.nudges, departure)

    def _record(
        self, transaction: Transaction, of: Round, batch: _Batch, handed: Handed, attempt: int
    ) -> None:
        """Note the answers; who may be taken later waits on, unless this was the last attempt."""
        settled: dict[tuple[NudgeStatus, str], list[int]] = {}
        for member_key, answer in zip(batch.member_keys, handed.answers, strict=False):
            match answer.outcome:
                case NudgeOutcome.SENT:
                    key = NudgeStatus.SENT, ""
                case NudgeOutcome.UNREACHABLE:
                    key = NudgeStatus.SKIPPED, NO_IDENTIFIER
                case NudgeOutcome.LATER if attempt < len(_PAUSES):
                    continue
                case NudgeOutcome.LATER | NudgeOutcome.REFUSED:
                    key = NudgeStatus.REFUSED, answer.code
            settled.setdefault(key, []).append(member_key)
        now = self._clock.now()
        for (status, reason), member_keys in settled.items():
            nudge_store.settle(transaction, of, member_keys, status, reason, now)

    def _end(self, transaction: Transaction, of: Round, attempt: int) -> None:
        """Have those tried again who were not taken yet."""
        if attempt < len(_PAUSES) and nudge_store.any_waiting(transaction, of):
            again = _send_task(of, attempt + 1, 0, _PAUSES[attempt])
            self._engine.enqueue(transaction, again)

    def give_up(self, task: Task, error: Exception) -> None:
        """Give up those who wait, where our own code cannot nudge them."""
        step_run_key, channel = int(task.arguments[0]), int(task.arguments[1])
        log.error("people were not nudged", task=task.key, error=repr(error))
        run = self._database.read_now(lambda reader: run_store.step_run(reader, step_run_key))
        if run is None:
            return
        after: int | None = 0
        while after is not None:
            after = self._database.write_now(
                partial(
                    nudge_store.skip_next,
                    nudges=_round(run, channel),
                    after=after,
                    limit=_ROWS_PER_BATCH,
                    reason=FAULT,
                    now=self._clock.now(),
                )
            )


def _run(reader: Reader, step_run_key: int) -> tuple[StepRun, str] | None:
    """Return a run and its campaign's id."""
    run = run_store.step_run(reader, step_run_key)
    campaign = store.campaign_by_key(reader, run.campaign_key) if run else None
    return (run, campaign.id) if run and campaign else None


def _round(run: StepRun, channel: int) -> Round:
    return Round(run.key, channel, run.organization_key)


def _send_task(of: Round, attempt: int, after: int, delay: int = 0) -> Task:
    """Return the task of one part of one attempt."""
    key = f"r{of.step_run_key}:nudge{of.channel}:{attempt}:{after}"
    arguments = (of.step_run_key, of.channel, attempt, after)
    return Task(_SEND, key, arguments, Queue.NUDGES, delay)

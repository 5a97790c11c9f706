"""Sends one lane's pushes in batches; the lane's push cursor is the outbox."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.campaigns import run_store, store
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.campaigns.run_store import Lane, StepRun
from pidgr.campaigns.store import CampaignRow, Counters
from pidgr.clock import Clock
from pidgr.content.rendering import strip_markers
from pidgr.contract.v1.common_pb import DeliveryStatus, Platform, StepType
from pidgr.outreach.push import Answer, Outcome, Push, Pusher
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Row, Transaction

_PUSHABLE: Final = {
    "pending": DeliveryStatus.PENDING,
    "delivered": DeliveryStatus.DELIVERED,
    "no_device": DeliveryStatus.NO_DEVICE,
}


@dataclass(frozen=True, slots=True)
class PushBatch:
    """The part of a lane that is pushed at once."""

    campaign: CampaignRow
    run: StepRun
    lane: Lane
    since: int
    upto: int

    @property
    def idempotency_key(self) -> str:
        """The same key whenever the same batch is sent, so that a gateway can drop repeats."""
        return f"{self.run.key}:{self.lane.number}:{self.since}"


@dataclass(frozen=True, slots=True)
class _Target:
    """One device of one recipient."""

    ordinal: int
    status: int
    push: Push


class Pushing:
    """Sends push batches and records the provider's answers."""

    def __init__(
        self, database: Database, pusher: Pusher, clock: Clock, delivery_ids: DeliveryIds
    ) -> None:
        self._database = database
        self._pusher = pusher
        self._clock = clock
        self._delivery_ids = delivery_ids

    def send(self, batch: PushBatch) -> bool:
        """Send a batch and move the cursor past it; False when the lane is stopped or taken over.

        Raises:
            UnavailableError: the provider wants the same batch later.
        """
        targets = self._database.read_now(lambda reader: self._targets(reader, batch))
        if targets is None:
            return False
        answers: Sequence[Answer] = ()
        if targets:
            pushes = [target.push for target in targets]
            answers = self._pusher.send(pushes, batch.idempotency_key)
        return self._database.write_now(
            lambda transaction: self._record(transaction, batch, targets, answers)
        )

    def _targets(self, reader: Reader, batch: PushBatch) -> list[_Target] | None:
        lane = run_store.lane(reader, batch.lane.step_run_key, batch.lane.number)
        if lane is None or lane.stopped:
            return None
        rows = run_store.push_targets(
            reader,
            {
                "run_key": lane.base_run_key,
                "since": batch.since,
                "upto": batch.upto,
                **_PUSHABLE,
            },
        )
        return [self._target(batch, row) for row in rows]

    def _target(self, batch: PushBatch, row: Row) -> _Target:
        ordinal, _member, status, device_id, platform, token, *texts = row
        shared_title, own_title, shared_summary, own_summary = texts
        push = Push(
            delivery_id=self._delivery_ids.encode(batch.lane.base_run_key, ordinal),
            campaign_id=batch.campaign.id,
            device_id=device_id,
            platform=Platform(platform).name,
            push_token=token,
            title=strip_markers(own_title if shared_title is None else shared_title),
            summary=own_summary if shared_summary is None else shared_summary,
            critical=bool(batch.campaign.critical),
        )
        return _Target(ordinal, status, push)

    def _record(
        self,
        transaction: Transaction,
        batch: PushBatch,
        targets: list[_Target],
        answers: Sequence[Answer],
    ) -> bool:
        """Move the cursor and settle what the provider refused, in one transaction."""
        now = self._clock.now()
        if not run_store.move_pushed(transaction, batch.lane, batch.since, batch.upto, now):
            return False
        outcomes: dict[int, set[Outcome]] = defaultdict(set)
        for target, answer in zip(targets, answers, strict=True):
            outcomes[target.ordinal].add(answer.outcome)
            if answer.outcome is not Outcome.ACCEPTED:
                self._record_refusal(transaction, batch, target, answer)
        self._settle(transaction, batch, targets, outcomes)
        return True

    def _record_refusal(
        self, transaction: Transaction, batch: PushBatch, target: _Target, answer: Answer
    ) -> None:
        device_id = target.push.device_id
        if answer.outcome is Outcome.DEAD_TOKEN:
            run_store.deactivate_device(transaction, device_id, target.push.push_token)
        run_store.record_error(
            transaction,
            batch.lane.base_run_key,
            target.ordinal,
            device_id,
            error=answer.reason or answer.outcome.name.lower(),
            now=self._clock.now(),
        )

    def _settle(
        self,
        transaction: Transaction,
        batch: PushBatch,
        targets: list[_Target],
        outcomes: dict[int, set[Outcome]],
    ) -> None:
        """Change the status of deliveries that the pushes did or did not reach.

        A recipient without a device who has one by now was reached: they wait like the others.
        One whose devices are all dead has no device. Any other refusal on all devices of a first
        send is a failure; a reminder's is not.
        """
        was = {target.ordinal: target.status for target in targets}
        reached: list[int] = []
        deviceless: list[int] = []
        refused: list[int] = []
        for ordinal, answers in outcomes.items():
            if Outcome.ACCEPTED in answers:
                if was[ordinal] == DeliveryStatus.NO_DEVICE:
                    reached.append(ordinal)
            elif was[ordinal] == DeliveryStatus.PENDING:
                only_dead = answers == {Outcome.DEAD_TOKEN}
                (deviceless if only_dead else refused).append(ordinal)
        pending, no_device = DeliveryStatus.PENDING, DeliveryStatus.NO_DEVICE
        arrived = self._move(transaction, batch, reached, no_device, pending)
        left = self._move(transaction, batch, deviceless, pending, no_device)
        failed = 0
        if batch.run.step_type == StepType.SEND_NOTIFICATION:
            failed = self._move(transaction, batch, refused, pending, DeliveryStatus.FAILED)
        if arrived or left or failed:
            changes = Counters(
                waiting=arrived - left - failed, no_device=left - arrived, failed=failed
            )
            store.count_deliveries(transaction, batch.campaign.key, batch.lane.number, changes)

    @staticmethod
    def _move(
        transaction: Transaction,
        batch: PushBatch,
        ordinals: list[int],
        since: DeliveryStatus,
        to: DeliveryStatus,
    ) -> int:
        if not ordinals:
            return 0
        return run_store.set_status(transaction, batch.lane.base_run_key, ordinals, since, to)

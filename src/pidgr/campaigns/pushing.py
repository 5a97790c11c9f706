"""Sends one lane's pushes in batches; the lane's push cursor is the outbox.

Whom it is night for is passed over and held back: those rows are the outbox of their pushes.
"""

import zlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from operator import itemgetter

from pidgr.campaigns import held_store, holding, push_store, run_store, store
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.campaigns.departures import Departures
from pidgr.campaigns.held_store import Trouble
from pidgr.campaigns.push_batch import PushBatch
from pidgr.campaigns.push_store import Target, TargetRow
from pidgr.campaigns.pushes import Pushes, PushTexts
from pidgr.campaigns.store import Counters
from pidgr.clock import Clock
from pidgr.contract.v1.common_pb import CampaignStatus, DeliveryStatus
from pidgr.engine.port import Engine, ProgressError
from pidgr.errors import UnavailableError
from pidgr.outreach.departure import Departure
from pidgr.outreach.push import (
    ACCEPTED,
    NOT_STARTED,
    WANTED_LATER,
    Answer,
    Outcome,
    Pusher,
    send_all,
)
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction

# Of a target. Most batches have nothing that a loop would have to look at.
_ORDINAL, _STATUS, _PLATFORM = (
    itemgetter(Target._fields.index(name)) for name in ("ordinal", "status", "platform")
)


@dataclass(frozen=True, slots=True)
class _Addressed:
    """Whom a batch goes to, and the waiting recipients who have no device left to push to.

    ``held`` has until when the pushes to the others are held back, by ordinal. ``troubles`` is what
    held devices have answered before, and ``reached`` who has had the push on another one.
    """

    targets: list[TargetRow]
    """Devices, and behind them browsers."""
    pushes: Pushes
    browser_pushes: Pushes
    deviceless: list[int]
    held: dict[int, int]
    troubles: Mapping[int, Mapping[str, Trouble]]
    reached: Collection[int]


class Sent(Enum):
    """Whether a batch has been sent."""

    NOT = auto()
    PARTLY = auto()
    """The rest is held back for its provider."""
    WHOLE = auto()


class Pushing:
    """Sends push batches and records the provider's answers."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        pusher: Pusher,
        browser_pusher: Pusher,
        clock: Clock,
        delivery_ids: DeliveryIds,
        departures: Departures,
    ) -> None:
        self._database = database
        self._departures = departures
        self._engine = engine
        self._pusher = pusher
        self._browser_pusher = browser_pusher
        self._clock = clock
        self._delivery_ids = delivery_ids

    def send(self, batch: PushBatch) -> Sent:
        """Send a batch and move the cursor past it; NOT when the lane is stopped or taken over.

        What a provider has answered is noted, whatever it says to the rest: those wait like held
        pushes, and whoever sends them repeats nothing.

        Raises:
            UnavailableError: the provider wants the same batch later, or what is left of it.
        """
        away: UnavailableError | None = None
        with self._departures.of(batch.campaign.id) as departure:
            addressed = self._database.read_now(lambda reader: self._addressed(reader, batch))
            if addressed is None:
                return Sent.NOT
            try:
                answers = self._hand_over(batch, addressed, departure)
            except UnavailableError as error:
                away = error
                answers = self._hand_over(batch, addressed, _no_more())
                if answers.count(NOT_STARTED) == len(answers):
                    # So it is for a gateway, which answers for all of a batch and knows it again.
                    raise
                answers = [WANTED_LATER if one == NOT_STARTED else one for one in answers]
        is_through = self._database.write_now(
            lambda transaction: self._record(transaction, batch, addressed, answers)
        )
        if away is not None and batch.held is not None:
            # Of a lane the rest has another task; here it is this one, which may not end.
            if is_through:
                raise ProgressError(away.message, pause=away.pause) from away
            raise away
        if not is_through:
            return Sent.NOT
        return Sent.WHOLE if away is None else Sent.PARTLY

    def _hand_over(
        self, batch: PushBatch, addressed: _Addressed, departure: Departure
    ) -> list[Answer]:
        key = _idempotency_key(batch, addressed.held)
        return send_all(
            [
                (self._pusher, addressed.pushes, key),
                (self._browser_pusher, addressed.browser_pushes, f"{key}:browsers"),
            ],
            departure,
        )

    def _addressed(self, reader: Reader, batch: PushBatch) -> _Addressed | None:
        if not _may_start(reader, batch):
            return None
        targets, deviceless = push_store.targets(reader, batch)
        troubles, reached = held_store.troubles(reader, batch), set[int]()
        if troubles:
            targets, reached = _still_wanted(targets, troubles)
        held = holding.held_until(reader, batch, map(_ORDINAL, targets), self._clock.now())
        if held:
            targets = [target for target in targets if _ORDINAL(target) not in held]
        devices, browsers = targets, list[TargetRow]()
        if push_store.BROWSER in set(map(_PLATFORM, targets)):
            devices = [target for target in targets if _PLATFORM(target) != push_store.BROWSER]
            browsers = [target for target in targets if _PLATFORM(target) == push_store.BROWSER]
        texts = PushTexts(self._database, batch, targets)
        # Devices may have gone since the row was written. What a reminder finds was pushed once.
        return _Addressed(
            targets=devices + browsers,
            pushes=Pushes(batch, devices, texts, self._delivery_ids),
            browser_pushes=Pushes(batch, browsers, texts, self._delivery_ids),
            deviceless=deviceless if batch.is_first_send else [],
            held=held,
            troubles=troubles,
            reached=reached,
        )

    def _record(
        self,
        transaction: Transaction,
        batch: PushBatch,
        addressed: _Addressed,
        answers: Sequence[Answer],
    ) -> bool:
        """Move the cursor and settle what the provider refused, in one transaction.

        Of a batch that was stopped, only what has left is recorded; the rest stays as it was. So
        does what the provider wants later, which is held back.
        """
        now = self._clock.now()
        refused = answers.count(ACCEPTED) != len(addressed.targets)
        cut_off: dict[int, int] = {}
        if refused:
            until = now if WANTED_LATER in answers else held_store.NEVER
            cut_off = dict.fromkeys(sorted(_cut_off(addressed.targets, answers)), until)
        if cut_off and answers.count(NOT_STARTED) == len(answers):
            return False
        is_through = self._move_on(transaction, batch, addressed.held, cut_off, now)
        # Of held pushes some answers may count though nobody has had all.
        if not is_through and batch.held is None:
            return False
        if refused:
            self._record_refusals(transaction, batch, addressed.targets, answers, cut_off, now)
        if addressed.troubles:
            _forget_taken(transaction, batch, addressed, answers, cut_off)
        arrivals = int(DeliveryStatus.NO_DEVICE) in map(_STATUS, addressed.targets)
        if is_through and (refused or arrivals or addressed.deviceless):
            self._settle(transaction, batch, addressed, answers, cut_off)
        return is_through

    def _move_on(
        self,
        transaction: Transaction,
        batch: PushBatch,
        held: Mapping[int, int],
        cut_off: Mapping[int, int],
        now: int,
    ) -> bool:
        """Note that a batch is through, and what of it is held back; False if somebody else has.

        So is who was ``cut_off``, until when that says; of held pushes, they stay as they are.
        """
        settled = 0
        if batch.held is None:
            moved = run_store.move_pushed(transaction, batch.lane, batch.since, batch.upto, now)
            held = {**held, **cut_off}
        else:
            settled = held_store.settle(transaction, batch, list(cut_off), now)
            moved = settled > 0
            if held:
                held_store.want_again(transaction, batch, sorted(held), now)
        if moved:
            self._hold(transaction, batch, held, settled, now)
        return moved

    def _hold(
        self,
        transaction: Transaction,
        batch: PushBatch,
        held: Mapping[int, int],
        settled: int,
        now: int,
    ) -> None:
        """Hold pushes back, and count them; ``settled`` were and are no more."""
        change = holding.hold(transaction, self._engine, batch, held, now) - settled
        if change and batch.is_first_send:
            held_store.change_held(transaction, batch, change)

    @staticmethod
    def _record_refusals(
        transaction: Transaction,
        batch: PushBatch,
        targets: Sequence[TargetRow],
        answers: Sequence[Answer],
        cut_off: Collection[int],
        now: int,
    ) -> None:
        for target, answer in zip(map(Target._make, targets), answers, strict=True):
            if answer.outcome is Outcome.ACCEPTED:
                continue
            if answer == NOT_STARTED and target.ordinal in cut_off:
                continue
            device_id = target.device_id
            if answer == WANTED_LATER:
                held_store.note_wanted(transaction, batch, target.ordinal, device_id, now)
                continue
            if answer.outcome is Outcome.DEAD_TOKEN:
                push_store.retire(transaction, target.platform, device_id, target.push_token)
            run_store.record_error(
                transaction,
                batch.delivery_run_key,
                target.ordinal,
                device_id,
                error=answer.reason or answer.outcome.name.lower(),
                now=now,
            )

    def _settle(
        self,
        transaction: Transaction,
        batch: PushBatch,
        addressed: _Addressed,
        answers: Sequence[Answer],
        cut_off: Collection[int],
    ) -> None:
        """Change the status of deliveries that the pushes did or did not reach.

        A recipient without a device who has one by now was reached: they wait like the others.
        One whose devices are all dead or gone has no device, unless they have registered one
        meanwhile, which is pushed to at once. Any other refusal on all devices of a first send is
        a failure; a reminder's is not. Who was ``cut_off`` keeps theirs.
        """
        was = {_ORDINAL(target): _STATUS(target) for target in addressed.targets}
        outcomes: dict[int, set[Outcome]] = defaultdict(set)
        for target, answer in zip(addressed.targets, answers, strict=True):
            outcomes[_ORDINAL(target)].add(answer.outcome)
        for ordinal in outcomes.keys() & set(addressed.reached):
            outcomes[ordinal].add(Outcome.ACCEPTED)
        reached: list[int] = []
        dead: list[int] = []
        refused: list[int] = []
        for ordinal, found in outcomes.items():
            if ordinal in cut_off:
                continue
            if Outcome.ACCEPTED in found:
                if was[ordinal] == DeliveryStatus.NO_DEVICE:
                    reached.append(ordinal)
            elif was[ordinal] == DeliveryStatus.PENDING:
                only_dead = found == {Outcome.DEAD_TOKEN}
                (dead if only_dead else refused).append(ordinal)
        deviceless = addressed.deviceless + self._without_device(transaction, batch, dead)
        pending, no_device = DeliveryStatus.PENDING, DeliveryStatus.NO_DEVICE
        arrived = self._move(transaction, batch, reached, no_device, pending)
        left = self._move(transaction, batch, deviceless, pending, no_device)
        failed = 0
        if batch.is_first_send:
            failed = self._move(transaction, batch, refused, pending, DeliveryStatus.FAILED)
        if arrived or left or failed:
            changes = Counters(
                waiting=arrived - left - failed, no_device=left - arrived, failed=failed
            )
            store.count_deliveries(
                transaction,
                batch.campaign.key,
                batch.lane.number,
                changes,
                is_primary=batch.is_primary,
            )

    def _without_device(
        self, transaction: Transaction, batch: PushBatch, dead: list[int]
    ) -> list[int]:
        """Return who has no device but dead ones; who has is pushed to again, at once."""
        if not dead:
            return []
        renewed = push_store.with_device(transaction, batch.delivery_run_key, dead)
        now = self._clock.now()
        self._hold(transaction, batch, dict.fromkeys(sorted(renewed), now), 0, now)
        return [ordinal for ordinal in dead if ordinal not in renewed]

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
        return push_store.set_status(transaction, batch.delivery_run_key, ordinals, since, to)


def _cut_off(targets: Sequence[TargetRow], answers: Sequence[Answer]) -> set[int]:
    """Return who still has a push to come.

    A stop has kept it from those of whose devices none was reached. What a provider wants later
    comes to the device, whether another one of its recipient's has had it or not.
    """
    found: dict[Answer | Outcome, set[int]] = defaultdict(set)
    for target, answer in zip(targets, answers, strict=True):
        found[answer].add(_ORDINAL(target))
        found[answer.outcome].add(_ORDINAL(target))
    return found[WANTED_LATER] | (found[NOT_STARTED] - found[Outcome.ACCEPTED])


def _still_wanted(
    targets: Sequence[TargetRow], troubles: Mapping[int, Mapping[str, Trouble]]
) -> tuple[list[TargetRow], set[int]]:
    """Leave out the devices that have had the push or refused it; also return who has had it."""
    left: list[TargetRow] = []
    reached: set[int] = set()
    for target in map(Target._make, targets):
        of_recipient = troubles.get(target.ordinal)
        trouble = of_recipient.get(target.device_id) if of_recipient else None
        if of_recipient is None or (trouble and trouble.is_wanted):
            left.append(target)
        elif trouble is None:
            reached.add(target.ordinal)
    return left, reached


def _forget_taken(
    transaction: Transaction,
    batch: PushBatch,
    addressed: _Addressed,
    answers: Sequence[Answer],
    cut_off: Collection[int],
) -> None:
    """Note which devices have had at last what their provider had wanted later."""
    assert batch.held is not None  # noqa: S101 - others have no troubles
    for target, answer in zip(map(Target._make, addressed.targets), answers, strict=True):
        trouble = addressed.troubles.get(target.ordinal, {}).get(target.device_id)
        if answer != ACCEPTED or trouble is None:
            continue
        # Else the timeline tells of both attempts, before and after it was held.
        if target.ordinal in cut_off or trouble.occurred_at > batch.held.held_at:
            held_store.forget_wanted(transaction, batch, target.ordinal, target.device_id)


def _no_more() -> Departure:
    """Return a departure in which nothing starts: for the answers that are there already."""
    departure = Departure()
    departure.stop()
    return departure


def _idempotency_key(batch: PushBatch, held: Collection[int]) -> str:
    """Return the batch's key, another one for whom the night leaves out.

    A batch is sent again at another time of the day. To a gateway that drops repeats, one to more
    people must not look like a repeat.
    """
    if not held:
        return batch.idempotency_key
    left_out = ",".join(map(str, sorted(held)))
    return f"{batch.idempotency_key}-{zlib.crc32(left_out.encode()):08x}"


def _may_start(reader: Reader, batch: PushBatch) -> bool:
    """Tell whether the batch's pushes are still wanted: a cancel has not come before."""
    if batch.held is None:
        lane = run_store.lane(reader, batch.lane.step_run_key, batch.lane.number)
        return lane is not None and not lane.stopped
    campaign = store.campaign_by_key(reader, batch.campaign.key)
    # A campaign does not wait for the morning: it may be over before everybody was pushed.
    return campaign is not None and campaign.status in {
        CampaignStatus.RUNNING,
        CampaignStatus.COMPLETED,
    }

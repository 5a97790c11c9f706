"""A model of campaigns in plain Python, and whether what has become of one agrees with it.

Who confirms when is the race's to decide: of those who have, the model says what may be. Of all
others it says what must be.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from faults.company import Company
from faults.story import Made, Run, Story
from faults.workflows import HESITATES, REFUSES, TAKES, Scenario, Step
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import DeliveryStatus, StepType

COMPLETED: Final = "CAMPAIGN_STATUS_COMPLETED"
CANCELLED: Final = "CAMPAIGN_STATUS_CANCELLED"
FAILED: Final = "CAMPAIGN_STATUS_FAILED"
_ATTEMPTS: Final = {TAKES: 1, HESITATES: 2, REFUSES: 3}

Push = tuple[str, str]
"""A delivery's id, empty for an alert, and a device's."""


@dataclass
class Verdict:
    """Whether a campaign that is over has gone as it should have.

    Args:
        answers: by delivery id, as ``Readers`` has them.
        readers: the users who have looked into their inboxes.
        kills: how many processes were killed meanwhile.
    """

    scenario: Scenario
    company: Company = field(repr=False)
    story: Story = field(repr=False)
    status: str
    answers: Mapping[str, bool | None] = field(repr=False)
    readers: frozenset[str]
    kills: int

    def check(self) -> None:
        assert self.status in {self.expected_status, CANCELLED}
        self._check_runs()
        self._check_primaries()
        self._check_statuses()
        self._check_children()
        self._check_pushes()
        self._check_calls()

    # --- the model ------------------------------------------------------------------------------

    @property
    def is_cancelled(self) -> bool:
        """What a cancelled campaign would still have done need not be there."""
        return self.status == CANCELLED

    @cached_property
    def audience(self) -> list[str]:
        return self.company.audience(self.scenario)

    @cached_property
    def path(self) -> list[Step]:
        """The steps that run: no further than a send after which there is no message at all."""
        found: list[Step] = []
        for step in self.scenario.path():
            found.append(step)
            if step.type == StepType.SEND_NOTIFICATION and not self._any_message(found):
                break
        return found

    @property
    def expected_status(self) -> str:
        last = self.path[-1]
        fails = last.type == StepType.SEND_NOTIFICATION and not self._any_message(self.path)
        return FAILED if fails else COMPLETED

    def _any_message(self, steps: list[Step]) -> bool:
        sends = [step for step in steps if step.type == StepType.SEND_NOTIFICATION]
        return any(self._has_message(step, user) for step in sends for user in self.audience)

    def _has_message(self, send: Step, user_id: str) -> bool:
        return not send.personal or self.company.people[user_id].has_department

    def _devices(self, user_id: str) -> tuple[str, ...]:
        return self.company.people[user_id].devices

    def _step(self, run: Run) -> Step:
        return next(step for step in self.path if step.id == run.step_id)

    def _was_before(self, step_type: StepType, step: Step, *, since: Step) -> bool:
        """Tell whether the path has a step of a type between two others."""
        between = self.path[self.path.index(since) + 1 : self.path.index(step)]
        return any(one.type == step_type for one in between)

    def _parents(self, step: Step) -> Iterator[Made]:
        """The messages that steps behind their sends are about, if they could be made."""
        before = self.path[: self.path.index(step)]
        for made in self._primaries:
            send = self._step(made.run)
            if send in before and self._has_message(send, made.user_id):
                yield made

    @cached_property
    def _primaries(self) -> list[Made]:
        return self.story.of_kind(Delivery.Kind.PRIMARY)

    def _is_reminded(self, made: Made, step: Step) -> bool:
        """Tell whether a reminder is about a message, unless that is confirmed."""
        send = self._step(made.run)
        missed = self._was_before(StepType.MARK_MISSED, step, since=send)
        return bool(self._devices(made.user_id)) and not missed

    def _is_told_of(self, made: Made, step: Step) -> bool:
        """Tell whether others are told of a message, unless that is confirmed."""
        if step.type == StepType.ESCALATE:
            return True
        without_device = not self._devices(made.user_id) and self.scenario.wait_for_enrollment
        return without_device or self._is_reminded(made, step)

    def _is_open(self, step: Step) -> bool | None:
        """Tell whether there is anybody on whose account to escalate; None if that is a race."""
        parents = list(self._parents(step))
        if step.until_closed or not parents:
            return bool(parents)
        return True if any(made.id not in self.answers for made in parents) else None

    # --- what is stored -------------------------------------------------------------------------

    def _check_runs(self) -> None:
        """Each step of the path was begun once, in order, and so was each of its rounds."""
        begun = [(run.step_id, run.round) for run in self.story.runs]
        rest = list(begun)
        for step in self.path:
            rounds = 0
            while rest and rest[0] == (step.id, rounds):
                rounds += 1
                rest.pop(0)
            if self.is_cancelled and not rest:
                return
            assert rounds in self._allowed_rounds(step), (step, rounds, begun)
        assert not rest, begun
        if self.status == COMPLETED:
            assert all(run.finished for run in self.story.runs)

    def _allowed_rounds(self, step: Step) -> range:
        if step.type != StepType.ESCALATE:
            return range(1, 2)
        match self._is_open(step):
            case True:
                return range(step.rounds, step.rounds + 1)
            case False:
                return range(1, 2)
            case None:
                return range(1, step.rounds + 1)

    def _check_primaries(self) -> None:
        """Each recipient has one delivery of each send."""
        for run in self.story.runs:
            if self._step(run).type != StepType.SEND_NOTIFICATION:
                continue
            users = Counter(made.user_id for made in self._primaries if made.run == run)
            assert set(users.values()) <= {1}
            assert users.keys() <= set(self.audience)
            assert self.is_cancelled or users.keys() == set(self.audience)

    def _check_statuses(self) -> None:
        wrong = Counter(
            (made.kind.name, made.status.name, str(sorted(status.name for status in allowed)))
            for made in self.story.made
            for allowed in [self._allowed_statuses(made)]
            if made.status not in allowed
        )
        assert not wrong, f"statuses (kind, is, should be): {dict(wrong)}"

    def _allowed_statuses(self, made: Made) -> set[DeliveryStatus]:
        if made.kind == Delivery.Kind.REMINDER_FYI:
            # Whoever is told of somebody else's message has to do with it until that is confirmed.
            confirmed = self._by_id[made.parent_id or ""].status == DeliveryStatus.ACKNOWLEDGED
            return {DeliveryStatus.ACKNOWLEDGED} if confirmed else self._unconfirmed(made)
        send = self._step(made.run)
        if made.kind == Delivery.Kind.PRIMARY and not self._has_message(send, made.user_id):
            return {DeliveryStatus.FAILED}
        match self.answers.get(made.id, False):
            case True:
                return {DeliveryStatus.ACKNOWLEDGED}
            case False:
                return self._unconfirmed(made)
            case None:
                return {DeliveryStatus.ACKNOWLEDGED} | self._unconfirmed(made)

    @cached_property
    def _by_id(self) -> dict[str, Made]:
        return {made.id: made for made in self.story.made}

    def _unconfirmed(self, made: Made) -> set[DeliveryStatus]:
        if not self._devices(made.user_id):
            # A cancel may come before the provider says that the device is dead.
            is_early = self.is_cancelled and made.user_id in self.company.lost
            return {DeliveryStatus.NO_DEVICE} | ({DeliveryStatus.PENDING} if is_early else set())
        waiting = {DeliveryStatus.PENDING}
        if made.user_id in self.readers:
            waiting.add(DeliveryStatus.DELIVERED)
        behind = self.path[self.path.index(self._step(made.run)) + 1 :]
        is_primary = made.kind == Delivery.Kind.PRIMARY
        if not is_primary or all(step.type != StepType.MARK_MISSED for step in behind):
            return waiting
        missed = {DeliveryStatus.MISSED}
        return missed | waiting if self.is_cancelled else missed

    def _check_children(self) -> None:
        """Each of those who are told on somebody's account is told once, and nobody else."""
        children = [made for made in self.story.made if made.parent_id is not None]
        assert len(children) + len(self._primaries) == len(self.story.made)
        told: dict[tuple[str, str], list[str]] = {}
        for made in children:
            assert made.run.round == 0
            told.setdefault((made.run.step_id, made.parent_id or ""), []).append(made.user_id)
        for step in self.path:
            if step.alert or not self.story.of_step(step.id):
                continue
            for parent in self._parents(step):
                is_told = self._is_told_of(parent, step)
                everybody = sorted(self.company.told(step, parent.user_id)) if is_told else []
                found = sorted(told.pop((step.id, parent.id), []))
                may_be_none = self.is_cancelled or (
                    parent.id in self.answers and not step.until_closed
                )
                assert found == everybody or (may_be_none and not found), (step, parent)
        assert not told

    # --- what peers received --------------------------------------------------------------------

    def _check_pushes(self) -> None:
        for run in self.story.runs:
            must, may = self._wanted(run)
            pushed = self.story.pushes.get(run.key, Counter())
            unwanted = pushed.keys() - must - may
            assert not unwanted, f"{len(unwanted)} pushes that nobody wanted in {run}"
            lost = must - pushed.keys()
            assert not lost or self.is_cancelled, f"{len(lost)} pushes lost in {run}"
        assert max(self.story.repeats.values(), default=0) <= self.kills

    def _wanted(self, run: Run) -> tuple[set[Push], set[Push]]:
        """The pushes that a run must have made, and those it may have made besides."""
        step = self._step(run)
        if step.type == StepType.SEND_NOTIFICATION:
            deliveries = [made for made in self._primaries if made.run == run]
            deliveries = [made for made in deliveries if self._has_message(step, made.user_id)]
        elif step.type == StepType.SEND_REMINDER:
            parents = [made for made in self._parents(step) if self._is_reminded(made, step)]
            deliveries = [*parents, *(made for made in self.story.made if made.run == run)]
        elif step.alert:
            return self._wanted_alerts(step)
        elif step.type == StepType.ESCALATE:
            deliveries = [made for made in self.story.made if made.run.step_id == step.id]
        else:
            return set(), set()
        must: set[Push] = set()
        may: set[Push] = set()
        for made in deliveries:
            is_copy = made.kind == Delivery.Kind.REMINDER_FYI
            # Later rounds of most escalations spare those whose original has been confirmed.
            spares = run.round > 0 and not step.until_closed
            decided = (not is_copy and made.id in self.answers) or (
                (is_copy or spares) and made.parent_id in self.answers
            )
            pushes = {(made.id, device) for device in self._devices(made.user_id)}
            (may if decided else must).update(pushes)
        return must, may

    def _wanted_alerts(self, step: Step) -> tuple[set[Push], set[Push]]:
        must: set[Push] = set()
        may: set[Push] = set()
        for parent in self._parents(step):
            decided = parent.id in self.answers and not step.until_closed
            for user_id in self.company.told(step, parent.user_id):
                pushes = {("", device) for device in self._devices(user_id)}
                (may if decided else must).update(pushes)
        return must, may

    def _check_calls(self) -> None:
        """A webhook was asked until it took what it was told, which was all that had been sent."""
        calls: dict[str, list[tuple[str, list[str]]]] = {}
        for call in self.story.calls:
            calls.setdefault(call.step_id, []).append((call.key, call.delivery_ids))
        for step in self.path:
            if step.type != StepType.CALL_WEBHOOK:
                continue
            made = calls.pop(step.id, [])
            attempts = _ATTEMPTS[step.receiver]
            assert len(made) <= attempts + self.kills
            assert self.is_cancelled or len(made) >= attempts
            assert len({key for key, _ in made}) <= 1
            before = self.path[: self.path.index(step)]
            sent = {one.id for one in self._primaries if self._step(one.run) in before}
            for _, delivery_ids in made:
                assert len(delivery_ids) == len(sent)
                assert set(delivery_ids) == sent
        assert not calls

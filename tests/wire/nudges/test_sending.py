"""What the sending of nudges makes of answers, outages, crashes and changes meanwhile."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support.nudges import NO_IDENTIFIER, NOT_NEEDED, SENT, Outcome, name_of, nudges
from support.nudging_office import MEMBER_KEYS, Office
from support.waiting import until

from pidgr import reports
from pidgr.campaigns.nudge_letters import Letters
from pidgr.campaigns.nudge_store import NudgeStatus
from pidgr.campaigns.nudging import Nudging
from pidgr.clock import MINUTE
from pidgr.contract.v1.channel_events_pb import ChannelName
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.engine.port import ProgressError, StoppingError, Task, TaskStatus
from pidgr.errors import UnavailableError
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.nudge_http import one_by_one
from pidgr.privacy.person_data import document
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader

EVERYBODY = ("person0", "person1", "person2", "dan")
RUN = Statement("""
    select r.key from step_run r join campaign c on c.key = r.campaign_key
    where c.id = :id and r.step_id in ('remind', 'escalate') and r.iteration = 0
""")
REWIND = Statement("""
    update nudge set status = 0, reason = '', settled_at = null where step_run_key = :run_key
""")
SUSPEND = Statement("update organization set suspended = :suspended where id = :id")
SET_STATUS = Statement("update member set status = :status where id = :id")


class Told:
    """A channel of the test's own: keeps what it is handed and answers as it is told to."""

    def __init__(self) -> None:
        self.handed: list[Nudge] = []
        self.answers: dict[str, NudgeAnswer] = {}
        self.away = False
        # How many batches are interrupted before their first nudge.
        self.interruptions = 0
        self.meanwhile: Callable[[], object] = lambda: None

    def send(self, nudges: Sequence[Nudge], departure: Departure) -> Handed:
        self.meanwhile()
        if self.away:
            return Handed([], UnavailableError("the channel is away", pause=MINUTE))
        if self.interruptions:
            self.interruptions -= 1
            departure.close()
        return one_by_one(nudges, self._take, departure)

    def _take(self, nudge: Nudge) -> NudgeAnswer:
        self.handed.append(nudge)
        return self.answers.get(name_of(nudge.email), NudgeAnswer(NudgeOutcome.SENT))

    def names(self) -> list[str]:
        return [name_of(nudge.email) for nudge in self.handed]


class Replay:
    """The nudges of a step that all wait once more, and a channel that is told what to say."""

    def __init__(self, office: Office, workflow: Any, *names: str) -> None:
        self.office = office
        self.system = office.installation.system
        people = [office.ada, office.bob, office.cleo, office.dan]
        campaign = office.start(title="Again", workflow=workflow, user_ids=people)
        office.pass_deadline(campaign.id)
        office.settled(campaign.id, *names)
        self.campaign_id = campaign.id
        self.channel = Told()
        (self.run_key,) = self.rows(RUN)[0]
        office.change(REWIND, run_key=self.run_key)

    def rows(self, statement: Statement) -> list[Any]:
        parameters = {"id": self.campaign_id}
        return self.system.database.read_now(lambda reader: reader.rows(statement, parameters))

    def nudging(self, *, is_set_up: bool = True, **sizes: int) -> Nudging:
        return Nudging(
            self.system.database,
            self.system.engine,
            self.system.departures,
            self.system.clock,
            {ChannelName.EMAIL: self.channel} if is_set_up else {},
            Letters("https://pidgr.example", self.system.deeplink_tokens),
            **sizes,
        )

    def send(self, attempt: int = 0, after: int = 0, **options: Any) -> None:
        self.nudging(**options).send(self.run_key, int(ChannelName.EMAIL), attempt, after)

    def outcome(self) -> dict[str, Outcome]:
        return nudges(self.office, self.campaign_id)

    def task(self, attempt: int, after: int = 0) -> TaskStatus | None:
        key = f"r{self.run_key}:nudge{int(ChannelName.EMAIL)}:{attempt}:{after}"
        return self.system.engine.status(key)


@pytest.fixture
def replay(office: Office) -> Replay:
    return Replay(office, office.remind(), *EVERYBODY)


def test_what_changes_between_the_rows_and_the_sending_counts(replay: Replay) -> None:
    office = replay.office
    office.acknowledge(replay.campaign_id, office.bob)
    office.change(SET_STATUS, status=UserStatus.DEACTIVATED, id=office.dan)
    try:
        replay.send()
    finally:
        office.change(SET_STATUS, status=UserStatus.ACTIVE, id=office.dan)
    assert replay.channel.names() == ["person0", "person2"]
    assert replay.outcome() == {
        "person0": SENT,
        "person1": NOT_NEEDED,
        "person2": SENT,
        "dan": NOT_NEEDED,
    }
    replay.send()
    assert len(replay.channel.handed) == 2


def test_nobody_is_nudged_any_more_once_a_campaign_is_cancelled(replay: Replay) -> None:
    # When the second of four batches has been taken and is about to leave.
    batches = iter(range(4))

    def cancel_in_the_second() -> None:
        if next(batches) == 1:
            replay.office.cancel(replay.campaign_id)

    replay.channel.meanwhile = cancel_in_the_second
    replay.send(nudges_per_batch=1)
    assert replay.channel.names() == ["person0"]
    assert replay.outcome() == {
        "person0": SENT,
        "person1": NOT_NEEDED,
        "person2": NOT_NEEDED,
        "dan": NOT_NEEDED,
    }


def test_nudges_that_were_interrupted_go_on(replay: Replay) -> None:
    replay.channel.interruptions = 3
    replay.send(nudges_per_batch=3)
    assert replay.channel.names() == ["person0", "person1", "person2", "dan"]
    replay.office.change(REWIND, run_key=replay.run_key)
    replay.channel.interruptions = 100
    with pytest.raises(ProgressError, match="interrupted"):
        replay.send(batches_per_task=5)
    replay.channel.interruptions = 0
    replay.send()
    assert set(replay.outcome().values()) == {SENT}


def test_many_who_need_none_after_a_cancel_are_settled_part_by_part(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pidgr.campaigns.nudging._ROWS_PER_BATCH", 1)
    replay.office.cancel(replay.campaign_id)
    replay.send(batches_per_task=2)
    until(lambda: set(replay.outcome().values()) == {NOT_NEEDED})
    assert not replay.channel.handed


def test_nobody_is_alerted_any_more_once_everybody_has_confirmed(office: Office) -> None:
    mode = office.stubs.ESCALATE_MODE_ALERT_ONLY
    workflow = office.escalate(targets=[office.steps.target("USER", office.dan)], mode=mode)
    replay = Replay(office, workflow, "dan")
    for user_id in (office.ada, office.bob, office.cleo):
        office.acknowledge(replay.campaign_id, user_id)
    replay.send()
    # Dan himself has not.
    assert replay.channel.names() == ["dan"]
    office.change(REWIND, run_key=replay.run_key)
    office.acknowledge(replay.campaign_id, office.dan)
    replay.send()
    assert replay.channel.names() == ["dan"]
    assert replay.outcome() == {"dan": NOT_NEEDED}


@pytest.mark.parametrize("condition", ["IF_NOT_ACKED", "IF_NOT_CLOSED"])
def test_nobody_is_told_any_more_of_who_has_confirmed_since(office: Office, condition: str) -> None:
    workflow = office.escalate(
        targets=[office.steps.target("USER", office.dan)],
        condition=office.stubs.EscalationCondition.Value(f"ESCALATION_CONDITION_{condition}"),
    )
    replay = Replay(office, workflow, "dan")
    for user_id in (office.ada, office.bob):
        office.acknowledge(replay.campaign_id, user_id)
    replay.send()
    # Cleo has not.
    assert replay.channel.names() == ["dan"]
    office.change(REWIND, run_key=replay.run_key)
    office.acknowledge(replay.campaign_id, office.cleo)
    replay.send()
    is_spared = condition == "IF_NOT_ACKED"
    assert replay.channel.names() == ["dan"] * (1 if is_spared else 2)
    assert replay.outcome() == {"dan": NOT_NEEDED if is_spared else SENT}


def test_a_suspended_organization_nudges_nobody(replay: Replay) -> None:
    organization_id = replay.office.organization.id
    replay.office.change(SUSPEND, suspended=True, id=organization_id)
    try:
        replay.send()
    finally:
        replay.office.change(SUSPEND, suspended=False, id=organization_id)
    assert replay.channel.handed == []
    assert set(replay.outcome().values()) == {(NudgeStatus.SKIPPED, "ORG_SUSPENDED")}


def test_nudges_over_a_channel_that_is_not_set_up_are_skipped(replay: Replay) -> None:
    replay.send(is_set_up=False)
    assert set(replay.outcome().values()) == {(NudgeStatus.SKIPPED, "NOT_SET_UP")}


def test_an_outage_loses_nobody_and_repeats_nobody_who_was_answered_for(replay: Replay) -> None:
    batches = iter(range(4))

    def leave_after_the_first() -> None:
        replay.channel.away = next(batches) > 0

    replay.channel.away = True
    with pytest.raises(UnavailableError) as first:
        replay.send()
    assert not isinstance(first.value, ProgressError)
    replay.channel.meanwhile = leave_after_the_first
    # The engine begins its pauses anew for who has got further.
    with pytest.raises(ProgressError) as second:
        replay.send(nudges_per_batch=1)
    assert first.value.pause == second.value.pause == MINUTE
    assert replay.channel.names() == ["person0"]
    replay.channel = Told()
    replay.send()
    assert replay.channel.names() == ["person1", "person2", "dan"]
    assert set(replay.outcome().values()) == {SENT}


def test_a_crash_before_the_answers_are_noted_repeats_one_batch_under_the_same_keys(
    replay: Replay,
) -> None:
    batches = iter(range(4))

    def die_in_the_second() -> None:
        if next(batches) == 1:
            raise StoppingError

    replay.channel.meanwhile = die_in_the_second
    with pytest.raises(StoppingError):
        replay.send(nudges_per_batch=2)
    assert replay.channel.names() == ["person0", "person1"]
    before = [nudge.key for nudge in replay.channel.handed]
    replay.office.change(REWIND, run_key=replay.run_key)
    replay.channel = Told()
    replay.send(nudges_per_batch=2)
    assert [nudge.key for nudge in replay.channel.handed][:2] == before
    assert len({nudge.key for nudge in replay.channel.handed}) == 4


def test_after_its_share_a_task_leaves_the_rest_to_another(replay: Replay) -> None:
    replay.send(nudges_per_batch=1, batches_per_task=3)
    assert replay.channel.names() == ["person0", "person1", "person2"]
    # The server's own engine takes over, with its own channel.
    until(lambda: replay.outcome()["dan"] == SENT)
    assert replay.office.peer.recipients().count("dan@example.com") == 2
    assert replay.office.peer.recipients().count("person0@example.com") == 1


def test_a_full_mailbox_is_tried_again_a_few_times_and_then_given_up(replay: Replay) -> None:
    replay.channel.answers = {
        "person0": NudgeAnswer(NudgeOutcome.LATER, "452 4.2.2"),
        "dan": NudgeAnswer(NudgeOutcome.UNREACHABLE),
    }
    waiting = (NudgeStatus.WAITING, "")
    for attempt in range(3):
        replay.send(attempt)
        assert replay.outcome()["person0"] == waiting
        assert replay.task(attempt + 1) is TaskStatus.WAITING
    replay.send(3)
    assert replay.task(4) is None
    assert replay.outcome() == {
        "person0": (NudgeStatus.REFUSED, "452 4.2.2"),
        "person1": SENT,
        "person2": SENT,
        "dan": NO_IDENTIFIER,
    }
    assert replay.channel.names().count("person0") == 4
    assert replay.channel.names().count("person1") == 1


def test_what_our_own_code_cannot_send_does_not_wait_for_ever(replay: Replay) -> None:
    task = Task("campaign.send-nudges", "key", (replay.run_key, int(ChannelName.EMAIL), 0, 0))
    replay.nudging().give_up(task, ValueError("a defect"))
    assert set(replay.outcome().values()) == {(NudgeStatus.SKIPPED, "FAULT")}


def test_the_copy_of_a_persons_data_tells_of_nudges(replay: Replay) -> None:
    replay.send()
    system = replay.system

    def copy(reader: Reader) -> Any:
        ((member_key, organization_key),) = reader.rows(MEMBER_KEYS, {"id": replay.office.dan})
        now = system.clock.now()
        return json.loads(
            document(reader, system.delivery_ids, organization_key, "Acme", member_key, now)
        )

    nudges = system.database.read_now(copy)["nudges"]
    (found,) = [one for one in nudges if one["campaign_id"] == replay.campaign_id]
    assert found["settled_at"].endswith("Z")
    assert found == found | {"channel": "EMAIL", "status": "SENT", "reason": ""}
    assert "dan@example.com" not in json.dumps(nudges)


def test_the_operator_is_told_of_nudges(office: Office, replay: Replay) -> None:
    replay.channel.answers = {
        "person0": NudgeAnswer(NudgeOutcome.REFUSED, "550 5.1.1"),
        "person2": NudgeAnswer(NudgeOutcome.UNREACHABLE),
        "dan": NudgeAnswer(NudgeOutcome.LATER, "452"),
    }
    replay.send()

    def told(user_id: str) -> list[tuple[str, str, str]]:
        delivery_id = office.delivery_id(replay.campaign_id, user_id)
        found = reports.explain_in(replay.system, delivery_id).happenings
        return [(one.event, one.detail, one.step_id) for one in found if "nudge" in one.event]

    assert told(office.bob) == [("nudged", "by EMAIL", "remind")]
    assert told(office.ada) == [("not_nudged", "by EMAIL: refused with 550 5.1.1", "remind")]
    assert told(office.cleo) == [("not_nudged", "by EMAIL: NO_IDENTIFIER", "remind")]
    waits = "by EMAIL: it waits for its turn, or for the channel"
    assert told(office.dan) == [("not_nudged", waits, "remind")]

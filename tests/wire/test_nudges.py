"""Reminders and escalations by e-mail: who gets one, what it says, and what keeps it back."""

import hmac
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from support.grpc_client import Client
from support.http_peer import HttpPeer, http_peer
from support.mail_server import Peer
from support.mailing import running_with_mail
from support.push_gateway import PushGateway
from support.running import Installation
from support.story import World
from support.waiting import until

from pidgr import reports
from pidgr.campaigns.advance import step_task
from pidgr.campaigns.nudge_letters import Letters
from pidgr.campaigns.nudge_store import NudgeStatus
from pidgr.campaigns.nudging import Nudging
from pidgr.campaigns.workflow import PUSH
from pidgr.clock import MINUTE
from pidgr.contract.v1.channel_events_pb import ChannelName
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.engine.port import ProgressError, StoppingError, Task, TaskStatus
from pidgr.errors import UnavailableError
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.privacy.person_data import document
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader

INBOX = "https://app.example/inbox?a=1"
NUDGES = Statement("""
    select m.email, n.status, n.reason, n.channel
    from nudge n
    join member m on m.key = n.member_key
    join step_run r on r.key = n.step_run_key
    join campaign c on c.key = r.campaign_key
    where c.id = :id order by m.email
""")
SET = Statement("""
    update member set first_name = :first_name, preferred_locale = :locale where id = :id
""")
KEY = Statement("select key from campaign where id = :id")
MANAGE = Statement("update member set manager_id = :manager_id where id = :id")
RUN = Statement("""
    select r.key from step_run r join campaign c on c.key = r.campaign_key
    where c.id = :id and r.step_id in ('remind', 'escalate') and r.iteration = 0
""")
REWIND = Statement("""
    update nudge set status = 0, reason = '', settled_at = null where step_run_key = :run_key
""")
MEMBER = Statement("select key, organization_key from member where id = :id")
SUSPEND = Statement("update organization set suspended = :suspended where id = :id")
SET_STATUS = Statement("update member set status = :status where id = :id")


@pytest.fixture(scope="module")
def peer() -> Peer:
    return Peer()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[HttpPeer]:
    """Where nudges over webhooks go."""
    with http_peer() as peer:
        yield peer


@pytest.fixture(scope="module")
def installation(
    database_settings: dict[str, Any],
    peer: Peer,
    endpoint: HttpPeer,
    gateway: PushGateway,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    with (
        running_with_mail(
            peer,
            tmp_path_factory.mktemp("data"),
            push_url=gateway.url,
            issuer="https://pidgr.example",
            sign_in_url=INBOX,
            nudge_webhook_url=endpoint.url(),
            webhook_allowed_networks=("127.0.0.1",),
            **database_settings,
        ) as installation,
    ):
        yield installation


class Office(World):
    """An organization that nudges by mail, and its mailboxes."""

    def __init__(self, installation: Installation, client: Client, peer: Peer) -> None:
        super().__init__(installation, client)
        self.peer = peer
        self.email = [self.stubs.CHANNEL_NAME_EMAIL]

    def change(self, statement: Statement, **values: object) -> None:
        self.installation.system.database.write_now(lambda unit: unit.execute(statement, values))

    def remind(self, **config: Any) -> Any:
        """Return a workflow that reminds by mail after a deadline."""
        steps = self.steps
        remind = steps.remind(third_party_channels=self.email, **config)
        return steps(steps.send(), steps.wait(), remind, steps.wait("late"), steps.missed())

    def escalate(self, **config: Any) -> Any:
        steps = self.steps
        step = steps.escalate(third_party_channels=self.email, **config)
        return steps(steps.send(), steps.wait(), step, steps.wait("late"), steps.missed())

    def next_round(self, campaign_id: str, iteration: int) -> None:
        """Let a round of an escalation begin once it is planned."""
        system = self.installation.system
        key = system.database.read_now(lambda reader: reader.value(KEY, {"id": campaign_id}))
        task = step_task(key, "escalate", iteration).key
        until(lambda: system.engine.status(task) is TaskStatus.WAITING)
        system.database.write_now(lambda unit: system.engine.move(unit, task, 0))

    def by_channel(self, campaign_id: str) -> dict[tuple[str, int], tuple[NudgeStatus, str]]:
        """Return what has become of each nudge of a campaign, by name and channel."""
        rows = self.installation.system.database.read_now(
            lambda reader: reader.rows(NUDGES, {"id": campaign_id})
        )
        return {
            (_name(email), channel): (NudgeStatus(status), reason)
            for email, status, reason, channel in rows
        }

    def nudges(self, campaign_id: str) -> dict[str, tuple[NudgeStatus, str]]:
        """Return what has become of each nudge of a campaign, by the name in the address."""
        return {name: found for (name, _), found in self.by_channel(campaign_id).items()}

    def settled(self, campaign_id: str, *names: str) -> dict[str, tuple[NudgeStatus, str]]:
        """Wait until so many have nudges, and none of them waits; return what became of them."""

        def done() -> bool:
            found = self.by_channel(campaign_id)
            return {name for name, _ in found} == set(names) and all(
                status is not NudgeStatus.WAITING for status, _ in found.values()
            )

        until(done)
        return self.nudges(campaign_id)

    def mails(self, title: str) -> dict[str, Any]:
        """Return the mails about a title by the name in the address."""
        found = [one for one in self.peer.messages() if title in str(one["Subject"])]
        names = [str(one["To"]).partition("@")[0] for one in found]
        assert len(names) == len(set(names)), "nobody is nudged twice"
        return dict(zip(names, found, strict=True))


@pytest.fixture(scope="module")
def office(installation: Installation, client: Client, peer: Peer) -> Office:
    return Office(installation, client, peer)


@pytest.fixture(autouse=True)
def friendly(peer: Peer) -> Iterator[None]:
    yield
    peer.answers.clear()
    peer.envelopes.clear()


EVERYBODY = ("person0", "person1", "person2", "dan")
SENT = (NudgeStatus.SENT, "")
NOT_NEEDED = (NudgeStatus.SKIPPED, "NO_LONGER_NEEDED")


def test_whoever_waits_is_reminded_by_mail_with_a_link_and_nothing_of_the_message(
    office: Office,
) -> None:
    office.change(SET, first_name="Ada", locale="es", id=office.ada)
    campaign = office.start(title="First", workflow=office.remind())
    office.acknowledge(campaign.id, office.bob)
    office.pass_deadline(campaign.id)
    # Cleo has no first name, Dan no device; Bob has confirmed.
    found = office.settled(campaign.id, "person0", "person2", "dan")
    assert set(found.values()) == {SENT}
    mails = office.mails("First")
    assert mails.keys() == {"person0", "person2", "dan"}
    ada, dan = mails["person0"], mails["dan"]
    assert ada["Subject"] == "Recordatorio: First"
    assert str(ada["Message-ID"]).startswith("<nudge-")
    assert ada["Message-ID"] != dan["Message-ID"]
    text = ada.get_content()
    assert text.startswith("Hola, Ada:")
    assert dan.get_content().startswith("Hello,")
    assert "read" not in text
    (url,) = re.findall(r"https://\S+", text)
    link = urlsplit(url)
    assert (link.scheme, link.netloc) == ("https", "pidgr.example")
    answer = httpx.get(f"{office.installation.url}{link.path}?{link.query}", timeout=60)
    assert answer.status_code == 303
    onward = urlsplit(answer.headers["location"])
    query = parse_qs(onward.query)
    assert (onward.netloc, onward.path, query["a"]) == ("app.example", "/inbox", ["1"])
    shown = office.client("CampaignService/GetCampaignByShortCode", short_code=query["c"][0])
    assert shown.campaign_id == campaign.id
    told = office.client(
        "TokenService/ValidateDeeplinkToken", token=query["t"][0], campaign_id=campaign.id
    )
    assert told.valid
    assert told.payload.recipient_user_id == office.ada
    assert told.payload.step_kind == office.stubs.CHANNEL_STEP_KIND_REMINDER


def test_the_copy_of_a_persons_data_tells_of_nudges(replay: "Replay") -> None:
    replay.send()
    system = replay.system

    def copy(reader: Reader) -> Any:
        ((member_key, organization_key),) = reader.rows(MEMBER, {"id": replay.office.dan})
        now = system.clock.now()
        return json.loads(
            document(reader, system.delivery_ids, organization_key, "Acme", member_key, now)
        )

    nudges = system.database.read_now(copy)["nudges"]
    (found,) = [one for one in nudges if one["campaign_id"] == replay.campaign_id]
    assert found["settled_at"].endswith("Z")
    assert found == found | {"channel": "EMAIL", "status": "SENT", "reason": ""}
    assert "dan@example.com" not in json.dumps(nudges)


def test_the_operator_is_told_of_nudges(office: Office, replay: "Replay") -> None:
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


def test_who_gets_a_copy_of_a_reminder_is_mailed_once_whatever_the_number_of_copies(
    office: Office,
) -> None:
    boss = office.invite("boss@example.com", name="Boss")
    for user_id in (office.ada, office.bob):
        office.change(MANAGE, manager_id=boss, id=user_id)
    workflow = office.remind(notify_targets=[office.steps.target("MANAGER")])
    people = [office.ada, office.bob]
    campaign = office.start(title="Copies", workflow=workflow, user_ids=people)
    office.pass_deadline(campaign.id)
    office.settled(campaign.id, "person0", "person1", "boss")
    mails = office.mails("Copies")
    assert mails.keys() == {"person0", "person1", "boss"}
    assert "Somebody has not confirmed" in mails["boss"].get_content()
    assert "Somebody" not in mails["person1"].get_content()


def test_the_target_of_an_escalation_is_mailed_once_in_all_its_rounds(office: Office) -> None:
    target = office.steps.target("USER", office.dan)
    workflow = office.escalate(targets=[target], repeat_count=2, repeat_interval_minutes=30)
    campaign = office.start(title="Upwards", workflow=workflow, user_ids=[office.ada, office.bob])
    office.pass_deadline(campaign.id)
    assert office.settled(campaign.id, "dan") == {"dan": SENT}
    office.next_round(campaign.id, 1)
    office.reach(campaign.id, "late")
    assert office.settled(campaign.id, "dan") == {"dan": SENT}
    assert "Somebody" in office.mails("Upwards")["dan"].get_content()
    made = office.deliveries(campaign.id).deliveries
    for one in made:
        told = reports.explain_in(office.installation.system, one.id).happenings
        nudged = [happening for happening in told if happening.event == "nudged"]
        # Dan was nudged once about all of his deliveries, Ada and Bob not at all.
        assert len(nudged) == (one.user_id == office.dan)


def test_an_alert_is_pushed_in_each_round_mailed_in_the_first_and_delivered_to_nobody(
    office: Office, gateway: PushGateway
) -> None:
    watch = office.invite("watch@example.com", name="Watch")
    office.register(watch)
    office.change(MANAGE, manager_id=office.dan, id=office.ada)
    steps, stubs = office.steps, office.stubs
    workflow = office.escalate(
        # Ada has not confirmed: her manager and Watch are told, and she is not told of herself.
        targets=[
            steps.target("MANAGER"),
            *(steps.target("USER", user_id) for user_id in (watch, office.ada)),
        ],
        mode=stubs.ESCALATE_MODE_ALERT_ONLY,
        repeat_count=3,
        repeat_interval_minutes=30,
    )
    people = [office.ada, office.bob]
    campaign = office.start(title="Alert", workflow=workflow, user_ids=people)
    office.acknowledge(campaign.id, office.bob)
    first = len(gateway.of(campaign.id))
    office.pass_deadline(campaign.id)

    def pushes() -> list[Any]:
        return list(gateway.of(campaign.id)[first:])

    until(lambda: len(office.by_channel(campaign.id)) == 4)
    office.settled(campaign.id, "watch", "dan")
    (alert,) = pushes()
    assert alert["push_token"] == f"token-{watch}"
    assert (alert["delivery_id"], alert["title"]) == ("", "Reminder: Alert")
    assert alert["summary"].startswith("Somebody has not confirmed")
    assert "https" not in alert["summary"]
    assert office.mails("Alert").keys() == {"watch", "dan"}
    # Dan has no device.
    email = int(ChannelName.EMAIL)
    assert office.by_channel(campaign.id) == {
        ("watch", PUSH): SENT,
        ("watch", email): SENT,
        ("dan", PUSH): (NudgeStatus.SKIPPED, "NO_IDENTIFIER"),
        ("dan", email): SENT,
    }

    office.next_round(campaign.id, 1)
    until(lambda: len(pushes()) == 2)
    assert office.mails("Alert").keys() == {"watch", "dan"}
    # Nobody is left on whose account to alert.
    office.acknowledge(campaign.id, office.ada)
    office.next_round(campaign.id, 2)
    office.complete(campaign.id)
    assert len(pushes()) == 2
    kinds = {one.kind for one in office.deliveries(campaign.id).deliveries}
    assert kinds == {stubs.Delivery.KIND_PRIMARY}
    assert not office.client("InboxService/Sync", office.tokens[watch]).entries


def test_a_webhook_tells_the_operators_own_endpoint_of_each_nudge(
    office: Office, endpoint: HttpPeer
) -> None:
    steps, stubs = office.steps, office.stubs
    remind = steps.remind(third_party_channels=[stubs.CHANNEL_NAME_WEBHOOK])
    workflow = steps(steps.send(), steps.wait(), remind, steps.wait("late"), steps.missed())
    campaign = office.start(title="Post", workflow=workflow, user_ids=[office.ada, office.bob])
    office.pass_deadline(campaign.id)
    office.settled(campaign.id, "person0", "person1")
    told = [json.loads(request.body) for request in endpoint.received]
    assert {one["user_id"] for one in told} == {office.ada, office.bob}
    assert {one["campaign_id"] for one in told} == {campaign.id}
    assert all(one["deeplink_url"].startswith("https://pidgr.example/c/") for one in told)
    system = office.installation.system
    ((_, organization_key),) = system.database.read_now(
        lambda reader: reader.rows(MEMBER, {"id": office.ada})
    )
    secret = system.webhook_secrets.secret(organization_key).encode()
    for request in endpoint.received:
        expected = hmac.new(secret, request.body, "sha256").hexdigest()
        assert request.headers["x-pidgr-signature"] == expected
    endpoint.received.clear()


def test_an_organization_that_lets_nothing_out_nudges_nobody(office: Office) -> None:
    def allow(allowed: bool) -> None:
        office.client(
            "OrganizationService/UpdateOrgPrivacySettings",
            office.key,
            third_party_channels_enabled=allowed,
        )

    allow(False)
    campaign = office.start(title="Closed", workflow=office.remind(), user_ids=[office.ada])
    office.pass_deadline(campaign.id)
    assert office.settled(campaign.id, "person0") == {"person0": (NudgeStatus.SKIPPED, "OPTED_OUT")}
    allow(True)
    assert office.mails("Closed") == {}


def test_a_mailbox_that_is_gone_keeps_back_nobody_else(office: Office) -> None:
    office.peer.answers["person0@example.com"] = "550 5.1.1 no person0@example.com here"
    people = [office.ada, office.bob]
    campaign = office.start(title="Gone", workflow=office.remind(), user_ids=people)
    office.pass_deadline(campaign.id)
    found = office.settled(campaign.id, "person0", "person1")
    assert found == {"person0": (NudgeStatus.REFUSED, "550 5.1.1"), "person1": SENT}


class Told:
    """A channel of the test's own: keeps what it is handed and answers as it is told to."""

    def __init__(self) -> None:
        self.handed: list[Nudge] = []
        self.answers: dict[str, NudgeAnswer] = {}
        self.away = False
        self.meanwhile: Callable[[], object] = lambda: None

    def send(self, nudges: Sequence[Nudge]) -> Handed:
        self.meanwhile()
        if self.away:
            return Handed([], UnavailableError("the channel is away", pause=MINUTE))
        self.handed += nudges
        taken = NudgeAnswer(NudgeOutcome.SENT)
        return Handed([self.answers.get(_name(one.email), taken) for one in nudges])

    def names(self) -> list[str]:
        return [_name(nudge.email) for nudge in self.handed]


def _name(email: str) -> str:
    return email.partition("@")[0]


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
            self.system.clock,
            {ChannelName.EMAIL: self.channel} if is_set_up else {},
            Letters("https://pidgr.example", self.system.deeplink_tokens),
            **sizes,
        )

    def send(self, attempt: int = 0, after: int = 0, **options: Any) -> None:
        self.nudging(**options).send(self.run_key, int(ChannelName.EMAIL), attempt, after)

    def outcome(self) -> dict[str, tuple[NudgeStatus, str]]:
        return self.office.nudges(self.campaign_id)

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
    # In the midst of the second of four batches, which is then on its way.
    batches = iter(range(4))

    def cancel_in_the_second() -> None:
        if next(batches) == 1:
            replay.office.cancel(replay.campaign_id)

    replay.channel.meanwhile = cancel_in_the_second
    replay.send(nudges_per_batch=1)
    assert replay.channel.names() == ["person0", "person1"]
    assert replay.outcome() == {
        "person0": SENT,
        "person1": SENT,
        "person2": NOT_NEEDED,
        "dan": NOT_NEEDED,
    }


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
        "dan": (NudgeStatus.SKIPPED, "NO_IDENTIFIER"),
    }
    assert replay.channel.names().count("person0") == 4
    assert replay.channel.names().count("person1") == 1


def test_what_our_own_code_cannot_send_does_not_wait_for_ever(replay: Replay) -> None:
    task = Task("campaign.send-nudges", "key", (replay.run_key, int(ChannelName.EMAIL), 0, 0))
    replay.nudging().give_up(task, ValueError("a defect"))
    assert set(replay.outcome().values()) == {(NudgeStatus.SKIPPED, "FAULT")}

"""Inboxes against a model: what a phone that follows Sync believes, and what is true."""

from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.grpc_client import Client
from support.running import Installation
from support.story import World

PEOPLE = st.integers(0, 2)


class Phone:
    """What somebody's phone keeps: entries by delivery id, and the cursor."""

    def __init__(self, world: World, user_id: str) -> None:
        self.world = world
        self.token = world.tokens[user_id]
        self.entries: dict[str, Any] = {}
        self.since: Timestamp | None = None

    def sync(self, limit: int = 0) -> int:
        fields = {"limit": limit} | ({"since": self.since} if self.since else {})
        answer = self.world.client("InboxService/Sync", self.token, **fields)
        changes = [entry.delivery_id for entry in answer.entries]
        assert len(changes) == len(set(changes))
        self.entries |= {entry.delivery_id: entry for entry in answer.entries}
        if changes:
            assert self.since is None or self.since.ToNanoseconds() < (
                answer.next_since.ToNanoseconds()
            )
        self.since = answer.next_since if answer.HasField("next_since") else None
        return len(changes)

    def catch_up(self, limit: int = 0) -> None:
        """Sync until nothing is new, which must come soon."""
        for _ in range(500):
            if not self.sync(limit):
                return
        raise AssertionError("there is always something new")


class Inboxes(RuleBasedStateMachine):
    """Three people, their phones, and what each delivery must look like."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        world = self.world
        self.people = [world.ada, world.bob, world.dan]
        self.phones = [Phone(world, user_id) for user_id in self.people]
        # (person, campaign) -> [status, read]
        self.truth: dict[tuple[int, str], list[Any]] = {}
        self.ids: dict[tuple[int, str], str] = {}

    @initialize()
    def a_first_campaign(self) -> None:
        for phone in self.phones:
            phone.catch_up()
        self.a_campaign_is_sent()

    @precondition(lambda self: len(self.ids) < 9)
    @rule()
    def a_campaign_is_sent(self) -> None:
        campaign = self.world.start(user_ids=self.people, template_id=template_of(self.world))
        found = {one.user_id: one.id for one in self.world.deliveries(campaign.id).deliveries}
        for person, user_id in enumerate(self.people):
            self.ids[person, campaign.id] = found[user_id]
            self.truth[person, campaign.id] = ["NO_DEVICE" if person == 2 else "SENT", False]

    @rule(person=PEOPLE, limit=st.sampled_from([-1, 0, 1, 2, 500]))
    def somebody_catches_up(self, person: int, limit: int) -> None:
        phone = self.phones[person]
        phone.catch_up(limit)
        self.everything_was_delivered_to(person)
        name = self.world.stubs.DeliveryStatus.Name
        for (owner, campaign_id), (status, read) in self.truth.items():
            if owner == person:
                entry = phone.entries[self.ids[owner, campaign_id]]
                shown = name(entry.status).removeprefix("DELIVERY_STATUS_")
                assert (shown, entry.read) == (status, read)
                assert entry.message.campaign_id == campaign_id

    def everything_was_delivered_to(self, person: int) -> None:
        for (owner, _), state in self.truth.items():
            if owner == person and state[0] == "SENT":
                state[0] = "DELIVERED"

    @rule(person=PEOPLE, pick=st.randoms(use_true_random=False))
    def somebody_reads(self, person: int, pick: Any) -> None:
        key = self.any_of(person, pick)
        for _ in range(2):
            self.world.client(
                "InboxService/MarkRead", self.phones[person].token, delivery_id=self.ids[key]
            )
        self.truth[key][1] = True

    @rule(person=PEOPLE, pick=st.randoms(use_true_random=False))
    def somebody_opens(self, person: int, pick: Any) -> None:
        key = self.any_of(person, pick)
        self.world.client(
            "InboxService/GetMessage", self.phones[person].token, delivery_id=self.ids[key]
        )
        if self.truth[key][0] == "SENT":
            self.truth[key][0] = "DELIVERED"

    @rule(person=PEOPLE, pick=st.randoms(use_true_random=False))
    def somebody_acknowledges(self, person: int, pick: Any) -> None:
        key = self.any_of(person, pick)
        token, fields = self.phones[person].token, {"delivery_id": self.ids[key]}
        if self.truth[key][0] == "ACKNOWLEDGED":
            error = self.world.client.error(
                "ActionService/SubmitAction", token, action_id="ack", **fields
            )
            assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
            return
        self.world.client("ActionService/SubmitAction", token, action_id="ack", **fields)
        self.truth[key] = ["ACKNOWLEDGED", True]

    @rule()
    def the_administrator_looks(self) -> None:
        for campaign_id in {campaign_id for _, campaign_id in self.truth}:
            statuses = self.world.statuses(campaign_id)
            assert [statuses[user_id] for user_id in self.people] == [
                self.truth[person, campaign_id][0] for person in range(3)
            ]
            acknowledged = sum(
                state[0] == "ACKNOWLEDGED"
                for key, state in self.truth.items()
                if key[1] == campaign_id
            )
            assert self.world.counts(campaign_id) == (3, acknowledged, 0)

    def any_of(self, person: int, pick: Any) -> tuple[int, str]:
        key: tuple[int, str] = pick.choice([key for key in self.ids if key[0] == person])
        return key


_templates: dict[int, str] = {}


def template_of(world: World) -> str:
    return _templates.setdefault(id(world), world.template())


def test_phones_that_follow_sync_know_the_truth(world: World) -> None:
    machine = type("Machine", (Inboxes,), {"world": world})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture(scope="module")
def full(installation: Installation, client: Client) -> Phone:
    """The inbox of somebody who has 55 entries."""
    world = World(installation, client)
    steps = [world.steps.send(f"send {number}") for number in range(55)]
    world.start(workflow=world.steps(*steps, world.steps.wait()), user_ids=[world.ada])
    return Phone(world, world.ada)


@pytest.mark.parametrize(
    ("limit", "returned"), [(0, 50), (1, 1), (54, 54), (200, 55), (201, 55), (-1, 1), (-(2**31), 1)]
)
def test_a_first_sync_returns_the_newest_entries_up_to_the_limit(
    full: Phone, limit: int, returned: int
) -> None:
    answer = full.world.client("InboxService/Sync", full.token, limit=limit)
    assert len(answer.entries) == returned
    received = [entry.received_at.ToMicroseconds() for entry in answer.entries]
    assert received == sorted(received, reverse=True)


def test_following_the_cursor_from_the_beginning_finds_everything_oldest_first(
    full: Phone,
) -> None:
    full.since = Timestamp(seconds=1)
    full.catch_up(limit=7)
    received = [entry.received_at.ToMicroseconds() for entry in full.entries.values()]
    assert len(received) == 55
    assert received == sorted(received)


@pytest.mark.parametrize(
    ("since", "code"),
    [
        (Timestamp(seconds=253_402_300_799), grpc.StatusCode.OK),
        (Timestamp(seconds=-62_135_596_800), grpc.StatusCode.OK),
        (Timestamp(seconds=2**62), grpc.StatusCode.INVALID_ARGUMENT),
        (Timestamp(seconds=-(2**62)), grpc.StatusCode.INVALID_ARGUMENT),
        (Timestamp(seconds=1, nanos=-1), grpc.StatusCode.INVALID_ARGUMENT),
        (Timestamp(seconds=1, nanos=2**31 - 1), grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_any_moment_there_is_can_be_a_cursor_and_no_other(
    full: Phone, since: Timestamp, code: grpc.StatusCode
) -> None:
    if code is grpc.StatusCode.OK:
        answer = full.world.client("InboxService/Sync", full.token, since=since)
        if not answer.entries:
            assert answer.next_since == since
        return
    error = full.world.client.error("InboxService/Sync", full.token, since=since)
    assert error.code() is code
    assert error.details().startswith("since:")


def test_an_empty_inbox_has_no_cursor_yet(world: World) -> None:
    newcomer = world.invite("newcomer@example.com")
    world.user_ids.remove(newcomer)
    answer = world.client("InboxService/Sync", world.tokens[newcomer])
    assert not answer.entries
    assert not answer.HasField("next_since")

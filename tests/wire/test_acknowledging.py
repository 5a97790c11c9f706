"""What a recipient's answer does, and whose answer is taken."""

from typing import Any

import grpc
import pytest
from support.grpc_client import Client
from support.running import Installation
from support.story import World, row_counts
from support.waiting import at_once

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


def test_each_event_moves_one_status_and_one_counter(world: World) -> None:
    campaign = world.start()
    assert world.statuses(campaign.id) == {
        world.ada: "SENT",
        world.bob: "SENT",
        world.cleo: "SENT",
        world.dan: "NO_DEVICE",
    }
    world.client(
        "InboxService/GetMessage",
        world.tokens[world.ada],
        delivery_id=world.delivery_id(campaign.id, world.ada),
    )
    assert world.statuses(campaign.id)[world.ada] == "DELIVERED"
    world.client(
        "InboxService/MarkRead",
        world.tokens[world.bob],
        delivery_id=world.delivery_id(campaign.id, world.bob),
    )
    assert world.statuses(campaign.id)[world.bob] == "SENT"
    assert world.counts(campaign.id) == (4, 0, 0)

    world.acknowledge(campaign.id, world.ada)
    assert world.statuses(campaign.id)[world.ada] == "ACKNOWLEDGED"
    world.acknowledge(campaign.id, world.dan)
    assert world.statuses(campaign.id)[world.dan] == "ACKNOWLEDGED"
    assert world.counts(campaign.id) == (4, 2, 0)

    world.pass_deadline(campaign.id)
    world.complete(campaign.id)
    assert world.statuses(campaign.id) == {
        world.ada: "ACKNOWLEDGED",
        world.bob: "MISSED",
        world.cleo: "MISSED",
        world.dan: "ACKNOWLEDGED",
    }
    assert world.counts(campaign.id) == (4, 2, 2)


def test_an_acknowledgement_fills_in_the_times_that_are_unknown(world: World) -> None:
    campaign = world.start(user_ids=[world.ada, world.bob])
    world.acknowledge(campaign.id, world.ada)
    (acted,) = (one for one in world.deliveries(campaign.id).deliveries if one.user_id == world.ada)
    assert acted.acted_at == acted.read_at == acted.delivered_at
    entry = world.client(
        "InboxService/GetMessage", world.tokens[world.ada], delivery_id=acted.id
    ).entry
    assert entry.read
    assert entry.status == world.stubs.DELIVERY_STATUS_ACKNOWLEDGED


def test_a_delivery_is_acknowledged_once(world: World) -> None:
    campaign = world.start()
    action = world.ack(campaign.id, world.ada)
    world.acknowledge(campaign.id, world.ada)
    before = row_counts(world.installation)
    assert world.refusal("ActionService/SubmitAction", world.ada, **action)[0] is PRECONDITION
    assert world.counts(campaign.id) == (4, 1, 0)
    assert row_counts(world.installation) == before


def test_of_many_acknowledgements_at_once_one_counts(world: World) -> None:
    campaign = world.start()
    action = world.ack(campaign.id, world.bob)
    outcomes = at_once(8, lambda: submit(world, world.bob, action))
    assert sorted(outcomes) == sorted(["OK"] + ["FAILED_PRECONDITION"] * 7)
    assert world.counts(campaign.id) == (4, 1, 0)


def submit(world: World, user_id: str, action: dict[str, str]) -> str:
    try:
        world.client("ActionService/SubmitAction", world.tokens[user_id], **action)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def test_nobody_acts_on_somebody_elses_delivery(
    installation: Installation, client: Client, world: World
) -> None:
    campaign = world.start()
    action = world.ack(campaign.id, world.ada)
    code, _ = world.refusal("ActionService/SubmitAction", world.bob, **action)
    assert code is grpc.StatusCode.PERMISSION_DENIED
    other = installation.found()
    error = client.error("ActionService/SubmitAction", installation.token(other.admin_id), **action)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    for rpc in ("InboxService/GetMessage", "InboxService/MarkRead"):
        colleague = world.refusal(rpc, world.bob, delivery_id=action["delivery_id"])
        foreigner = client.error(
            rpc, installation.token(other.admin_id), delivery_id=action["delivery_id"]
        )
        assert colleague == (foreigner.code(), foreigner.details())
        assert colleague[0] is grpc.StatusCode.NOT_FOUND
    assert world.statuses(campaign.id)[world.ada] == "SENT"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"action_id": ""}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"action_id": "ACK"}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"action_id": "x" * 100}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"action_id": "x" * 101}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"payload": b"x"}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"payload": b"x" * 10_001}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"delivery_id": ""}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"delivery_id": "x"}, grpc.StatusCode.INVALID_ARGUMENT),
        (
            {"delivery_id": "5b0f3c52-9d0e-4f4e-8f3f-6f1f6a0d5a10"},
            grpc.StatusCode.NOT_FOUND,
        ),
    ],
)
def test_an_action_that_is_not_on_the_message_is_refused(
    world: World, wrong: dict[str, Any], code: grpc.StatusCode
) -> None:
    campaign = waiting(world)
    action = world.ack(campaign, world.ada) | wrong
    assert world.refusal("ActionService/SubmitAction", world.ada, **action)[0] is code
    assert world.counts(campaign)[1] == 0


_waiting: dict[int, str] = {}


def waiting(world: World) -> str:
    """Return a campaign that waits and that no test changes."""
    if id(world) not in _waiting:
        _waiting[id(world)] = world.start().id
    return _waiting[id(world)]


def test_a_message_without_a_button_cannot_be_acknowledged(world: World) -> None:
    plain = world.steps.send(action_type=world.stubs.ACTION_TYPE_UNSPECIFIED)
    campaign = world.start(workflow=world.steps(plain, world.steps.wait()))
    action = world.ack(campaign.id, world.ada)
    entry = world.client(
        "InboxService/GetMessage", world.tokens[world.ada], delivery_id=action["delivery_id"]
    ).entry
    assert not entry.message.actions
    assert world.refusal("ActionService/SubmitAction", world.ada, **action)[0] is PRECONDITION


def test_after_the_deadline_it_is_too_late(world: World) -> None:
    campaign = world.start()
    action = world.ack(campaign.id, world.ada)
    world.pass_deadline(campaign.id)
    world.complete(campaign.id)
    assert world.refusal("ActionService/SubmitAction", world.ada, **action)[0] is PRECONDITION
    world.acknowledge(campaign.id, world.dan)
    assert world.counts(campaign.id) == (4, 1, 3)


def test_without_a_step_that_marks_them_late_ones_may_still_acknowledge(world: World) -> None:
    campaign = world.start(workflow=world.steps(world.steps.send(), world.steps.wait()))
    world.pass_deadline(campaign.id)
    world.complete(campaign.id)
    assert world.statuses(campaign.id)[world.ada] == "SENT"
    world.acknowledge(campaign.id, world.ada)
    assert world.counts(campaign.id) == (4, 1, 0)

import json
from collections.abc import Sequence
from typing import Any

from protobuf import Message

from pidgr.contract.v1.audit_pb import AppendRequest
from pidgr.contract.v1.campaign_pb import UpdateCampaignRequest
from pidgr.rpc.map_order import put_maps_in_order

THERE, BACK = ("a", "b", "c"), ("c", "b", "a")


def update(order: Sequence[str]) -> Message:
    values = dict.fromkeys(order, "x")
    steps: list[Any] = [
        {"id": "first"},
        {"callWebhook": {"headers": values}, "transitions": values},
    ]
    fields = {
        "workflow": {"steps": steps},
        "audienceReplacement": {"members": [{"variables": values}]},
    }
    return UpdateCampaignRequest.from_json(json.dumps(fields))


def append(order: Sequence[str]) -> Message:
    fields = {"details": {"list": [{"inner": dict.fromkeys(order, 1)}]}}
    return AppendRequest.from_json(json.dumps(fields))


def ordered(message: Message) -> bytes:
    put_maps_in_order(message)
    return message.to_binary()


def test_equal_messages_have_equal_bytes() -> None:
    for make in (update, append):
        assert make(THERE).to_binary() != make(BACK).to_binary()
        assert ordered(make(THERE)) == ordered(make(BACK))


def test_nothing_is_lost() -> None:
    for make in (update, append):
        message = make(BACK)
        put_maps_in_order(message)
        assert message == make(THERE)

"""One order of a message's maps, so that equal messages have equal bytes.

A map has no order on the wire: a client that encodes the same message again may well shuffle it,
as Go does on purpose, and JSON and binary keep different ones.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from protobuf import DescField, DescMessage, Message
from protobuf import DescFieldValueList as ListValue
from protobuf import DescFieldValueMap as MapValue
from protobuf import DescFieldValueMessage as MessageValue


def put_maps_in_order(message: Message) -> None:
    """Order every map in a message, and in the messages it holds, by its keys."""
    for field in _leading_to_maps(message.desc()):
        if isinstance(field.value, MapValue):
            message[field] = dict(sorted(message[field].items()))
        for inner in _messages(field, message[field]):
            put_maps_in_order(inner)


def _messages(field: DescField, value: Any) -> Iterator[Message]:  # noqa: ANN401 - of any field
    if isinstance(field.value, MessageValue):
        if value is not None:
            yield value
    elif isinstance(field.value, ListValue):
        yield from value
    elif isinstance(_held(field), DescMessage):
        yield from value.values()


@cache
def _leading_to_maps(description: DescMessage) -> tuple[DescField, ...]:
    return tuple(
        field
        for field in description.fields
        if isinstance(field.value, MapValue) or _holds_maps(_held(field), frozenset())
    )


def _holds_maps(held: object, above: frozenset[str]) -> bool:
    """Tell whether a message has a map at any depth; a type may hold itself."""
    if not isinstance(held, DescMessage) or held.type_name in above:
        return False
    return any(
        isinstance(field.value, MapValue) or _holds_maps(_held(field), above | {held.type_name})
        for field in held.fields
    )


def _held(field: DescField) -> object:
    match field.value:
        case MessageValue(message=held) | ListValue(element=held) | MapValue(value=held):
            return held
    return None

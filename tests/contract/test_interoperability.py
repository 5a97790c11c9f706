"""Our runtime (protobuf-py) and the reference (google.protobuf) agree on every message.

Values are drawn for the reference message from its descriptors, sent to ours as bytes and as JSON,
and taken back the same ways.
"""

import ctypes
import importlib
import json
import pkgutil
import struct
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message as Reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from protobuf import DescMessage, Message

import pidgr.contract.v1

LARGE_FLOAT = 2.0**127
INFINITY = float("inf")
INT32 = st.integers(-(2**31), 2**31 - 1)
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=20),
    # NaN differs from itself, so comparing would always fail; it has a test of its own.
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False),
    # The largest float32 is written with one digit too few to be read back by protobuf-py.
    FieldDescriptor.TYPE_FLOAT: st.one_of(
        st.floats(-LARGE_FLOAT, LARGE_FLOAT, width=32), st.sampled_from([INFINITY, -INFINITY])
    ),
    FieldDescriptor.TYPE_INT32: INT32,
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_STRING: st.text(max_size=20),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
}
# The range in which ProtoJSON can write a time: the years 1 to 9999.
TIMES = st.tuples(st.integers(-62_135_596_800, 253_402_300_799), st.integers(0, 999_999_999))


def message_types() -> dict[str, type[Message[Any]]]:
    """Every message of the contract, nested ones too, by full name."""
    found: dict[str, type[Message[Any]]] = {}

    def collect(described: DescMessage) -> None:
        found[described.type_name] = described.type
        for nested in described.nested_messages:
            collect(nested)

    for module in pkgutil.iter_modules(pidgr.contract.v1.__path__):
        if module.name.endswith("_pb"):
            generated = importlib.import_module(f"pidgr.contract.v1.{module.name}")
            for described in generated.desc().messages:
                collect(described)
    return found


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.text() | st.floats(-1e6, 1e6, width=32),
    lambda one: st.lists(one, max_size=2) | st.dictionaries(st.text(), one, max_size=2),
    max_leaves=3,
)
OURS = message_types()


def values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Values of one element of a field; open enums also carry a number nobody has named."""
    if field.message_type:
        return messages(field.message_type)
    if field.enum_type:
        return st.sampled_from([value.number for value in field.enum_type.values] + [9_999])
    return SCALARS[field.type]


def setter(field: FieldDescriptor) -> st.SearchStrategy[Callable[[Any], None]]:
    """Draw what to do to a message so that the field is set."""
    name = field.name
    if field.message_type and field.message_type.GetOptions().map_entry:
        entry = field.message_type.fields_by_name
        drawn = st.dictionaries(values(entry["key"]), values(entry["value"]), max_size=3)
        if entry["value"].message_type:
            return drawn.map(lambda value: lambda message: _fill_map(getattr(message, name), value))
        return drawn.map(lambda value: lambda message: getattr(message, name).update(value))
    if field.is_repeated:
        several = st.lists(values(field), max_size=3)
        return several.map(lambda value: lambda message: getattr(message, name).extend(value))
    if field.message_type:
        one = values(field)
        return one.map(lambda value: lambda message: getattr(message, name).CopyFrom(value))
    return values(field).map(lambda value: lambda message: setattr(message, name, value))


def _fill_map(found: Any, wanted: dict[Any, Any]) -> None:
    """Fill a map of messages: they cannot be assigned, only copied into."""
    for key, value in wanted.items():
        found[key].CopyFrom(value)


@st.composite
def messages(draw: st.DrawFn, described: Descriptor) -> Reference:
    message = message_factory.GetMessageClass(described)()
    if described.full_name == "google.protobuf.Timestamp":
        message.seconds, message.nanos = draw(TIMES)  # type: ignore[attr-defined]
        return message
    if described.full_name == "google.protobuf.Value":
        # One without a kind has no JSON, nor has a number that is none.
        json_format.ParseDict(draw(JSON), message)
        return message
    for field in described.fields:
        # Setting several fields of a oneof is fine: the last one stays.
        if draw(st.booleans()):
            draw(setter(field))(message)
    return message


def canonical(message: Reference) -> bytes:
    """Bytes that do not depend on the order of a map's entries."""
    return message.SerializeToString(deterministic=True)


def single(text: str) -> float:
    """A number of a float field: runtimes print different digits for the same 32 bits."""
    return ctypes.c_float(float(text)).value


def test_the_reference_sees_the_same_messages(pool: descriptor_pool.DescriptorPool) -> None:
    assert len(OURS) > 200
    for name in OURS:
        assert pool.FindMessageTypeByName(name).full_name == name


@pytest.mark.parametrize("name", sorted(OURS))
def test_bytes_and_json_mean_the_same_in_both_runtimes(
    name: str, pool: descriptor_pool.DescriptorPool
) -> None:
    described = pool.FindMessageTypeByName(name)
    reference_type = message_factory.GetMessageClass(described)
    our_type = OURS[name]

    @settings(
        deadline=None,
        max_examples=15,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(messages(described))
    def agree(reference: Reference) -> None:
        ours = our_type.from_binary(canonical(reference))
        assert canonical(reference_type.FromString(ours.to_binary())) == canonical(reference)

        reference_json = json_format.MessageToJson(reference)
        from_json = our_type.from_json(reference_json)
        assert canonical(reference_type.FromString(from_json.to_binary())) == canonical(reference)
        our_json = ours.to_json()
        assert canonical(json_format.Parse(our_json, reference_type())) == canonical(reference)
        assert json.loads(our_json, parse_float=single) == json.loads(
            reference_json, parse_float=single
        )

    agree()


def test_not_a_number_crosses_in_both_forms(pool: descriptor_pool.DescriptorPool) -> None:
    name = "pidgr.v1.HeatmapDataPoint"
    reference_type = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
    ours = OURS[name].from_binary(b"\x0d" + struct.pack("<f", float("nan")))
    assert json.loads(ours.to_json()) == {"xPct": "NaN"}
    back = json_format.Parse(ours.to_json(), reference_type())
    assert canonical(back) == ours.to_binary()


def test_what_a_newer_client_adds_survives_our_runtime() -> None:
    from_the_future = b"\xfa\x01\x05later"
    ours = OURS["pidgr.v1.Team"].from_binary(from_the_future)
    assert ours.to_binary() == from_the_future

"""Well-formed requests with strange values, on every RPC: never a defect of ours, never a crash."""

import random
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import psycopg
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from support.grpc_client import Stubs
from support.running import Installation, running

from pidgr.storage.database import Database
from pidgr.system import migrate

STRINGS = (
    "",
    "42",
    "a\x00b",
    "é😀\u202e",
    "' or 1=1 --",
    "{{name}} {{",
    "x" * 300,
    "x" * 70_000,
    "a@example.com",
    "P1D",
    "https://[::1",
    str(uuid.UUID(int=0)),
)
_SIGNED = (0, 1, -1, 2**31 - 1, -(2**31), 999)
_REALS = (0.0, -1.0, 1e308, float("inf"), float("nan"))
NUMBERS: dict[int, tuple[Any, ...]] = {
    FieldDescriptor.CPPTYPE_BOOL: (True, False),
    FieldDescriptor.CPPTYPE_INT32: _SIGNED,
    FieldDescriptor.CPPTYPE_INT64: (*_SIGNED, 2**63 - 1, -(2**63)),
    FieldDescriptor.CPPTYPE_UINT32: (0, 1, 999, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 1, 999, 2**64 - 1),
    FieldDescriptor.CPPTYPE_FLOAT: _REALS,
    FieldDescriptor.CPPTYPE_DOUBLE: _REALS,
}
DEPTH = 4
ROUNDS = 12
OUR_FAULT = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE}


class Strange:
    """Fills messages with values from a seeded source."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ids = [str(uuid.uuid4())]

    def message(self, descriptor: Descriptor, depth: int = 0) -> Any:
        message = GetMessageClass(descriptor)()
        for field in descriptor.fields:
            if self.random.random() < (0.25 if depth else 0.15) or depth > DEPTH:
                continue
            self._fill(message, field, depth)
        return message

    def _fill(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            key, value = (
                self._value(kind.fields_by_name[name], depth) for name in ("key", "value")
            )
            target = getattr(message, field.name)
            if kind.fields_by_name["value"].message_type is not None:
                target[key].CopyFrom(value)
            else:
                target[key] = value
        elif field.is_repeated:
            count = self.random.choice((0, 1, 3, 120))
            values = [self._value(field, depth) for _ in range(count)]
            getattr(message, field.name).extend(values)
        elif kind is not None:
            getattr(message, field.name).CopyFrom(self._value(field, depth))
        else:
            setattr(message, field.name, self._value(field, depth))

    def _value(self, field: Any, depth: int) -> Any:
        if field.message_type is not None:
            return self.message(field.message_type, depth + 1)
        if field.enum_type is not None:
            return self.random.choice([*(v.number for v in field.enum_type.values), 999, -1])
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self.random.choice(STRINGS).encode() + b"\xff"
        if field.type == FieldDescriptor.TYPE_STRING:
            return self.random.choice((*STRINGS, *self.ids * 6))
        return self.random.choice(NUMBERS[field.cpp_type])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    settings: dict[str, Any] = {}
    if request.param == "postgresql":
        postgres = request.getfixturevalue("postgres_server")
        name = f"strange_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(postgres.get_uri(), autocommit=True) as connection:
            connection.execute(f"create database {name}")
        settings["database_url"] = postgres.get_uri(database=name)
        database = Database(settings["database_url"])
        migrate(database)
        database.close()
    with running(tmp_path_factory.mktemp("data"), embedded_engine=False, **settings) as started:
        yield started


def services(stubs: Stubs) -> Iterator[Any]:
    for module in stubs.modules:
        descriptor = getattr(module, "DESCRIPTOR", None)
        yield from descriptor.services_by_name.values() if descriptor else ()


def test_no_request_is_answered_with_a_defect(installation: Installation, stubs: Stubs) -> None:
    strange = Strange(seed=20_260_101)
    organization = installation.found()
    credentials = (organization.api_key, installation.token(organization.admin_id))
    strange.ids += [organization.id, organization.admin_id]
    seen = set()
    with grpc.insecure_channel(installation.address) as channel:
        for service in services(stubs):
            for method in service.methods:
                call: Any = channel.unary_stream(
                    f"/{service.full_name}/{method.name}",
                    request_serializer=lambda message: message.SerializeToString(),
                )
                for number in range(ROUNDS):
                    request = strange.message(method.input_type)
                    bearer = ("authorization", f"Bearer {credentials[number % 2]}")
                    code = outcome(call, request, bearer)
                    assert code not in OUR_FAULT, (method.full_name, request)
                    seen.add(code)
    assert grpc.StatusCode.OK in seen
    assert grpc.StatusCode.INVALID_ARGUMENT in seen
    assert grpc.StatusCode.NOT_FOUND in seen


def outcome(call: Any, request: Any, bearer: tuple[str, str]) -> grpc.StatusCode:
    answers = call(request, metadata=(bearer,), timeout=20)
    try:
        list(answers)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK

"""Bytes no client of ours would send: the documented code, a small answer, and the server lives."""

import gzip
import json
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from support.grpc_client import Client, Organization, Stubs
from support.raw_http import RawClient, framed
from support.running import Installation
from support.serve_process import ServeProcess

from interop.protocols import PROTOCOLS, Outcome, Protocol, call

CREATE_TEAM = "/pidgr.v1.TeamService/CreateTeam"
LIST_CAMPAIGNS = "/pidgr.v1.CampaignService/ListCampaigns"
MIB = 1024 * 1024
JSON = PROTOCOLS["connect json"]
PROTO = PROTOCOLS["connect proto"]


@pytest.fixture(params=PROTOCOLS, ids=str)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    return PROTOCOLS[request.param]


@pytest.fixture(params=["grpc", "grpc-web"])
def enveloped(request: pytest.FixtureRequest) -> Protocol:
    return PROTOCOLS[request.param]


class Door:
    """One organization's calls with bodies as they come."""

    def __init__(self, address: str, organization: Organization) -> None:
        self.address = address
        self.key = organization.api_key

    def __call__(
        self, protocol: Protocol, body: bytes, *headers: str, path: str = CREATE_TEAM
    ) -> Outcome:
        return call(self.address, path, protocol, body, *headers, credential=self.key)

    def raw(self, head: bytes, body: bytes = b"") -> Outcome:
        """Send a request line and headers as they are; answers are read as Connect's."""
        with RawClient(int(self.address.rpartition(":")[2])) as client:
            lines = [head, b"Host: a", b"Content-Length: %d" % len(body)]
            client.send(b"\r\n".join([*lines, b"Authorization: Bearer " + self.key.encode()]))
            client.send(b"\r\n\r\n" + body)
            status, headers, answer, _ = client.response()
        known = status != 200 and headers.get("content-type") == "application/json"
        code = json.loads(answer)["code"] if known else str(status)
        return Outcome(status, code, "", answer, headers)

    def is_open(self) -> bool:
        return self(PROTO, b"", path=LIST_CAMPAIGNS).code == "ok"


@pytest.fixture
def door(server: Installation, organization: Organization) -> Iterator[Door]:
    opened = Door(server.address, organization)
    yield opened
    assert opened.is_open()
    teams = json.loads(opened(JSON, b"{}", path="/pidgr.v1.TeamService/ListTeams").body)
    assert teams["paginationMeta"].get("totalCount", 0) <= 1, "a refused call wrote something"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    with ServeProcess(tmp_path_factory.mktemp("process")) as running:
        yield running


@pytest.fixture(scope="module")
def process_door(process: ServeProcess) -> Door:
    return Door(process.address, process.found())


@pytest.mark.parametrize("message", [b"\xff\xfe{{{", b"\x0b" * 100_000, b"\x0a\x02\xff\xfe"])
def test_garbage_is_an_invalid_argument(door: Door, protocol: Protocol, message: bytes) -> None:
    outcome = door(protocol, protocol.body(message))
    assert outcome.code == "invalid_argument"
    assert len(outcome.body) < 1000


@pytest.mark.parametrize(
    "body",
    [b"\0", b"\0\0\0\0\xff", framed(b"abc")[:-1], b"\x08\0\0\0\0"],
    ids=["half a prefix", "no message", "half a message", "unknown flags"],
)
def test_broken_envelopes_are_invalid_arguments(
    door: Door, enveloped: Protocol, body: bytes
) -> None:
    assert door(enveloped, body).code == "invalid_argument"


@pytest.mark.parametrize("body", [b"", framed(b"") * 2], ids=["none", "two"])
def test_a_unary_call_has_exactly_one_message(door: Door, enveloped: Protocol, body: bytes) -> None:
    assert door(enveloped, body).code == "unimplemented"


@pytest.mark.parametrize(
    "text",
    [
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b'{"name": "a\\u0000b"}',
        b'{"name": 5}',
        b'{"x":' + b"9" * 100_000 + b"}",
        b'{"x":' * 100_000,
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"[]",
        b"null",
        b"",
        '{"name": "wide"}'.encode("utf-16"),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_json_that_is_no_request_is_an_invalid_argument(door: Door, text: bytes) -> None:
    assert door(JSON, text).code == "invalid_argument"


@pytest.mark.parametrize("size", ["-1", '"NaN"', "1.5", "1e100", "4294967296"])
def test_page_sizes_that_are_no_counts_are_invalid_arguments(door: Door, size: str) -> None:
    body = f'{{"pagination": {{"pageSize": {size}}}}}'.encode()
    assert door(JSON, body, path=LIST_CAMPAIGNS).code == "invalid_argument"


@pytest.mark.parametrize("token", ["x", "é", "a" * 10_000, "////", "\x00"])
def test_made_up_page_tokens_are_invalid_arguments(door: Door, token: str) -> None:
    body = json.dumps({"pagination": {"pageToken": token}}).encode()
    assert door(JSON, body, path=LIST_CAMPAIGNS).code == "invalid_argument"


def test_bad_fields_are_invalid_arguments_and_write_nothing(
    server: Installation, organization: Organization, stubs: Stubs
) -> None:
    workflow = stubs.WorkflowDefinition(steps=[stubs.WorkflowStep(id="a", type=999)])
    key, some_id = organization.api_key, str(uuid.uuid4())
    template = {"name": "T", "title": "T", "body": "B"}
    campaign: dict[str, Any] = {
        "name": "C",
        "template_id": some_id,
        "sender_name": "S",
        "user_ids": [some_id],
    }
    with grpc.insecure_channel(server.address) as channel:
        client = Client(channel, stubs)
        calls: list[tuple[str, dict[str, Any]]] = [
            *[("CampaignService/GetCampaign", {"campaign_id": bad}) for bad in ("", "42", "é")],
            ("CampaignService/GetCampaign", {"campaign_id": f"{{{some_id}}}"}),
            ("CampaignService/ListDeliveries", {"campaign_id": some_id, "status_filter": 999}),
            ("CampaignService/CreateCampaign", {**campaign, "user_ids": ["42"]}),
            ("CampaignService/CreateCampaign", {**campaign, "workflow": workflow}),
            ("CampaignService/CreateCampaign", {**campaign, "name": "x" * 10_000}),
            ("TemplateService/CreateTemplate", {**template, "name": ""}),
            ("TemplateService/CreateTemplate", {**template, "name": "x" * 10_000}),
            ("TemplateService/CreateTemplate", {**template, "type": 999}),
            ("MemberService/InviteUser", {"email": "nobody"}),
            ("MemberService/InviteUser", {"email": f"{'x' * 400}@example.com"}),
        ]
        for rpc, fields in calls:
            error = client.error(rpc, key, **fields)
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, (rpc, fields)
        for rpc, expected in (
            ("CampaignService/ListCampaigns", 0),
            ("TemplateService/ListTemplates", 0),
            ("MemberService/ListUsers", 1),
        ):
            assert client(rpc, key).pagination_meta.total_count == expected, rpc


@pytest.mark.parametrize(
    "seconds_and_nanos", [(2**62, 0), (-(2**62), 0), (0, -1), (0, 2**31 - 1), (253402300800, 0)]
)
def test_times_out_of_range_are_invalid_arguments(
    server: Installation,
    organization: Organization,
    stubs: Stubs,
    seconds_and_nanos: tuple[int, int],
) -> None:
    from google.protobuf.timestamp_pb2 import Timestamp

    seconds, nanos = seconds_and_nanos
    token = server.token(organization.admin_id)
    with grpc.insecure_channel(server.address) as channel:
        since = Timestamp(seconds=seconds, nanos=nanos)
        error = Client(channel, stubs).error("InboxService/Sync", token, since=since)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_message_over_64_mib_is_refused_within_bounded_memory(
    process: ServeProcess, process_door: Door, protocol: Protocol
) -> None:
    door = process_door
    body = protocol.body(b"\x0a" * (65 * MIB))
    bomb = protocol.body(gzip.compress(bytes(65 * MIB), compresslevel=1), compressed=True)
    for _ in range(5):
        assert door(protocol, body).code == "resource_exhausted"
        outcome = door(protocol, bomb, f"{protocol.encoding_header}: gzip")
        assert outcome.code == "resource_exhausted"
    assert process.resident_kilobytes() < 400 * 1024
    assert door.is_open()


def test_a_message_over_64_mib_is_refused_on_http2(
    process: ServeProcess, process_door: Door
) -> None:
    with grpc.insecure_channel(process.address) as channel:
        create: Any = channel.unary_unary(CREATE_TEAM)
        metadata = (("authorization", f"Bearer {process_door.key}"),)
        with pytest.raises(grpc.RpcError) as refused:
            create(bytes(65 * MIB), metadata=metadata, timeout=30)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        # Just below the limit the message is read, and refused for what it says.
        with pytest.raises(grpc.RpcError) as read:
            create(b"\xff" * (63 * MIB), metadata=metadata, timeout=30)
        assert read.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert process.resident_kilobytes() < 400 * 1024
    assert process_door.is_open()


@pytest.mark.parametrize("path", [CREATE_TEAM, "/grpc.health.v1.Health/Check"])
def test_compressed_requests_that_cost_time_are_refused_at_once(
    process_door: Door, protocol: Protocol, path: str
) -> None:
    # Reading these members one by one takes minutes.
    members = gzip.compress(b"") * (4 * MIB // 20)
    body = protocol.body(members, compressed=True)
    outcome = process_door(protocol, body, f"{protocol.encoding_header}: gzip", path=path)
    assert outcome.code in {"invalid_argument", "resource_exhausted"}


@pytest.mark.parametrize(
    ("encoding", "message", "code"),
    [
        ("gzip", b"plain", "invalid_argument"),
        ("gzip", gzip.compress(b"\x0a\x01a")[:-4], "invalid_argument"),
        ("gzip", gzip.compress(b"\x0a\x01a") + b"more", "invalid_argument"),
        ("lzma", b"plain", "unimplemented"),
    ],
    ids=["not compressed", "cut off", "followed by more", "unknown"],
)
def test_compression_that_does_not_hold_is_refused(
    door: Door, protocol: Protocol, encoding: str, message: bytes, code: str
) -> None:
    body = protocol.body(message, compressed=True)
    assert door(protocol, body, f"{protocol.encoding_header}: {encoding}").code == code


@pytest.mark.parametrize("timeout", ["abc", "-1", "99999999999"])
def test_timeouts_that_are_no_times_are_invalid_arguments(
    door: Door, protocol: Protocol, timeout: str
) -> None:
    headers = (f"grpc-timeout: {timeout}S", f"connect-timeout-ms: {timeout}")
    assert door(protocol, protocol.body(b""), *headers).code == "invalid_argument"


def test_a_deadline_holds_while_the_body_is_still_on_its_way(
    server: Installation, organization: Organization
) -> None:
    for content_type, header in (
        ("application/json", "Connect-Timeout-Ms: 200"),
        ("application/grpc", "Grpc-Timeout: 200m"),
        ("application/grpc-web", "Grpc-Timeout: 200m"),
    ):
        with RawClient(int(server.address.rpartition(":")[2])) as client:
            lines = [
                f"POST {CREATE_TEAM} HTTP/1.1",
                "Host: a",
                f"Authorization: Bearer {organization.api_key}",
                f"Content-Type: {content_type}",
                header,
                "Content-Length: 1000",
            ]
            client.send("\r\n".join([*lines, "", "{"]).encode())
            status, headers, body, trailers = client.response()
        told = {**headers, **trailers}
        if content_type == "application/json":
            assert (status, json.loads(body)["code"]) == (504, "deadline_exceeded")
        elif content_type == "application/grpc":
            assert told["grpc-status"] == "4"
        else:
            assert b"grpc-status: 4" in body


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/grpc+xml", "application/xml"],
)
def test_unknown_content_types_are_refused(door: Door, content_type: str) -> None:
    assert door(Protocol(content_type), b"{}").http_status == 415


@pytest.mark.parametrize("path", ["/pidgr.v1.TeamService/Nothing", "/pidgr.v1.Nothing/ListTeams"])
def test_unknown_rpcs_are_unimplemented(door: Door, protocol: Protocol, path: str) -> None:
    outcome = door(protocol, protocol.body(b""), path=path)
    if protocol.enveloped:
        assert outcome.code == "unimplemented"
    else:
        assert outcome.http_status == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", f"{CREATE_TEAM}?encoding=json&message={{}}", {"POST"}),
        ("PUT", CREATE_TEAM, {"POST"}),
        ("DELETE", LIST_CAMPAIGNS, {"GET", "POST"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
    ],
)
def test_other_http_methods_are_refused(
    door: Door, method: str, path: str, allowed: set[str]
) -> None:
    outcome = door.raw(f"{method} {path} HTTP/1.1".encode())
    assert outcome.http_status == 405
    assert set(outcome.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "query",
    [
        b"encoding=json",
        b"encoding=proto&base64=1&message=!!!a",
        b"encoding=proto&base64=1&compression=gzip&message=AAAA",
        b"encoding=json&message=\xff\xfe",
        b"encoding=json&message=%ff%fe",
    ],
)
def test_gets_that_hold_no_message_are_invalid_arguments(door: Door, query: bytes) -> None:
    outcome = door.raw(b"GET " + LIST_CAMPAIGNS.encode() + b"?" + query + b" HTTP/1.1")
    assert (outcome.http_status, outcome.code) == (400, "invalid_argument")


def test_header_bytes_outside_utf8_do_no_harm(door: Door) -> None:
    head = b"POST %s HTTP/1.1\r\nContent-Type: application/json\r\n%s"
    fine = door.raw(head % (LIST_CAMPAIGNS.encode(), b"X-Note: caf\xe9"), b"{}")
    assert fine.http_status == 200
    impostor = door.raw(head % (LIST_CAMPAIGNS.encode(), b"Authorization: Bearer \xe9"), b"{}")
    assert impostor.code == "unauthenticated"


def test_huge_headers_are_refused(door: Door, protocol: Protocol) -> None:
    for headers in ([f"X-Note: {'x' * MIB}"], [f"X-{n}: 1" for n in range(5000)]):
        assert door(protocol, protocol.body(b""), *headers).http_status in {400, 431}


def test_huge_headers_are_refused_on_http2(server: Installation, stubs: Stubs) -> None:
    organization = server.found()
    with grpc.insecure_channel(server.address) as channel:
        client = Client(channel, stubs)
        teams = stubs.TeamServiceStub(channel)
        metadata = [("authorization", f"Bearer {organization.api_key}"), ("x-note", "x" * MIB)]
        with pytest.raises(grpc.RpcError):
            teams.ListTeams(stubs.ListTeamsRequest(), metadata=metadata, timeout=20)
        client("TeamService/ListTeams", organization.api_key)

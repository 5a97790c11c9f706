"""gRPC framing over plain HTTP/1.1, as Go's Connect client sends it to an ``http://`` URL."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.grpc_client import Organization, Stubs
from support.raw_http import RawClient, framed
from support.running import Installation

Response = tuple[int, dict[str, str], bytes, dict[str, str]]


@pytest.fixture
def connection(server: Installation) -> Iterator[RawClient]:
    with RawClient(int(server.address.rpartition(":")[2])) as client:
        yield client


def call(connection: RawClient, rpc: str, credential: str, request: Any, *headers: str) -> Response:
    """Send what connect-go 1.19 sends, header for header."""
    body = framed(request.SerializeToString())
    head = [
        f"POST /pidgr.v1.{rpc} HTTP/1.1",
        "Host: localhost:50051",
        "User-Agent: grpc-go-connect/1.19.1 (go1.25.5)",
        f"Content-Length: {len(body)}",
        "Accept-Encoding: identity",
        f"Authorization: Bearer {credential}",
        "Content-Type: application/grpc",
        "Grpc-Accept-Encoding: gzip",
        "Te: trailers",
        *headers,
    ]
    connection.send("\r\n".join([*head, "", ""]).encode() + body)
    return connection.response()


def test_a_success_ends_with_grpc_status_0_in_the_chunked_trailers(
    connection: RawClient, stubs: Stubs, organization: Organization
) -> None:
    request = stubs.ListCampaignsRequest(pagination=stubs.Pagination(page_size=10))
    status, headers, body, trailers = call(
        connection, "CampaignService/ListCampaigns", organization.api_key, request
    )
    assert status == 200
    assert headers["transfer-encoding"] == "chunked"
    assert headers["content-type"].startswith("application/grpc")
    assert "grpc-status" not in headers
    assert trailers["grpc-status"] == "0"
    assert int.from_bytes(body[1:5], "big") == len(body) - 5


def test_calls_follow_each_other_on_one_connection(
    connection: RawClient, stubs: Stubs, organization: Organization
) -> None:
    names = ["First", "Second", "Third"]
    for name in names:
        request = stubs.CreateTeamRequest(name=name)
        _, _, _, trailers = call(
            connection,
            "TeamService/CreateTeam",
            organization.api_key,
            request,
            "Grpc-Timeout: 9999999u",
        )
        assert trailers == {"grpc-status": "0"}
    _, headers, body, _ = call(
        connection, "TeamService/ListTeams", organization.api_key, stubs.ListTeamsRequest()
    )
    assert headers.get("grpc-encoding", "identity") == "gzip"
    assert body[0] == 1


def test_errors_come_as_trailers_and_the_connection_goes_on(
    connection: RawClient, stubs: Stubs, organization: Organization
) -> None:
    rpc = "CampaignService/GetCampaign"
    for credential, campaign_id, code in (
        (organization.api_key, "42", "3"),
        ("nobody", "42", "16"),
        (organization.api_key, "00000000-0000-4000-8000-000000000000", "5"),
    ):
        request = stubs.GetCampaignRequest(campaign_id=campaign_id)
        status, headers, body, trailers = call(connection, rpc, credential, request)
        told = {**headers, **trailers}
        assert (status, told["grpc-status"], body) == (200, code, b"")
        assert told["grpc-message"]
        assert told["grpc-status-details-bin"]


def test_an_unknown_method_is_refused_and_the_connection_goes_on(
    connection: RawClient, stubs: Stubs, organization: Organization
) -> None:
    request = stubs.ListTeamsRequest()
    for rpc in ("TeamService/Nothing", "NothingService/ListTeams"):
        status, headers, _, trailers = call(connection, rpc, organization.api_key, request)
        assert (status, {**headers, **trailers}["grpc-status"]) == (200, "12")
    _, _, _, trailers = call(connection, "TeamService/ListTeams", organization.api_key, request)
    assert trailers["grpc-status"] == "0"

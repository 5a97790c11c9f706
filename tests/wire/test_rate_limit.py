"""The request limit as clients meet it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from support.grpc_client import Client, compiled_stubs
from support.running import Installation, running

BURST = 40
# Slow enough that no token comes back while the test runs.
PER_SECOND = 0.001


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with running(
        tmp_path_factory.mktemp("data"),
        embedded_engine=False,
        rate_limit_per_second=PER_SECOND,
        rate_limit_burst=BURST,
    ) as installation:
        yield installation


@pytest.fixture
def caller(strict: Installation) -> Iterator[Client]:
    with grpc.insecure_channel(strict.address) as channel:
        yield Client(channel, compiled_stubs())


def outcome(client: Client, credential: str) -> grpc.StatusCode:
    call = client.stubs.TeamServiceStub(client.channel).ListTeams.future(
        client.stubs.ListTeamsRequest(), metadata=(("authorization", f"Bearer {credential}"),)
    )
    code: grpc.StatusCode = call.code()
    return code


def test_exactly_the_burst_passes_however_the_calls_arrive(
    strict: Installation, caller: Client
) -> None:
    organization = strict.found()
    credentials = [organization.api_key, strict.token(organization.admin_id)]
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(
            pool.map(lambda number: outcome(caller, credentials[number % 2]), range(BURST * 3))
        )
    assert outcomes.count(grpc.StatusCode.OK) == BURST
    assert outcomes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == BURST * 2
    neighbour = strict.found()
    assert outcome(caller, neighbour.api_key) is grpc.StatusCode.OK


def test_a_refusal_says_when_to_come_back(strict: Installation, caller: Client) -> None:
    organization = strict.found()
    for _ in range(BURST):
        caller("TeamService/ListTeams", organization.api_key)
    error = caller.error("TeamService/ListTeams", organization.api_key)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    headers = [*(error.initial_metadata() or ()), *(error.trailing_metadata() or ())]
    (after,) = (int(value) for name, value in headers if name == "retry-after")
    assert 990 <= after <= 1_000
    found = dict(headers)["grpc-status-details-bin"]
    delays = [
        retry.retry_delay.seconds
        for detail in status_pb2.Status.FromString(found).details
        if detail.Unpack(retry := error_details_pb2.RetryInfo())
    ]
    assert len(delays) == 1
    assert abs(delays[0] - after) <= 1


def test_refused_calls_count_even_when_they_are_not_allowed(
    strict: Installation, caller: Client
) -> None:
    organization = strict.found()
    for _ in range(BURST):
        error = caller.error("InboxService/Sync", organization.api_key)
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert outcome(caller, organization.api_key) is grpc.StatusCode.RESOURCE_EXHAUSTED

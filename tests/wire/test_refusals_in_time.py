"""What a refusal says about time, on every protocol and door, by a clock that stands still."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from interop.protocols import PROTOCOLS, Outcome, call
from support.grpc_client import Organization
from support.running import Installation, running

from pidgr.clock import SECOND, ManualClock
from pidgr.storage.database import Database
from pidgr.system import migrate

START = 1_790_000_000 * SECOND
# One call each 7.3 s, so that neither a fraction nor a whole number of seconds rounds to itself.
PER_SECOND = 1 / 7.3
BURST = 3
LIST_TEAMS = "/pidgr.v1.TeamService/ListTeams"
SSO = "/pidgr.v1.SSOService/CheckSSOByDomain"


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def slow(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    clock: ManualClock,
) -> Iterator[Installation]:
    settings: dict[str, Any] = {
        f"{limit}_limit_{part}": value
        for limit in ("rate", "sign_in", "public", "bad_credential")
        for part, value in (("per_second", PER_SECOND), ("burst", BURST))
    }
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("create database refusals")
        settings["database_url"] = server.get_uri(database="refusals")
        database = Database(settings["database_url"])
        migrate(database)
        database.close()
    with running(
        tmp_path_factory.mktemp("data"), clock=clock, embedded_engine=False, **settings
    ) as installation:
        yield installation


def retry_info(outcome: Outcome, protocol: str) -> int:
    """Return the microseconds the error's details ask to wait."""
    delay = error_details_pb2.RetryInfo()
    if protocol.startswith("connect"):
        (value,) = (
            detail["value"]
            for detail in json.loads(outcome.body)["details"]
            if detail["type"] == "google.rpc.RetryInfo"
        )
        delay.ParseFromString(base64.b64decode(value + "=="))
    else:
        told = {**outcome.headers, **outcome.trailers}
        status = status_pb2.Status.FromString(
            base64.b64decode(told["grpc-status-details-bin"] + "==")
        )
        (_,) = (detail for detail in status.details if detail.Unpack(delay))
    return int(delay.retry_delay.ToMicroseconds())


def exact(clock: ManualClock, send: Callable[[], Outcome]) -> tuple[Outcome, int]:
    """Use up an allowance, see that waiting as told helps and a second less does not.

    Return the refusal and the seconds it told.
    """
    answers = [send() for _ in range(BURST + 1)]
    assert [one.code for one in answers].index("resource_exhausted") == BURST
    refused = answers[-1]
    seconds = int(refused.headers["retry-after"])
    assert seconds == 8
    clock.advance((seconds - 1) * SECOND)
    assert send().code == "resource_exhausted"
    clock.advance(SECOND)
    assert send().code == answers[0].code
    return refused, seconds


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_organizations_allowance(slow: Installation, clock: ManualClock, protocol: str) -> None:
    organization = slow.found()

    def send() -> Outcome:
        spoken = PROTOCOLS[protocol]
        body = b"{}" if protocol == "connect json" else b""
        return call(
            slow.address, LIST_TEAMS, spoken, spoken.body(body), credential=organization.api_key
        )

    refused, seconds = exact(clock, send)
    told = retry_info(refused, protocol)
    assert (seconds - 1) * SECOND < told <= seconds * SECOND
    assert f"try again in {seconds} s" in refused.message.replace("%20", " ")
    # RetryInfo is finer: waiting that long is enough, a microsecond less is not.
    clock.advance(100 * SECOND)
    for _ in range(BURST):
        assert send().code == "ok"
    told = retry_info(send(), protocol)
    clock.advance(told - 1)
    assert send().code == "resource_exhausted"
    clock.advance(1)
    assert send().code == "ok"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_without_a_credential(slow: Installation, clock: ManualClock, protocol: str) -> None:
    clock.advance(1_000 * SECOND)

    def send() -> Outcome:
        spoken = PROTOCOLS[protocol]
        body = b'{"domain": "example.com"}' if protocol == "connect json" else b""
        return call(slow.address, SSO, spoken, spoken.body(body))

    refused, _ = exact(clock, send)
    assert 7 * SECOND < retry_info(refused, protocol) <= 8 * SECOND


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_made_up_credentials(slow: Installation, clock: ManualClock, protocol: str) -> None:
    clock.advance(1_000 * SECOND)

    def send() -> Outcome:
        spoken = PROTOCOLS[protocol]
        return call(
            slow.address, LIST_TEAMS, spoken, spoken.body(b""), credential="pidgr_k_made-up"
        )

    exact(clock, send)


def test_reflection(slow: Installation, clock: ManualClock) -> None:
    clock.advance(1_000 * SECOND)
    path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

    def send() -> Outcome:
        spoken = PROTOCOLS["grpc"]
        return call(slow.address, path, spoken, spoken.body(b"\x3a\x00"))

    refused, _ = exact(clock, send)
    assert 7 * SECOND < retry_info(refused, "grpc") <= 8 * SECOND


DOORS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "auth": ("POST", "/auth/refresh", {"json": {"refresh_token": "x"}}),
    "oauth": ("POST", "/oauth/token", {"data": {"grant_type": "x", "client_id": "pidgr-mcp"}}),
    "consent": ("GET", "/oauth/authorize", {}),
    "keys": ("GET", "/.well-known/jwks.json", {}),
    "metadata": ("GET", "/.well-known/oauth-authorization-server", {}),
    "made-up credential": ("GET", "/auth/policy", {"headers": {"authorization": "Bearer a.b.c"}}),
}


@pytest.mark.parametrize("door", DOORS)
def test_plain_doors(slow: Installation, clock: ManualClock, door: str) -> None:
    clock.advance(1_000 * SECOND)
    method, path, arguments = DOORS[door]

    def send() -> Outcome:
        answer = httpx.request(method, slow.url + path, **arguments)
        code = "resource_exhausted" if answer.status_code == 429 else str(answer.status_code)
        return Outcome(answer.status_code, code, headers=dict(answer.headers))

    exact(clock, send)


def test_a_door_with_a_credential_counts_against_its_organization(
    slow: Installation, clock: ManualClock
) -> None:
    clock.advance(1_000 * SECOND)
    organizations = [slow.found(), slow.found()]

    def send(organization: Organization) -> int:
        headers = {"authorization": f"Bearer {organization.api_key}"}
        return httpx.get(f"{slow.url}/auth/policy", headers=headers).status_code

    assert [send(organizations[0]) for _ in range(4)] == [200, 200, 200, 429]
    assert send(organizations[1]) == 200

"""One organization's limit, kept by three server processes on one PostgreSQL."""

import secrets
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import httpx
import psycopg
import pytest
from support.grpc_client import Organization, compiled_stubs
from support.serve_process import ServeProcess

from pidgr.storage.database import Database
from pidgr.system import migrate

BURST = 150
# Slow enough that nothing comes back while the test runs.
SETTINGS = {
    f"{limit}_limit_{part}": value
    for limit in ("rate", "sign_in", "public")
    for part, value in (("per_second", 0.001), ("burst", BURST))
}


@pytest.fixture(scope="module")
def three(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[ServeProcess]]:
    server = request.getfixturevalue("postgres_server")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("create database three_processes")
    url = server.get_uri(database="three_processes")
    database = Database(url)
    migrate(database)
    database.close()
    processes = [
        ServeProcess(
            tmp_path_factory.mktemp("data"),
            database_url=url,
            master_key=request.module.__name__ * 4,
            embedded_engine=False,
            **SETTINGS,
        )
        for _ in range(3)
    ]
    with ExitStack() as stack, ThreadPoolExecutor(3) as pool:
        # Together, for each takes a while.
        yield list(pool.map(stack.enter_context, processes))


@pytest.fixture(scope="module")
def organization(three: list[ServeProcess]) -> Organization:
    return three[0].found(f"Organization {secrets.token_hex(4)}")


def test_exactly_the_burst_passes_whichever_process_is_asked(
    three: list[ServeProcess], organization: Organization
) -> None:
    stubs = compiled_stubs()

    def hammer(process: ServeProcess) -> Counter[grpc.StatusCode]:
        metadata = (("authorization", f"Bearer {organization.api_key}"),)
        with grpc.insecure_channel(process.address) as channel:
            list_teams = stubs.TeamServiceStub(channel).ListTeams
            calls = [
                list_teams.future(stubs.ListTeamsRequest(), metadata=metadata) for _ in range(BURST)
            ]
            return Counter(call.code() for call in calls)

    with ThreadPoolExecutor(3) as pool:
        told = sum(pool.map(hammer, three), Counter[grpc.StatusCode]())
    assert told == {
        grpc.StatusCode.OK: BURST,
        grpc.StatusCode.RESOURCE_EXHAUSTED: 2 * BURST,
    }


@pytest.mark.parametrize(
    ("path", "otherwise"),
    [("/auth/refresh", 401), ("/pidgr.v1.CampaignService/GetCampaignByShortCode", 400)],
)
def test_an_address_has_one_allowance_at_all_of_them(
    three: list[ServeProcess], path: str, otherwise: int
) -> None:
    def hammer(process: ServeProcess) -> list[int]:
        with httpx.Client(base_url=process.url) as client:
            body = {"refresh_token": "x"} if path.startswith("/auth") else {}
            return [client.post(path, json=body).status_code for _ in range(BURST * 2 // 3)]

    with ThreadPoolExecutor(3) as pool:
        told = Counter(status for statuses in pool.map(hammer, three) for status in statuses)
    assert told == {otherwise: BURST, 429: BURST}

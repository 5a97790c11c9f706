"""A server of each kind, and the clients that others wrote."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.grpc_client import Organization, Stubs, compiled_stubs
from support.http_peer import Scripted, http_peer
from support.named_server import named_server
from support.node import NodeProject
from support.running import Installation, running
from support.visitor import Visitor

LIMIT_BURST = 5
LIMIT_PER_SECOND = 0.05
"""The sixth call has to wait up to 20 seconds."""


@pytest.fixture(scope="session")
def stubs() -> Stubs:
    return compiled_stubs()


@pytest.fixture(scope="session")
def node() -> NodeProject:
    return NodeProject(Path(__file__).parent / "node")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Not for the whole session: its engine would be in the way of other servers' here."""
    with running(tmp_path_factory.mktemp("server")) as installation:
        yield installation


@pytest.fixture(scope="session")
def limited_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A server that answers five calls of an organization and then one in twenty seconds."""
    with running(
        tmp_path_factory.mktemp("limited"),
        embedded_engine=False,
        rate_limit_per_second=LIMIT_PER_SECOND,
        rate_limit_burst=LIMIT_BURST,
    ) as installation:
        yield installation


@pytest.fixture
def organization(server: Installation) -> Organization:
    return server.found()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, str]]:
    """A server that knows its name, which passkeys need, and a client that people go on to."""
    with (
        http_peer() as client,
        named_server(
            tmp_path_factory.mktemp("home"), sign_in_url=client.url(path="/inbox?a=1")
        ) as (installation, letters),
    ):
        client.answer = lambda _request: Scripted(
            headers={"content-type": "text/html"}, body=b"<main>Welcome</main>"
        )
        yield installation, letters


@pytest.fixture
def visitor(home: tuple[Installation, str], node: NodeProject) -> Visitor:
    installation, letters = home
    organization = installation.found()
    email = f"{secrets.token_hex(6)}@example.com"
    headers = {"authorization": f"Bearer {organization.api_key}"}
    with httpx.Client(base_url=installation.url, headers=headers, timeout=60) as http:
        roles = http.post("/pidgr.v1.RoleService/ListRoles", json={}).json()["roles"]
        (manager,) = (role["id"] for role in roles if role["slug"] == "manager")
        fields = {"email": email, "name": "Eve", "roleId": manager}
        http.post("/pidgr.v1.MemberService/InviteUser", json=fields).raise_for_status()
    url = installation.system.settings.issuer
    scenario = {**node.browser(), "url": url, "mailbox": letters, "email": email}
    return Visitor(installation, organization, scenario)

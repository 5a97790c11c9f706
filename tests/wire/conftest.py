"""Servers on both databases, and a grpcio client for each.

A module may define ``SERVER_SETTINGS`` for its servers.
"""

import secrets
from collections.abc import Iterator
from typing import Any

import grpc
import psycopg
import pytest
from support.grpc_client import Client, Organization, Stubs, compiled_stubs
from support.push_gateway import PushGateway, push_gateway
from support.running import Installation, running
from support.story import World

from pidgr.storage.database import Database
from pidgr.system import migrate


@pytest.fixture(scope="session")
def stubs() -> Stubs:
    return compiled_stubs()


@pytest.fixture(scope="module")
def gateway() -> Iterator[PushGateway]:
    """Where the server sends its pushes."""
    with push_gateway() as running:
        yield running


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a server of either kind of database is set up with."""
    if request.param == "sqlite":
        return {}
    server = request.getfixturevalue("postgres_server")
    name = f"wire_{secrets.token_hex(6)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    url = server.get_uri(database=name)
    database = Database(url)
    migrate(database)
    database.close()
    return {"database_url": url}


@pytest.fixture(scope="module")
def installation(
    request: pytest.FixtureRequest,
    database_settings: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    gateway: PushGateway,
) -> Iterator[Installation]:
    own = getattr(request.module, "SERVER_SETTINGS", {})
    settings: dict[str, Any] = {"push_url": gateway.url, **database_settings, **own}
    with running(tmp_path_factory.mktemp("data"), **settings) as installation:
        yield installation


@pytest.fixture
def organization(installation: Installation) -> Organization:
    return installation.found()


@pytest.fixture(scope="module")
def client(installation: Installation, stubs: Stubs) -> Iterator[Client]:
    with grpc.insecure_channel(
        installation.address,
        options=[("grpc.max_receive_message_length", 64 << 20)],
    ) as channel:
        yield Client(channel, stubs)


@pytest.fixture(scope="module")
def world(installation: Installation, client: Client) -> World:
    return World(installation, client)

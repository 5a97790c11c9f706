"""A server on each database, a name server and an HTTP server that it knows of."""

import secrets
import socket
from collections.abc import Iterator
from typing import Any

import grpc
import psycopg
import pytest
from support.grpc_client import Client, Organization, Stubs, compiled_stubs
from support.http_peer import HttpPeer, http_peer
from support.identity_provider import Documents
from support.name_server import NameServer, name_server
from support.running import Installation, running

from pidgr.rpc.server import ServerOptions
from pidgr.storage.database import Database
from pidgr.system import migrate


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "sqlite":
        return {}
    server = request.getfixturevalue("postgres_server")
    name = f"sso_{secrets.token_hex(6)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    database = Database(server.get_uri(database=name))
    migrate(database)
    database.close()
    return {"database_url": server.get_uri(database=name)}


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    with name_server() as server:
        yield server


@pytest.fixture(scope="module")
def installation(
    database_settings: dict[str, Any], names: NameServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with running(
        tmp_path_factory.mktemp("data"),
        ServerOptions(port=port),
        issuer=f"http://127.0.0.1:{port}",
        sso_allowed_networks=("127.0.0.1",),
        sign_in_url="https://app.example/inbox?a=1",
        dns_servers=(names.address,),
        **database_settings,
    ) as installation:
        yield installation


@pytest.fixture(scope="session")
def stubs() -> Stubs:
    return compiled_stubs()


@pytest.fixture(scope="module")
def client(installation: Installation, stubs: Stubs) -> Iterator[Client]:
    with grpc.insecure_channel(installation.address) as channel:
        yield Client(channel, stubs)


@pytest.fixture
def organization(installation: Installation) -> Organization:
    return installation.found()


@pytest.fixture
def domain() -> str:
    return f"d{secrets.token_hex(6)}.example"


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with http_peer() as peer:
        yield peer


@pytest.fixture
def documents(peer: HttpPeer) -> Documents:
    return Documents(peer)

"""A real server on a real port, and grpcio stubs that plain protoc made of our protos."""

import importlib
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import psycopg
import pytest
from grpc_tools import protoc

import pidgr
from pidgr import operations
from pidgr.rpc.app import build_app
from pidgr.rpc.server import BackgroundServer, ServerOptions
from pidgr.settings import Settings
from pidgr.system import System, build_system, migrate
from pidgr.storage.database import Database
from wire.client import Client, Organization, Stubs

PROTOS = Path(__file__).parents[2] / "proto"


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Stubs:
    out = tmp_path_factory.mktemp("stubs")
    files = sorted(str(path) for path in PROTOS.rglob("*.proto"))
    status = protoc.main(
        ["protoc", f"-I{PROTOS}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
        + [f"--python_out={out}", f"--grpc_python_out={out}", *files]
    )
    assert status == 0
    sys.path.insert(0, str(out))
    pidgr.__path__.append(str(out / "pidgr"))
    return Stubs(_modules(out))


def _modules(out: Path) -> list[ModuleType]:
    names = (path.stem for path in sorted((out / "pidgr" / "v1").glob("*_pb2*.py")))
    return [importlib.import_module(f"pidgr.v1.{name}") for name in names]


class Installation:
    """A running server and what an operator can do to it."""

    def __init__(self, system: System, url: str) -> None:
        self.system = system
        self.url = url
        self.address = url.partition("//")[2]

    def found(self, name: str = "") -> Organization:
        name = name or f"Organization {secrets.token_hex(6)}"
        created = operations.found_organization(
            self.system, name, f"{secrets.token_hex(4)}@example.com"
        )
        return Organization(
            id=created["organization_id"],
            admin_id=created["admin_user_id"],
            api_key=created["api_key"],
        )

    def token(self, user_id: str, lifetime: int = 3_600_000_000) -> str:
        from pidgr.identity import operator

        return self.system.database.write_now(
            lambda transaction: operator.mint_token(
                transaction, self.system.signer, user_id, lifetime, self.system.clock.now()
            )
        )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    data = tmp_path_factory.mktemp("data")
    overrides: dict[str, Any] = {}
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = f"wire_{secrets.token_hex(6)}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"create database {name}")
        overrides["database_url"] = server.get_uri(database=name)
        database = Database(overrides["database_url"])
        migrate(database)
        database.close()
    settings = Settings(
        data_dir=data, rate_limit_per_second=1e6, rate_limit_burst=1_000_000, **overrides
    )
    system = build_system(settings, run_handlers=True)
    with BackgroundServer(lambda: build_app(system), ServerOptions(port=0)) as server_thread:
        yield Installation(system, server_thread.url)


@pytest.fixture
def organization(installation: Installation) -> Organization:
    return installation.found()


@pytest.fixture
def client(installation: Installation, stubs: Stubs) -> Iterator[Client]:
    with grpc.insecure_channel(
        installation.address,
        options=[("grpc.max_receive_message_length", 64 << 20)],
    ) as channel:
        yield Client(channel, stubs)

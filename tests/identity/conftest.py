"""Databases for servers that a whole module shares, and a server that has passkeys and a client."""

import secrets
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support.passkey_holder import APP, SITE, PasskeyHolder
from support.running import Installation, running

from pidgr.clock import SECOND, ManualClock
from pidgr.storage.database import Database
from pidgr.system import migrate


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a server of either kind of database is set up with."""
    if request.param == "sqlite":
        return {}
    server = request.getfixturevalue("postgres_server")
    name = f"identity_{secrets.token_hex(6)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    url = server.get_uri(database=name)
    database = Database(url)
    migrate(database)
    database.close()
    return {"database_url": url}


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock(1_790_000_000 * SECOND)


@pytest.fixture(scope="module")
def site(
    database_settings: dict[str, Any],
    clock: ManualClock,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    with running(
        tmp_path_factory.mktemp("data"),
        clock=clock,
        issuer=SITE,
        sign_in_url=APP,
        embedded_engine=False,
        **database_settings,
    ) as site:
        yield site


@pytest.fixture
def holder(site: Installation) -> Iterator[PasskeyHolder]:
    holder = PasskeyHolder(site)
    yield holder
    holder.http.close()

"""Databases for servers that a whole module shares."""

import secrets
from typing import Any

import psycopg
import pytest

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

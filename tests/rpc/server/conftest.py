from collections.abc import Iterator

import pytest

from pidgr.rpc.server import BackgroundServer, ServerOptions
from rpc.server.apps import build


@pytest.fixture
def server() -> Iterator[BackgroundServer]:
    with BackgroundServer(build, ServerOptions(port=0, drain_seconds=3)) as running:
        yield running

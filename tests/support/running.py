"""A real server on a real port, and what an operator can do to it."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pidgr import operations
from pidgr.clock import Clock
from pidgr.identity import operator
from pidgr.rpc.app import build_app
from pidgr.rpc.server import BackgroundServer, ServerOptions
from pidgr.settings import Settings
from pidgr.system import System, build_system
from support.grpc_client import Organization


class Installation:
    """A running server and what an operator can do to it."""

    def __init__(self, system: System, url: str, internal_url: str = "") -> None:
        self.system = system
        self.internal_address = internal_url.partition("//")[2]
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
        return self.system.database.write_now(
            lambda transaction: operator.mint_token(
                transaction, self.system.signer, user_id, lifetime, self.system.clock.now()
            )
        )


@contextlib.contextmanager
def running(
    data_dir: Path,
    options: ServerOptions | None = None,
    *,
    clock: Clock | None = None,
    **settings: Any,
) -> Iterator[Installation]:
    """Serve from a thread of this process; as good as no rate limit unless ``settings`` set one.

    One engine executes per process: every server but one needs ``embedded_engine=False``.
    """
    unlimited = {
        f"{limit}_limit_{part}": 1_000_000
        for limit in ("rate", "sign_in", "public", "bad_credential")
        for part in ("per_second", "burst")
    } | dict.fromkeys(("invite_limit_per_minute", "invite_limit_burst"), 1_000_000)
    configured = Settings(data_dir=data_dir, **{**unlimited, **settings})
    system = build_system(configured, run_handlers=configured.embedded_engine, clock=clock)
    options = options or ServerOptions(port=0, internal_port=configured.internal_port)
    with BackgroundServer(lambda: build_app(system), options) as server:
        yield Installation(system, server.url, server.internal_url)

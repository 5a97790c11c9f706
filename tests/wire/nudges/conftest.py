"""Servers that nudge by mail and by webhook, and an organization there."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.grpc_client import Client
from support.http_peer import HttpPeer, http_peer
from support.mail_server import Peer
from support.mailing import running_with_mail
from support.nudging_office import Office
from support.push_gateway import PushGateway
from support.running import Installation


@pytest.fixture(scope="module")
def peer() -> Peer:
    return Peer()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[HttpPeer]:
    """Where nudges over webhooks go."""
    with http_peer() as peer:
        yield peer


@pytest.fixture(scope="module")
def installation(
    database_settings: dict[str, Any],
    peer: Peer,
    endpoint: HttpPeer,
    gateway: PushGateway,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    with (
        running_with_mail(
            peer,
            tmp_path_factory.mktemp("data"),
            push_url=gateway.url,
            issuer="https://pidgr.example",
            sign_in_url="https://app.example/inbox?a=1",
            nudge_webhook_url=endpoint.url(),
            webhook_allowed_networks=("127.0.0.1",),
            **database_settings,
        ) as installation,
    ):
        yield installation


@pytest.fixture(scope="module")
def founded(installation: Installation, client: Client, peer: Peer) -> Office:
    return Office(installation, client, peer)


@pytest.fixture
def office(founded: Office) -> Iterator[Office]:
    """The organization, with mailboxes that take everything and are empty."""
    yield founded
    founded.peer.may_go.set()
    founded.peer.answers.clear()
    founded.peer.envelopes.clear()

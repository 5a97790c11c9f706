"""The inbox in a real browser, before a real server."""

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.grpc_client import Client, Stubs
from support.named_server import named_server
from support.node import NodeProject
from support.running import Installation
from support.story import Story

from pidgr.campaigns import link_store
from pidgr.campaigns.short_codes import short_code_of
from pidgr.clock import HOUR
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

CAMPAIGN = Statement("select key, organization_key from campaign where id = :id")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def _built() -> None:
    made = subprocess.run(
        ["make", "--no-print-directory", "inbox"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr


@pytest.fixture(scope="module")
def place(
    _built: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, str]]:
    """A server with its inbox, and where its mail can be read."""
    with named_server(tmp_path_factory.mktemp("place")) as place:
        yield place


class Employee(Story):
    """An organization of one employee, and the browser in front of them."""

    def __init__(self, place: tuple[Installation, str], client: Client, node: NodeProject) -> None:
        installation, letters = place
        self.name = f"Works {secrets.token_hex(4)}"
        super().__init__(installation, client, installation.found(self.name), people=0)
        self.email = f"{secrets.token_hex(6)}@example.com"
        self.user_id = self.invite(self.email, name="Eve")
        self.address = installation.system.settings.inbox_url
        self._node = node
        self._browser = {**node.browser(), "mailbox": letters, "email": self.email}

    def link(self, campaign_id: str, recipient_id: str) -> str:
        """Return the link of a nudge."""
        system = self.installation.system
        expires_at = system.clock.now() + HOUR

        def write(transaction: Transaction) -> str:
            key, organization_key = transaction.rows(CAMPAIGN, {"id": campaign_id})[0]
            token = system.deeplink_tokens.sign(
                self.organization.id,
                link_store.link_key(transaction, organization_key),
                campaign_id=campaign_id,
                recipient_id=recipient_id,
                step_kind=1,
                expires_at=expires_at,
            )
            return f"{system.settings.issuer}/c/{short_code_of(transaction, key)}?t={token}"

        return system.database.write_now(write)

    def browse(self, scenario: str, **argument: Any) -> Any:
        seen = self._node.run(
            f"inbox/{scenario}", **self._browser, **{"address": self.address, **argument}
        )
        assert seen["errors"] == []
        return seen


@pytest.fixture
def employee(
    place: tuple[Installation, str], stubs: Stubs, node: NodeProject
) -> Iterator[Employee]:
    with grpc.insecure_channel(place[0].address) as channel:
        yield Employee(place, Client(channel, stubs), node)


def test_an_employee_signs_in_reads_and_confirms_by_keyboard_alone(employee: Employee) -> None:
    campaign = employee.start()
    seen = employee.browse("read")
    assert employee.statuses(campaign.id) == {employee.user_id: "ACKNOWLEDGED"}
    assert [one["violations"] for one in seen["screens"]] == [[]] * 5
    screens = {one["name"]: one["text"] for one in seen["screens"]}
    assert "Sign in to read your messages" in screens["welcome"]
    for told in ("Unread", "To confirm", "New policy", "People team", "Please read it."):
        assert told in screens["list"]
    assert seen["focused"] == "H1"
    assert "Got it" in screens["message"]
    assert "You have confirmed this message" in screens["confirmed"]
    assert "Got it" not in screens["confirmed"]
    assert "Confirmed" in screens["list afterwards"]
    assert "Unread" not in screens["list afterwards"]
    (delivery,) = employee.deliveries(campaign.id).deliveries
    assert delivery.HasField("read_at")


def test_a_confirmation_is_sent_until_it_is_answered_and_counts_once(employee: Employee) -> None:
    campaign = employee.start()
    seen = employee.browse("confirmInVain")
    assert seen["buttons"] == 0
    assert len(seen["sent"]) >= 3
    assert len({one["key"] for one in seen["sent"]}) == 1
    assert {one["status"] for one in seen["sent"]} == {200}
    assert employee.counts(campaign.id) == (1, 1, 0)


def test_a_link_of_a_nudge_leads_to_its_message(employee: Employee) -> None:
    campaign = employee.start(title="Fire drill")
    colleague = employee.invite("colleague@example.com")
    other = employee.start(title="Parking", user_ids=[colleague])
    seen = employee.browse(
        "follow",
        link=employee.link(campaign.id, employee.user_id),
        foreign=employee.link(other.id, colleague),
    )
    for told in (f"A message from {employee.name} waits", "Fire drill"):
        assert told in seen["welcome"]["text"]
    delivery_id = employee.delivery_id(campaign.id, employee.user_id)
    for opened in ("opened", "again"):
        assert seen[opened]["url"] == f"{employee.address}#{delivery_id}"
        assert "Please read it." in seen[opened]["text"]
    assert "sent to somebody else" in seen["refused"]["text"]
    assert "Parking" not in seen["refused"]["text"]

"""Reading and exporting the audit trail through the wire."""

import csv
import io
import itertools
import json
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from support.grpc_client import Client, Organization
from support.running import Installation
from support.story import World, row_counts
from support.waiting import until

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

LIST, EXPORT, EXPORTS = (
    f"AuditService/{rpc}" for rpc in ("ListAuditEvents", "ExportAuditTrail", "ListAuditExports")
)

_HOLD = Statement("""
    insert into audit_export
      (id, organization_key, format, status, start_at, end_at, created_at)
    select :id, key, 1, 2, 0, 0, 0 from organization where id = :owner
""")
_KEY = Statement("select key from audit_export where id = :id")


class Trail:
    """The trail of one organization, as its admin sees it."""

    def __init__(self, client: Client, credential: str, url: str = "") -> None:
        self.client = client
        self.credential = credential
        self.url = url

    def name(self, event: Any) -> str:
        full: str = self.client.stubs.AuditEventType.Name(event.event_type)
        return full.removeprefix("AUDIT_EVENT_TYPE_")

    def all(self, size: int = 0, **fields: Any) -> list[Any]:
        """Return every event, read in pages of a size."""
        found: list[Any] = []
        token = ""
        for _ in itertools.count():
            page = self.client(LIST, self.credential, page_size=size, page_token=token, **fields)
            found += page.events
            token = page.next_page_token
            if not token:
                return found
        raise AssertionError("unreachable")

    def type(self, name: str) -> Any:
        return self.client.stubs.AuditEventType.Value(f"AUDIT_EVENT_TYPE_{name}")

    def export(self, file_format: str) -> Any:
        """Have a file written and return the finished export."""
        number = self.client.stubs.AuditExportFormat.Value(f"AUDIT_EXPORT_FORMAT_{file_format}")
        begun = self.client(EXPORT, self.credential, format=number)
        assert begun.status == self.client.stubs.PRIVACY_REQUEST_STATUS_PENDING
        assert begun.export_url == ""
        until(lambda: self.newest().status == self.client.stubs.PRIVACY_REQUEST_STATUS_COMPLETED)
        return self.newest()

    def fetch(self, export: Any) -> httpx.Response:
        return httpx.get(self.link(export))

    def link(self, export: Any) -> httpx.URL:
        """Return the link to an export as it is for this server, whatever its public address."""
        return httpx.URL(self.url).join(httpx.URL(export.result_url).raw_path.decode())

    def newest(self) -> Any:
        return self.client(EXPORTS, self.credential).exports[0]


@pytest.fixture(scope="module")
def trail(world: World) -> Trail:
    """What happened in an organization where Ada read a message and Bob confirmed it."""
    campaign = world.start()
    world.client(
        "InboxService/MarkRead",
        world.tokens[world.ada],
        delivery_id=world.delivery_id(campaign.id, world.ada),
    )
    world.acknowledge(campaign.id, world.bob)
    admin = world.installation.token(world.organization.admin_id)
    return Trail(world.client, admin, world.installation.url)


def test_pages_of_every_size_show_the_same_trail(trail: Trail, world: World) -> None:
    whole = trail.all(100)
    assert [event.id for event in trail.all(1)] == [event.id for event in whole]
    assert [event.id for event in trail.all(7)] == [event.id for event in whole]
    moments = [event.created_at.ToNanoseconds() for event in whole]
    assert moments == sorted(moments, reverse=True)
    assert {event.org_id for event in whole} == {world.organization.id}
    names = {trail.name(event) for event in whole}
    assert names >= {"ORG_CREATED", "USER_INVITED", "CAMPAIGN_STARTED", "MESSAGE_SENT"}
    assert names >= {"MESSAGE_OPENED", "ACK_REGISTERED"}


def test_receipts_name_the_recipient_and_the_delivery(trail: Trail, world: World) -> None:
    # Who confirms has read.
    by_bob, opened = trail.all(event_type=trail.type("MESSAGE_OPENED"))
    assert by_bob.actor_id == world.bob
    (confirmed,) = trail.all(event_type=trail.type("ACK_REGISTERED"))
    assert (opened.actor_id, confirmed.actor_id) == (world.ada, world.bob)
    campaign_id = opened.metadata["campaign_id"]
    assert confirmed.metadata["campaign_id"] == campaign_id
    assert confirmed.entity_type == "delivery"
    assert confirmed.entity_id == world.delivery_id(campaign_id, world.bob)
    assert confirmed.metadata["actor_type"] == "user"
    assert confirmed.event_class == trail.client.stubs.AUDIT_EVENT_CLASS_SYSTEM


def test_filters_by_actor_class_and_time(trail: Trail, world: World) -> None:
    whole = trail.all(100)
    by_bob = trail.all(actor_id=world.bob)
    assert [trail.name(event) for event in by_bob] == ["ACK_REGISTERED", "MESSAGE_OPENED"]
    management = trail.client.stubs.AUDIT_EVENT_CLASS_MANAGEMENT
    assert [event.id for event in trail.all(event_classes=[management])] == [
        event.id for event in whole if event.event_class == management
    ]
    middle = whole[len(whole) // 2].created_at
    one = trail.all(start_time=middle, end_time=middle)
    assert {event.id for event in one} == {
        event.id for event in whole if event.created_at == middle
    }


@pytest.mark.parametrize(
    ("rpc", "fields", "path"),
    [
        (LIST, {"event_type": 99}, "event_type"),
        (LIST, {"event_classes": [0]}, "event_classes[0]"),
        (LIST, {"event_classes": [1, 9]}, "event_classes[1]"),
        (LIST, {"actor_id": "x" * 201}, "actor_id"),
        (LIST, {"page_size": -1}, "page_size"),
        (LIST, {"page_token": "nonsense"}, "page_token"),
        (LIST, {"start_time": Timestamp(seconds=9), "end_time": Timestamp()}, "start_time"),
        (LIST, {"end_time": Timestamp(seconds=1 << 60)}, "end_time"),
        (EXPORT, {}, "format"),
        (EXPORT, {"format": 9}, "format"),
        (
            EXPORT,
            {"format": 1, "start_time": Timestamp(seconds=9), "end_time": Timestamp()},
            "start_time",
        ),
    ],
)
def test_bad_fields_are_named_and_nothing_is_written(
    trail: Trail, installation: Installation, rpc: str, fields: dict[str, Any], path: str
) -> None:
    before = row_counts(installation)
    error = trail.client.error(rpc, trail.credential, **fields)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"{path}:")
    assert row_counts(installation) == before


def test_a_token_is_for_its_own_list(trail: Trail, organization: Organization) -> None:
    token = trail.client(LIST, trail.credential, page_size=1).next_page_token
    for credential, fields in (
        (trail.credential, {"actor_id": "somebody"}),
        (organization.api_key, {}),
    ):
        error = trail.client.error(LIST, credential, page_token=token, **fields)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_another_organization_sees_its_own_trail_only(
    trail: Trail, world: World, organization: Organization
) -> None:
    other = Trail(trail.client, organization.api_key)
    assert {event.org_id for event in other.all()} == {organization.id}
    assert other.all(actor_id=world.organization.admin_id) == []
    assert list(trail.client(EXPORTS, organization.api_key).exports) == []


def test_an_export_holds_the_trail_of_its_moment(trail: Trail, world: World) -> None:
    whole = trail.all(100)
    export = trail.export("JSON")
    trail.client("TeamService/CreateTeam", trail.credential, name="Later")
    answer = trail.fetch(export)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "private, no-store"
    found = json.loads(answer.content)
    # Asking for the export is in the trail too, with the moment that ends the export.
    assert [one["id"] for one in found if one["event_type"] != "DATA_EXPORT_REQUESTED"] == [
        event.id for event in whole
    ]
    assert export.id in {one["entity_id"] for one in found} | {
        event.entity_id for event in trail.all(event_type=trail.type("DATA_EXPORT_REQUESTED"))
    }
    assert export.format == "json"
    assert export.requested_by_email
    assert export.completed_at.seconds > 0

    rows = list(csv.DictReader(io.StringIO(trail.fetch(trail.export("CSV")).text)))
    assert {one["id"] for one in found} < {row["id"] for row in rows}
    by_key = Trail(trail.client, world.key)
    parquet = by_key.export("PARQUET")
    assert parquet.requested_by_email == ""
    assert trail.fetch(parquet).content[:4] == b"PAR1"


def test_links_to_exports_cannot_be_made_up_and_end(
    trail: Trail, installation: Installation
) -> None:
    export = trail.export("CSV")
    url = trail.link(export)
    assert httpx.get(url).status_code == 200
    for params in (
        {},
        {"ends": url.params["ends"]},
        {**url.params, "ends": str(int(url.params["ends"]) + 1)},
        {**url.params, "signature": "x" + url.params["signature"][1:]},
        {**url.params, "signature": "é"},
        {**url.params, "ends": "9" * 40},
    ):
        assert httpx.get(url.copy_with(params=params)).status_code == 404
    other = url.copy_with(path=url.path.replace(export.id, export.id[::-1]))
    assert httpx.get(other).status_code == 404
    name = url.path.removeprefix("/files/")
    ended = httpx.URL(installation.system.blob_links.write(name, -1_000_000))
    assert httpx.get(url.copy_with(query=ended.query)).status_code == 404
    climbing = url.copy_with(raw_path=b"/files/..%2f..%2fetc%2fpasswd?" + url.query)
    assert httpx.get(climbing).status_code == 404


def test_five_unfinished_exports_are_enough(
    trail: Trail, installation: Installation, organization: Organization
) -> None:
    """They wait here, for the engine's tasks are held back."""
    own = Trail(trail.client, organization.api_key)

    def hold(unit: Transaction) -> None:
        for number in range(5):
            unit.execute(_HOLD, {"id": f"{organization.id}-{number}", "owner": organization.id})

    installation.system.database.write_now(hold)
    error = own.client.error(EXPORT, own.credential, format=1)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(own.client(EXPORTS, own.credential).exports) == 5


def test_a_finished_export_is_deleted_with_its_file(
    trail: Trail, installation: Installation
) -> None:
    export = trail.export("CSV")
    key = installation.system.database.read_now(
        lambda reader: reader.value(_KEY, {"id": export.id})
    )
    for _ in range(2):
        installation.system.audit_exports.expire(key)
    assert trail.fetch(export).status_code == 404
    assert export.id not in {one.id for one in trail.client(EXPORTS, trail.credential).exports}
    installation.system.audit_exports.write(key)
    assert trail.fetch(export).status_code == 404

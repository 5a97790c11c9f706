"""Campaigns whose steps deliver to one partition after another; on SQLite there is one place."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from support.grpc_client import Client
from support.rows import contents
from support.running import Installation
from support.story import World
from support.waiting import until

from pidgr import reports
from pidgr.campaigns import partition_store
from pidgr.campaigns.partitions import Partitions
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement

_PLACES = Statement("""
    select count(distinct d.tableoid)
    from delivery d
    join step_run r on r.key = d.step_run_key
    join campaign c on c.key = r.campaign_key
    where c.id = :campaign_id
""")


_GIVE_OUT_HALF = Statement("""
    select setval(sequence, (pg_sequence_last_value(sequence) >> 32 << 32) + (1::bigint << 31))
    from (select pg_get_serial_sequence('step_run', 'key')::regclass as sequence) s
""")


@pytest.fixture
def world(installation: Installation, client: Client) -> World:
    return World(installation, client)


def cut(world: World) -> None:
    """Let the deliveries of the steps to come go elsewhere."""
    system = world.installation.system
    if system.database.dialect == "postgresql":
        newest = system.database.read_now(partition_store.newest)
        Partitions(system.database, system.engine).cut(newest.number + 1)


def places(database: Database, campaign_id: str) -> int:
    """Return in how many partitions the deliveries of a campaign are."""
    if database.dialect == "sqlite":
        return 0
    parameters = {"campaign_id": campaign_id}
    found: int = database.read_now(lambda reader: reader.value(_PLACES, parameters))
    return found


def entries(world: World, user_id: str) -> list[Any]:
    return list(world.client("InboxService/Sync", world.tokens[user_id]).entries)


def follow(world: World, user_id: str) -> list[str]:
    """Return the deliveries of an inbox in the order of their changes, synced one by one."""
    found: list[str] = []
    since = Timestamp(seconds=1)
    while True:
        token = world.tokens[user_id]
        answer = world.client("InboxService/Sync", token, since=since, limit=1)
        if not answer.entries:
            return found
        found += [str(entry.delivery_id) for entry in answer.entries]
        since = answer.next_since


def own(world: World, campaign_id: str) -> dict[str, str]:
    """Return the primary deliveries of a campaign by their recipients."""
    listed = world.deliveries(campaign_id, pagination={"page_size": 100}).deliveries
    kind = world.stubs.Delivery.KIND_PRIMARY
    return {str(one.user_id): str(one.id) for one in listed if one.kind == kind}


def events(world: World, delivery_id: str) -> set[str]:
    told = reports.explain_in(world.installation.system, delivery_id).happenings
    return {one.event for one in told}


def paged(world: World, campaign_id: str) -> list[str]:
    """Return the deliveries of a campaign, read by pages of two."""
    found: list[str] = []
    token = ""
    while True:
        pagination = {"page_size": 2, "page_token": token}
        page = world.deliveries(campaign_id, pagination=pagination)
        found += [str(one.id) for one in page.deliveries]
        token = page.pagination_meta.next_page_token
        if not token:
            return found


def test_a_campaign_goes_on_in_other_partitions_than_it_began_in(world: World) -> None:
    stubs, database = world.stubs, world.installation.system.database
    watcher = world.invite("watcher@example.com")
    target = world.steps.target("USER", watcher)
    people = [world.ada, world.bob, world.cleo]
    secrets = {user_id: f"secret of {user_id}" for user_id in people}
    campaign = world.start(
        workflow=world.steps(
            world.steps.send(action_label="Got it"),
            world.steps.wait(),
            world.steps.remind(notify_targets=[target]),
            world.steps.wait("late"),
            world.steps.escalate(targets=[target]),
            world.steps.send("again"),
            world.steps.wait("last"),
            world.steps.missed(),
        ),
        template_id=world.template(
            body="The {{word}}", variables=[world.variable("word", required=True)]
        ),
        user_ids=[],
        audience=[
            stubs.AudienceMember(user_id=user_id, variables={"word": secret})
            for user_id, secret in secrets.items()
        ],
    )
    cut(world)
    world.pass_deadline(campaign.id)
    world.reach(campaign.id, "late")
    first = own(world, campaign.id)
    copies = entries(world, watcher)
    assert sorted(copy.parent_delivery_id for copy in copies) == sorted(first.values())
    assert sorted(copy.message.body for copy in copies) == [
        f"The {secret}" for secret in sorted(secrets.values())
    ]

    # Ada's copy is settled, in another partition than her delivery.
    world.acknowledge(campaign.id, world.ada)
    acknowledged = stubs.DELIVERY_STATUS_ACKNOWLEDGED
    settled = [one for one in entries(world, watcher) if one.status == acknowledged]
    assert [copy.parent_delivery_id for copy in settled] == [first[world.ada]]
    assert world.counts(campaign.id)[1] == 1

    cut(world)
    world.pass_deadline(campaign.id, "late")
    world.reach(campaign.id, "last")
    assert places(database, campaign.id) == (3 if database.dialect == "postgresql" else 0)
    told = entries(world, watcher)
    kinds = [entry.kind for entry in told]
    assert sorted(kinds) == sorted(
        [stubs.Delivery.KIND_REMINDER_FYI] * 3 + [stubs.Delivery.KIND_ESCALATION] * 2
    )
    assert set(kinds[:2]) == {stubs.Delivery.KIND_ESCALATION}
    assert set(follow(world, watcher)) == {entry.delivery_id for entry in told}

    listed = world.deliveries(campaign.id, pagination={"page_size": 100})
    assert paged(world, campaign.id) == [one.id for one in listed.deliveries]
    assert len(listed.deliveries) == listed.pagination_meta.total_count == 3 + 3 + 2 + 3
    assert {"reminded", "reminder_copied", "escalated"} <= events(world, first[world.bob])
    assert {"created", "dismissed"} <= events(world, settled[0].delivery_id)


def test_a_step_that_delivers_has_a_full_partition_followed_by_another(world: World) -> None:
    """It is full when half of its keys are given out; a large one is more than a test can write."""
    database = world.installation.system.database
    if database.dialect == "postgresql":
        last = database.write_now(lambda transaction: transaction.value(_GIVE_OUT_HALF))
    campaign = world.start()
    assert world.counts(campaign.id)[0] == 4
    if database.dialect == "postgresql":
        until(lambda: database.read_now(partition_store.newest).number == (last >> 32) + 1)
    world.start()
    assert len(entries(world, world.ada)) == 2


def test_whoever_is_erased_is_so_in_every_partition(world: World) -> None:
    database = world.installation.system.database
    officer = world.installation.token(world.organization.admin_id)
    template = world.template(
        body="The {{word}}", variables=[world.variable("word", required=True)]
    )
    member = world.stubs.AudienceMember(user_id=world.ada, variables={"word": "secret of Ada"})
    for _ in range(3):
        world.start(template_id=template, user_ids=[], audience=[member])
        cut(world)
    assert len(entries(world, world.ada)) == 3
    received = [entry.received_at.ToMicroseconds() for entry in entries(world, world.ada)]
    assert received == sorted(received, reverse=True)
    asked = world.client("PrivacyService/DeleteUserData", officer, user_id=world.ada)
    world.client(
        "PrivacyService/ImmediateDelete",
        officer,
        request_id=asked.request_id,
        confirmation_email="person0@example.com",
    )

    def left() -> list[str]:
        found = database.read_now(contents)
        return [name for name, rows in found.items() if "secret of Ada" in repr(rows)]

    until(lambda: not left())

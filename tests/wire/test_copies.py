"""A message is confirmed at the very moment at which others are told that it is not."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Thread

import pytest
from support.grpc_client import Client, Organization
from support.overlap import overlap, waits_for_a_lock
from support.running import Installation
from support.story import Story, deadline_workflow
from support.waiting import until

from pidgr.campaigns import child_store
from pidgr.campaigns.child_store import SpawnBatch, Targets
from pidgr.campaigns.delivery_id import DeliveryKey
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.inbox import store
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Row, Transaction

_ORGANIZATION = Statement("select key from organization where id = :id")
_MEMBER = Statement("select key from member where id = :id")
_COPIES = Statement("""
    select status from delivery where parent_run_key = :step_run_key and parent_ordinal = :ordinal
""")

_SECOND_RUN = Statement("""
    insert into step_run
      (campaign_key, organization_key, step_id, iteration, step_type, action_type, action_label,
       locale, template_version, started_at)
    select campaign_key, organization_key, 'again', 0, step_type, action_type, action_label,
           locale, template_version, started_at
    from step_run where key = :step_run_key and :ordinal >= 0 returning key
""")
_COUNTED = Statement("""
    select n.is_primary, sum(n.waiting + n.delivered + n.no_device), sum(n.acknowledged)
    from campaign_counter n join campaign c on c.key = n.campaign_key
    where c.id = :id group by n.is_primary order by n.is_primary
""")


class Moment:
    """Ann's message, which Mia may be told of."""

    def __init__(self, installation: Installation, client: Client, acme: Organization) -> None:
        story = Story(installation, client, acme, people=2)
        self.story = story
        self.database = installation.system.database
        self.ann, self.mia = story.user_ids
        story.register(self.ann)
        campaign = story.start(user_ids=[self.ann], workflow=deadline_workflow(client))
        self.delivery_id = story.delivery_id(campaign.id, self.ann)
        self.key: DeliveryKey = installation.system.delivery_ids.decode("id", self.delivery_id)
        self.organization_key: int = self.database.read_now(
            lambda reader: reader.value(_ORGANIZATION, {"id": acme.id})
        )

    def tell(self, transaction: Transaction, copy: DeliveryKey | None = None) -> None:
        """Make Mia's copy, as a reminder would."""
        made = copy or self.key._replace(ordinal=self.key.ordinal + 1)
        batch = SpawnBatch(
            step_run_key=made.step_run_key,
            organization_key=self.organization_key,
            base_run_key=self.key.step_run_key,
            since=self.key.ordinal,
            upto=self.key.ordinal + 1,
            statuses=(int(DeliveryStatus.PENDING), int(DeliveryStatus.DELIVERED)),
            kind=Delivery.Kind.REMINDER_FYI,
        )
        targets = Targets(
            users=(self.mia,), groups=(), roles=(), manager=False, include_restricted=False
        )
        child_store.insert_children(transaction, batch, targets, made.ordinal, 0)

    def confirm(self) -> None:
        self.story.client(
            "ActionService/SubmitAction",
            self.story.tokens[self.ann],
            delivery_id=self.delivery_id,
            action_id="ack",
        )

    def copies(self) -> list[DeliveryStatus]:
        found = self.database.read_now(lambda reader: reader.rows(_COPIES, self.key._asdict()))
        return [DeliveryStatus(status) for (status,) in found]


@pytest.fixture
def moment(installation: Installation, client: Client, organization: Organization) -> Moment:
    return Moment(installation, client, organization)


def test_a_copy_that_is_being_made_is_dismissed(moment: Moment) -> None:
    overlap(moment.database, moment.tell, moment.confirm)
    assert moment.copies() == [DeliveryStatus.ACKNOWLEDGED]


def test_no_copy_is_made_of_what_is_being_confirmed(moment: Moment) -> None:
    def confirm(transaction: Transaction) -> None:
        store.lock_delivery(transaction, moment.organization_key, moment.key)
        store.acknowledge(transaction, moment.key, 0)

    overlap(moment.database, confirm, lambda: moment.database.write_now(moment.tell))
    assert moment.copies() == []


def test_a_copy_that_is_being_opened_is_counted_as_opened_when_it_is_dismissed(
    moment: Moment,
) -> None:
    moment.story.register(moment.mia)
    moment.database.write_now(moment.tell)
    copy = moment.key._replace(ordinal=moment.key.ordinal + 1)
    mia = moment.database.read_now(lambda reader: reader.value(_MEMBER, {"id": moment.mia}))
    dismissed: list[Row] = []

    def dismiss(transaction: Transaction) -> None:
        dismissed[:] = child_store.dismiss_copies(transaction, *moment.key, 0)

    overlap(
        moment.database,
        lambda transaction: store.mark_delivered(transaction, mia, copy, 0),
        lambda: moment.database.write_now(dismiss),
    )
    assert dismissed == [(copy.ordinal, DeliveryStatus.DELIVERED)]


def test_dismissing_locks_copies_in_the_order_in_which_inboxes_do(moment: Moment) -> None:
    """Else each would wait for the other, until PostgreSQL ended one of them."""
    database = moment.database
    if database.dialect == "sqlite":
        pytest.skip("one writer at a time")
    moment.story.register(moment.mia)
    mia = database.read_now(lambda reader: reader.value(_MEMBER, {"id": moment.mia}))
    # Fewer people wait for a second reminder, so its copies have smaller numbers in a later run.
    first = moment.key._replace(ordinal=moment.key.ordinal + 1)
    run = database.write_now(lambda unit: unit.value(_SECOND_RUN, moment.key._asdict()))
    second = DeliveryKey(run, 0)
    for copy in (first, second):
        database.write_now(partial(moment.tell, copy=copy))
    attempts: list[str] = []

    def open_both(transaction: Transaction) -> None:
        attempts.append("open")
        store.mark_delivered(transaction, mia, first, 0)
        if attempts == ["open"]:
            dismissing.start()
            until(lambda: waits_for_a_lock(database))
        store.mark_delivered(transaction, mia, second, 0)

    def dismiss(transaction: Transaction) -> None:
        attempts.append("dismiss")
        child_store.dismiss_copies(transaction, *moment.key, 0)

    dismissing = Thread(target=lambda: database.write_now(dismiss))
    database.write_now(open_both)
    dismissing.join()
    assert attempts == ["open", "dismiss"]
    assert moment.copies() == [DeliveryStatus.ACKNOWLEDGED] * 2


def test_many_who_confirm_at_once_do_not_wait_for_each_other_in_a_circle(
    installation: Installation, client: Client, organization: Organization
) -> None:
    """With twelve copies each, they count in nearly all of the campaign's counters."""
    people, told = 32, 12
    story = Story(installation, client, organization, people=people + told)
    originals, others = story.user_ids[:people], story.user_ids[people:]
    for user_id in originals:
        story.register(user_id)
    group = client("GroupService/CreateGroup", story.key, name="Told").group
    client("GroupService/AddGroupMembers", story.key, group_id=group.id, user_ids=others)
    steps = story.steps
    remind = steps.remind(notify_targets=[steps.target("GROUP", group.id)])
    workflow = steps(steps.send(action_label="Got it"), remind, steps.wait(), steps.missed())
    campaign = story.start(user_ids=originals, workflow=workflow)
    pages = {"page_size": 100}
    deliveries = story.deliveries(campaign.id, pagination=pages).deliveries
    own = {one.user_id: one.id for one in deliveries if not one.parent_delivery_id}
    assert own.keys() == set(originals)

    def confirm(user_id: str) -> None:
        token = story.tokens[user_id]
        client("ActionService/SubmitAction", token, delivery_id=own[user_id], action_id="ack")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(confirm, originals))
    counted = installation.system.database.read_now(
        lambda reader: reader.rows(_COUNTED, {"id": campaign.id})
    )
    assert [tuple(row) for row in counted] == [(False, 0, people * told), (True, 0, people)]

"""A message is confirmed at the very moment at which others are told that it is not."""

import pytest
from support.grpc_client import Client, Organization
from support.overlap import overlap
from support.running import Installation
from support.story import Story, deadline_workflow

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

    def tell(self, transaction: Transaction) -> None:
        """Make Mia's copy, as a reminder would."""
        batch = SpawnBatch(
            step_run_key=self.key.step_run_key,
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
        child_store.insert_children(transaction, batch, targets, self.key.ordinal + 1, 0)

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

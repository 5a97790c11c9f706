"""SEND_NOTIFICATION: writing batches of deliveries. What is sent: ``planning``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pidgr.campaigns import push_store, run_store, store, text_store, workflow
from pidgr.campaigns.advance import definition_of
from pidgr.campaigns.own_messages import OwnMessages
from pidgr.campaigns.planning import compile_text
from pidgr.campaigns.run_store import BatchCounts, Lane, StepRun
from pidgr.campaigns.store import CampaignRow, Counters
from pidgr.campaigns.text_store import StepText
from pidgr.clock import Clock
from pidgr.content.rendering import CompiledTemplate
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

Write = Callable[[Transaction], None]
PrepareBatch = Callable[[int, int], Write]


class Sender:
    """Writes batches of primary deliveries."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def preparer(self, campaign: CampaignRow, run: StepRun, lane: Lane) -> PrepareBatch:
        """Return the function that prepares the deliveries of ordinals ``since`` to ``upto``.

        What it returns writes them.
        """
        texts = self._database.read_now(lambda reader: text_store.texts(reader, run.key))
        # A single text's locale, and its content if there is one, are the run's.
        insert = text_store.insert_by_locale if len(texts) > 1 else run_store.insert_shared
        deliveries = _Deliveries(self._clock, campaign, run, lane, insert)
        if all(text.content_key is not None for text in texts.values()):
            return lambda since, upto: partial(deliveries.write, since, upto)
        messages = OwnMessages(
            self._database, campaign.key, run.key, self._compile(campaign, run, texts)
        )

        def prepare(since: int, upto: int) -> Write:
            keep = messages.prepare(since, upto)

            def write(transaction: Transaction) -> None:
                deliveries.write(since, upto, transaction)
                errors = keep(transaction)
                if errors:
                    deliveries.fail(errors, transaction)

            return write

        return prepare

    def _compile(
        self, campaign: CampaignRow, run: StepRun, texts: Mapping[str, StepText]
    ) -> dict[str, CompiledTemplate]:
        """Return the compiled text by preferred locale."""
        assert run.template_key is not None  # noqa: S101 - a send has one
        key, version = run.template_key, run.template_version
        template = self._database.read_now(
            lambda reader: run_store.template_text(reader, key, version)
        )
        config = workflow.notification_config(
            workflow.find_step(definition_of(campaign), run.step_id)
        )
        return {
            preferred: compile_text(template, config, text.title, text.body)
            for preferred, text in texts.items()
        }


@dataclass(frozen=True, slots=True)
class _Deliveries:
    """The rows of a lane's deliveries."""

    clock: Clock
    campaign: CampaignRow
    run: StepRun
    lane: Lane
    insert: Callable[[Transaction, dict[str, object]], BatchCounts]

    def write(self, since: int, upto: int, transaction: Transaction) -> None:
        """Write a batch inside the database: one statement, no recipient passes through Python."""
        counts = self.insert(
            transaction,
            {
                "step_run_key": self.run.key,
                "campaign_key": self.campaign.key,
                "organization_key": self.campaign.organization_key,
                "since": since,
                "upto": upto,
                "kind": Delivery.Kind.PRIMARY,
                "pending": DeliveryStatus.PENDING,
                "no_device": DeliveryStatus.NO_DEVICE,
                "content_key": self.run.content_key,
                "locale": self.run.locale,
                "now": self.clock.now(),
                "changed_at": transaction.change_time(),
            },
        )
        self._count(transaction, Counters(waiting=counts.waiting, no_device=counts.no_device))

    def fail(self, errors: Mapping[int, str], transaction: Transaction) -> None:
        """Note by ordinal why messages could not be made, and that their deliveries failed."""
        now = self.clock.now()
        for ordinal, text in errors.items():
            run_store.record_error(transaction, self.run.key, ordinal, "", error=text, now=now)
        waiting, no_device = (
            push_store.set_status(
                transaction, self.run.key, list(errors), since, DeliveryStatus.FAILED
            )
            for since in (DeliveryStatus.PENDING, DeliveryStatus.NO_DEVICE)
        )
        changes = Counters(waiting=-waiting, no_device=-no_device, failed=waiting + no_device)
        self._count(transaction, changes)

    def _count(self, transaction: Transaction, changes: Counters) -> None:
        store.count_deliveries(transaction, self.campaign.key, self.lane.number, changes)

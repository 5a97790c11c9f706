"""SEND_NOTIFICATION: writing batches of deliveries. What is sent: ``planning``."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pidgr.campaigns import run_store, store, text_store, workflow
from pidgr.campaigns.advance import definition_of
from pidgr.campaigns.planning import ANY_LOCALE, compile_text
from pidgr.campaigns.run_store import BatchCounts, Lane, StepRun
from pidgr.campaigns.store import CampaignRow, Counters
from pidgr.campaigns.text_store import StepText
from pidgr.clock import Clock
from pidgr.content.rendering import (
    PROFILE_COLUMNS,
    CompiledTemplate,
    RenderedMessage,
    RenderError,
    profile_values,
    render,
)
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.storage.database import Database
from pidgr.storage.transaction import Row, Transaction

_DELIVERY_COLUMNS: Final = (
    "step_run_key",
    "ordinal",
    "organization_key",
    "member_key",
    "kind",
    "status",
    "content_key",
    "locale",
    "created_at",
    "changed_at",
)
_BODY_COLUMNS: Final = (
    "step_run_key",
    "ordinal",
    "content_id",
    "title",
    "summary",
    "preview",
    "body",
)
# Where the profile begins in a row of ``run_store.recipients``.
_FIRST_PROFILE_COLUMN: Final = 4
_LAST_PROFILE_COLUMN: Final = _FIRST_PROFILE_COLUMN + len(PROFILE_COLUMNS)

WriteBatch = Callable[[Transaction, int, int], None]


class LocalTemplate(NamedTuple):
    """A compiled text and the number of its locale."""

    template: CompiledTemplate
    locale: int


class Sender:
    """Writes batches of primary deliveries."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def writer(self, campaign: CampaignRow, run: StepRun, lane: Lane) -> WriteBatch:
        """Return the function that writes the deliveries of ordinals ``since`` to ``upto``."""
        if run.content_key is not None:
            return lambda *batch: self._write_shared(
                campaign, run, lane, run_store.insert_shared, *batch
            )
        texts = self._database.read_now(lambda reader: text_store.texts(reader, run.key))
        if all(text.content_key is not None for text in texts.values()):
            return lambda *batch: self._write_shared(
                campaign, run, lane, text_store.insert_by_locale, *batch
            )
        compiled = self._compile(campaign, run, texts)
        return lambda *batch: self._write_personal(campaign, run, lane, compiled, *batch)

    def _compile(
        self, campaign: CampaignRow, run: StepRun, texts: Mapping[str, StepText]
    ) -> dict[str, LocalTemplate]:
        """Return the compiled text and its locale by preferred locale."""
        assert run.template_key is not None  # noqa: S101 - a send has one
        key, version = run.template_key, run.template_version
        template = self._database.read_now(
            lambda reader: run_store.template_text(reader, key, version)
        )
        config = workflow.notification_config(
            workflow.find_step(definition_of(campaign), run.step_id)
        )
        return {
            preferred: LocalTemplate(
                compile_text(template, config, text.title, text.body), text.locale
            )
            for preferred, text in texts.items()
        }

    def _write_shared(
        self,
        campaign: CampaignRow,
        run: StepRun,
        lane: Lane,
        insert: Callable[[Transaction, dict[str, object]], BatchCounts],
        transaction: Transaction,
        since: int,
        upto: int,
    ) -> None:
        """Write a batch inside the database: one statement, no recipient passes through Python."""
        counts = insert(
            transaction,
            {
                "step_run_key": run.key,
                "campaign_key": campaign.key,
                "organization_key": campaign.organization_key,
                "since": since,
                "upto": upto,
                "kind": Delivery.Kind.PRIMARY,
                "pending": DeliveryStatus.PENDING,
                "no_device": DeliveryStatus.NO_DEVICE,
                "content_key": run.content_key,
                "locale": run.locale,
                "now": self._clock.now(),
                "changed_at": transaction.change_time(),
            },
        )
        changes = Counters(waiting=counts.waiting, no_device=counts.no_device)
        store.count_deliveries(transaction, campaign.key, lane.number, changes)

    def _write_personal(
        self,
        campaign: CampaignRow,
        run: StepRun,
        lane: Lane,
        compiled: Mapping[str, LocalTemplate],
        transaction: Transaction,
        since: int,
        upto: int,
    ) -> None:
        """Render a batch and write it; a recipient whose message cannot be made fails alone."""
        now, changed_at = self._clock.now(), transaction.change_time()
        deliveries: list[Row] = []
        bodies: list[Row] = []
        statuses = dict.fromkeys(DeliveryStatus, 0)
        for row in run_store.recipients(transaction, campaign.key, since, upto):
            ordinal, member_key, has_device = row[0], row[1], row[3]
            status = DeliveryStatus.PENDING if has_device else DeliveryStatus.NO_DEVICE
            local = compiled.get(row[-1]) or compiled[ANY_LOCALE]
            try:
                bodies.append((run.key, ordinal, *_stored(_render(local.template, row))))
            except RenderError as error:
                status = DeliveryStatus.FAILED
                run_store.record_error(transaction, run.key, ordinal, "", error=str(error), now=now)
            statuses[status] += 1
            deliveries.append(
                (
                    run.key,
                    ordinal,
                    campaign.organization_key,
                    member_key,
                    int(Delivery.Kind.PRIMARY),
                    int(status),
                    None,
                    local.locale,
                    now,
                    changed_at,
                )
            )
        transaction.bulk_insert("delivery", _DELIVERY_COLUMNS, deliveries)
        transaction.bulk_insert("delivery_body", _BODY_COLUMNS, bodies)
        changes = Counters(
            waiting=statuses[DeliveryStatus.PENDING],
            no_device=statuses[DeliveryStatus.NO_DEVICE],
            failed=statuses[DeliveryStatus.FAILED],
        )
        store.count_deliveries(transaction, campaign.key, lane.number, changes)


def _render(compiled: CompiledTemplate, row: Row) -> RenderedMessage:
    own: dict[str, str] = json.loads(row[2]) if row[2] else {}
    columns: Sequence[str] = row[_FIRST_PROFILE_COLUMN:_LAST_PROFILE_COLUMN]
    return render(compiled, own, profile_values(compiled, columns, row[_LAST_PROFILE_COLUMN]))


def _stored(message: RenderedMessage) -> tuple[Any, ...]:
    return (message.content_id, message.title, message.summary, message.preview, message.body)

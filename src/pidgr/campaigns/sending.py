"""SEND_NOTIFICATION: writing batches of deliveries. What is sent: ``planning``."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from pidgr.campaigns import push_store, run_store, store, text_store, workflow
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
_FIRST_PROFILE_COLUMN: Final = 2
_LAST_PROFILE_COLUMN: Final = _FIRST_PROFILE_COLUMN + len(PROFILE_COLUMNS)

Write = Callable[[Transaction], None]
PrepareBatch = Callable[[int, int], Write]


class LocalTemplate(NamedTuple):
    """A compiled text and the number of its locale."""

    template: CompiledTemplate
    locale: int


class _Rendered(NamedTuple):
    """A batch's bodies as rows, and by ordinal why a message could not be made."""

    bodies: list[Row]
    errors: dict[int, str]


class Sender:
    """Writes batches of primary deliveries."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def preparer(self, campaign: CampaignRow, run: StepRun, lane: Lane) -> PrepareBatch:
        """Return the function that prepares the deliveries of ordinals ``since`` to ``upto``.

        What it returns writes them; rendering is done by then, so that no transaction waits for it.
        """
        texts = self._database.read_now(lambda reader: text_store.texts(reader, run.key))
        # A single text's locale, and its content if there is one, are the run's.
        statement = text_store.insert_by_locale if len(texts) > 1 else run_store.insert_shared
        insert = partial(self._insert, campaign, run, lane, statement)
        if all(text.content_key is not None for text in texts.values()):
            return lambda since, upto: partial(insert, since, upto)
        compiled = self._compile(campaign, run, texts)

        def prepare(since: int, upto: int) -> Write:
            rendered = self._render(campaign, run, compiled, since, upto)
            return lambda transaction: self._insert_rendered(
                campaign, run, lane, rendered, transaction, partial(insert, since, upto)
            )

        return prepare

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

    def _insert(
        self,
        campaign: CampaignRow,
        run: StepRun,
        lane: Lane,
        insert: Callable[[Transaction, dict[str, object]], BatchCounts],
        since: int,
        upto: int,
        transaction: Transaction,
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

    def _render(
        self,
        campaign: CampaignRow,
        run: StepRun,
        compiled: Mapping[str, LocalTemplate],
        since: int,
        upto: int,
    ) -> _Rendered:
        """Render a batch; a recipient whose message cannot be made fails alone."""
        rows = self._database.read_now(
            lambda reader: run_store.recipients(reader, campaign.key, since, upto)
        )
        bodies: list[Row] = []
        errors: dict[int, str] = {}
        for row in rows:
            ordinal = row[0]
            local = compiled.get(row[-1]) or compiled[ANY_LOCALE]
            try:
                bodies.append((run.key, ordinal, *_stored(_render(local.template, row))))
            except RenderError as error:
                errors[ordinal] = str(error)
        return _Rendered(bodies, errors)

    def _insert_rendered(
        self,
        campaign: CampaignRow,
        run: StepRun,
        lane: Lane,
        rendered: _Rendered,
        transaction: Transaction,
        insert: Write,
    ) -> None:
        insert(transaction)
        transaction.bulk_insert("delivery_body", _BODY_COLUMNS, rendered.bodies)
        if not rendered.errors:
            return
        now = self._clock.now()
        for ordinal, text in rendered.errors.items():
            run_store.record_error(transaction, run.key, ordinal, "", error=text, now=now)
        waiting, no_device = (
            push_store.set_status(
                transaction, run.key, list(rendered.errors), since, DeliveryStatus.FAILED
            )
            for since in (DeliveryStatus.PENDING, DeliveryStatus.NO_DEVICE)
        )
        changes = Counters(waiting=-waiting, no_device=-no_device, failed=waiting + no_device)
        store.count_deliveries(transaction, campaign.key, lane.number, changes)


def _render(compiled: CompiledTemplate, row: Row) -> RenderedMessage:
    own: dict[str, str] = json.loads(row[1]) if row[1] else {}
    columns: Sequence[str] = row[_FIRST_PROFILE_COLUMN:_LAST_PROFILE_COLUMN]
    return render(compiled, own, profile_values(compiled, columns, row[_LAST_PROFILE_COLUMN]))


def _stored(message: RenderedMessage) -> tuple[Any, ...]:
    return (message.content_id, message.title, message.summary, message.preview, message.body)

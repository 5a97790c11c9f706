"""SEND_NOTIFICATION: what is sent, and writing one batch of its deliveries."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from pidgr.campaigns import creation, run_store, store, workflow
from pidgr.campaigns.advance import definition_of
from pidgr.campaigns.run_store import Lane, NewStepRun, StepRun, TemplateText
from pidgr.campaigns.store import CampaignRow, Counters
from pidgr.clock import Clock
from pidgr.content.rendering import (
    PROFILE_COLUMNS,
    CompiledTemplate,
    RenderedMessage,
    RenderError,
    compile_template,
    is_shared,
    profile_values,
    render,
)
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import (
    ActionType,
    DeliveryStatus,
    SendNotificationConfig,
    WorkflowStep,
)
from pidgr.contract.v1.template_pb import TemplateType, TemplateVariable
from pidgr.storage.database import Database
from pidgr.storage.transaction import Row, Transaction
from pidgr.validation import LOCALES

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


def plan_send(
    transaction: Transaction, campaign: CampaignRow, step: WorkflowStep, run: NewStepRun
) -> NewStepRun:
    """Return the run with what it sends: a template version, and its content if all read the same.

    Raises:
        NotFoundError: the template is gone.
    """
    config = workflow.notification_config(step)
    template_key, version = _template_of(transaction, campaign, config)
    text = run_store.template_text(transaction, template_key, version)
    compiled = _compile(campaign, text, config)
    content_key = None
    if is_shared(compiled):
        content_key = _store_shared(transaction, campaign, render(compiled), run.started_at)
    return replace(
        run,
        template_key=template_key,
        template_version=version,
        content_key=content_key,
        locale=LOCALES.index(text.source_locale),
        action_type=_action_type(config),
        action_label=config.action_label,
    )


def _template_of(
    transaction: Transaction, campaign: CampaignRow, config: SendNotificationConfig
) -> tuple[int, int]:
    """Return the key and version of a step's template; by default those of the campaign."""
    template_id = config.template_id.lower() or campaign.template_id
    if template_id == campaign.template_id and not config.template_version:
        return campaign.template_key, campaign.template_version
    pinned = creation.pin_template(
        transaction, campaign.organization_key, template_id, config.template_version
    )
    return pinned.key, pinned.version


def _action_type(config: SendNotificationConfig) -> ActionType:
    """Return the button's action: a label alone asks for an acknowledgement (SEMANTICS 5)."""
    if config.action_type == ActionType.UNSPECIFIED and config.action_label:
        return ActionType.ACK
    return config.action_type


def _compile(
    campaign: CampaignRow, text: TemplateText, config: SendNotificationConfig
) -> CompiledTemplate:
    variables = [TemplateVariable.from_json(json.dumps(one)) for one in json.loads(text.variables)]
    return compile_template(
        campaign.title or text.title,
        text.body,
        variables,
        template_type=TemplateType(text.type),
        step_values=config.custom_variables,
    )


def _store_shared(
    transaction: Transaction, campaign: CampaignRow, message: RenderedMessage, now: int
) -> int:
    parameters: dict[str, object] = {
        **message._asdict(),
        "organization_key": campaign.organization_key,
        "now": now,
    }
    return run_store.store_content(transaction, parameters)


class Sender:
    """Writes batches of primary deliveries."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def writer(self, campaign: CampaignRow, run: StepRun, lane: Lane) -> WriteBatch:
        """Return the function that writes the deliveries of ordinals ``since`` to ``upto``."""
        if run.content_key is not None:
            return lambda *batch: self._write_shared(campaign, run, lane, *batch)
        compiled = self._compiled(campaign, run)
        return lambda *batch: self._write_personal(campaign, run, lane, compiled, *batch)

    def _compiled(self, campaign: CampaignRow, run: StepRun) -> CompiledTemplate:
        assert run.template_key is not None  # noqa: S101 - a send has one
        key, version = run.template_key, run.template_version
        text = self._database.read_now(lambda reader: run_store.template_text(reader, key, version))
        step = workflow.find_step(definition_of(campaign), run.step_id)
        return _compile(campaign, text, workflow.notification_config(step))

    def _write_shared(
        self,
        campaign: CampaignRow,
        run: StepRun,
        lane: Lane,
        transaction: Transaction,
        since: int,
        upto: int,
    ) -> None:
        """Write a batch inside the database: one statement, no recipient passes through Python."""
        counts = run_store.insert_shared(
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
        compiled: CompiledTemplate,
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
            try:
                bodies.append((run.key, ordinal, *_stored(_render(compiled, row))))
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
                    run.locale,
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

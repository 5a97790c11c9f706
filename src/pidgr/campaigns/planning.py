"""SEND_NOTIFICATION: what is sent, settled when the step begins."""

from dataclasses import dataclass, replace
from typing import Final

from pidgr.campaigns import creation, run_store, workflow
from pidgr.campaigns.run_store import NewStepRun, TemplateText
from pidgr.campaigns.store import CampaignRow
from pidgr.campaigns.text_store import StepText
from pidgr.content.locales import LocalText, texts_by_preference
from pidgr.content.rendering import CompiledTemplate, compile_template, is_shared, render
from pidgr.content.translation_store import approved_texts
from pidgr.content.variables import variables_from_json
from pidgr.contract.v1.common_pb import ActionType, SendNotificationConfig, WorkflowStep
from pidgr.contract.v1.template_pb import TemplateType
from pidgr.directory import organization_store
from pidgr.storage.transaction import Transaction
from pidgr.validation import LOCALES

# The preferred locale of people who named none.
ANY_LOCALE: Final = ""


@dataclass(frozen=True, slots=True)
class PlannedSend:
    """A run with its content if everybody reads the same, else the texts by preferred locale."""

    run: NewStepRun
    texts: dict[str, StepText]


def plan_send(
    transaction: Transaction, campaign: CampaignRow, step: WorkflowStep, run: NewStepRun
) -> PlannedSend:
    """Settle template, translations and button of a send.

    Raises:
        NotFoundError: the template is gone.
    """
    config = workflow.notification_config(step)
    template_key, version = _template_of(transaction, campaign, config)
    template = run_store.template_text(transaction, template_key, version)
    run = replace(
        run,
        template_key=template_key,
        template_version=version,
        action_type=_action_type(config),
        action_label=config.action_label,
    )
    chosen = texts_by_preference(
        LocalText(template.source_locale, template.title, template.body),
        approved_texts(transaction, template_key, version),
        campaign_locale=campaign.default_locale,
        organization_locale=organization_store.default_locale(
            transaction, campaign.organization_key
        ),
    )
    content_keys = _store_contents(transaction, campaign, template, config, chosen)
    texts = {
        preferred: StepText(
            preferred,
            LOCALES.index(text.locale),
            campaign.title or text.title,
            text.body,
            content_keys[text],
        )
        for preferred, text in chosen.items()
    }
    if len(content_keys) > 1:
        return PlannedSend(run, texts)
    only = texts[ANY_LOCALE]
    run = replace(run, content_key=only.content_key, locale=only.locale)
    return PlannedSend(run, texts if only.content_key is None else {})


def _store_contents(
    transaction: Transaction,
    campaign: CampaignRow,
    template: TemplateText,
    config: SendNotificationConfig,
    chosen: dict[str, LocalText],
) -> dict[LocalText, int | None]:
    """Return the content of each distinct text; None where it is rendered per recipient."""
    keys: dict[LocalText, int | None] = {}
    for text in chosen.values():
        if text in keys:
            continue
        compiled = compile_text(template, config, campaign.title or text.title, text.body)
        keys[text] = None
        if is_shared(compiled):
            parameters: dict[str, object] = {
                **render(compiled)._asdict(),
                "organization_key": campaign.organization_key,
                "now": campaign.started_at,
            }
            keys[text] = run_store.store_content(transaction, parameters)
    return keys


def compile_text(
    template: TemplateText, config: SendNotificationConfig, title: str, body: str
) -> CompiledTemplate:
    """Compile a text in one locale with its template's variables and the step's values."""
    return compile_template(
        title,
        body,
        variables_from_json(template.variables),
        template_type=TemplateType(template.type),
        step_values=config.custom_variables,
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

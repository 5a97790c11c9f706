"""Writes nudges: a person's language, the campaign's title in it, and a link that is theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from pidgr.campaigns import link_store, run_store
from pidgr.campaigns.deeplink_tokens import DeeplinkTokens
from pidgr.campaigns.link_store import LinkKey
from pidgr.campaigns.nudge_store import NudgingOrganization, WaitingNudge
from pidgr.campaigns.nudge_texts import nudge_text
from pidgr.campaigns.run_store import StepRun
from pidgr.campaigns.short_codes import PATH, TOKEN_PARAMETER, short_code_of
from pidgr.campaigns.store import CampaignRow
from pidgr.clock import DAY
from pidgr.content.locales import LocalText, texts_by_preference
from pidgr.content.rendering import public_title
from pidgr.content.translation_store import approved_texts
from pidgr.content.variables import variables_from_json
from pidgr.contract.v1.channel_events_pb import ChannelStepKind
from pidgr.contract.v1.common_pb import StepType
from pidgr.outreach.channels import Nudge
from pidgr.storage.transaction import Reader, Transaction

# The longest that a link says who was nudged (SEMANTICS 10); it leads to the campaign for good.
_TOKEN_LIFETIME: Final = 30 * DAY


@dataclass(frozen=True, slots=True)
class Occasion:
    """What the nudges of one step have in common; titles by the recipient's preferred locale."""

    campaign: CampaignRow
    run: StepRun
    organization: NudgingOrganization
    occurred_at: int
    titles: Mapping[str, str]
    code: str
    link_key: LinkKey


class Letters:
    """Writes nudges with links under the public address of this installation."""

    def __init__(self, public_url: str, deeplink_tokens: DeeplinkTokens) -> None:
        self._public_url = public_url.rstrip("/")
        self._tokens = deeplink_tokens

    def occasion(
        self,
        transaction: Transaction,
        campaign: CampaignRow,
        run: StepRun,
        organization: NudgingOrganization,
    ) -> Occasion:
        """Look up what the nudges of a finished step have in common."""
        assert run.finished_at is not None  # noqa: S101 - its end is what lets people be nudged
        return Occasion(
            campaign=campaign,
            run=run,
            organization=organization,
            occurred_at=run.finished_at,
            titles=_titles(transaction, campaign, organization.default_locale),
            code=short_code_of(transaction, campaign.key),
            link_key=link_store.link_key(transaction, campaign.organization_key),
        )

    def write(self, occasion: Occasion, nudged: WaitingNudge) -> Nudge:
        """Return the nudge of one person, the same at every attempt."""
        assert nudged.member_id is not None  # noqa: S101 - who is gone is not nudged
        campaign, organization = occasion.campaign, occasion.organization
        preferred = nudged.preferred_locale
        locale = campaign.default_locale or preferred or organization.default_locale
        title = occasion.titles.get(preferred, occasion.titles[""])
        url = self._url(occasion, nudged.member_id)
        text = nudge_text(locale, nudged.first_name, title, url, is_own=nudged.is_own)
        return Nudge(
            key=f"nudge-{occasion.run.key}-{nudged.member_key}",
            organization_key=campaign.organization_key,
            member_id=nudged.member_id,
            email=nudged.email,
            phone=nudged.phone,
            line_user_id=nudged.line_user_id,
            locale=text.locale,
            first_name=text.first_name,
            campaign_id=campaign.id,
            critical=bool(campaign.critical),
            title=text.title,
            subject=text.subject,
            summary=text.summary,
            text=text.whole,
            url=url,
            occurred_at=occasion.occurred_at,
        )

    def _url(self, occasion: Occasion, member_id: str) -> str:
        is_reminder = occasion.run.step_type == StepType.SEND_REMINDER
        token = self._tokens.sign(
            occasion.organization.id,
            occasion.link_key,
            campaign_id=occasion.campaign.id,
            recipient_id=member_id,
            step_kind=ChannelStepKind.REMINDER if is_reminder else ChannelStepKind.ESCALATION,
            expires_at=occasion.occurred_at + _TOKEN_LIFETIME,
        )
        return f"{self._public_url}{PATH}/{occasion.code}?{urlencode({TOKEN_PARAMETER: token})}"


def _titles(reader: Reader, campaign: CampaignRow, organization_locale: str) -> dict[str, str]:
    """Return the campaign's title by preferred locale, without what is personal in it."""
    key, version = campaign.template_key, campaign.template_version
    template = run_store.template_text(reader, key, version)
    variables = variables_from_json(template.variables)
    chosen = texts_by_preference(
        LocalText(template.source_locale, template.title, template.body),
        approved_texts(reader, key, version),
        campaign_locale=campaign.default_locale,
        organization_locale=organization_locale,
    )
    return {
        preferred: public_title(campaign.title or text.title, variables)
        for preferred, text in chosen.items()
    }

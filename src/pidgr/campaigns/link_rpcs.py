"""CampaignService: short codes in links to a campaign (SEMANTICS 2.3)."""

from pidgr.campaigns import link_store, store
from pidgr.campaigns.short_codes import LENGTH, SHORT_CODE, short_code_of, subject
from pidgr.clock import Clock
from pidgr.contract.v1.campaign_pb import (
    GetCampaignByShortCodeRequest,
    GetCampaignByShortCodeResponse,
    ResolveOrCreateShortCodeRequest,
    ResolveOrCreateShortCodeResponse,
)
from pidgr.errors import NotFoundError, invalid_field
from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import require_uuid


class LinkRpcs:
    """The two ends of a short link."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def resolve_or_create_short_code(
        self, request: ResolveOrCreateShortCodeRequest, caller: Caller, transaction: Transaction
    ) -> ResolveOrCreateShortCodeResponse:
        """Return a campaign's code, made at the first call.

        Raises:
            InvalidArgumentError: a malformed id.
            NotFoundError: no such campaign.
        """
        campaign_id = require_uuid("campaign_id", request.campaign_id)
        campaign = store.campaign_by_id(transaction, caller.organization_key, campaign_id)
        if campaign is None:
            raise NotFoundError(f"no campaign has the id {campaign_id}")
        code = short_code_of(transaction, campaign.key)
        return ResolveOrCreateShortCodeResponse(short_code=code)

    def get_campaign_by_short_code(
        self, request: GetCampaignByShortCodeRequest, caller: Caller, reader: Reader
    ) -> GetCampaignByShortCodeResponse:
        """Tell anyone who has the link where it leads.

        Raises:
            InvalidArgumentError: it cannot be a code.
            NotFoundError: it is none, or its organization is closed.
        """
        del caller
        code = request.short_code
        if SHORT_CODE.fullmatch(code) is None:
            raise invalid_field("short_code", f"must be {LENGTH} letters and digits")
        found = link_store.signpost(reader, code, self._clock.now())
        if found is None:
            raise NotFoundError("this link leads nowhere")
        return GetCampaignByShortCodeResponse(
            campaign_id=found.campaign_id,
            org_id=found.organization_id,
            organization_name=found.organization_name,
            subject=subject(found),
        )

"""TokenService: what the links of nudges are signed with (SEMANTICS 10)."""

from typing import Final

from pidgr.campaigns import link_store, store
from pidgr.campaigns.deeplink_tokens import DeeplinkTokens, is_retired, read_token
from pidgr.clock import SECOND, Clock, to_timestamp
from pidgr.contract.v1.channel_events_pb import ChannelStepKind
from pidgr.contract.v1.token_pb import (
    DeeplinkTokenPayload,
    SignDeeplinkTokenRequest,
    SignDeeplinkTokenResponse,
    ValidateDeeplinkTokenRequest,
    ValidateDeeplinkTokenResponse,
    ValidationFailureReason,
)
from pidgr.errors import NotFoundError, Violations
from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Reader
from pidgr.validation import check_enum, require_uuid

LONGEST_SECONDS: Final = 30 * 86_400


class TokenService:
    """Signs tokens for services of this installation and reads them for anyone."""

    def __init__(self, tokens: DeeplinkTokens, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock

    def sign_deeplink_token(
        self, request: SignDeeplinkTokenRequest, caller: Caller, reader: Reader
    ) -> SignDeeplinkTokenResponse:
        """Sign a token.

        Raises:
            InvalidArgumentError: a malformed field.
            NotFoundError: no such campaign or member.
        """
        campaign_id = require_uuid("campaign_id", request.campaign_id)
        recipient_id = require_uuid("recipient_user_id", request.recipient_user_id)
        violations = Violations()
        check_enum(violations, "step_kind", request.step_kind, required=True)
        if not 1 <= request.ttl_seconds <= LONGEST_SECONDS:
            violations.add("ttl_seconds", f"must be between 1 and {LONGEST_SECONDS:,}")
        violations.raise_if_any()
        organization = caller.organization
        assert organization is not None  # noqa: S101 - internal callers name one
        if store.campaign_by_id(reader, organization.key, campaign_id) is None:
            raise NotFoundError(f"no campaign has the id {campaign_id}")
        if not link_store.is_member(reader, organization.key, recipient_id):
            raise NotFoundError(f"no member has the id {recipient_id}")
        key = link_store.link_key(reader, organization.key)
        expires_at = self._clock.now() + request.ttl_seconds * SECOND
        token = self._tokens.sign(
            organization.id,
            key,
            campaign_id=campaign_id,
            recipient_id=recipient_id,
            step_kind=request.step_kind,
            expires_at=expires_at,
        )
        return SignDeeplinkTokenResponse(
            token=token, expires_at=to_timestamp(expires_at), key_version=key.version
        )

    def validate_deeplink_token(
        self, request: ValidateDeeplinkTokenRequest, caller: Caller, reader: Reader
    ) -> ValidateDeeplinkTokenResponse:
        """Tell what a token is worth. The signature is looked at before anything it says.

        Raises:
            InvalidArgumentError: a malformed campaign id.
        """
        del caller
        campaign_id = require_uuid("campaign_id", request.campaign_id)
        token = read_token(request.token)
        if token is None:
            return _bad(ValidationFailureReason.MALFORMED)
        now = self._clock.now()
        organization = link_store.organization_of(reader, campaign_id, now)
        if (
            organization is None
            or token.campaign_id != campaign_id
            or not self._tokens.is_genuine(organization[1], token)
        ):
            return _bad(ValidationFailureReason.INVALID_SIGNATURE)
        if now >= token.expires_at:
            return _bad(ValidationFailureReason.EXPIRED)
        if is_retired(token.key_version, link_store.link_key(reader, organization[0]), now):
            return _bad(ValidationFailureReason.KEY_RETIRED)
        return ValidateDeeplinkTokenResponse(
            valid=True,
            payload=DeeplinkTokenPayload(
                campaign_id=token.campaign_id,
                recipient_user_id=token.recipient_id,
                step_kind=ChannelStepKind(token.step_kind),
                expires_at=to_timestamp(token.expires_at),
            ),
        )


def _bad(reason: ValidationFailureReason) -> ValidateDeeplinkTokenResponse:
    return ValidateDeeplinkTokenResponse(failure_reason=reason)

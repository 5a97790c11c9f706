"""Nudges posted to an endpoint of the operator's own, which passes them on as it likes.

``X-Pidgr-Signature`` is the lowercase hex HMAC-SHA256 of the body under the organization's webhook
secret; unlike that of CALL_WEBHOOK steps it covers the body alone (SEMANTICS 4.6).
"""

import hmac
import json
from collections.abc import Callable, Sequence

from pidgr.clock import to_datetime
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.nudge_http import NudgeHttp, not_taken, one_by_one


class WebhookChannel:
    """Posts each nudge as a JSON document of four fields.

    Args:
        url: of the endpoint.
        guard: judges it, at every nudge.
        secret_of: returns an organization's webhook secret.
    """

    def __init__(self, url: str, guard: AddressGuard, secret_of: Callable[[int], str]) -> None:
        self._url = url
        self._http = NudgeHttp("the webhook of nudges", guard)
        self._secret_of = secret_of

    def send(self, nudges: Sequence[Nudge], departure: Departure) -> Handed:
        """Send a batch."""
        secret = self._secret_of(nudges[0].organization_key).encode()
        return one_by_one(nudges, lambda nudge: self._post(nudge, secret), departure)

    def _post(self, nudge: Nudge, secret: bytes) -> NudgeAnswer:
        body = json.dumps(
            {
                "user_id": nudge.member_id,
                "campaign_id": nudge.campaign_id,
                "deeplink_url": nudge.url,
                "occurred_at": to_datetime(nudge.occurred_at).isoformat().replace("+00:00", "Z"),
            }
        ).encode()
        headers = {
            "content-type": "application/json",
            "idempotency-key": nudge.key,
            "x-pidgr-signature": hmac.new(secret, body, "sha256").hexdigest(),
        }
        status = self._http.exchange("POST", self._url, headers, body).status
        if 200 <= status < 300:  # noqa: PLR2004 - success
            return NudgeAnswer(NudgeOutcome.SENT)
        return not_taken(status)

"""Nudges as text messages, through Twilio or a service that speaks its API.

https://www.twilio.com/docs/messaging/api/message-resource: a form is posted, 201 means taken, an
error is JSON with a ``code``. Who has answered STOP is refused there, with the code 21610.
"""

import base64
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.nudge_http import NudgeHttp, json_reply, not_taken, one_by_one
from pidgr.outreach.phone_number import international

_OURS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})


class SmsChannel:
    """Sends from one number of one account.

    Args:
        account: its id.
        token: its secret.
        sender: the number, or the name, that messages come from.
        url: where the service is.
        guard: judges that.
    """

    def __init__(
        self, *, account: str, token: str, sender: str, url: str, guard: AddressGuard
    ) -> None:
        credentials = base64.b64encode(f"{account}:{token}".encode()).decode()
        self._headers = {
            "authorization": f"Basic {credentials}",
            "content-type": "application/x-www-form-urlencoded",
        }
        self._sender = sender
        path = f"2010-04-01/Accounts/{quote(account, safe='')}/Messages.json"
        self._url = f"{url.rstrip('/')}/{path}"
        self._http = NudgeHttp("the service for text messages", guard)

    def send(self, nudges: Sequence[Nudge], departure: Departure) -> Handed:
        """Send a batch."""
        return one_by_one(nudges, self._send, departure)

    def _send(self, nudge: Nudge) -> NudgeAnswer:
        number = international(nudge.phone)
        if not number:
            return NudgeAnswer(NudgeOutcome.UNREACHABLE)
        # Every letter costs: no greeting.
        text = f"{nudge.summary} {nudge.url}"
        form = {"To": number, "From": self._sender, "Body": text}
        reply = self._http.exchange("POST", self._url, self._headers, urlencode(form).encode())
        if reply.status == HTTPStatus.CREATED:
            return NudgeAnswer(NudgeOutcome.SENT)
        # The number of an error, never its words: they repeat the person's number.
        code = json_reply(reply).code("code")
        if reply.status in _OURS:
            raise self._http.outage(f"it answered {code or reply.status}: look at PIDGR_SMS_...")
        return not_taken(reply.status, code)

"""Nudges as messages of an Official Account in LINE, to those whose id there the profile has.

https://developers.line.biz/en/reference/messaging-api/#send-push-message. LINE knows people by ids
of its own, which it tells nobody but the account that a person has made their friend.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.nudge_http import NudgeHttp, not_taken, one_by_one

_USER_ID: Final = re.compile(r"U[0-9a-f]{32}")
# 409 is a repeat of what LINE has accepted before.
_TAKEN: Final = frozenset({HTTPStatus.OK, HTTPStatus.CONFLICT})
_OURS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})


class LineChannel:
    """Writes as one Official Account."""

    def __init__(self, token: str, url: str, guard: AddressGuard) -> None:
        self._token = token
        self._url = f"{url.rstrip('/')}/v2/bot/message/push"
        self._http = NudgeHttp("LINE", guard)

    def send(self, nudges: Sequence[Nudge], departure: Departure) -> Handed:
        """Send a batch."""
        return one_by_one(nudges, self._write, departure)

    def _write(self, nudge: Nudge) -> NudgeAnswer:
        if _USER_ID.fullmatch(nudge.line_user_id) is None:
            return NudgeAnswer(NudgeOutcome.UNREACHABLE)
        message = {
            "to": nudge.line_user_id,
            "messages": [{"type": "text", "text": nudge.text}],
        }
        headers = {"x-line-retry-key": nudge.request_id}
        reply = self._http.call("POST", self._url, message, token=self._token, headers=headers)
        if reply.status in _TAKEN:
            return NudgeAnswer(NudgeOutcome.SENT)
        if reply.status in _OURS:
            raise self._http.outage(f"it answered {reply.status}: look at PIDGR_LINE_TOKEN")
        # Its words may repeat what was sent.
        return not_taken(reply.status)

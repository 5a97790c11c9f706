"""Nudges as direct messages in Slack: the person is found by e-mail address, a bot writes to them.

The bot needs the scopes ``users:read.email`` and ``chat:write``. Slack answers 200 with ``ok`` and,
if that is false, an ``error`` of its own words: https://docs.slack.dev/reference/methods.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.nudge_http import NudgeHttp, one_by_one

_NOBODY: Final = frozenset({"users_not_found", "users_not_visible", "user_not_visible"})
# Of one message or one person; anything else is wrong with the bot, and nothing gets through.
_REFUSED: Final = frozenset(
    {
        "cannot_dm_bot",
        "channel_not_found",
        "is_archived",
        "is_inactive",
        "messages_tab_disabled",
        "msg_too_long",
        "restricted_action",
        "user_disabled",
    }
)
_ERROR_LENGTH: Final = 100


class SlackChannel:
    """Writes as one bot of one workspace."""

    def __init__(self, token: str, url: str, guard: AddressGuard) -> None:
        self._authorization = f"Bearer {token}"
        self._url = url.rstrip("/")
        self._http = NudgeHttp("Slack", guard)

    def send(self, nudges: Sequence[Nudge]) -> Handed:
        """Send a batch."""
        return one_by_one(nudges, self._write)

    def _write(self, nudge: Nudge) -> NudgeAnswer:
        query = urlencode({"email": nudge.email})
        found = self._call("GET", f"users.lookupByEmail?{query}")
        if not found["ok"]:
            return self._refusal(found)
        message = {
            "channel": found["user"]["id"],
            "text": _plain(nudge.text),
            "mrkdwn": False,
            # Or Slack opens the link, which is the person's.
            "unfurl_links": False,
            "unfurl_media": False,
        }
        written = self._call("POST", "chat.postMessage", message)
        return NudgeAnswer(NudgeOutcome.SENT) if written["ok"] else self._refusal(written)

    def _call(
        self, method: str, path: str, message: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        headers = {"authorization": self._authorization}
        body = b""
        if message is not None:
            headers["content-type"] = "application/json; charset=utf-8"
            body = json.dumps(message).encode()
        reply = self._http.exchange(method, f"{self._url}/{path}", headers, body)
        try:
            answer: dict[str, Any] = json.loads(reply.body)
            if answer["ok"] and message is None:
                str(answer["user"]["id"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._http.outage(f"its answer {reply.status} is not understood") from error
        return answer

    def _refusal(self, answer: Mapping[str, Any]) -> NudgeAnswer:
        error = str(answer.get("error", ""))[:_ERROR_LENGTH]
        if error in _NOBODY:
            return NudgeAnswer(NudgeOutcome.UNREACHABLE)
        if error in _REFUSED:
            return NudgeAnswer(NudgeOutcome.REFUSED, error)
        raise self._http.outage(f"it answered {error!r}: look at PIDGR_SLACK_BOT_TOKEN")


def _plain(text: str) -> str:
    """Return a text that Slack shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

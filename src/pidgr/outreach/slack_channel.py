"""Nudges as direct messages in Slack: the person is found by e-mail address, a bot writes to them.

The bot needs the scopes ``users:read.email`` and ``chat:write``. Slack answers 200 with ``ok`` and,
if that is false, an ``error`` of its own words: https://docs.slack.dev/reference/methods.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.nudge_http import JsonReply, NudgeHttp, one_by_one

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


class SlackChannel:
    """Writes as one bot of one workspace."""

    def __init__(self, token: str, url: str, guard: AddressGuard) -> None:
        self._token = token
        self._url = url.rstrip("/")
        self._http = NudgeHttp("Slack", guard)

    def send(self, nudges: Sequence[Nudge]) -> Handed:
        """Send a batch."""
        return one_by_one(nudges, self._write)

    def _write(self, nudge: Nudge) -> NudgeAnswer:
        query = urlencode({"email": nudge.email})
        found = self._call("GET", f"users.lookupByEmail?{query}")
        person = found.text("user", "id")
        if not (found.document["ok"] and person):
            return self._refusal(found)
        message = {
            "channel": person,
            "text": _plain(nudge.text),
            "mrkdwn": False,
            # Or Slack opens the link, which is the person's.
            "unfurl_links": False,
            "unfurl_media": False,
        }
        written = self._call("POST", "chat.postMessage", message)
        ok = written.document["ok"]
        return NudgeAnswer(NudgeOutcome.SENT) if ok else self._refusal(written)

    def _call(
        self, method: str, path: str, message: Mapping[str, object] | None = None
    ) -> JsonReply:
        reply = self._http.call(method, f"{self._url}/{path}", message, token=self._token)
        if not isinstance(reply.document.get("ok"), bool):
            raise self._http.outage(f"its answer {reply.status} is not understood")
        return reply

    def _refusal(self, reply: JsonReply) -> NudgeAnswer:
        error = reply.code("error")
        if error in _NOBODY:
            return NudgeAnswer(NudgeOutcome.UNREACHABLE)
        if error in _REFUSED:
            return NudgeAnswer(NudgeOutcome.REFUSED, error)
        raise self._http.outage(f"it answered {error!r}: look at PIDGR_SLACK_BOT_TOKEN")


def _plain(text: str) -> str:
    """Return a text that Slack shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""Nudges as direct messages in Slack: the person is found by e-mail address, a bot writes to them.

The bot needs the scopes ``users:read.email`` and ``chat:write``. Slack answers 200 with ``ok`` and,
if that is false, an ``error`` of its own words: https://docs.slack.dev/reference/methods.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.nudge_http import JsonReply, NudgeHttp, not_taken, one_by_one

_NOBODY: Final = frozenset({"users_not_found", "users_not_visible", "user_not_visible"})
# Of Slack itself, or of the bot and its workspace: nothing gets through. Who refuses only one
# person or one message has other words for it, known or new, and must not keep everybody waiting.
_AWAY: Final = frozenset(
    {
        "message_limit_exceeded",
        "rate_limited",
        "ratelimited",
        "service_unavailable",
        "team_added_to_org",
    }
)
_OURS: Final = frozenset(
    {
        "access_denied",
        "accesslimited",
        "account_inactive",
        "deprecated_endpoint",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "invalid_auth",
        "method_deprecated",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "team_not_found",
        "token_expired",
        "token_revoked",
        "two_factor_setup_required",
        "unknown_method",
    }
)
# Perhaps with this nudge only.
_FAULTS: Final = frozenset({"fatal_error", "internal_error", "request_timeout"})


class SlackChannel:
    """Writes as one bot of one workspace."""

    def __init__(self, token: str, url: str, guard: AddressGuard) -> None:
        self._token = token
        self._url = url.rstrip("/")
        self._http = NudgeHttp("Slack", guard)

    def send(self, nudges: Sequence[Nudge], departure: Departure) -> Handed:
        """Send a batch."""
        return one_by_one(nudges, self._write, departure)

    def _write(self, nudge: Nudge) -> NudgeAnswer:
        query = urlencode({"email": nudge.email})
        found = self._call("GET", f"users.lookupByEmail?{query}")
        person = found.text("user", "id")
        if not (found.document.get("ok") is True and person):
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
        if written.document.get("ok") is True:
            return NudgeAnswer(NudgeOutcome.SENT)
        return self._refusal(written)

    def _call(
        self, method: str, path: str, message: Mapping[str, object] | None = None
    ) -> JsonReply:
        return self._http.call(method, f"{self._url}/{path}", message, token=self._token)

    def _refusal(self, reply: JsonReply) -> NudgeAnswer:
        error = reply.code("error")
        if error in _NOBODY:
            return NudgeAnswer(NudgeOutcome.UNREACHABLE)
        if error in _AWAY:
            raise self._http.outage(f"it answered {error}")
        if error in _OURS:
            raise self._http.outage(f"it answered {error}: look at PIDGR_SLACK_BOT_TOKEN")
        if error in _FAULTS:
            return NudgeAnswer(NudgeOutcome.LATER, error)
        if not error and reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self._http.outage(f"its answer {reply.status} is not understood")
        return not_taken(reply.status, error)


def _plain(text: str) -> str:
    """Return a text that Slack shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""Nudges as direct messages of a Chat app in Google Workspace, to people found by e-mail address.

An app may not name people by their address, only by their id of Workspace, which the Directory API
tells: https://developers.google.com/workspace/chat/identify-reference-users. There is a direct
message to write in where the app is installed for the person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from pidgr.clock import Clock
from pidgr.outreach.access_tokens import AccessTokens
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.google_account import ServiceAccount
from pidgr.outreach.nudge_http import CODE_LENGTH, JsonReply, NudgeHttp, not_taken, one_by_one

_SETTINGS: Final = "PIDGR_GOOGLE_CHAT_..."
# Of the project, for everybody; the Directory API says so with 403.
_OURS: Final = frozenset(
    {
        *("SERVICE_DISABLED", "accessNotConfigured", "insufficientPermissions"),
        *("quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded"),
    }
)
_CHAT_SCOPE: Final = "https://www.googleapis.com/auth/chat.bot"
_DIRECTORY_SCOPE: Final = "https://www.googleapis.com/auth/admin.directory.user.readonly"


@dataclass(frozen=True, slots=True)
class ChatApp:
    """A Chat app's service account, and the administrator for whom it looks people up."""

    account: ServiceAccount
    administrator: str
    chat_url: str
    directory_url: str


class GoogleChatChannel:
    """Writes as one Chat app of one Workspace."""

    def __init__(self, app: ChatApp, guard: AddressGuard, clock: Clock) -> None:
        self._http = NudgeHttp("Google Chat", guard)
        self._chat = f"{app.chat_url.rstrip('/')}/v1"
        self._directory = f"{app.directory_url.rstrip('/')}/admin/directory/v1"
        self._chat_tokens = self._tokens(app.account, _CHAT_SCOPE, "", clock)
        self._directory_tokens = self._tokens(
            app.account, _DIRECTORY_SCOPE, app.administrator, clock
        )

    def _tokens(
        self, account: ServiceAccount, scope: str, subject: str, clock: Clock
    ) -> AccessTokens:
        def form(now: int) -> Mapping[str, str]:
            return account.token_form(scope, now, subject)

        return AccessTokens(self._http, account.token_uri, form, clock, _SETTINGS)

    def send(self, nudges: Sequence[Nudge], departure: Departure) -> Handed:
        """Send a batch."""
        return one_by_one(nudges, self._write, departure)

    def _write(self, nudge: Nudge) -> NudgeAnswer:
        person = self._find_person(nudge.email)
        if person.status != HTTPStatus.OK:
            return self._not_found(person)
        space = self._find_space(person.text("id"))
        if space.status != HTTPStatus.OK:
            return self._not_found(space)
        # A repeat returns the message that is there.
        query = urlencode({"requestId": nudge.request_id})
        url = f"{self._chat}/{quote(space.text('name'))}/messages?{query}"
        written = self._chat_tokens.call("POST", url, {"text": nudge.text})
        if written.status == HTTPStatus.OK:
            return NudgeAnswer(NudgeOutcome.SENT)
        return self._refusal(written)

    def _find_person(self, email: str) -> JsonReply:
        url = f"{self._directory}/users/{quote(email, safe='')}?fields=id"
        return self._directory_tokens.call("GET", url)

    def _find_space(self, person_id: str) -> JsonReply:
        query = urlencode({"name": f"users/{person_id}"})
        return self._chat_tokens.call("GET", f"{self._chat}/spaces:findDirectMessage?{query}")

    def _not_found(self, reply: JsonReply) -> NudgeAnswer:
        if reply.status == HTTPStatus.NOT_FOUND:
            return NudgeAnswer(NudgeOutcome.UNREACHABLE)
        return self._refusal(reply)

    def _refusal(self, reply: JsonReply) -> NudgeAnswer:
        """Return what a refusal means; most 403 are of one person, who is of another domain."""
        reason = _reason(reply)
        if reason in _OURS:
            raise self._http.outage(f"it answered {reason}: look at {_SETTINGS}")
        return not_taken(reply.status, reason)


def _reason(reply: JsonReply) -> str:
    """Return the most precise of the words that Google's APIs have for an error."""
    error = reply.document.get("error")
    given = error if isinstance(error, dict) else {}
    lists = [given.get("errors"), given.get("details")]
    found = [
        str(one["reason"])
        for entries in lists
        if isinstance(entries, list)
        for one in entries
        if isinstance(one, dict) and "reason" in one
    ]
    return (found[0] if found else reply.text("error", "status"))[:CODE_LENGTH]

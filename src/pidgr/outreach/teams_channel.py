"""Nudges as messages of a bot in Microsoft Teams, to people found by their e-mail address.

Three calls: Microsoft Graph knows the person, the Bot Connector opens the chat (the same one every
time) and takes the message. The bot's Teams app must be installed for the person:
https://learn.microsoft.com/microsoftteams/platform/bots/how-to/conversations/send-proactive-messages
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from pidgr.clock import Clock
from pidgr.outreach.access_tokens import AccessTokens
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.nudge_http import JsonReply, NudgeHttp, not_taken, one_by_one

_BOT_SCOPE: Final = "https://api.botframework.com/.default"
_SETTINGS: Final = "PIDGR_TEAMS_..."
_NOT_INSTALLED: Final = frozenset({"BotNotInConversationRoster", "ForbiddenOperationException"})
_DONE: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED})
# Of the bot or its application. Who refuses only one person has other words for it, and must not
# keep everybody waiting.
_OURS: Final = frozenset(
    {
        "Authorization_RequestDenied",
        "BotDisabledByAdmin",
        "InvalidBotApiHost",
        "NotEnoughPermissions",
    }
)
_SAYS_WHY: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})


@dataclass(frozen=True, slots=True)
class TeamsBot:
    """A bot of one tenant, and where the services are that it needs."""

    tenant: str
    app_id: str
    secret: str = field(repr=False)
    login_url: str
    graph_url: str
    connector_url: str


class TeamsChannel:
    """Writes as one bot of one tenant."""

    def __init__(self, bot: TeamsBot, guard: AddressGuard, clock: Clock) -> None:
        self._bot = bot
        self._http = NudgeHttp("Microsoft Teams", guard)
        self._graph = bot.graph_url.rstrip("/")
        self._connector = bot.connector_url.rstrip("/")
        self._bot_id = f"28:{bot.app_id}"
        self._graph_tokens = self._tokens(f"{self._graph}/.default", clock)
        self._bot_tokens = self._tokens(_BOT_SCOPE, clock)

    def _tokens(self, scope: str, clock: Clock) -> AccessTokens:
        bot = self._bot
        form = {
            "grant_type": "client_credentials",
            "client_id": bot.app_id,
            "client_secret": bot.secret,
            "scope": scope,
        }
        url = f"{bot.login_url.rstrip('/')}/{quote(bot.tenant, safe='')}/oauth2/v2.0/token"
        return AccessTokens(self._http, url, lambda _now: form, clock, _SETTINGS)

    def send(self, nudges: Sequence[Nudge], departure: Departure) -> Handed:
        """Send a batch."""
        return one_by_one(nudges, self._write, departure)

    def _write(self, nudge: Nudge) -> NudgeAnswer:
        found = self._find(nudge.email)
        if found.status != HTTPStatus.OK:
            return self._refusal(found)
        people = found.document.get("value")
        # An address that several share says nothing about whose the nudge is.
        if not isinstance(people, list) or len(people) != 1:
            return NudgeAnswer(NudgeOutcome.UNREACHABLE)
        opened = self._open_chat(str(people[0]["id"]))
        if opened.status not in _DONE:
            return self._refusal(opened)
        chat = quote(opened.text("id"), safe="")
        written = self._say(f"v3/conversations/{chat}/activities", self._message(nudge))
        return NudgeAnswer(NudgeOutcome.SENT) if written.status in _DONE else self._refusal(written)

    def _find(self, email: str) -> JsonReply:
        literal = email.replace("'", "''")
        query = urlencode(
            {
                "$filter": f"mail eq '{literal}' or userPrincipalName eq '{literal}'",
                "$select": "id",
            }
        )
        return self._graph_tokens.call("GET", f"{self._graph}/v1.0/users?{query}")

    def _open_chat(self, person_id: str) -> JsonReply:
        tenant = self._bot.tenant
        parameters = {
            "isGroup": False,
            "bot": {"id": self._bot_id},
            "members": [{"id": person_id}],
            "tenantId": tenant,
            "channelData": {"tenant": {"id": tenant}},
        }
        return self._say("v3/conversations", parameters)

    def _message(self, nudge: Nudge) -> dict[str, object]:
        return {
            "type": "message",
            "from": {"id": self._bot_id},
            "textFormat": "xml",
            "text": _markup(nudge),
            "summary": nudge.subject,
        }

    def _say(self, path: str, document: Mapping[str, object]) -> JsonReply:
        return self._bot_tokens.call("POST", f"{self._connector}/{path}", document)

    def _refusal(self, reply: JsonReply) -> NudgeAnswer:
        code = reply.code("error", "code")
        if code in _NOT_INSTALLED:
            return NudgeAnswer(NudgeOutcome.UNREACHABLE)
        if code in _OURS or (reply.status in _SAYS_WHY and not code):
            raise self._http.outage(f"it answered {code or reply.status}: look at {_SETTINGS}")
        if reply.status == HTTPStatus.PRECONDITION_FAILED:
            return NudgeAnswer(NudgeOutcome.LATER, code)
        return not_taken(reply.status, code)


def _markup(nudge: Nudge) -> str:
    """Return the text in the tags that Teams reads, so that nothing in it is taken for Markdown."""
    words = html.escape(nudge.text.removesuffix(nudge.url)).replace("\n", "<br/>")
    url = html.escape(nudge.url)
    return f'{words}<a href="{url}">{url}</a>'

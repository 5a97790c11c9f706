"""A bot of Telegram: what it is called, where its updates go, and what it says.

https://core.telegram.org/bots/api. The bot's token is a part of every URL, so no URL is told.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.nudge_http import JsonReply, NudgeHttp

_OURS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND})


class TelegramBot:
    """Speaks as one bot. Safe to use from several threads.

    Args:
        token: of the bot, as BotFather gives it.
        url: where the Bot API is.
        guard: judges that.
    """

    def __init__(self, token: str, url: str, guard: AddressGuard) -> None:
        self._base = f"{url.rstrip('/')}/bot{token}"
        self._http = NudgeHttp("Telegram", guard)
        self._name = ""

    def say(self, chat_id: int, text: str) -> JsonReply:
        """Write to a chat; the link in a text is the person's and is not looked at beforehand.

        Raises:
            UnavailableError: Telegram cannot be reached, asks to wait, or knows no such bot.
        """
        message = {
            "chat_id": chat_id,
            "text": text,
            "link_preview_options": {"is_disabled": True},
        }
        return self._call("sendMessage", message)

    def name_once_heard(self, url: str, secret: str) -> str:
        """Return the bot's user name, once what people tell it is sent to a URL.

        Raises:
            UnavailableError: as for ``say``, or Telegram does not take the URL.
        """
        if not self._name:
            webhook = {"url": url, "secret_token": secret, "allowed_updates": ["message"]}
            if self._call("setWebhook", webhook).status != HTTPStatus.OK:
                raise self._http.outage("it sends no updates to PIDGR_ISSUER: is that public?")
            name = self._call("getMe", {}).text("result", "username")
            if not name:
                raise self._http.outage("the bot has no name")
            self._name = name
        return self._name

    def _call(self, method: str, document: Mapping[str, object]) -> JsonReply:
        reply = self._http.call("POST", f"{self._base}/{method}", document)
        if reply.status in _OURS:
            raise self._http.outage(f"it answered {reply.status}: look at PIDGR_TELEGRAM_BOT_TOKEN")
        return reply

"""Where a member opens a chat with the bot in Telegram: ``/telegram/...``.

With a person's credential, ``POST /telegram/link`` answers ``{"url", "expires_at"}``, a link that
they open in Telegram; ``GET /telegram/chat`` answers ``{"opened_at"}``, null without a chat; ``POST
/telegram/chat/remove`` forgets it. ``POST /telegram/updates`` is Telegram's own, as
https://core.telegram.org/bots/api#setwebhook has it.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from pidgr.clock import SECOND
from pidgr.errors import UnauthenticatedError
from pidgr.inbox.telegram import UPDATES_PATH, TelegramChats
from pidgr.rpc.doorkeeper import Doorkeeper
from pidgr.rpc.languages import texts
from pidgr.rpc.plain_http import Answer, Fields, door
from pidgr.rpc.telegram_texts import TEXTS


def telegram_doors(chats: TelegramChats | None, doorkeeper: Doorkeeper) -> list[BaseRoute]:
    """Return the routes; none without a bot."""
    if chats is None:
        return []
    doors = _TelegramDoors(chats, doorkeeper)
    return [
        Route(f"/{name}", door(name, None, handler), methods=[method])
        for name, method, handler in (
            ("telegram/link", "POST", doors.link),
            ("telegram/chat", "GET", doors.chat),
            ("telegram/chat/remove", "POST", doors.remove),
            (UPDATES_PATH.removeprefix("/"), "POST", doors.update),
        )
    ]


class _TelegramDoors:
    def __init__(self, chats: TelegramChats, doorkeeper: Doorkeeper) -> None:
        self._chats = chats
        self._doorkeeper = doorkeeper

    async def link(self, request: Request) -> Answer:
        """Give a link."""
        link = await self._chats.offer(await self._doorkeeper.admit(request))
        return {"url": link.url, "expires_at": link.expires_at // SECOND}

    async def chat(self, request: Request) -> Answer:
        """Tell whether there is a chat."""
        opened_at = await self._chats.opened_at(await self._doorkeeper.admit(request))
        return {"opened_at": None if opened_at is None else opened_at // SECOND}

    async def remove(self, request: Request) -> Answer:
        """Forget the chat."""
        await self._chats.forget(await self._doorkeeper.admit(request))
        return {}

    async def update(self, request: Request) -> Answer:
        """Hear what a person tells the bot; the answer to Telegram is what the bot says."""
        # Before anything of the body is read.
        if not self._chats.is_telegram(request.headers.get("x-telegram-bot-api-secret-token", "")):
            raise UnauthenticatedError("only Telegram tells this server what its bot hears")
        message = (await Fields.of(request)).object("message", required=False)
        chat, sender = _object(message, "chat"), _object(message, "from")
        chat_id, text = chat.get("id"), message.get("text")
        # In a group others would read along.
        if chat.get("type") != "private" or type(chat_id) is not int or not isinstance(text, str):
            return {}
        heard = await self._chats.hear(chat_id, text)
        if heard is None:
            return {}
        _, said = texts(TEXTS, str(sender.get("language_code", "")))
        return {"method": "sendMessage", "chat_id": chat_id, "text": said[heard.name]}


def _object(values: Mapping[str, object], name: str) -> dict[str, object]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}

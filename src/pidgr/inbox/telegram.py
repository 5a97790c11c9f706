"""Members' chats with the bot in Telegram, which only they themselves can open.

A member asks for a link, opens it in Telegram and taps Start; Telegram then tells this server the
chat (docs/decisions/0026-where-nudges-find-people.md).
"""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from pidgr.channel_settings import TELEGRAM
from pidgr.clock import MINUTE, Clock
from pidgr.directory import member_store
from pidgr.errors import SetupError, UnauthenticatedError
from pidgr.identity.caller import Caller
from pidgr.inbox import telegram_store
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.telegram_bot import TelegramBot
from pidgr.outreach.telegram_channel import TelegramChannel
from pidgr.secrets import MasterKey
from pidgr.settings import Settings
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

UPDATES_PATH: Final = "/telegram/updates"

# What Telegram passes on has at most 64 letters of base64url; these are 32.
_TOKEN_BYTES: Final = 24
_LIFETIME: Final = 15 * MINUTE
_LINKS: Final = "https://t.me"


class Heard(Enum):
    """What became of something a person told the bot."""

    OPENED = auto()
    BAD_LINK = auto()
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class Link:
    """What opens a chat for a member, once, and until when."""

    url: str
    expires_at: int


class TelegramChats:
    """Keeps who reads the bot in which chat.

    Args:
        database: where that is.
        bot: whose chats they are.
        clock: tells when links end.
        updates_url: where Telegram is to send what people tell the bot.
        updates_secret: by which it shows that it is Telegram.
    """

    def __init__(
        self,
        database: Database,
        bot: TelegramBot,
        clock: Clock,
        *,
        updates_url: str,
        updates_secret: str,
    ) -> None:
        self._database = database
        self._bot = bot
        self._clock = clock
        self._updates_url = updates_url
        self._updates_secret = updates_secret
        self._asking: asyncio.Task[str] | None = None

    async def offer(self, caller: Caller) -> Link:
        """Return a link for the caller; the one before is good no more.

        Raises:
            PermissionDeniedError: the caller is an API key.
            UnauthenticatedError: the caller has just been deactivated.
            UnavailableError: Telegram cannot be reached, or the bot is not set up there.
        """
        person = caller.member()
        name = await self._name()
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        expires_at = self._clock.now() + _LIFETIME

        def work(unit: Transaction) -> None:
            # See DeviceService.register.
            if not member_store.hold_open_member(unit, caller.organization_key, person.key):
                raise UnauthenticatedError("this member has been deactivated")
            telegram_store.offer(
                unit,
                caller.organization_key,
                person.key,
                digest=_digest(token),
                expires_at=expires_at,
            )

        await self._database.write(work)
        return Link(f"{_LINKS}/{name}?start={token}", expires_at)

    async def _name(self) -> str:
        """Return the bot's name; whoever asks meanwhile waits for the same answer.

        Otherwise everybody's attempts to reach a Telegram that is away would take up the threads
        that others need.
        """
        if self._asking is None:
            ask = self._bot.name_once_heard
            self._asking = asyncio.create_task(
                asyncio.to_thread(ask, self._updates_url, self._updates_secret)
            )
            self._asking.add_done_callback(self._has_asked)
        return await asyncio.shield(self._asking)

    def _has_asked(self, asking: asyncio.Task[str]) -> None:
        self._asking = None
        if not asking.cancelled():
            # Seen, even if everybody who waited for it has left.
            asking.exception()

    async def opened_at(self, caller: Caller) -> int | None:
        """Return when the caller has opened their chat, None if they have none.

        Raises:
            PermissionDeniedError: the caller is an API key.
        """
        person = caller.member()
        return await self._database.read(
            lambda unit: telegram_store.opened_at(unit, caller.organization_key, person.key)
        )

    async def forget(self, caller: Caller) -> None:
        """Forget the caller's chat and link, if there are any.

        Raises:
            PermissionDeniedError: the caller is an API key.
        """
        person = caller.member()
        await self._database.write(
            lambda unit: telegram_store.forget(unit, caller.organization_key, person.key)
        )

    def is_telegram(self, secret: str) -> bool:
        """Tell whether who calls knows what only Telegram was told."""
        return secrets.compare_digest(secret.encode(), self._updates_secret.encode())

    async def hear(self, chat_id: int, text: str) -> Heard | None:
        """Do what a person tells the bot in their own chat; None if it is nothing for it."""
        command, _, token = text.strip().partition(" ")
        now = self._clock.now()
        match command:
            case "/start":
                digest = _digest(token.strip())
                opened = await self._database.write(
                    lambda unit: telegram_store.open_chat(unit, digest, chat_id, now)
                )
                return Heard.OPENED if opened else Heard.BAD_LINK
            case "/stop":
                await self._database.write(lambda unit: telegram_store.close_chat(unit, chat_id))
                return Heard.STOPPED
            case _:
                return None

    def channel(self) -> TelegramChannel:
        """Return what writes to those chats."""
        return TelegramChannel(self._bot, self.chats_of)

    def chats_of(self, organization_key: int, member_ids: Sequence[str]) -> dict[str, int]:
        """Return the chats of those members who have one, by the member's id. Blocks."""
        return self._database.read_now(
            lambda reader: telegram_store.chats_of(reader, organization_key, member_ids)
        )


def build_telegram(
    settings: Settings,
    database: Database,
    guard: AddressGuard,
    master_key: MasterKey,
    clock: Clock,
) -> TelegramChats | None:
    """Return the chats of the bot that the settings name, None if they name none.

    Raises:
        SetupError: Telegram could not tell this server what its bot hears.
    """
    token = settings.telegram_bot_token.get_secret_value()
    if not token:
        return None
    # A Bot API server of one's own posts by http too.
    is_telegrams = settings.telegram_url == TELEGRAM
    if is_telegrams and not settings.issuer.startswith("https://"):
        raise SetupError("PIDGR_TELEGRAM_BOT_TOKEN needs a PIDGR_ISSUER that is public and https")
    return TelegramChats(
        database,
        TelegramBot(token, settings.telegram_url, guard),
        clock,
        updates_url=settings.issuer.rstrip("/") + UPDATES_PATH,
        updates_secret=master_key.derive("telegram-updates").hex(),
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()

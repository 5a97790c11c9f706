"""Nudges as messages of a bot in Telegram, to people who have opened a chat with it themselves."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.nudge_http import not_taken, one_by_one
from pidgr.outreach.telegram_bot import TelegramBot

ChatsOf = Callable[[int, Sequence[str]], Mapping[str, int]]
"""Returns the chats of members of an organization, by the member's id, of those who have one."""


class TelegramChannel:
    """Writes as one bot."""

    def __init__(self, bot: TelegramBot, chats_of: ChatsOf) -> None:
        self._bot = bot
        self._chats_of = chats_of

    def send(self, nudges: Sequence[Nudge], departure: Departure) -> Handed:
        """Send a batch."""
        chats = self._chats_of(nudges[0].organization_key, [nudge.member_id for nudge in nudges])
        return one_by_one(nudges, lambda nudge: self._write(nudge, chats), departure)

    def _write(self, nudge: Nudge, chats: Mapping[str, int]) -> NudgeAnswer:
        chat_id = chats.get(nudge.member_id)
        if chat_id is None:
            return NudgeAnswer(NudgeOutcome.UNREACHABLE)
        reply = self._bot.say(chat_id, nudge.text)
        if reply.status == HTTPStatus.OK:
            return NudgeAnswer(NudgeOutcome.SENT)
        # 403 is who has blocked the bot or is gone. They may let it in again, so the chat is kept.
        return not_taken(reply.status)

"""SQL of members' chats with the bot in Telegram, and of the links that open them."""

from collections.abc import Sequence
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

_OFFER: Final = Statement("""
    insert into telegram_chat (member_key, organization_key, link_digest, link_expires_at)
    values (:member_key, :organization_key, :digest, :expires_at)
    on conflict (member_key) do update set
      link_digest = excluded.link_digest, link_expires_at = excluded.link_expires_at
""")
# Whose link it is follows from the link, and so does the organization. A link that is used up, and
# has no end any more, is known by the chat that it has opened: Telegram repeats what it has told
# until it gets an answer.
_OPEN: Final = Statement("""
    update telegram_chat
    set chat_id = :chat_id, link_expires_at = null,
      opened_at = case when link_expires_at is null then opened_at else :now end
    where link_digest = :digest
      and (link_expires_at > :now or link_expires_at is null and chat_id = :chat_id)
""")
# Who stops the bot means all of it, in whichever organization.
_CLOSE: Final = Statement("delete from telegram_chat where chat_id = :chat_id")
_FORGET: Final = Statement("""
    delete from telegram_chat
    where organization_key = :organization_key and member_key = :member_key
""")
_OPENED_AT: Final = Statement("""
    select opened_at from telegram_chat
    where organization_key = :organization_key and member_key = :member_key
""")
_CHATS: Final = """
    select m.id, t.chat_id from telegram_chat t join member m on m.key = t.member_key
    where t.organization_key = :organization_key and m.organization_key = :organization_key
      and t.chat_id is not null and m.id {ids}
"""
_CHATS_OF: Final = Statement(
    _CHATS.format(ids="in (select value from json_each(:member_ids))"),
    postgresql=_CHATS.format(ids="= any(:member_ids)"),
)


def offer(
    transaction: Transaction,
    organization_key: int,
    member_key: int,
    *,
    digest: bytes,
    expires_at: int,
) -> None:
    """Note the one link that opens a chat for a member; a chat they have stays meanwhile."""
    transaction.execute(
        _OFFER,
        {
            "organization_key": organization_key,
            "member_key": member_key,
            "digest": digest,
            "expires_at": expires_at,
        },
    )


def open_chat(transaction: Transaction, digest: bytes, chat_id: int, now: int) -> bool:
    """Make a chat that of whoever was given a link, and use the link up.

    Returns False if the link is no more, or has opened another chat.
    """
    parameters = {"digest": digest, "chat_id": chat_id, "now": now}
    return transaction.execute(_OPEN, parameters) == 1


def close_chat(transaction: Transaction, chat_id: int) -> None:
    """Forget a chat, whosever it is."""
    transaction.execute(_CLOSE, {"chat_id": chat_id})


def forget(transaction: Transaction, organization_key: int, member_key: int) -> None:
    """Forget a member's chat and link."""
    transaction.execute(_FORGET, {"organization_key": organization_key, "member_key": member_key})


def opened_at(reader: Reader, organization_key: int, member_key: int) -> int | None:
    """Return when a member has opened their chat, None if they have none."""
    found: int | None = reader.value(
        _OPENED_AT, {"organization_key": organization_key, "member_key": member_key}
    )
    return found


def chats_of(reader: Reader, organization_key: int, member_ids: Sequence[str]) -> dict[str, int]:
    """Return the chats of those members who have one, by the member's id."""
    parameters = {
        "organization_key": organization_key,
        "member_ids": reader.array(list(member_ids)),
    }
    return dict(reader.rows(_CHATS_OF, parameters))

"""Links to the bot in Telegram, while it is asked for its name."""

import asyncio
from collections.abc import Iterator

import pytest
from support.http_peer import HttpPeer, Scripted, http_peer
from support.organization import Installation, Tenant
from support.telegram import TOKEN, Telegram

from pidgr.errors import UnavailableError
from pidgr.inbox.telegram import Link, TelegramChats
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.telegram_bot import TelegramBot

MEMBERS = 20


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with http_peer() as peer:
        yield peer


@pytest.fixture
def telegram(peer: HttpPeer) -> Telegram:
    return Telegram(peer)


@pytest.fixture
def chats(installation: Installation, telegram: Telegram) -> TelegramChats:
    return TelegramChats(
        installation.database,
        TelegramBot(TOKEN, telegram.url, AddressGuard(["127.0.0.1"])),
        installation.clock,
        updates_url="https://pidgr.example/telegram/updates",
        updates_secret="secret",
    )


async def ask(chats: TelegramChats, tenant: Tenant) -> list[Link | BaseException]:
    """Let many ask for a link at the same time."""
    people = [tenant.add_member(f"person{number}@example.com") for number in range(MEMBERS)]
    return await asyncio.gather(*map(chats.offer, people), return_exceptions=True)


def test_telegram_is_asked_once_for_all_who_want_a_link_meanwhile(
    chats: TelegramChats, telegram: Telegram, acme: Tenant
) -> None:
    links = asyncio.run(ask(chats, acme))
    urls = {link.url for link in links if isinstance(link, Link)}
    assert len(urls) == MEMBERS
    assert telegram.webhooks == 1


def test_while_it_is_away_nobody_waits_for_the_attempts_of_others(
    chats: TelegramChats, peer: HttpPeer, telegram: Telegram, acme: Tenant
) -> None:
    working = peer.answer
    peer.answer = lambda _request: Scripted(503)
    refused = asyncio.run(ask(chats, acme))
    assert [type(one) for one in refused] == [UnavailableError] * MEMBERS
    assert len(peer.received) == 1
    peer.answer = working
    assert isinstance(asyncio.run(chats.offer(acme.admin)), Link)
    assert telegram.webhooks == 1

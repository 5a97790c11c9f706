"""A member opens a chat with the bot in Telegram, gets reminders there and ends it."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.http_peer import Scripted, http_peer
from support.nudges import NO_IDENTIFIER, SENT, remind
from support.push_gateway import PushGateway
from support.running import Installation, running
from support.story import World
from support.telegram import NAME, TOKEN, Telegram
from support.waiting import until

from pidgr.clock import MINUTE, Clock
from pidgr.errors import SetupError
from pidgr.privacy.person_data import document
from pidgr.settings import Settings
from pidgr.storage.sql import Statement
from pidgr.system import build_system

ROWS = Statement("select member_key, chat_id from telegram_chat")
KEYS = Statement("select organization_key, key from member where id = :id")


class MovingClock(Clock):
    ahead = 0

    def now(self) -> int:
        return super().now() + self.ahead


@pytest.fixture(scope="module")
def telegram() -> Iterator[Telegram]:
    with http_peer() as peer:
        yield Telegram(peer)


@pytest.fixture(scope="module")
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture(scope="module")
def installation(
    database_settings: dict[str, Any],
    gateway: PushGateway,
    telegram: Telegram,
    clock: MovingClock,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    with running(
        tmp_path_factory.mktemp("data"),
        clock=clock,
        push_url=gateway.url,
        issuer="https://pidgr.example/",
        webhook_allowed_networks=("127.0.0.1",),
        telegram_bot_token=TOKEN,
        telegram_url=telegram.url,
        **database_settings,
    ) as installation:
        yield installation


@pytest.fixture(autouse=True)
def fresh(telegram: Telegram) -> None:
    telegram.said.clear()
    telegram.refusals.clear()


class Phone:
    """A member with Telegram, in a chat of their own."""

    def __init__(self, world: World, telegram: Telegram, user_id: str) -> None:
        self.server = world.installation.url
        self.credential = world.tokens[user_id]
        self.telegram = telegram
        self.chat_id = secrets.randbits(50)
        telegram.chats.add(self.chat_id)

    def ask(self, method: str, path: str, credential: str | None = None) -> httpx.Response:
        credential = self.credential if credential is None else credential
        headers = {"authorization": f"Bearer {credential}"} if credential else {}
        return httpx.request(method, f"{self.server}/telegram/{path}", headers=headers, timeout=60)

    def link(self) -> str:
        """Return what a new link hands to the bot."""
        answer = self.ask("POST", "link")
        assert answer.status_code == 200, answer.text
        url = httpx.URL(answer.json()["url"])
        assert (url.host, url.path) == ("t.me", f"/{NAME}")
        start = url.params["start"]
        assert len(start) <= 64
        return start

    def tell(self, text: str, **changes: Any) -> str:
        """Say something to the bot and return what it answers."""
        answer = self.telegram.tell(self.server, self.chat_id, text, **changes)
        if not answer:
            return ""
        assert (answer["method"], answer["chat_id"]) == ("sendMessage", self.chat_id)
        return str(answer["text"])

    def is_open(self) -> bool:
        answer = self.ask("GET", "chat")
        assert answer.status_code == 200, answer.text
        return answer.json()["opened_at"] is not None


@pytest.fixture
def ada(world: World, telegram: Telegram) -> Iterator[Phone]:
    phone = Phone(world, telegram, world.ada)
    yield phone
    phone.ask("POST", "chat/remove")


def test_a_chat_is_opened_by_a_members_own_link_and_reminders_come_until_stop(
    world: World, ada: Phone, telegram: Telegram
) -> None:
    assert not ada.is_open()
    assert "From now on" in ada.tell(f"/start {ada.link()}")
    assert ada.is_open()
    found = remind(world, world.stubs.CHANNEL_NAME_TELEGRAM, "In a chat")
    assert found == {"person0": SENT, "person1": NO_IDENTIFIER}
    (said,) = telegram.said
    assert said["chat_id"] == ada.chat_id
    assert "In a chat" in said["text"]
    assert said["text"].rpartition("\n")[2].startswith("https://pidgr.example/c/")
    assert "no more" in ada.tell("/stop")
    assert not ada.is_open()
    found = remind(world, world.stubs.CHANNEL_NAME_TELEGRAM, "After that")
    assert set(found.values()) == {NO_IDENTIFIER}


def test_a_link_is_good_once_for_one_chat_and_a_quarter_of_an_hour(
    world: World, ada: Phone, telegram: Telegram, clock: MovingClock
) -> None:
    other = Phone(world, telegram, world.bob)
    used, first = ada.link(), ada.link()
    assert "no longer valid" in ada.tell(f"/start {used}"), "a newer link ends the one before"
    assert "From now on" in ada.tell(f"/start {first}")
    opened_at = ada.ask("GET", "chat").json()
    clock.ahead += MINUTE
    assert "From now on" in ada.tell(f"/start {first}"), "Telegram repeats what got no answer"
    assert ada.ask("GET", "chat").json() == opened_at
    for bad in (first, "", "x", "\ud800", first[:-1]):
        assert "no longer valid" in other.tell(f"/start {bad}")
    assert not other.is_open()
    late = ada.link()
    clock.ahead += 15 * MINUTE
    assert "no longer valid" in other.tell(f"/start {late}")
    # A link that leads nowhere takes nothing away.
    assert ada.is_open()


def test_who_opens_a_link_elsewhere_has_moved_there(
    world: World, ada: Phone, telegram: Telegram
) -> None:
    ada.tell(f"/start {ada.link()}")
    old = ada.chat_id
    ada.chat_id = Phone(world, telegram, world.ada).chat_id
    ada.tell(f"/start {ada.link()}")
    remind(world, world.stubs.CHANNEL_NAME_TELEGRAM, "Moved")
    assert [said["chat_id"] for said in telegram.said] == [ada.chat_id]
    assert old != ada.chat_id


def test_the_bot_speaks_a_persons_language_and_hears_nothing_but_its_commands(ada: Phone) -> None:
    brazilian = {"from": {"id": 1, "language_code": "pt-br"}}
    assert "agora" in ada.tell(f"/start {ada.link()}", **brazilian)
    assert ada.tell("hello") == ada.tell("/help") == ""
    group = {"chat": {"id": ada.chat_id, "type": "group"}}
    assert ada.tell("/stop", **group) == ""
    assert ada.tell(f"/start {ada.link()}", **group) == ""
    assert ada.is_open()


def test_updates_that_hold_nothing_are_taken_so_that_telegram_does_not_repeat_them(
    ada: Phone, telegram: Telegram
) -> None:
    ada.link()
    nothing: tuple[dict[str, Any], ...] = (
        {},
        {"edited_message": {}},
        {"message": {}},
        {"message": {"chat": {"id": "7", "type": "private"}, "text": "/stop"}},
        {"message": {"chat": {"id": 7, "type": "private"}}},
        {"message": {"chat": [], "text": "/stop"}},
    )
    for update in nothing:
        answer = telegram.post(ada.server, update)
        assert (answer.status_code, answer.json()) == (200, {})


def test_only_telegram_is_believed(ada: Phone, telegram: Telegram) -> None:
    start = ada.link()
    update = {"message": {"chat": {"id": 7, "type": "private"}, "text": f"/start {start}"}}
    for secret in ("", "x", telegram.webhook["secret_token"][:-1]):
        answer = telegram.post(ada.server, update, secret)
        assert answer.status_code == 401
    assert not ada.is_open()
    # Every process says the same, so which of them is asked for a link does not matter.
    assert telegram.webhook["url"] == "https://pidgr.example/telegram/updates"


def test_a_chat_is_a_members_own(world: World, ada: Phone) -> None:
    ada.tell(f"/start {ada.link()}")
    for method, path in (("POST", "link"), ("GET", "chat"), ("POST", "chat/remove")):
        assert ada.ask(method, path, "").status_code == 401
        assert ada.ask(method, path, world.key).status_code == 403
        assert ada.ask(method, path, world.tokens[world.bob]).status_code == 200
    assert ada.is_open()


def test_who_is_away_is_told_so(ada: Phone, world: World, telegram: Telegram) -> None:
    ada.link()
    telegram.chats.discard(ada.chat_id)
    ada.tell(f"/start {ada.link()}")
    telegram.refusals[ada.chat_id] = Scripted(403)
    found = remind(world, world.stubs.CHANNEL_NAME_TELEGRAM, "Blocked")
    assert found["person0"][1] == "403"
    assert ada.is_open()


def test_a_chat_is_in_the_copy_of_a_persons_data_and_goes_with_them(
    world: World, telegram: Telegram
) -> None:
    system = world.installation.system
    email = f"leaver-{secrets.token_hex(4)}@example.com"
    leaver = world.invite(email, name="Leaver")
    phone = Phone(world, telegram, leaver)
    phone.tell(f"/start {phone.link()}")
    ((organization_key, member_key),) = system.database.read_now(
        lambda reader: reader.rows(KEYS, {"id": leaver})
    )

    now = system.clock.now()
    copy = system.database.read_now(
        lambda reader: document(
            reader, system.delivery_ids, organization_key, "Acme", member_key, now
        )
    )
    (chat,) = json.loads(copy)["telegram"]
    assert chat["chat_id"] == phone.chat_id
    asked = world.client("PrivacyService/DeleteUserData", world.key, user_id=leaver, anonymize=True)
    fields = {"request_id": asked.request_id, "confirmation_email": email}
    world.client("PrivacyService/ImmediateDelete", world.key, **fields)

    def has_gone() -> bool:
        rows = system.database.read_now(lambda reader: reader.rows(ROWS))
        return member_key not in [row[0] for row in rows]

    until(has_gone)


def test_without_https_telegram_cannot_tell_this_server_anything(tmp_path: Any) -> None:
    settings = Settings(data_dir=tmp_path, telegram_bot_token=TOKEN, issuer="http://pidgr.example")
    with pytest.raises(SetupError, match="PIDGR_ISSUER"):
        build_system(settings, run_handlers=False)

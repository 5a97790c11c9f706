"""Reminders over the services that people chat with, from the campaign to the service."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.google_chat import GoogleChat
from support.http_peer import http_peer
from support.line import TOKEN as LINE_TOKEN
from support.line import Line
from support.nudges import NO_IDENTIFIER, SENT, remind
from support.push_gateway import PushGateway
from support.running import Installation, running
from support.story import World
from support.teams import Teams
from support.whatsapp import SENDER, TOKEN, WhatsApp

from pidgr.storage.sql import Statement

SET_PERSON = Statement("""
    update member set phone = :phone, first_name = :first_name where id = :id
""")


@pytest.fixture(scope="module")
def teams() -> Iterator[Teams]:
    with http_peer() as peer:
        yield Teams(peer)


@pytest.fixture(scope="module")
def whatsapp() -> Iterator[WhatsApp]:
    with http_peer() as peer:
        yield WhatsApp(peer)


@pytest.fixture(scope="module")
def google() -> Iterator[GoogleChat]:
    with http_peer() as peer:
        yield GoogleChat(peer)


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with http_peer() as peer:
        yield Line(peer)


@pytest.fixture(scope="module")
def installation(
    database_settings: dict[str, Any],
    gateway: PushGateway,
    teams: Teams,
    whatsapp: WhatsApp,
    google: GoogleChat,
    line: Line,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    with running(
        tmp_path_factory.mktemp("data"),
        push_url=gateway.url,
        issuer="https://pidgr.example",
        sign_in_url="https://app.example/inbox",
        webhook_allowed_networks=("127.0.0.1",),
        whatsapp_token=TOKEN,
        whatsapp_phone_number_id=SENDER,
        whatsapp_template="pidgr_nudge",
        whatsapp_url=whatsapp.url,
        line_token=LINE_TOKEN,
        line_url=line.url,
        **teams.settings(),
        **google.settings(),
        **database_settings,
    ) as installation:
        yield installation


def test_a_bot_writes_in_teams_to_who_is_known_there(world: World, teams: Teams) -> None:
    teams.people["person0@example.com"] = ["ada-id"]
    found = remind(world, world.stubs.CHANNEL_NAME_MICROSOFT_TEAMS, "Teams <1>")
    assert found == {"person0": SENT, "person1": NO_IDENTIFIER}
    person, message = teams.messages.pop()
    assert teams.messages == []
    assert person == "ada-id"
    assert "“Teams &lt;1&gt;”" in message["text"]
    assert '<a href="https://pidgr.example/c/' in message["text"]


def test_a_template_goes_to_the_number_of_the_profile(world: World, whatsapp: WhatsApp) -> None:
    values = {"phone": "+49 171 1234567", "first_name": "Ada \n Grace", "id": world.ada}
    world.installation.system.database.write_now(lambda unit: unit.execute(SET_PERSON, values))
    found = remind(world, world.stubs.CHANNEL_NAME_WHATSAPP, "A  title")
    assert found == {"person0": SENT, "person1": NO_IDENTIFIER}
    message = whatsapp.messages.pop()
    assert whatsapp.messages == []
    assert message["to"] == "+491711234567"
    body, button = message["template"]["components"]
    assert [one["text"] for one in body["parameters"]] == ["Ada Grace", "A title"]
    (end,) = button["parameters"]
    answer = httpx.get(f"{world.installation.url}/c/{end['text']}", timeout=60)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("https://app.example/inbox")


def test_an_app_writes_in_google_chat_to_who_has_it(world: World, google: GoogleChat) -> None:
    google.people["person1@example.com"] = "123"
    google.spaces["123"] = "spaces/AAA"
    found = remind(world, world.stubs.CHANNEL_NAME_GOOGLE_CHAT, "In a space")
    assert found == {"person0": NO_IDENTIFIER, "person1": SENT}
    _, (space, text) = google.messages.popitem()
    assert google.messages == {}
    assert space == "spaces/AAA"
    assert "In a space" in text
    assert text.rpartition("\n")[2].startswith("https://pidgr.example/c/")


def test_an_account_writes_in_line_to_the_id_of_the_profile(world: World, line: Line) -> None:
    friend = f"U{'1' * 32}"
    world.client(
        "MemberService/UpdateUserProfile",
        world.key,
        user_id=world.bob,
        profile={"custom_attributes": {"line_user_id": friend, "other": "x"}},
    )
    found = remind(world, world.stubs.CHANNEL_NAME_LINE, "In a line")
    assert found == {"person0": NO_IDENTIFIER, "person1": SENT}
    _, (person, text) = line.messages.popitem()
    assert line.messages == {}
    assert person == friend
    assert "In a line" in text

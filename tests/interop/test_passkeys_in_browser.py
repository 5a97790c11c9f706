"""Passkeys in Chromium, with its virtual authenticator, through the pages a person sees."""

import re
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from support.mail_server import MailServer, Peer
from support.node import NodeProject
from support.running import Installation, running
from support.waiting import until

from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.rpc.server import ServerOptions
from pidgr.storage.sql import Statement

LANGUAGES = ("en", "es", "pt-BR", "zh", "ja")
STEPS = ("address", "code", "wrong code", "passkeys", "add", "consent")
TOLD = Statement("""
    select count(*) from audit_event e join organization o on o.key = e.organization_key
    where e.event_type = :type and o.id = :id
""")


@pytest.fixture(scope="module")
def peer() -> Peer:
    return Peer()


@pytest.fixture(scope="module")
def home(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A server with a name, which passkeys need."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        MailServer(peer) as mail,
        running(
            tmp_path_factory.mktemp("home"),
            ServerOptions(port=port),
            issuer=f"http://localhost:{port}",
            smtp_url=mail.url(query="?starttls=off"),
            mail_from="Pidgr <no-reply@example.com>",
        ) as installation,
    ):
        yield installation


@contextmanager
def mailbox(peer: Peer) -> Iterator[str]:
    """Serve the code of the one mail that an address has got and nobody has asked for yet."""
    read: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (email,) = parse_qs(urlsplit(self.path).query)["email"]
            seen = read.get(email, 0)
            until(lambda: len(peer.codes_to(email)) > seen)
            texts = peer.codes_to(email)
            read[email] = len(texts)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(re.findall(r"(?<!\d)\d{6}(?!\d)", texts[-1])[0].encode())

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def visitor(home: Installation, mailbox_url: str) -> tuple[dict[str, str], str]:
    """A member who was invited, as scenarios want them, and their organization's id."""
    import httpx

    organization = home.found()
    email = f"{secrets.token_hex(6)}@example.com"
    httpx.post(
        f"{home.url}/pidgr.v1.MemberService/InviteUser",
        json={"email": email, "name": "Eve"},
        headers={"authorization": f"Bearer {organization.api_key}"},
        timeout=60,
    ).raise_for_status()
    url = home.system.settings.issuer
    return {"url": url, "mailbox": mailbox_url, "email": email}, organization.id


def test_a_person_lives_with_a_passkey_by_keyboard_alone(
    node: NodeProject, home: Installation, peer: Peer
) -> None:
    with mailbox(peer) as address:
        person, organization_id = visitor(home, address)
        seen = node.run("passkeys/live", **node.browser(), **person)
    assert "code is on its way" in seen["first"]["asked"]["text"]
    assert "You have no passkey yet" in seen["first"]["entered"]["text"]
    assert "Name of the new passkey" in seen["form"]["text"]
    assert "Laptop <1> is ready" in seen["added"]["text"]
    assert "Laptop <1>, never used" in seen["added"]["text"]
    assert re.search(r"Laptop <1>, last used \d{4}-\d\d-\d\d", seen["used"]["text"])
    # The device knows that it has one.
    assert "No passkey was made" in seen["twice"]["alert"]
    assert "No passkey of this site was used" in seen["unverified"]["alert"]
    assert "not accepted" in seen["foreign"]["alert"]
    assert "No passkey was made" in seen["careless"]["alert"]
    assert "opens nothing any more" in seen["removed"]["text"]
    assert "You have no passkey yet" in seen["removed"]["text"]
    assert "not accepted" in seen["afterwards"]["alert"]
    parameters = {"type": int(AuditEventType.PASSKEY_ENROLLED), "id": organization_id}
    told = home.system.database.read_now(lambda reader: reader.value(TOLD, parameters))
    assert told == 1


def test_an_application_is_allowed_by_passkey_and_every_page_is_clean_in_every_language(
    node: NodeProject, home: Installation, peer: Peer
) -> None:
    query = {
        "client_id": "pidgr-mcp",
        "response_type": "code",
        "state": "x",
        "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
        "scope": "campaigns:read",
    }
    with mailbox(peer) as address:
        person, _ = visitor(home, address)
        authorize = f"{person['url']}/oauth/authorize?{urlencode(query)}"
        seen = node.run(
            "passkeys/consent",
            **node.browser(),
            **person,
            languages=LANGUAGES,
            authorize=authorize,
        )
    looked = [(one["language"], one["name"]) for one in seen["pages"]]
    assert looked == [(language, name) for language in LANGUAGES for name in STEPS]
    assert [one["violations"] for one in seen["pages"]] == [[]] * len(looked)
    answers = [dict(parse_qsl(urlsplit(url).query)) for url in seen["answers"] if "?" in url]
    assert len({answer["code"] for answer in answers}) == len(LANGUAGES)
    assert {answer["state"] for answer in answers} == {"x"}

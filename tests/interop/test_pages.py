"""The pages people see, looked at by axe in a real browser and walked by keyboard."""

import base64
import hashlib
import secrets
from urllib.parse import urlencode

import pytest
from support.grpc_client import Organization
from support.node import NodeProject
from support.running import Installation

LANGUAGES = ("en", "es", "pt-BR", "zh", "ja")


@pytest.fixture(scope="module")
def chromium(node: NodeProject) -> dict[str, str]:
    return node.browser()


def join_url(server: Installation, organization: Organization) -> str:
    from pidgr.directory import invite_link_store, role_store
    from pidgr.directory.invite_link_store import NewInviteLink
    from pidgr.directory.invite_links import digest, new_token
    from pidgr.storage.sql import Statement
    from pidgr.storage.transaction import Transaction

    token = new_token()
    key = Statement("select key from organization where id = :id")

    def make(transaction: Transaction) -> None:
        organization_key = transaction.value(key, {"id": organization.id})
        now = server.system.clock.now()
        role = role_store.roles_by_slug(transaction, organization_key)["employee"]
        new = NewInviteLink(
            id=secrets.token_hex(8),
            organization_key=organization_key,
            digest=digest(token),
            sealed_token=b"",
            role_key=role.key,
            max_uses=0,
            data_governance_region="",
            created_by="",
            created_at=now,
            expires_at=now + 3_600_000_000,
        )
        invite_link_store.insert(transaction, new)

    server.system.database.write_now(make)
    return f"{server.url}/join/{token}"


def consent_url(server: Installation) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"x" * 43).digest()).rstrip(b"=")
    query = {
        "client_id": "pidgr-mcp",
        "response_type": "code",
        "redirect_uri": "http://127.0.0.1:5555/callback",
        "state": "x",
        "code_challenge": challenge.decode(),
        "code_challenge_method": "S256",
        "scope": "campaigns:read",
    }
    return f"{server.url}/oauth/authorize?{urlencode(query)}"


def test_every_page_is_clean_in_every_language_and_all_of_it_is_reached_by_keyboard(
    node: NodeProject, chromium: dict[str, str], server: Installation, organization: Organization
) -> None:
    forms = {
        join_url(server, organization): ["email", "button", "passkey"],
        consent_url(server): ["email", "button", "passkey"],
        f"{server.url}/passkeys": ["email", "button", "passkey"],
    }
    broken = [f"{server.url}/join/none", f"{server.url}/auth/sso/callback"]
    broken += [f"{server.url}/oauth/authorize", f"{server.url}/c/none"]
    visits = [
        {"url": url, "language": language} for url in (*forms, *broken) for language in LANGUAGES
    ]
    found = node.run("pages/inspect", **chromium, visits=visits)["found"]
    assert [one["violations"] for one in found] == [[]] * len(visits)
    assert [one["language"] for one in found] == [visit["language"] for visit in visits]
    assert all(one["title"] for one in found)
    assert all(one["passes"] > 5 for one in found)
    for one in found:
        assert one["reached"] == forms.get(one["url"], [])


def test_a_form_is_filled_and_sent_by_keyboard_alone(
    node: NodeProject, chromium: dict[str, str], server: Installation, organization: Organization
) -> None:
    url = join_url(server, organization)
    sent = node.run("pages/fillByKeyboard", **chromium, url=url, text="eve@example.com")
    assert 'name="code"' in sent["html"]
    assert sent["focused"] == "code"

"""Clients that let this server's pages sign somebody in, and fetch the tokens."""

import base64
import hashlib
import secrets
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from support.passkey_holder import APP, SITE, PasskeyHolder
from support.running import Installation, running
from support.waiting import at_once

from pidgr.clock import MINUTE, ManualClock


class App:
    """A client: what it keeps of a sign-in, and what it is brought."""

    def __init__(self, holder: PasskeyHolder) -> None:
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        self.start = f"/sign-in?code_challenge={challenge}"
        self.http = holder.http

    def code(self, holder: PasskeyHolder) -> str:
        back = holder.sign_in(self.start)
        assert back.status_code == 303, back.text
        assert back.headers["location"].startswith(f"{APP}&pidgr_code=")
        return dict(parse_qsl(urlsplit(back.headers["location"]).query))["pidgr_code"]

    def tokens(self, code: str, **changes: str) -> httpx.Response:
        fields = {"code": code, "code_verifier": self.verifier, **changes}
        return self.http.post("/auth/token", json=fields)


def test_a_client_gets_the_tokens_of_who_has_signed_in(
    holder: PasskeyHolder, site: Installation
) -> None:
    app = App(holder)
    page = holder.http.get(app.start)
    assert "<strong>app.example</strong>" in page.text
    assert "form-action 'self' https://app.example;" in page.headers["content-security-policy"]
    answer = app.tokens(app.code(holder))
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    assert tokens["organization_id"] == holder.organization.id
    assert tokens["user_id"] == holder.organization.admin_id
    claims = site.system.signer.verify(tokens["access_token"])
    assert claims.methods == {"swk", "mfa"}
    again = holder.http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert again.status_code == 200


def test_a_code_is_good_once_with_its_verifier_and_for_a_minute(
    holder: PasskeyHolder, clock: ManualClock
) -> None:
    app = App(holder)
    used = app.code(holder)
    assert app.tokens(used).status_code == 200
    shown = app.code(holder)
    assert app.tokens(shown, code_verifier="x" * 43).status_code == 401
    late = app.code(holder)
    clock.advance(MINUTE)
    refusals = [app.tokens(code) for code in (used, shown, late, "none", "\u00fc")]
    assert {answer.status_code for answer in refusals} == {401}
    assert len({answer.text for answer in refusals}) == 1
    for verifier in ("x" * 42, "x" * 129, "x" * 42 + "!"):
        assert app.tokens("none", code_verifier=verifier).status_code == 400


def test_of_eight_uses_of_a_code_at_once_one_opens_a_session(holder: PasskeyHolder) -> None:
    app = App(holder)
    code = app.code(holder)
    statuses = at_once(8, lambda: app.tokens(code).status_code)
    assert sorted(statuses) == [200] + [401] * 7


@pytest.mark.parametrize("challenge", ["", "short", "x" * 42 + "=", "x" * 44])
def test_without_a_challenge_nothing_begins(holder: PasskeyHolder, challenge: str) -> None:
    page = holder.http.get("/sign-in", params={"code_challenge": challenge})
    assert page.status_code == 400
    assert "seal" not in page.text


def test_without_a_client_it_leads_to_our_inbox(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("alone")
    with (
        running(directory, issuer=SITE, embedded_engine=False) as installation,
        httpx.Client(base_url=installation.url, timeout=60) as browser,
    ):
        page = browser.get(f"/sign-in?code_challenge={'x' * 43}")
        assert page.status_code == 200
        assert f"form-action 'self' {SITE};" in page.headers["content-security-policy"]

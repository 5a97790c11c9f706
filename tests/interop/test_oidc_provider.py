"""Signing in by npm's ``oidc-provider``, certified by the OpenID Foundation, with its own pages."""

import base64
import hashlib
import json
import re
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import grpc
import httpx
import pytest
from support.grpc_client import Client, Stubs
from support.node import NODE, NodeProject
from support.running import Installation, running

from pidgr.rpc.server import ServerOptions
from pidgr.storage.sql import Statement

VERIFY = Statement("update sso_provider set verified_at = 1 where id = :id")
SECRET = "a secret of the client, with a + and a %"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A server that knows its own address, and sends people on to a client's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with running(
        tmp_path_factory.mktemp("home"),
        ServerOptions(port=port),
        issuer=f"http://127.0.0.1:{port}",
        sign_in_url="https://app.example/",
        sso_allowed_networks=("127.0.0.1",),
        embedded_engine=False,
    ) as installation:
        yield installation


@contextmanager
def openid_provider(node: NodeProject, redirect_uri: str, **options: Any) -> Iterator[str]:
    argument = {"redirectUri": redirect_uri, "clientSecret": SECRET, **options}
    with subprocess.Popen(
        [NODE, "provider.js", json.dumps(argument)],
        cwd=node.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            # It warns on standard output too.
            lines = iter(process.stdout.readline, "")
            yield next(line.strip() for line in lines if line.startswith("http://127.0.0.1:"))
        finally:
            process.kill()


class Browser:
    """Follows redirects and fills forms, until it is sent to the client."""

    def __init__(self) -> None:
        self.http = httpx.Client(timeout=60)

    def go(self, url: str) -> httpx.Response:
        return self._follow(self.http.get(url))

    def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        (action,) = re.findall(r'<form[^>]* action="([^"]+)"', page.text)
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text)
        target = urljoin(str(page.url), action)
        return self._follow(self.http.post(target, data={**dict(hidden), **fields}))

    def _follow(self, response: httpx.Response) -> httpx.Response:
        while response.is_redirect:
            target = urljoin(str(response.url), response.headers["location"])
            if urlsplit(target).hostname != "127.0.0.1":
                return response
            response = self.http.get(target)
        return response


def _claims(tokens: dict[str, str]) -> dict[str, Any]:
    payload = tokens["access_token"].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return claims


@pytest.mark.parametrize("email_in_id_token", [True, False], ids=["id token", "user info"])
def test_an_invited_member_signs_in_by_a_provider_that_is_not_ours(
    node: NodeProject, home: Installation, stubs: Stubs, email_in_id_token: bool
) -> None:
    organization = home.found()
    bearer = {"authorization": f"Bearer {organization.api_key}"}
    domain = f"d{secrets.token_hex(4)}.example"
    email = f"ada@{domain}"
    callback = f"{home.url}/auth/sso/callback"
    browser = Browser()
    with (
        openid_provider(node, callback, emailInIdToken=email_in_id_token) as issuer,
        grpc.insecure_channel(home.address) as channel,
        browser.http,
    ):
        client = Client(channel, stubs)
        made = client(
            "SSOService/CreateSSOProvider",
            organization.api_key,
            domain=domain,
            type=2,
            metadata_url=f"{issuer}/.well-known/openid-configuration",
        ).provider
        known = {"client_id": "pidgr", "client_secret": SECRET}
        answer = browser.http.post(f"{home.url}/auth/sso/client", json=known, headers=bearer)
        assert answer.json()["redirect_uri"] == callback
        home.system.database.write_now(lambda unit: unit.execute(VERIFY, {"id": made.id}))
        assert client("SSOService/CheckSSOByDomain", email=email).sso_enabled
        invited = client("MemberService/InviteUser", organization.api_key, email=email).user

        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        query = f"email={email}&code_challenge={challenge}"
        sign_in = browser.go(f"{home.url}/auth/sso/start?{query}")
        consent = browser.submit(sign_in, prompt="login", login=email, password="anything")
        back = browser.submit(consent, prompt="consent")
        assert back.headers["location"].startswith("https://app.example/?pidgr_code=")
        (code,) = parse_qs(urlsplit(back.headers["location"]).query)["pidgr_code"]
        fields = {"code": code, "code_verifier": verifier}
        tokens = browser.http.post(f"{home.url}/auth/token", json=fields).json()
        assert tokens["user_id"] == invited.id
        assert "auth_time" not in _claims(tokens), "nobody has asked"
        fields = {"email": email, "code_challenge": challenge}
        # The provider remembers who they are, and lets them come back as they are.
        recent = browser.go(f"{home.url}/auth/sso/start?{urlencode({**fields, 'max_age': 300})}")
        (code,) = parse_qs(urlsplit(recent.headers["location"]).query)["pidgr_code"]
        exchange = {"code": code, "code_verifier": verifier}
        stepped_up = browser.http.post(f"{home.url}/auth/token", json=exchange).json()
        assert abs(_claims(stepped_up)["auth_time"] - time.time()) < 300
        anew = browser.go(f"{home.url}/auth/sso/start?{urlencode({**fields, 'max_age': 0})}")
        assert 'name="login"' in anew.text
        user = client("MemberService/GetUser", tokens["access_token"], user_id=invited.id).user
        assert user.status == stubs.USER_STATUS_ACTIVE
        assert (user.profile.first_name, user.profile.last_name) == ("Ada", "Lovelace")

"""An organization whose people sign in by a provider, and a browser with a client behind it."""

import base64
import hashlib
import re
import secrets
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from pidgr.clock import SECOND
from pidgr.identity import people
from pidgr.storage.sql import Statement
from support.forms import submit
from support.grpc_client import Client, Organization
from support.running import Installation

VERIFY = Statement("update sso_provider set verified_at = 1 where id = :id")

APPLICATION = "http://127.0.0.1:5555/callback"


class SsoDoor:
    """The organization, its provider connected and its domain proved.

    Args:
        installation: that sends people on to ``https://app.example/inbox?a=1``.
        client: calls it.
        organization: of the people.
        domain: of their addresses.
        fields: of CreateSSOProvider.
    """

    def __init__(
        self,
        installation: Installation,
        client: Client,
        organization: Organization,
        domain: str,
        **fields: Any,
    ) -> None:
        self.installation = installation
        self.client = client
        self.organization = organization
        self.domain = domain
        self.verifier = secrets.token_urlsafe(48)
        self.browser = self.new_browser()
        made = client("SSOService/CreateSSOProvider", organization.api_key, domain=domain, **fields)
        self.provider_id = made.provider.id
        self.change(VERIFY, id=self.provider_id)

    def new_browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.installation.url, timeout=60)

    def change(self, statement: Statement, **values: object) -> None:
        self.installation.system.database.write_now(lambda unit: unit.execute(statement, values))

    def invite(self, **fields: Any) -> tuple[str, str]:
        email = f"{secrets.token_hex(4)}@{self.domain}"
        invited = self.client(
            "MemberService/InviteUser", self.organization.api_key, email=email, **fields
        )
        return str(invited.user.id), email

    def user(self, user_id: str) -> Any:
        key = self.organization.api_key
        return self.client("MemberService/GetUser", key, user_id=user_id).user

    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def start(self, email: str, **changes: str) -> httpx.Response:
        params = {"email": email, "code_challenge": self.challenge(), **changes}
        return self.browser.get("/auth/sso/start", params=params)

    def way_from_sign_in_page(self, email: str, **changes: str) -> str:
        """Begin to allow an application; return where the sign-in page sends the address."""
        query = {
            "client_id": "pidgr-mcp",
            "response_type": "code",
            "redirect_uri": APPLICATION,
            "code_challenge": self.challenge(),
            "code_challenge_method": "S256",
            "scope": "campaigns:read",
            **changes,
        }
        first = self.browser.get("/oauth/authorize", params=query)
        page = submit(self.browser, first, email=email)
        (way,) = re.findall(r'<a id="provider" autofocus href="([^"]+)"', page.text)
        return unescape(way)

    def tokens(self, back: httpx.Response, **changes: str) -> httpx.Response:
        assert back.status_code == 303, back.text
        location = back.headers["location"]
        assert location.startswith("https://app.example/inbox?a=1&pidgr_code=")
        (code,) = parse_qs(urlsplit(location).query)["pidgr_code"]
        fields = {"code": code, "code_verifier": self.verifier, **changes}
        return self.browser.post("/auth/token", json=fields)

    def signed_in_at(self, tokens: Any) -> int | None:
        """Return when a person has signed in by their token, in seconds."""
        told = self.installation.system.signer.verify(tokens["access_token"]).authenticated_at
        return None if told is None else told // SECOND

    def welcome(self, email: str, method: str) -> Any:
        system = self.installation.system
        now = system.clock.now()
        return system.database.read_now(lambda reader: people.welcome(reader, email, method, now))

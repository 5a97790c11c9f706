"""Somebody with a passkey, in front of a browser without scripts."""

import json
import re
import secrets
from html import unescape
from typing import Any

import httpx

from support.authenticator import Authenticator
from support.forms import submit
from support.running import Installation

SITE = "https://pidgr.example"
APP = "https://app.example/inbox?a=1"
"""A client that lets people sign in at the site."""
PASSKEY = 'name="credential"'
"""What the forms have that a script sends."""


class PasskeyHolder:
    """The administrator of an organization of their own; the installation is at ``SITE``."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.organization = installation.found(f"<Acme> {secrets.token_hex(4)}")
        self.http = httpx.Client(base_url=installation.url, timeout=60)
        self.device = Authenticator(SITE)
        token = installation.token(self.organization.admin_id)
        self.http.headers["authorization"] = f"Bearer {token}"
        options = self.http.post("/auth/passkey/options", json={}).json()["public_key"]
        credential = self.device.create(options)
        made = self.http.post(
            "/auth/passkey/verify", json={"credential": credential, "name": "<Phone>"}
        )
        self.passkey_id = str(made.json()["passkey"]["id"])
        # No page takes a token.
        del self.http.headers["authorization"]

    def sign_in(self, start: str = "/passkeys") -> httpx.Response:
        page = self.http.get(start)
        (address,) = re.findall(r'data-options-from="([^"]+)"', page.text)
        options = self.http.post(address, json={}).json()["public_key"]
        return submit(self.http, page, PASSKEY, credential=json.dumps(self.device.get(options)))

    def new_form(self, listed: httpx.Response) -> httpx.Response:
        return submit(self.http, listed, 'id="add"')

    def enrol(self, form: httpx.Response, device: Authenticator, name: str) -> httpx.Response:
        credential = device.create(options_in(form))
        return submit(self.http, form, PASSKEY, credential=json.dumps(credential), name=name)


def options_in(form: httpx.Response) -> dict[str, Any]:
    (options,) = re.findall(r'data-options="([^"]+)"', form.text)
    found: dict[str, Any] = json.loads(unescape(options))
    return found

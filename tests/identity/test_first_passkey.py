"""A newcomer's first passkey, and the mail about passkeys: a real server and mail server."""

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.authenticator import Authenticator
from support.forms import submit
from support.grpc_client import Organization
from support.mail_server import Peer
from support.mailing import running_with_mail
from support.passkey_holder import APP, PASSKEY, SITE, options_in
from support.running import Installation
from support.waiting import until

from pidgr.outreach.mail import Mail

CLIENT = f"/sign-in?code_challenge={'x' * 43}"


@pytest.fixture(scope="module")
def peer() -> Peer:
    return Peer()


@pytest.fixture(scope="module")
def installation(
    database_settings: dict[str, Any], peer: Peer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with (
        running_with_mail(
            peer,
            tmp_path_factory.mktemp("data"),
            issuer=SITE,
            sign_in_url=APP,
            **database_settings,
        ) as installation,
    ):
        yield installation


class Newcomer:
    """Somebody whom an organization has invited, with a mailbox, a browser and a device."""

    def __init__(self, installation: Installation, peer: Peer, organization: Organization) -> None:
        self.peer = peer
        self.http = httpx.Client(base_url=installation.url, timeout=60)
        self.device = Authenticator(SITE)
        self.email = f"{secrets.token_hex(6)}@example.com"
        self.by = {"authorization": f"Bearer {organization.api_key}"}
        fields = {"email": self.email, "name": "Eve"}
        invited = self.http.post("/pidgr.v1.MemberService/InviteUser", json=fields, headers=self.by)
        self.id = invited.json()["user"]["id"]

    def refuse_codes(self, *, refuse: bool = True) -> None:
        policy = {"otp_disabled": refuse}
        assert self.http.post("/auth/policy", json=policy, headers=self.by).status_code == 200

    def by_code(self, start: str) -> httpx.Response:
        before = len(self.peer.codes_to(self.email))
        asked = submit(self.http, self.http.get(start), email=self.email)
        until(lambda: len(self.peer.codes_to(self.email)) > before)
        (code,) = re.findall(r"(?<!\d)\d{6}(?!\d)", self.peer.codes_to(self.email)[-1])
        return submit(self.http, asked, code=code)

    def by_passkey(self, start: str) -> httpx.Response:
        page = self.http.get(start)
        options = self.http.post("/auth/passkey/sign-in/options", json={}).json()["public_key"]
        return submit(self.http, page, PASSKEY, credential=json.dumps(self.device.get(options)))

    def enrol(self, listed: httpx.Response) -> httpx.Response:
        form = submit(self.http, listed, 'id="add"')
        credential = json.dumps(self.device.create(options_in(form)))
        return submit(self.http, form, PASSKEY, credential=credential, name="Phone")

    def told(self, change: str, count: int) -> list[Mail]:
        """Return the mails about passkeys, once there are as many."""

        def found() -> list[Mail]:
            return [
                Mail(self.email, message["Subject"], message.get_content(), message["Message-ID"])
                for message in self.peer.messages()
                if message["To"] == self.email
                and message["Message-ID"].startswith(f"<passkey-{change}-")
            ]

        until(lambda: len(found()) >= count)
        return found()


@pytest.fixture
def newcomer(installation: Installation, peer: Peer) -> Iterator[Newcomer]:
    newcomer = Newcomer(installation, peer, installation.found())
    yield newcomer
    newcomer.http.close()


@pytest.mark.parametrize("start", [CLIENT, "/passkeys"])
def test_where_codes_are_refused_a_code_leads_to_the_first_passkey_and_that_leads_in(
    newcomer: Newcomer, start: str
) -> None:
    newcomer.refuse_codes()
    page = newcomer.by_code(start)
    assert "Your organization accepts no codes. Add a passkey here to get in." in page.text
    added = newcomer.enrol(page)
    assert "<strong>Phone</strong> is ready." in added.text
    assert f'<a href="{APP}">Sign in with it at app.example</a>' in added.text
    assert "<form" not in added.text, "what is left to do here needs the passkey"
    back = newcomer.by_passkey(CLIENT)
    assert back.status_code == 303, back.text
    assert back.headers["location"].startswith(f"{APP}&pidgr_code=")


def test_where_codes_count_they_lead_on_and_nothing_is_asked_for(newcomer: Newcomer) -> None:
    assert newcomer.by_code(CLIENT).status_code == 303
    listed = newcomer.by_code("/passkeys")
    assert "accepts no codes" not in listed.text
    assert "<li><strong>Phone</strong>" in newcomer.enrol(listed).text


def test_who_has_another_organization_that_takes_codes_is_let_in_there(
    newcomer: Newcomer, installation: Installation
) -> None:
    other = installation.found()
    invited = newcomer.http.post(
        "/pidgr.v1.MemberService/InviteUser",
        json={"email": newcomer.email},
        headers={"authorization": f"Bearer {other.api_key}"},
    )
    assert invited.status_code == 200
    newcomer.refuse_codes()
    assert newcomer.by_code(CLIENT).status_code == 303


def test_a_person_is_told_by_mail_of_each_passkey_made_and_taken_away(newcomer: Newcomer) -> None:
    added = newcomer.enrol(newcomer.by_code("/passkeys"))
    (made,) = newcomer.told("added", 1)
    assert made.recipient == newcomer.email
    assert made.subject == "A new passkey"
    assert "remove those you do not know, and tell an administrator" in made.text
    assert f"{SITE}/passkeys" in made.text.splitlines()
    assert "Phone" not in made.text, "who names it may not be the person"
    (passkey_id,) = re.findall(r'name="revoke" value="([^"]+)"', added.text)
    revoke = f'value="{passkey_id}"'
    left = submit(newcomer.http, added, revoke, revoke="00000000-0000-0000-0000-000000000000")
    submit(newcomer.http, left, revoke, revoke=passkey_id)
    (removed,) = newcomer.told("removed", 1)
    assert removed.subject == "A passkey was removed"
    assert len(newcomer.told("added", 1)) == 1
    assert passkey_id in removed.message_id

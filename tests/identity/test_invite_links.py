"""Invite links over the wire: made by an administrator, redeemed by people nobody has invited."""

import re
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.forms import submit
from support.mail_server import Peer
from support.mailing import running_with_mail
from support.running import Installation
from support.waiting import at_once, until

from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory import invite_link_store
from pidgr.directory.invite_links import digest
from pidgr.errors import NotFoundError, PermissionDeniedError
from pidgr.identity import identity_store
from pidgr.identity.caller import Caller
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction
from pidgr.validation import fold

SIGN_IN_URL = "https://app.example/inbox?a=1&b=2"
EXPIRE = Statement("update invite_link set expires_at = 1 where id = :id")
SUSPEND = Statement("update organization set suspended = :suspended where id = :id")
DEACTIVATE = Statement("update member set status = 3 where email = :email")
STORED = Statement("select * from invite_link where id = :id")


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
            sign_in_url=SIGN_IN_URL,
            **database_settings,
        ) as installation,
    ):
        yield installation


class Desk:
    """An administrator who makes links, and people who come by them."""

    def __init__(self, installation: Installation, peer: Peer) -> None:
        self.installation = installation
        self.peer = peer
        self.http = httpx.Client(base_url=installation.url, timeout=60)
        self.organization = installation.found(f"<Acme> & {secrets.token_hex(4)}")
        self.admin = installation.token(self.organization.admin_id)

    def rpc(self, method: str, credential: str = "", **fields: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {credential}"} if credential else {}
        return self.http.post(f"/pidgr.v1.{method}", json=fields, headers=headers)

    def create(self, **fields: Any) -> dict[str, Any]:
        answer = self.rpc("InviteLinkService/CreateInviteLink", self.admin, **fields)
        assert answer.status_code == 200, answer.text
        link: dict[str, Any] = answer.json()
        return link

    def listed(self, link_id: str) -> dict[str, Any]:
        links = self.rpc("InviteLinkService/ListInviteLinks", self.admin).json()["inviteLinks"]
        found: dict[str, Any] = next(one for one in links if one["id"] == link_id)
        return found

    def validate(self, token: str, email: str = "") -> httpx.Response:
        return self.rpc("InviteLinkService/ValidateInviteLink", token=token, email=email)

    def redeem(self, token: str, credential: str) -> httpx.Response:
        return self.rpc("InviteLinkService/RedeemInviteLink", credential, token=token)

    def code(self, email: str, before: int) -> str:
        until(lambda: len(self.peer.codes_to(email)) > before)
        (code,) = re.findall(r"(?<!\d)\d{6}(?!\d)", self.peer.codes_to(email)[-1])
        return str(code)

    def sign_in(self, email: str) -> str:
        """Return the access token of somebody who proves an address."""
        before = len(self.peer.codes_to(email))
        attempt = self.http.post("/auth/code", json={"email": email}).json()
        fields = {"attempt_id": attempt["attempt_id"], "code": self.code(email, before)}
        answer = self.http.post("/auth/verify", json=fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def members(self) -> dict[str, Any]:
        users = self.rpc("MemberService/ListUsers", self.admin).json()["users"]
        return {user["email"]: user for user in users}

    def page(self, token: str, language: str = "en") -> httpx.Response:
        return self.http.get(f"/join/{token}", headers={"accept-language": language})

    def join(self, page: httpx.Response, email: str) -> httpx.Response:
        """Go through the sign-in page with an address."""
        before = len(self.peer.codes_to(email))
        asked = submit(self.http, page, email=email)
        return submit(self.http, asked, code=self.code(email, before))

    def change(self, statement: Statement, **values: object) -> None:
        self.installation.system.database.write_now(lambda unit: unit.execute(statement, values))

    def caller(self, token: str, email: str) -> Caller:
        """Return somebody who has a link and has proved an address."""

        def open_door(unit: Transaction) -> str:
            self.installation.system.invite_links.open_to(unit, token, email)
            return identity_store.subject_of_address(unit, fold(email)) or ""

        subject = self.installation.system.database.write_now(open_door)
        return Caller(subject=subject, email=email)


@pytest.fixture
def desk(installation: Installation, peer: Peer) -> Iterator[Desk]:
    desk = Desk(installation, peer)
    yield desk
    desk.http.close()


def new_address() -> str:
    return f"{secrets.token_hex(5)}@example.org"


def test_somebody_unknown_joins_by_a_link(desk: Desk) -> None:
    link = desk.create(maxUses=2, dataGovernanceRegion="EU")
    token = link["inviteLink"]["token"]
    assert re.fullmatch(r"[\w-]{43}", token)
    assert link["url"].endswith(f"/join/{token}")
    email = new_address()
    answer = desk.validate(token, email)
    assert answer.json() == {"organizationName": desk.validate(token).json()["organizationName"]}

    credential = desk.sign_in(email)
    assert desk.redeem(token, credential).json() == answer.json()
    member = desk.members()[email]
    assert member["status"] == "USER_STATUS_ACTIVE"
    assert member["role"]["slug"] == "employee"
    assert member["dataGovernanceRegion"] == "EU"
    assert desk.listed(link["inviteLink"]["id"])["useCount"] == 1
    own = desk.rpc("MemberService/GetUser", desk.sign_in(email), userId=member["id"])
    assert own.json()["user"]["id"] == member["id"]

    assert desk.redeem(token, credential).json()["code"] == "already_exists"
    assert desk.listed(link["inviteLink"]["id"])["useCount"] == 1
    events = desk.rpc("AuditService/ListAuditEvents", desk.admin, actorId=member["id"]).json()
    (joined,) = (one for one in events["events"] if one["eventType"].endswith("USER_INVITED"))
    assert joined["metadata"]["invite_link_id"] == link["inviteLink"]["id"]


def test_a_link_that_is_not_good_tells_nobody_why(desk: Desk) -> None:
    """And lets nobody ask for a code."""
    used = desk.create(maxUses=1)["inviteLink"]
    first = new_address()
    desk.validate(used["token"], first)
    assert desk.redeem(used["token"], desk.sign_in(first)).status_code == 200
    expired, revoked = (desk.create()["inviteLink"] for _ in range(2))
    desk.change(EXPIRE, id=expired["id"])
    for _ in range(2):
        answer = desk.rpc(
            "InviteLinkService/RevokeInviteLink", desk.admin, inviteLinkId=revoked["id"]
        )
        assert answer.status_code == 200
    credential = desk.sign_in(first)
    tokens = [one["token"] for one in (used, expired, revoked)]
    tokens += ["", "x" * 43, "\u00e9", "x" * 10_000]
    stranger = new_address()
    answers = {desk.validate(token).text for token in tokens}
    answers |= {desk.validate(token, stranger).text for token in tokens}
    answers |= {desk.redeem(token, credential).text for token in tokens}
    assert len(answers) == 1
    assert '"not_found"' in answers.pop()
    for link in (used, expired, revoked):
        assert "token" not in desk.listed(link["id"])
        assert desk.page(link["token"]).status_code == 404

    known = new_address()
    desk.validate(desk.create()["inviteLink"]["token"], known)
    for email in (stranger, known):
        desk.http.post("/auth/code", json={"email": email})
    until(lambda: desk.peer.codes_to(known))
    assert desk.peer.codes_to(stranger) == []


def test_a_suspended_organization_takes_nobody_in(desk: Desk) -> None:
    token = desk.create()["inviteLink"]["token"]
    desk.change(SUSPEND, suspended=True, id=desk.organization.id)
    assert desk.validate(token).json()["code"] == "not_found"
    desk.change(SUSPEND, suspended=False, id=desk.organization.id)
    assert desk.validate(token).status_code == 200


def test_the_token_is_not_in_the_database(desk: Desk) -> None:
    link = desk.create()["inviteLink"]
    stored = desk.installation.system.database.read_now(
        lambda reader: reader.row(STORED, {"id": link["id"]})
    )
    assert link["token"] not in repr(stored)
    assert link["token"].encode() not in b"".join(
        bytes(value) for value in stored or () if isinstance(value, (bytes, memoryview))
    )


@pytest.mark.parametrize(
    ("fields", "code", "start"),
    [
        ({"maxUses": -1}, "invalid_argument", "max_uses"),
        ({"maxUses": 100_001}, "invalid_argument", "max_uses"),
        ({"expiresInHours": -1}, "invalid_argument", "expires_in_hours"),
        ({"expiresInHours": 8_761}, "invalid_argument", "expires_in_hours"),
        ({"dataGovernanceRegion": "MARS"}, "invalid_argument", "data_governance_region"),
        ({"roleId": "x"}, "invalid_argument", "role_id"),
        ({"roleId": "00000000-0000-4000-8000-000000000000"}, "not_found", "no role"),
    ],
)
def test_bad_fields_are_named(desk: Desk, fields: dict[str, Any], code: str, start: str) -> None:
    answer = desk.rpc("InviteLinkService/CreateInviteLink", desk.admin, **fields).json()
    assert answer["code"] == code
    assert answer["message"].startswith(start)
    assert desk.rpc("InviteLinkService/ListInviteLinks", desk.admin).json() == {}


def test_nobody_makes_a_link_to_more_than_they_may(desk: Desk) -> None:
    roles = desk.rpc("RoleService/ListRoles", desk.admin).json()["roles"]
    super_admin = next(role["id"] for role in roles if role["slug"] == "super_admin")
    keys = {}
    for name, granted in (("inviter", [4]), ("manager", [5]), ("reader", [3])):
        made = desk.rpc(
            "ApiKeyService/CreateApiKey",
            desk.admin,
            name=name,
            permissions=granted,
        )
        keys[name] = made.json()["key"]
    create = "InviteLinkService/CreateInviteLink"
    assert desk.rpc(create, keys["inviter"], roleId=super_admin).json()["code"] == (
        "permission_denied"
    )
    link = desk.rpc(create, keys["inviter"]).json()["inviteLink"]
    for rpc in (create, "InviteLinkService/ListInviteLinks"):
        for name in ("manager", "reader"):
            assert desk.rpc(rpc, keys[name]).json()["code"] == "permission_denied"
    revoke = "InviteLinkService/RevokeInviteLink"
    assert desk.rpc(revoke, keys["reader"], inviteLinkId=link["id"]).status_code == 403
    assert desk.redeem(link["token"], keys["inviter"]).json()["code"] == "permission_denied"
    assert desk.rpc(revoke, keys["manager"], inviteLinkId=link["id"]).status_code == 200


def test_a_link_to_more_than_one_may_is_listed_without_its_token(desk: Desk) -> None:
    """Who has the token has the role."""
    roles = desk.rpc("RoleService/ListRoles", desk.admin).json()["roles"]
    super_admin = next(role["id"] for role in roles if role["slug"] == "super_admin")
    powerful, plain = (
        desk.create(**fields)["inviteLink"] for fields in ({"roleId": super_admin}, {})
    )
    inviter = desk.rpc(
        "ApiKeyService/CreateApiKey", desk.admin, name="inviter", permissions=[4]
    ).json()["key"]
    answer = desk.rpc("InviteLinkService/ListInviteLinks", inviter)
    assert powerful["token"] not in answer.text
    assert [one["id"] for one in answer.json()["inviteLinks"]] == [plain["id"], powerful["id"]]
    assert answer.json()["inviteLinks"][0]["token"] == plain["token"]
    assert desk.listed(powerful["id"])["token"] == powerful["token"]


def test_another_organization_s_links_are_unknown(desk: Desk, peer: Peer) -> None:
    link = desk.create()["inviteLink"]
    other = Desk(desk.installation, peer)
    revoke = "InviteLinkService/RevokeInviteLink"
    unknown = "00000000-0000-4000-8000-000000000000"
    other.http.close()
    other.http = desk.http
    foreign = other.rpc(revoke, other.admin, inviteLinkId=link["id"]).text
    nothing = other.rpc(revoke, other.admin, inviteLinkId=unknown).text
    assert foreign.replace(link["id"], unknown) == nothing
    assert desk.validate(link["token"]).status_code == 200


def test_a_role_that_a_live_link_gives_stays(desk: Desk) -> None:
    role = desk.rpc("RoleService/CreateRole", desk.admin, name="Guests", permissions=[11]).json()
    role_id = role["role"]["id"]
    link = desk.create(roleId=role_id)["inviteLink"]
    refused = desk.rpc("RoleService/DeleteRole", desk.admin, roleId=role_id).json()
    assert refused["code"] == "failed_precondition"
    desk.rpc("InviteLinkService/RevokeInviteLink", desk.admin, inviteLinkId=link["id"])
    assert desk.rpc("RoleService/DeleteRole", desk.admin, roleId=role_id).status_code == 200
    assert "roleId" not in desk.listed(link["id"])


def test_exactly_so_many_join_however_many_come_at_once(desk: Desk) -> None:
    token = desk.create(maxUses=3)["inviteLink"]["token"]
    system = desk.installation.system

    def come() -> bool:
        try:
            caller = desk.caller(token, new_address())
            system.database.write_now(lambda unit: system.invite_links.redeem(unit, caller, token))
        except NotFoundError:
            return False
        return True

    assert sum(at_once(8, come)) == 3
    assert len(desk.members()) == 1 + 3
    now = system.clock.now()
    good = system.database.read_now(
        lambda reader: invite_link_store.good_link(reader, digest(token), now)
    )
    assert good is None


def test_an_invited_address_keeps_its_invitation_and_an_ended_membership_stays_ended(
    desk: Desk,
) -> None:
    token = desk.create(maxUses=5)["inviteLink"]["token"]
    system, email = desk.installation.system, new_address()
    desk.rpc("MemberService/InviteUser", desk.admin, email=email)
    caller = desk.caller(token, email.upper())
    system.database.write_now(lambda unit: system.invite_links.redeem(unit, caller, token))
    assert desk.members()[email]["status"] == f"USER_STATUS_{UserStatus.ACTIVE.name}"
    desk.change(DEACTIVATE, email=email)
    with pytest.raises(PermissionDeniedError):
        system.database.write_now(lambda unit: system.invite_links.redeem(unit, caller, token))
    assert desk.redeem(token, desk.admin).json()["code"] == "already_exists"


class TestPage:
    def test_somebody_joins_by_the_page_alone(self, desk: Desk) -> None:
        token = desk.create(maxUses=1)["inviteLink"]["token"]
        email = new_address()
        page = desk.page(token)
        assert "&lt;Acme&gt; &amp; " in page.text
        assert "<Acme>" not in page.text
        joined = desk.join(page, email)
        assert "Welcome!" in joined.text
        assert 'href="https://app.example/inbox?a=1&amp;b=2"' in joined.text
        assert desk.members()[email]["status"] == "USER_STATUS_ACTIVE"
        assert desk.page(token).status_code == 404

    def test_who_was_invited_is_told_that_they_are_in(self, desk: Desk) -> None:
        token = desk.create()["inviteLink"]["token"]
        email = new_address()
        desk.rpc("MemberService/InviteUser", desk.admin, email=email)
        done = desk.join(desk.page(token), email)
        assert "already" in done.text
        assert desk.members()[email]["status"] == "USER_STATUS_ACTIVE"

    def test_an_ended_membership_stays_ended(self, desk: Desk) -> None:
        token = desk.create()["inviteLink"]["token"]
        email = new_address()
        desk.join(desk.page(token), email)
        # Who belongs somewhere can still sign in.
        elsewhere = Desk(desk.installation, desk.peer)
        elsewhere.join(elsewhere.page(elsewhere.create()["inviteLink"]["token"]), email)
        elsewhere.http.close()
        desk.rpc("MemberService/DeactivateUser", desk.admin, userId=desk.members()[email]["id"])
        assert desk.members()[email]["status"] == "USER_STATUS_DEACTIVATED"
        refused = desk.join(desk.page(token), email)
        assert refused.status_code == 403
        assert "was ended" in refused.text
        assert desk.members()[email]["status"] == "USER_STATUS_DEACTIVATED"

    def test_a_link_that_ends_on_the_way_lets_nobody_in(self, desk: Desk) -> None:
        link = desk.create()["inviteLink"]
        first, second = new_address(), new_address()
        page = desk.page(link["token"])
        asked = submit(desk.http, page, email=first)
        code = desk.code(first, 0)
        desk.rpc("InviteLinkService/RevokeInviteLink", desk.admin, inviteLinkId=link["id"])
        assert submit(desk.http, page, email=second).status_code == 400
        refused = submit(desk.http, asked, code=code)
        assert refused.status_code == 404
        assert "Ask whoever sent it" in refused.text
        assert not {first, second} & set(desk.members())
        # Nor was the second address made known: it gets no code anywhere.
        for email in (first, second):
            desk.http.post("/auth/code", json={"email": email})
        until(lambda: len(desk.peer.codes_to(first)) == 2)
        assert desk.peer.codes_to(second) == []

    @pytest.mark.parametrize("language", ["en", "es", "pt-BR", "zh", "ja"])
    def test_it_speaks_the_reader_s_language(self, desk: Desk, language: str) -> None:
        token = desk.create()["inviteLink"]["token"]
        page = desk.page(token, f"fr, {language};q=0.9")
        assert page.headers["content-language"] == language
        assert f'<html lang="{language}">' in page.text
        assert desk.page("x" * 43, language).headers["content-language"] == language

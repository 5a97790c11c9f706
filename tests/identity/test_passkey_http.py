"""The doors of passkeys over the wire: who may pass, what is answered, what is refused how."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from support.authenticator import Authenticator
from support.grpc_client import Organization
from support.running import Installation, running

from pidgr.clock import MINUTE, SECOND
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.storage.sql import Statement

SITE = "https://pidgr.example"
PERSONAL = ("options", "verify", "rename", "revoke")
TOLD = Statement("""
    select count(*) from audit_event e join organization o on o.key = e.organization_key
    where e.event_type = :type and o.id = :id and e.entity_id = :entity
""")


@pytest.fixture(scope="module")
def installation(
    database_settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with running(
        tmp_path_factory.mktemp("data"),
        issuer=SITE,
        sign_in_limit_per_second=1e6,
        sign_in_limit_burst=1_000_000,
        bad_credential_limit_burst=1_000_000,
        **database_settings,
    ) as installation:
        yield installation


@dataclass
class Visitor:
    """A person with a browser and a device."""

    installation: Installation
    organization: Organization
    token: str

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.installation.url, timeout=60)
        self.device = Authenticator(SITE)

    def post(self, name: str, token: str | None = None, /, **fields: Any) -> httpx.Response:
        headers = {
            "authorization": f"Bearer {token or self.token}",
            "content-type": "application/json",
        }
        # In ASCII, which can spell what is no character.
        content = json.dumps(fields)
        return self.http.post(f"/auth/passkey/{name}", content=content, headers=headers)

    def listed(self) -> list[dict[str, Any]]:
        headers = {"authorization": f"Bearer {self.token}"}
        answer = self.http.get("/auth/passkey", headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        found: list[dict[str, Any]] = answer.json()["passkeys"]
        return found

    def enrol(self, **fields: Any) -> dict[str, Any]:
        options = self.post("options").json()
        assert options["expires_in"] == 300
        credential = self.device.create(options["public_key"])
        answer = self.post("verify", credential=credential, **fields)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()["passkey"]
        return made

    def sign_in(self, **fields: Any) -> httpx.Response:
        options = self.http.post("/auth/passkey/sign-in/options", json={}).json()
        assert options["expires_in"] == 300
        credential = self.device.get(options["public_key"])
        return self.http.post(
            "/auth/passkey/sign-in/verify", json={"credential": credential, **fields}
        )

    def confirm(self, token: str | None = None) -> httpx.Response:
        return self.http.post(
            "/pidgr.v1.MemberService/ConfirmPasskeyEnrollment",
            json={},
            headers={"authorization": f"Bearer {token or self.token}"},
        )


@pytest.fixture
def visitor(installation: Installation) -> Iterator[Visitor]:
    organization = installation.found()
    visitor = Visitor(installation, organization, installation.token(organization.admin_id))
    yield visitor
    visitor.http.close()


def refusal(answer: httpx.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == code
    return str(answer.json()["message"])


def stale_token(visitor: Visitor) -> str:
    system = visitor.installation.system
    claims = system.signer.verify(visitor.token)
    return system.signer.sign(
        subject=claims.subject,
        email=claims.email,
        organization_id=claims.organization_id,
        lifetime=15 * MINUTE,
        method="otp",
        authenticated_at=system.clock.now() - 5 * MINUTE - SECOND,
    )


def test_a_person_makes_uses_names_and_revokes_a_passkey(visitor: Visitor) -> None:
    refusal(visitor.confirm(), 400, "failed_precondition")
    made = visitor.enrol(name="Phone")
    assert made == visitor.listed()[0]
    assert made | {"id": "", "created_at": 0} == {
        "id": "",
        "name": "Phone",
        "created_at": 0,
        "last_used_at": None,
        "synced": False,
        "suspected": False,
    }
    assert abs(made["created_at"] - time.time()) < 120
    assert visitor.confirm().json() == {"confirmed": True}
    tokens = visitor.sign_in().json()
    assert tokens["organization_id"] == visitor.organization.id
    assert tokens["user_id"] == visitor.organization.admin_id
    assert tokens["token_type"] == "Bearer"
    again = visitor.http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    visitor.token = again.json()["access_token"]
    assert visitor.listed()[0]["last_used_at"] >= made["created_at"]
    renamed = visitor.post("rename", id=made["id"], name="Old phone").json()["passkey"]
    assert renamed == visitor.listed()[0]
    assert renamed["name"] == "Old phone"
    assert visitor.post("revoke", id=made["id"]).json() == {}
    assert visitor.listed() == []
    refusal(visitor.sign_in(), 401, "unauthenticated")
    refusal(visitor.confirm(), 400, "failed_precondition")


def test_an_organization_without_codes_is_entered_by_passkey(visitor: Visitor) -> None:
    visitor.enrol()
    headers = {"authorization": f"Bearer {visitor.organization.api_key}"}
    policy = visitor.http.post("/auth/policy", json={"otp_disabled": True}, headers=headers)
    assert policy.status_code == 200
    tokens = visitor.sign_in(organization_id=visitor.organization.id).json()
    visitor.token = tokens["access_token"]
    assert len(visitor.listed()) == 1
    foreign = visitor.installation.found()
    refusal(visitor.sign_in(organization_id=foreign.id), 403, "permission_denied")


def test_a_code_changes_no_passkeys_where_codes_are_refused(visitor: Visitor) -> None:
    made = visitor.enrol()
    headers = {"authorization": f"Bearer {visitor.organization.api_key}"}
    visitor.http.post("/auth/policy", json={"otp_disabled": True}, headers=headers)
    system = visitor.installation.system
    claims = system.signer.verify(visitor.token)
    by_code = system.signer.sign(
        subject=claims.subject,
        email=claims.email,
        organization_id="",
        lifetime=15 * MINUTE,
        method="otp",
        authenticated_at=system.clock.now(),
    )
    other = Authenticator(SITE).create(visitor.post("options").json()["public_key"])
    for name in ("options", "verify", "revoke"):
        refused = visitor.post(name, by_code, id=made["id"], credential=other)
        assert "sign in with a passkey" in refusal(refused, 403, "permission_denied")
    assert [one["id"] for one in visitor.listed()] == [made["id"]]


def test_making_and_revoking_need_a_sign_in_of_the_last_minutes(visitor: Visitor) -> None:
    made = visitor.enrol()
    old = stale_token(visitor)
    for name in ("options", "verify", "revoke"):
        refused = visitor.post(name, old, id=made["id"], credential={})
        assert "sign in again" in refusal(refused, 401, "unauthenticated")
        assert "max_age=300" in refused.headers["www-authenticate"]
    assert visitor.post("rename", old, id=made["id"], name="Phone").status_code == 200
    assert visitor.listed()[0]["name"] == "Phone"


def test_only_people_have_passkeys(visitor: Visitor) -> None:
    for name in PERSONAL:
        refused = visitor.post(name, visitor.organization.api_key, id="x", name="x", credential={})
        refusal(refused, 403, "permission_denied")
        refusal(visitor.http.post(f"/auth/passkey/{name}", json={}), 401, "unauthenticated")
    refusal(visitor.http.get("/auth/passkey"), 401, "unauthenticated")
    refusal(visitor.confirm(visitor.organization.api_key), 403, "permission_denied")


@pytest.mark.parametrize(
    ("name", "fields", "field"),
    [
        ("verify", {}, "credential"),
        ("verify", {"credential": "text"}, "credential"),
        ("verify", {"credential": {}}, "credential"),
        ("verify", {"credential": {}, "name": 7}, "name"),
        ("verify", {"credential": {}, "name": "x" * 101}, "name"),
        ("rename", {"id": "x"}, "name"),
        ("rename", {"name": "x"}, "id"),
        ("rename", {"id": "x", "name": "\ud800"}, "name"),
        ("revoke", {}, "id"),
        ("sign-in/verify", {}, "credential"),
        ("sign-in/verify", {"credential": []}, "credential"),
        ("sign-in/verify", {"credential": {"response": {"clientDataJSON": "e30"}}}, "credential"),
    ],
)
def test_bad_fields_are_named(
    visitor: Visitor, name: str, fields: dict[str, Any], field: str
) -> None:
    assert field in refusal(visitor.post(name, **fields), 400, "invalid_argument")


def test_unknown_and_foreign_keys_read_alike(visitor: Visitor, installation: Installation) -> None:
    made = visitor.enrol()
    other = installation.found()
    stranger = Visitor(installation, other, installation.token(other.admin_id))
    for name in ("rename", "revoke"):
        messages = {
            refusal(stranger.post(name, id=key, name="Mine"), 404, "not_found")
            for key in (made["id"], "00000000-0000-0000-0000-000000000000", "garbage")
        }
        assert len(messages) == 1
    assert [one["name"] for one in visitor.listed()] == ["Passkey"]
    stranger.http.close()


def test_telling_of_a_passkey_is_noted_once_for_each(visitor: Visitor) -> None:
    def told() -> int:
        parameters = {
            "type": int(AuditEventType.PASSKEY_ENROLLED),
            "id": visitor.organization.id,
            "entity": visitor.organization.admin_id,
        }
        database = visitor.installation.system.database
        return int(database.read_now(lambda reader: reader.value(TOLD, parameters)))

    refusal(visitor.confirm(), 400, "failed_precondition")
    assert told() == 0
    for number in (1, 2):
        visitor.device = Authenticator(SITE)
        visitor.enrol()
        # The door tells by itself; a client that tells too adds nothing.
        assert told() == number
        for _ in range(2):
            assert visitor.confirm().json() == {"confirmed": True}
            assert told() == number

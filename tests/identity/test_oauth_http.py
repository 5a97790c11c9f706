"""OAuth over the wire: a real server and mail server, and a client that knows only the RFCs."""

import base64
import hashlib
import re
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from support.grpc_client import Organization
from support.mail_server import Peer
from support.mailing import running_with_mail
from support.running import Installation
from support.waiting import until

from pidgr.identity.oauth import client_store, grants
from pidgr.identity.oauth.clients import Client
from pidgr.rpc.server import ServerOptions
from pidgr.storage.sql import Statement

ALL_SCOPES = (
    "campaigns:read campaigns:write templates:write members:read channels:dispatch "
    "reachability:write"
)
LOOPBACK = "http://127.0.0.1:53123/callback"
SUSPEND = Statement("update organization set suspended = :suspended where id = :id")
EXPIRE_CODES = Statement("update oauth_grant set code_expires_at = 0")
STORED = Statement("select code_digest, refresh_digest from oauth_grant")


@pytest.fixture(scope="module")
def peer() -> Peer:
    return Peer()


@pytest.fixture(scope="module")
def installation(
    database_settings: dict[str, Any], peer: Peer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        running_with_mail(
            peer,
            tmp_path_factory.mktemp("data"),
            ServerOptions(port=port),
            issuer=f"http://127.0.0.1:{port}",
            sign_in_limit_per_second=1e6,
            sign_in_limit_burst=1_000_000,
            step_up=True,
            **database_settings,
        ) as installation,
    ):
        other = Client(
            "other-app",
            "Other <app>",
            ("https://app.example/cb?x=1", "http://127.0.0.1/cb"),
            frozenset({"campaigns:read"}),
        )
        installation.system.database.write_now(
            lambda unit: client_store.insert(unit, other, installation.system.clock.now())
        )
        yield installation


@dataclass
class Program:
    """An application on a person's machine, and the browser it opens."""

    installation: Installation
    peer: Peer
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(12))

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.installation.url, timeout=60)
        self.metadata = self.http.get("/.well-known/oauth-authorization-server").json()

    def query(self, **changes: Any) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        fields = {
            "client_id": "pidgr-mcp",
            "response_type": "code",
            "redirect_uri": LOOPBACK,
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "scope": ALL_SCOPES,
            **changes,
        }
        return urlencode({name: value for name, value in fields.items() if value is not None})

    def open(self, **changes: Any) -> httpx.Response:
        return self.http.get(f"{self.metadata['authorization_endpoint']}?{self.query(**changes)}")

    def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        assert page.status_code == 200, page.text
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
        (action,) = set(re.findall(r'<form[^>]* action="([^"]+)"', page.text))
        return self.http.post(action, data={**dict(hidden), **fields})

    def sign_in(self, email: str, **changes: Any) -> httpx.Response:
        before = len(self.peer.codes_to(email))
        page = self.submit(self.open(**changes), email=email)
        until(lambda: len(self.peer.codes_to(email)) > before)
        (code,) = re.findall(r"(?<!\d)\d{6}(?!\d)", self.peer.codes_to(email)[-1])
        return self.submit(page, code=code)

    def allow(self, email: str, organization_id: str, **changes: Any) -> dict[str, str]:
        page = self.sign_in(email, **changes)
        return answer_in(self.submit(page, organization_id=organization_id, decision="allow"))

    def token(self, **fields: Any) -> httpx.Response:
        form = {"client_id": "pidgr-mcp", **fields}
        return self.http.post(
            self.metadata["token_endpoint"],
            data={name: value for name, value in form.items() if value is not None},
        )

    def exchange(self, code: str, **changes: Any) -> httpx.Response:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": LOOPBACK,
            "code_verifier": self.verifier,
            **changes,
        }
        return self.token(**fields)

    def refresh(self, refresh_token: str, **changes: Any) -> httpx.Response:
        return self.token(
            **{"grant_type": "refresh_token", "refresh_token": refresh_token, **changes}
        )

    def rpc(self, method: str, credential: str, headers: Any = None, **fields: Any) -> Any:
        return self.http.post(
            f"/pidgr.v1.{method}",
            json=fields,
            headers={"authorization": f"Bearer {credential}", **(headers or {})},
        )


def answer_in(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 303, response.text
    target = urlsplit(response.headers["location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == LOOPBACK
    return dict(parse_qsl(target.query))


def refusal(answer: httpx.Response, error: str, status: int = 400) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["error"] == error
    assert answer.headers["cache-control"] == "no-store"


@pytest.fixture
def program(installation: Installation, peer: Peer) -> Iterator[Program]:
    program = Program(installation, peer)
    yield program
    program.http.close()


@dataclass
class Member:
    organization: Organization
    id: str
    email: str


@pytest.fixture
def member(installation: Installation, program: Program) -> Member:
    """A manager, who may read and write campaigns and has no reach over channels."""
    organization = installation.found()
    email = f"{secrets.token_hex(6)}@example.com"
    roles = program.rpc("RoleService/ListRoles", organization.api_key).json()["roles"]
    (manager,) = (role["id"] for role in roles if role["slug"] == "manager")
    user = program.rpc(
        "MemberService/InviteUser", organization.api_key, email=email, name="Eve", roleId=manager
    ).json()["user"]
    return Member(organization, user["id"], email)


@pytest.fixture
def tokens(program: Program, member: Member) -> dict[str, Any]:
    answer = program.allow(member.email, member.organization.id)
    given = program.exchange(answer["code"])
    assert given.status_code == 200, given.text
    found: dict[str, Any] = given.json()
    return found


def test_metadata_says_what_the_server_does(installation: Installation, program: Program) -> None:
    issuer = installation.url
    assert program.metadata["issuer"] == issuer
    assert program.metadata["code_challenge_methods_supported"] == ["S256"]
    assert program.metadata["token_endpoint_auth_methods_supported"] == ["none"]
    assert program.http.get(program.metadata["jwks_uri"]).json()["keys"]
    resource = program.http.get("/.well-known/oauth-protected-resource").json()
    assert resource["authorization_servers"] == [issuer]
    refused = program.http.post("/pidgr.v1.TeamService/ListTeams", json={})
    assert refused.headers["www-authenticate"] == (
        f'Bearer resource_metadata="{issuer}/.well-known/oauth-protected-resource"'
    )
    cross = program.http.get(
        "/.well-known/oauth-authorization-server", headers={"origin": "https://app.example"}
    )
    assert cross.headers["access-control-allow-origin"] == "*"


def test_a_person_allows_the_published_agent_and_it_calls_for_them(
    installation: Installation, program: Program, member: Member
) -> None:
    answer = program.allow(member.email, member.organization.id)
    assert answer["state"] == program.state
    assert answer["iss"] == installation.url
    given = program.exchange(answer["code"])
    assert given.headers["cache-control"] == "no-store"
    tokens = given.json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["scope"] == ALL_SCOPES
    keys = KeySet.import_key_set(program.http.get("/.well-known/jwks.json").json())
    claims = jwt.decode(tokens["access_token"], keys, algorithms=["RS256"]).claims
    assert claims["iss"] == installation.url
    assert claims["aud"] == "pidgr"
    assert claims["client_id"] == "pidgr-mcp"
    assert claims["custom:org_id"] == member.organization.id
    assert claims["sub"] != member.id
    listed = program.rpc("CampaignService/ListCampaigns", tokens["access_token"])
    assert listed.status_code == 200
    again = program.refresh(tokens["refresh_token"]).json()
    assert again["refresh_token"] != tokens["refresh_token"]
    after = jwt.decode(again["access_token"], keys, algorithms=["RS256"]).claims
    assert after["auth_time"] == claims["auth_time"]
    assert program.rpc("CampaignService/ListCampaigns", again["access_token"]).status_code == 200


def test_a_call_may_do_what_scope_and_role_both_allow(
    program: Program, member: Member, tokens: dict[str, Any]
) -> None:
    token = tokens["access_token"]
    # The role has it, no scope stands for it.
    assert program.rpc("InboxService/Sync", token).status_code == 403
    # The scope stands for it, the role lacks it.
    assert program.rpc("OrganizationService/GetOrganization", token).status_code == 403
    narrow = program.refresh(tokens["refresh_token"], scope="campaigns:read").json()
    assert narrow["scope"] == "campaigns:read"
    assert program.rpc("CampaignService/ListCampaigns", narrow["access_token"]).status_code == 200
    assert program.rpc("MemberService/ListUsers", narrow["access_token"]).status_code == 403
    assert program.rpc("MemberService/ListUsers", token).status_code == 200
    roles = program.rpc("RoleService/ListRoles", member.organization.api_key).json()["roles"]
    (employee,) = (role["id"] for role in roles if role["slug"] == "employee")
    program.rpc(
        "MemberService/UpdateUserRole",
        member.organization.api_key,
        userId=member.id,
        roleId=employee,
    ).raise_for_status()
    assert program.rpc("CampaignService/ListCampaigns", token).status_code == 403


def test_what_no_scope_stands_for_is_closed_to_applications(
    installation: Installation, program: Program, tokens: dict[str, Any]
) -> None:
    token = tokens["access_token"]
    for method, fields in (
        ("MemberService/UpdateUserSettings", {}),
        ("MemberService/UpdateUserProfile", {}),
        ("OrganizationService/CreateOrganization", {"name": "Theirs"}),
        ("DeviceService/Register", {}),
    ):
        assert program.rpc(method, token, **fields).status_code == 403, method
    other = installation.found().id
    assert (
        program.rpc("CampaignService/ListCampaigns", token, headers={"x-org-id": other}).status_code
        == 403
    )
    own = {"authorization": f"Bearer {token}"}
    assert program.http.get("/auth/applications", headers=own).status_code == 403
    assert program.http.get("/auth/policy", headers=own).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "unknown"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1:53123/other"},
        {"redirect_uri": "http://127.0.0.1:53123/callback#x"},
        {"redirect_uri": "http://127.0.0.1@evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1.evil.example/callback"},
        {"redirect_uri": "http://localhost:53123/callback"},
        {"redirect_uri": "https://127.0.0.1:53123/callback"},
        {"redirect_uri": "http://127.0.0.1:53123\\@evil.example/callback"},
        {"redirect_uri": "javascript:alert(1)//callback"},
        {"client_id": "other-app", "redirect_uri": "https://app.example:444/cb?x=1"},
        {"client_id": "other-app", "redirect_uri": "https://app.example/cb?x=1&y=2"},
    ],
)
def test_an_address_nobody_registered_is_never_redirected_to(
    program: Program, changes: dict[str, Any]
) -> None:
    page = program.open(**changes)
    assert page.status_code == 400
    assert "location" not in page.headers


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": "campaigns:read org:write"}, "invalid_scope"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "x"}, "request_not_supported"),
        ({"request_uri": "x"}, "request_uri_not_supported"),
        ({"resource": "https://evil.example"}, "invalid_target"),
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
    ],
)
def test_a_bad_request_is_told_to_the_application(
    installation: Installation, program: Program, changes: dict[str, Any], error: str
) -> None:
    answer = answer_in(program.open(**changes))
    assert answer["error"] == error
    assert answer["state"] == program.state
    assert answer["iss"] == installation.url


def test_the_person_may_say_no(program: Program, member: Member) -> None:
    page = program.sign_in(member.email)
    assert answer_in(program.submit(page, decision="deny"))["error"] == "access_denied"


def test_a_wrong_code_shows_the_step_again(program: Program, member: Member) -> None:
    page = program.submit(program.open(max_age="0", prompt="login"), email=member.email)
    again = program.submit(page, code="12345x")
    assert 'role="alert"' in again.text
    assert 'name="code"' in again.text


def test_nobody_answers_for_a_person_without_their_seal(
    installation: Installation, program: Program, member: Member
) -> None:
    fields = {"organization_id": member.organization.id, "decision": "allow"}
    assert program.http.post("/oauth/authorize", data=fields).status_code == 400
    forged = {**fields, "seal": "AAAA" * 20}
    assert program.http.post("/oauth/authorize", data=forged).status_code == 400
    # A seal from before the code was entered proves nobody.
    page = program.submit(program.open(), **fields)
    assert page.status_code == 200
    foreign = installation.found().id
    consent = program.sign_in(member.email)
    refused = program.submit(consent, organization_id=foreign, decision="allow")
    assert answer_in(refused)["error"] == "access_denied"


@pytest.mark.parametrize(
    ("language", "word"),
    [
        ("en", "wants to act for you"),
        ("es-MX", "quiere actuar"),
        ("pt-BR", "quer agir"),
        ("zh", "希望代表您"),
        ("ja", "代わりに"),
    ],
)
def test_pages_speak_five_languages_and_cannot_be_framed(
    program: Program, language: str, word: str
) -> None:
    program.http.headers["accept-language"] = f"{language},en;q=0.5"
    page = program.open(client_id="other-app", redirect_uri="http://127.0.0.1:1/cb", scope=None)
    assert word in page.text
    assert "Other &lt;app&gt;" in page.text
    assert page.headers["x-frame-options"] == "DENY"
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("changes", "error", "status"),
    [
        ({"code_verifier": "A" * 43}, "invalid_grant", 400),
        ({"code_verifier": None}, "invalid_request", 400),
        ({"redirect_uri": "http://127.0.0.1:9/callback"}, "invalid_grant", 400),
        ({"redirect_uri": None}, "invalid_request", 400),
        ({"client_id": "other-app"}, "invalid_grant", 400),
        ({"client_id": "nobody"}, "invalid_client", 401),
        ({"client_id": None}, "invalid_request", 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
    ],
)
def test_a_code_is_good_for_what_it_was_made_for_only(
    program: Program, member: Member, changes: dict[str, Any], error: str, status: int
) -> None:
    code = program.allow(member.email, member.organization.id)["code"]
    refusal(program.exchange(code, **changes), error, status)
    assert program.exchange(code).status_code == 200


def test_a_client_that_tries_a_header_first_loses_nothing(program: Program, member: Member) -> None:
    code = program.allow(member.email, member.organization.id)["code"]
    tried = program.http.post("/oauth/token", data={"code": code}, auth=("pidgr-mcp", ""))
    refusal(tried, "invalid_client", 401)
    assert program.exchange(code).status_code == 200


def test_a_code_used_twice_ends_what_it_gave(program: Program, member: Member) -> None:
    code = program.allow(member.email, member.organization.id)["code"]
    tokens = program.exchange(code).json()
    refusal(program.exchange(code), "invalid_grant")
    refusal(program.exchange(code), "invalid_grant")
    assert incidents(program, member) == 1
    refusal(program.refresh(tokens["refresh_token"]), "invalid_grant")
    assert program.rpc("CampaignService/ListCampaigns", tokens["access_token"]).status_code == 401


def test_a_code_expires(installation: Installation, program: Program, member: Member) -> None:
    code = program.allow(member.email, member.organization.id)["code"]
    installation.system.database.write_now(lambda unit: unit.execute(EXPIRE_CODES))
    refusal(program.exchange(code), "invalid_grant")


def incidents(program: Program, member: Member) -> int:
    listed = program.rpc(
        "PrivacyService/ListOrgSecurityIncidents", member.organization.api_key
    ).json()
    return len(listed.get("incidents", []))


def test_a_refresh_token_used_twice_ends_its_grant(
    program: Program, member: Member, tokens: dict[str, Any]
) -> None:
    newest = program.refresh(tokens["refresh_token"]).json()
    refusal(program.refresh(tokens["refresh_token"]), "invalid_grant")
    refusal(program.refresh(newest["refresh_token"]), "invalid_grant")
    assert incidents(program, member) == 1
    assert program.rpc("CampaignService/ListCampaigns", newest["access_token"]).status_code == 401


def test_a_refresh_cannot_widen_its_scopes_or_change_hands(
    program: Program, member: Member
) -> None:
    answer = program.allow(member.email, member.organization.id, scope="campaigns:read")
    tokens = program.exchange(answer["code"]).json()
    refusal(
        program.refresh(tokens["refresh_token"], scope="campaigns:read members:read"),
        "invalid_scope",
    )
    refusal(program.refresh(tokens["refresh_token"], client_id="other-app"), "invalid_grant")
    as_session = program.http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert as_session.status_code == 401
    assert program.refresh(tokens["refresh_token"]).json()["scope"] == "campaigns:read"


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_an_application_gives_back_what_it_has(
    program: Program, tokens: dict[str, Any], kind: str
) -> None:
    revoke = program.metadata["revocation_endpoint"]
    foreign = {"client_id": "other-app", "token": tokens[kind]}
    assert program.http.post(revoke, data=foreign).status_code == 200
    assert program.rpc("CampaignService/ListCampaigns", tokens["access_token"]).status_code == 200
    own = {"client_id": "pidgr-mcp", "token": tokens[kind]}
    assert program.http.post(revoke, data=own).status_code == 200
    assert program.rpc("CampaignService/ListCampaigns", tokens["access_token"]).status_code == 401
    refusal(program.refresh(tokens["refresh_token"]), "invalid_grant")
    unknown = {"client_id": "pidgr-mcp", "token": "nonsense"}
    assert program.http.post(revoke, data=unknown).status_code == 200


def test_a_removed_member_and_a_suspended_organization_end_it(
    installation: Installation, program: Program, member: Member, tokens: dict[str, Any]
) -> None:
    organization = member.organization

    def suspend(*, suspended: bool) -> None:
        parameters = {"suspended": suspended, "id": organization.id}
        installation.system.database.write_now(lambda unit: unit.execute(SUSPEND, parameters))

    suspend(suspended=True)
    assert program.rpc("CampaignService/ListCampaigns", tokens["access_token"]).status_code == 403
    refusal(program.refresh(tokens["refresh_token"]), "invalid_grant")
    suspend(suspended=False)
    tokens = program.refresh(tokens["refresh_token"]).json()
    program.rpc(
        "MemberService/DeactivateUser", organization.api_key, userId=member.id
    ).raise_for_status()
    assert program.rpc("CampaignService/ListCampaigns", tokens["access_token"]).status_code == 401
    refusal(program.refresh(tokens["refresh_token"]), "invalid_grant")


def test_a_person_sees_their_applications_and_takes_one_back(
    installation: Installation, program: Program, member: Member, tokens: dict[str, Any]
) -> None:
    own = {"authorization": f"Bearer {installation.token(member.id)}"}
    (one,) = program.http.get("/auth/applications", headers=own).json()["applications"]
    assert one["client_id"] == "pidgr-mcp"
    assert one["organization_id"] == member.organization.id
    assert one["scope"] == ALL_SCOPES
    fields = {"client_id": "pidgr-mcp", "organization_id": member.organization.id}
    done = program.http.post("/auth/applications/revoke", json=fields, headers=own)
    assert done.json() == {}
    assert program.http.get("/auth/applications", headers=own).json() == {"applications": []}
    assert program.rpc("CampaignService/ListCampaigns", tokens["access_token"]).status_code == 401
    refusal(program.refresh(tokens["refresh_token"]), "invalid_grant")


def test_no_secret_lies_readable_in_the_database(
    installation: Installation, tokens: dict[str, Any]
) -> None:
    rows = installation.system.database.read_now(lambda unit: unit.rows(STORED))
    stored = b"|".join(bytes(part) for row in rows for part in row if part is not None)
    secret = base64.urlsafe_b64decode(tokens["refresh_token"].removeprefix("pidgr_a_"))[16:]
    assert secret not in stored
    assert hashlib.sha256(tokens["refresh_token"].encode()).digest() in stored


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"grant_type=refresh_token&client_id=pidgr-mcp&client_id=x", None),
        (b"{}", "application/json"),
        (b"client_id=pidgr-mcp", None),
        (b"grant_type=%00&client_id=%ff", None),
        (b"a=1&" * 100, None),
        (b"grant_type=" + b"x" * 20_000, None),
    ],
)
def test_a_malformed_form_is_an_invalid_request(
    program: Program, content: bytes, content_type: str | None
) -> None:
    headers = {"content-type": content_type or "application/x-www-form-urlencoded"}
    answer = program.http.post("/oauth/token", content=content, headers=headers)
    refusal(answer, "invalid_request")


def test_step_up_asks_for_a_sign_in_of_the_last_five_minutes(
    installation: Installation, program: Program, member: Member
) -> None:
    organization = member.organization
    fields = {"name": "key", "permissions": ["PERMISSION_ORG_READ"]}
    fresh = installation.token(organization.admin_id)
    assert program.rpc("ApiKeyService/CreateApiKey", fresh, **fields).status_code == 200
    keys = jwt.decode(fresh, installation.system.signer._keys.signing(2**62)).claims
    stale = installation.system.signer.sign(
        subject=keys["sub"],
        email=keys["email"],
        organization_id=organization.id,
        lifetime=60_000_000,
        authenticated_at=installation.system.clock.now() - 301_000_000,
    )
    for credential in [stale]:
        refused = program.rpc("ApiKeyService/CreateApiKey", credential, **fields)
        assert refused.status_code == 401
        assert refused.json()["message"].startswith("insufficient_user_authentication")
        assert refused.headers["www-authenticate"] == (
            'Bearer error="insufficient_user_authentication", max_age=300'
        )
    assert program.rpc("RoleService/ListRoles", stale).status_code == 200
    # A key has no sign-in to repeat.
    assert program.rpc("ApiKeyService/CreateApiKey", organization.api_key, **fields).is_success


def test_a_removed_application_is_out_with_its_next_call(
    installation: Installation, program: Program, member: Member
) -> None:
    doomed = Client("doomed-app", "Doomed", (LOOPBACK,), frozenset({"campaigns:read"}))
    write, now = installation.system.database.write_now, installation.system.clock.now()
    write(lambda unit: client_store.insert(unit, doomed, now))
    answer = program.allow(
        member.email, member.organization.id, client_id=doomed.id, scope="campaigns:read"
    )
    given = program.exchange(answer["code"], client_id=doomed.id).json()
    assert program.rpc("CampaignService/ListCampaigns", given["access_token"]).status_code == 200
    assert write(
        lambda unit: grants.remove_client(unit, doomed.id, installation.system.clock.now())
    )
    refused = program.rpc("CampaignService/ListCampaigns", given["access_token"])
    assert refused.status_code == 401
    refusal(
        program.refresh(given["refresh_token"], client_id=doomed.id), "invalid_client", status=401
    )
    assert program.open(client_id=doomed.id, scope="campaigns:read").status_code == 400

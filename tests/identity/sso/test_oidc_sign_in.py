"""Signing in by an OpenID provider: a provider of the test's own, honest or not, and a browser."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from support.forms import form_with, submit
from support.grpc_client import Client, Organization
from support.http_peer import HttpPeer, Received, Scripted
from support.identity_provider import OPENID_PATH
from support.running import Installation
from support.sso_door import APPLICATION, SsoDoor
from support.story import row_counts

from pidgr.identity.sign_in_method import OTP, PASSKEY
from pidgr.storage.sql import Statement

WITHDRAW = Statement("update sso_provider set verified_at = null where id = :id")
EXPIRE = Statement("update sso_attempt set expires_at = 1")
EXPIRE_CODES = Statement("update sign_in_arrival set expires_at = 1")
KEYS = [RSAKey.generate_key(2_048, {"kid": str(number), "use": "sig"}) for number in range(2)]
SECRET = "the client's secret: %+&"

Claims = dict[str, Any]


class Provider:
    """An OpenID provider; ``claims`` are what it says of whoever signs in."""

    def __init__(self, peer: HttpPeer) -> None:
        self.base = peer.url(path="")
        self.keys = [KEYS[0]]
        self.claims: Claims = {}
        self.user_info: Claims | None = None
        self.sign: Callable[[Claims], str] = lambda claims: jwt.encode(
            {"alg": "RS256", "kid": self.keys[-1].kid}, claims, self.keys[-1]
        )
        self.token_status = 200
        self.tokens_asked: list[tuple[dict[str, str], dict[str, str]]] = []
        self.keys_asked = 0
        self.methods = ["client_secret_basic"]
        self._asked: dict[str, dict[str, str]] = {}
        peer.answer = self._answer

    def configuration(self) -> Claims:
        return {
            "issuer": self.base,
            "authorization_endpoint": f"{self.base}/auth?tenant=1",
            "token_endpoint": f"{self.base}/token",
            "userinfo_endpoint": f"{self.base}/userinfo",
            "jwks_uri": f"{self.base}/jwks",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": self.methods,
            "authorization_response_iss_parameter_supported": True,
        }

    def visit(self, url: str) -> dict[str, str]:
        """Sign somebody in who comes by a URL; return the query to send them back with."""
        assert url.startswith(f"{self.base}/auth?tenant=1&")
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(8)
        self._asked[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.base}

    def _answer(self, request: Received) -> Scripted:
        match request.path:
            case "/jwks":
                self.keys_asked += 1
                found: Any = {"keys": [key.as_dict(private=False) for key in self.keys]}
            case "/token":
                return self._token(request)
            case "/userinfo":
                if request.headers.get("authorization") != "Bearer an access token":
                    return Scripted(401)
                found = self.user_info
            case path if path == OPENID_PATH:
                found = self.configuration()
            case _:
                return Scripted(404)
        return Scripted(200, {}, json.dumps(found).encode())

    def _token(self, request: Received) -> Scripted:
        form = dict(parse_qsl(request.body.decode()))
        self.tokens_asked.append((form, dict(request.headers)))
        asked = self._asked.pop(form["code"])
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        right = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        if self.token_status != 200 or not right or form["redirect_uri"] != asked["redirect_uri"]:
            return Scripted(self.token_status if self.token_status != 200 else 400, {}, b"{}")
        now = int(time.time())
        claims = {
            "iss": self.base,
            "sub": "248289761001",
            "aud": asked["client_id"],
            "exp": now + 300,
            "iat": now,
            "nonce": asked["nonce"],
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        body = {"access_token": "an access token", "id_token": self.sign(claims)}
        return Scripted(200, {}, json.dumps(body).encode())


class Door(SsoDoor):
    """One whose provider speaks OpenID Connect and knows us."""

    def __init__(
        self,
        installation: Installation,
        client: Client,
        organization: Organization,
        domain: str,
        provider: Provider,
    ) -> None:
        url = provider.base + OPENID_PATH
        super().__init__(installation, client, organization, domain, type=2, metadata_url=url)
        self.provider = provider
        self.register("us", SECRET)

    def register(self, client_id: str, secret: str = "", credential: str = "") -> httpx.Response:
        return self.browser.post(
            "/auth/sso/client",
            json={"client_id": client_id, "client_secret": secret},
            headers={"authorization": f"Bearer {credential or self.organization.api_key}"},
        )

    def callback(
        self, answer: dict[str, str], browser: httpx.Client | None = None
    ) -> httpx.Response:
        return (browser or self.browser).get("/auth/sso/callback", params=answer)

    def come(self, email: str, **answer: str) -> httpx.Response:
        """Go to the provider and back."""
        sent = self.start(email)
        assert sent.status_code == 303, sent.text
        return self.callback({**self.provider.visit(sent.headers["location"]), **answer})


@pytest.fixture
def provider(peer: HttpPeer) -> Provider:
    return Provider(peer)


@pytest.fixture
def door(
    installation: Installation,
    client: Client,
    organization: Organization,
    domain: str,
    provider: Provider,
) -> Iterator[Door]:
    door = Door(installation, client, organization, domain, provider)
    yield door
    door.browser.close()


def test_an_invited_member_comes_in_with_their_profile_and_acts_here_only(
    door: Door, provider: Provider
) -> None:
    mapping = {"idp_claim": "dept", "profile_field": "department"}
    more = {"idp_claim": "badges", "profile_field": "custom:badges"}
    door.client(
        "OrganizationService/UpdateSsoAttributeMappings",
        door.organization.api_key,
        sso_attribute_mappings=[mapping, more],
    )
    user_id, email = door.invite(profile=door.client.stubs.UserProfile(title="Nurse"))
    provider.claims = {
        "email": email.upper(),
        "email_verified": True,
        "given_name": "Ada",
        "family_name": "L" * 300,
        "dept": "Ward 7",
        "badges": ["a", 7],
    }
    answer = door.tokens(door.come(email))
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    assert (tokens["organization_id"], tokens["user_id"]) == (door.organization.id, user_id)
    assert [one["id"] for one in tokens["organizations"]] == [door.organization.id]
    user = door.user(user_id)
    assert user.status == door.client.stubs.USER_STATUS_ACTIVE
    profile = user.profile
    assert (profile.first_name, profile.department, profile.title) == ("Ada", "Ward 7", "Nurse")
    assert len(profile.last_name) == 200
    assert dict(profile.custom_attributes) == {"badges": "a, 7"}
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    assert door.browser.get("/auth/passkey", headers=bearer).status_code == 403
    other = door.installation.found()
    joined = door.client("MemberService/InviteUser", other.api_key, email=email).user
    door.installation.token(joined.id)
    rpc = "/pidgr.v1.MemberService/GetUserSettings"
    assert door.browser.post(rpc, json={}, headers=bearer).status_code == 200
    chosen = door.browser.post(rpc, json={}, headers={**bearer, "x-org-id": other.id})
    assert chosen.json()["code"] == "permission_denied"
    refresh = {"refresh_token": tokens["refresh_token"]}
    denied = door.browser.post("/auth/refresh", json={**refresh, "organization_id": other.id})
    assert denied.json()["code"] == "permission_denied"
    again = door.browser.post("/auth/refresh", json=refresh).json()
    assert [one["id"] for one in again["organizations"]] == [door.organization.id]
    assert door.tokens(door.come(email)).json()["user_id"] == user_id


def test_the_provider_learns_who_we_are_as_it_wants(door: Door, provider: Provider) -> None:
    _, email = door.invite()
    provider.claims = {"email": email}
    door.tokens(door.come(email))
    form, headers = provider.tokens_asked[-1]
    assert "client_secret" not in form
    pair = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
    assert pair == "us:the+client%27s+secret%3A+%25%2B%26"
    door.register("us")
    assert door.tokens(door.come(email)).status_code == 200
    form, headers = provider.tokens_asked[-1]
    assert form["client_id"] == "us"
    assert "authorization" not in headers


def test_an_address_that_is_only_in_the_user_info_counts(door: Door, provider: Provider) -> None:
    user_id, email = door.invite()
    provider.user_info = {"sub": "248289761001", "email": email, "given_name": "Ada"}
    assert door.tokens(door.come(email)).json()["user_id"] == user_id
    assert door.user(user_id).profile.first_name == "Ada"
    provider.user_info = {"sub": "somebody else", "email": email}
    assert door.come(email).status_code == 400


def test_a_new_key_of_the_provider_is_looked_for(door: Door, provider: Provider) -> None:
    _, email = door.invite()
    provider.claims = {"email": email}
    assert door.tokens(door.come(email)).status_code == 200
    asked = provider.keys_asked
    assert door.tokens(door.come(email)).status_code == 200
    assert provider.keys_asked == asked
    provider.keys = [KEYS[0], KEYS[1]]
    # Not at once: whatever tokens arrive, a provider is asked twice a minute.
    assert door.come(email).status_code == 400
    assert provider.keys_asked == asked


def signed_by(key: Any, **header: Any) -> Callable[[Claims], str]:
    return lambda claims: jwt.encode(
        {"alg": "RS256", "kid": "0", **header}, claims, key, algorithms=[header.get("alg", "RS256")]
    )


def part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unsigned(claims: Claims) -> str:
    return f"{part(json.dumps({'alg': 'none'}).encode())}.{part(json.dumps(claims).encode())}."


def signed_by_the_public_key(claims: Claims) -> str:
    """As if it were a shared secret; libraries refuse to make such a token."""
    header = json.dumps({"alg": "HS256", "kid": "0"}).encode()
    text = f"{part(header)}.{part(json.dumps(claims).encode())}"
    public = KEYS[0].as_pem(private=False)
    return f"{text}.{part(hmac.digest(public, text.encode(), 'sha256'))}"


@pytest.mark.parametrize(
    ("claims", "sign"),
    [
        ({"nonce": "another"}, None),
        ({"nonce": None}, None),
        ({"iss": "https://evil.example"}, None),
        ({"aud": "somebody else"}, None),
        ({"aud": ["us", "somebody else"]}, None),
        ({"aud": ["us", "somebody else"], "azp": "somebody else"}, None),
        ({"azp": "somebody else"}, None),
        ({"exp": 1}, None),
        ({"exp": None}, None),
        ({"iat": None}, None),
        ({"iat": int(time.time()) + 10_000}, None),
        ({"sub": None}, None),
        ({"sub": 7}, None),
        ({}, unsigned),
        ({}, signed_by(KEYS[1])),
        ({}, signed_by_the_public_key),
        ({}, signed_by(KEYS[0], alg="RS512")),
        ({}, lambda _claims: "nonsense"),
        ({}, lambda _claims: ""),
    ],
)
def test_an_id_token_that_is_not_for_this_sign_in_is_refused_and_changes_nothing(
    door: Door, provider: Provider, claims: Claims, sign: Callable[[Claims], str] | None
) -> None:
    user_id, email = door.invite()
    provider.claims = {"email": email, **claims}
    provider.sign = sign or provider.sign
    sent = door.start(email)
    before = row_counts(door.installation)
    back = door.callback(provider.visit(sent.headers["location"]))
    assert back.status_code == 400
    assert 'role="alert"' in back.text
    # The attempt alone is used up.
    after = row_counts(door.installation)
    assert {name: before[name] - after[name] for name in before if before[name] != after[name]} == {
        "sso_attempt": 1
    }
    assert door.user(user_id).status == door.client.stubs.USER_STATUS_INVITED


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"email": "somebody@{domain}"}, 403),
        ({"email": "somebody@sub.{domain}"}, 403),
        ({"email": "somebody@elsewhere.example"}, 403),
        ({"email": 7}, 403),
        ({}, 403),
        ({"email": "{invited}", "email_verified": False}, 403),
        ({"email": "{invited}", "email_verified": [True]}, 403),
    ],
)
def test_who_is_not_a_member_is_told_so(
    door: Door, provider: Provider, claims: Claims, status: int
) -> None:
    user_id, email = door.invite()
    provider.user_info = {"sub": "248289761001"}
    provider.claims = {
        name: value.format(domain=door.domain, invited=email) if isinstance(value, str) else value
        for name, value in claims.items()
    }
    assert door.come(email).status_code == status
    assert door.user(user_id).status == door.client.stubs.USER_STATUS_INVITED


def test_a_deactivated_member_stays_out(door: Door, provider: Provider) -> None:
    user_id, email = door.invite()
    provider.claims = {"email": email}
    key = door.organization.api_key
    door.client("MemberService/DeactivateUser", key, user_id=user_id)
    assert door.come(email).status_code == 403
    assert door.user(user_id).status == door.client.stubs.USER_STATUS_DEACTIVATED


def test_an_answer_counts_once_in_the_browser_that_asked_and_in_time(
    door: Door, provider: Provider
) -> None:
    _, email = door.invite()
    provider.claims = {"email": email}
    answer = provider.visit(door.start(email).headers["location"])
    with door.new_browser() as other:
        assert door.callback(answer, other).status_code == 400
    assert door.callback(answer).status_code == 400
    answer = provider.visit(door.start(email).headers["location"])
    assert door.callback(answer).status_code == 303
    assert door.callback(answer).status_code == 400
    answer = provider.visit(door.start(email).headers["location"])
    door.change(EXPIRE)
    assert door.callback(answer).status_code == 400
    assert door.callback({}).status_code == 400
    assert door.callback({"state": "é", "code": "x"}).status_code == 400


@pytest.mark.parametrize(
    "answer",
    [{"iss": "https://evil.example"}, {"iss": ""}, {"error": "access_denied"}, {"code": ""}],
)
def test_another_provider_s_answer_and_a_refusal_are_none(
    door: Door, provider: Provider, answer: dict[str, str]
) -> None:
    _, email = door.invite()
    provider.claims = {"email": email}
    assert door.come(email, **answer).status_code == 400
    assert provider.tokens_asked == []


def test_a_provider_that_fails_is_told_apart(
    door: Door, provider: Provider, peer: HttpPeer
) -> None:
    _, email = door.invite()
    provider.token_status = 500
    assert door.come(email).status_code == 400
    answer = provider.visit(door.start(email).headers["location"])
    peer.answer = lambda _request: Scripted(200, {}, b"not JSON")
    assert door.callback(answer).status_code == 400
    answer = provider.visit(door.start(email).headers["location"])
    door.change(WITHDRAW, id=door.provider_id)
    assert door.callback(answer).status_code == 400


def test_a_code_is_good_once_for_its_client_and_for_a_minute(
    door: Door, provider: Provider
) -> None:
    _, email = door.invite()
    provider.claims = {"email": email}
    back = door.come(email)
    wrong = door.tokens(back, code_verifier="x" * 43)
    assert wrong.status_code == 401
    assert door.tokens(back).status_code == 401
    back = door.come(email)
    assert door.tokens(back, code_verifier="short").status_code == 400
    assert door.tokens(back).status_code == 200
    assert door.tokens(back).status_code == 401
    back = door.come(email)
    door.change(EXPIRE_CODES)
    assert door.tokens(back).status_code == 401


def test_the_cookie_is_for_this_door_only(door: Door) -> None:
    cookie = door.start(door.invite()[1]).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "Path=/auth/sso" in cookie
    assert "SameSite=lax" in cookie
    first = door.browser.cookies["pidgr_sso"]
    door.start(door.invite()[1])
    assert door.browser.cookies["pidgr_sso"] == first


@pytest.mark.parametrize("language", ["en", "es", "pt-BR", "zh", "ja"])
def test_what_does_not_work_is_said_in_the_reader_s_language(door: Door, language: str) -> None:
    page = door.browser.get("/auth/sso/callback", headers={"accept-language": language})
    assert page.headers["content-language"] == language
    assert page.status_code == 400


def test_bad_starts_lead_nowhere(door: Door) -> None:
    _, email = door.invite()
    for params, status in (
        ({"email": "nonsense"}, 400),
        ({"code_challenge": "short"}, 400),
        ({"code_challenge": ""}, 400),
        ({"email": "eve@unknown.example"}, 404),
    ):
        assert door.start(**{"email": email, **params}).status_code == status


def test_with_a_provider_other_ways_in_are_closed_to_the_domain(door: Door) -> None:
    user_id, email = door.invite()
    admin = f"{secrets.token_hex(4)}@{door.domain}"
    roles = door.client("RoleService/ListRoles", door.organization.api_key).roles
    super_admin = next(role.id for role in roles if role.slug == "super_admin")
    boss = door.client("MemberService/InviteUser", door.organization.api_key, email=admin).user
    token = door.installation.token(door.organization.admin_id)
    door.client("MemberService/UpdateUserRole", token, user_id=boss.id, role_id=super_admin)
    elsewhere = f"{secrets.token_hex(4)}@elsewhere.example"
    door.client("MemberService/InviteUser", door.organization.api_key, email=elsewhere)
    for method in (OTP, PASSKEY):
        assert door.welcome(email, method) is None
        assert len(door.welcome(elsewhere, method)) == 1
    assert door.welcome(admin, OTP) is None
    assert len(door.welcome(admin, PASSKEY)) == 1
    own = door.installation.token(user_id)
    other = door.installation.found()
    joined = door.client("MemberService/InviteUser", other.api_key, email=email).user
    theirs = door.installation.token(joined.id)
    rpc = "/pidgr.v1.MemberService/GetUserSettings"
    bearer = {"authorization": f"Bearer {theirs}", "x-org-id": door.organization.id}
    assert door.browser.post(rpc, json={}, headers=bearer).json()["code"] == "permission_denied"
    assert door.browser.post(rpc, json={}, headers={"authorization": f"Bearer {own}"}).is_success
    door.register("")
    for method in (OTP, PASSKEY):
        assert door.welcome(email, method)
    assert door.start(email).status_code == 404


@pytest.mark.parametrize("gone", ["disconnected", "withdrawn"])
def test_what_a_provider_opened_ends_with_it(door: Door, provider: Provider, gone: str) -> None:
    user_id, email = door.invite()
    provider.claims = {"email": email}

    def refreshed(tokens: Any) -> Any:
        fields = {"refresh_token": tokens["refresh_token"]}
        return door.browser.post("/auth/refresh", json=fields).json()

    tokens = refreshed(door.tokens(door.come(email)).json())
    assert tokens["user_id"] == user_id
    if gone == "disconnected":
        door.client("SSOService/DeleteSSOProvider", door.organization.api_key)
    else:
        door.change(WITHDRAW, id=door.provider_id)
    assert refreshed(tokens)["code"] == "unauthenticated"


def test_who_may_say_who_we_are(door: Door, client: Client) -> None:
    made = client(
        "ApiKeyService/CreateApiKey", door.organization.api_key, name="reader", permissions=[1]
    )
    assert door.register("x", credential=made.key).status_code == 403
    headers = {"authorization": f"Bearer {made.key}"}
    shown = door.browser.get("/auth/sso/client", headers=headers)
    assert shown.json() == {
        "client_id": "us",
        "has_secret": True,
        "redirect_uri": f"{door.installation.url}/auth/sso/callback",
    }
    assert SECRET not in shown.text
    other = door.installation.found()
    assert door.register("x", credential=other.api_key).json()["code"] == "not_found"
    assert door.register("x" * 501).status_code == 400
    assert door.register("us", "new").json()["has_secret"]


def test_the_sign_in_page_leads_by_the_provider_to_an_application_s_request(
    door: Door, provider: Provider
) -> None:
    user_id, email = door.invite()
    provider.claims = {"email": email}
    sent = door.browser.get(door.way_from_sign_in_page(email))
    asked = door.callback(provider.visit(sent.headers["location"]))
    assert door.organization.id in asked.text
    allowed = submit(
        door.browser, asked, organization_id=door.organization.id, decision="allow"
    ).headers["location"]
    form = {
        "grant_type": "authorization_code",
        "client_id": "pidgr-mcp",
        "code": dict(parse_qsl(urlsplit(allowed).query))["code"],
        "redirect_uri": APPLICATION,
        "code_verifier": door.verifier,
    }
    tokens = door.browser.post("/oauth/token", data=form).json()
    claims = door.installation.system.signer.verify(tokens["access_token"])
    assert claims.organization_id == door.organization.id
    assert claims.methods == {"fed"}
    form = {
        "grant_type": "refresh_token",
        "client_id": "pidgr-mcp",
        "refresh_token": tokens["refresh_token"],
    }
    assert door.browser.post("/oauth/token", data=form).status_code == 200
    assert door.user(user_id).email == email


def test_a_provider_s_word_allows_nothing_in_another_organization(
    door: Door, provider: Provider, installation: Installation
) -> None:
    _, email = door.invite()
    provider.claims = {"email": email}
    other = installation.found()
    member = door.client("MemberService/InviteUser", other.api_key, email=email).user
    # They come in there too, by something else.
    installation.token(member.id)
    sent = door.browser.get(door.way_from_sign_in_page(email))
    asked = door.callback(provider.visit(sent.headers["location"]))
    assert other.id not in asked.text
    answer = submit(door.browser, asked, organization_id=other.id, decision="allow")
    assert "error=access_denied" in answer.headers["location"]


def test_a_provider_s_word_opens_no_passkeys(door: Door) -> None:
    _, email = door.invite()
    page = submit(door.browser, door.browser.get("/passkeys"), email=email)
    assert "<strong>" + door.domain in page.text
    assert 'id="provider"' not in page.text
    _, hidden = form_with(page)
    params = {"email": email, "visit": hidden["seal"]}
    assert door.browser.get("/auth/sso/start", params=params).status_code == 400
    params["visit"] = "AAAA"
    assert door.browser.get("/auth/sso/start", params=params).status_code == 400
    # Who belongs to another organization too gets a code for that.
    assert 'name="code"' in submit(door.browser, page).text


def test_an_answer_of_another_browser_shows_no_request(door: Door, provider: Provider) -> None:
    _, email = door.invite()
    provider.claims = {"email": email}
    sent = door.browser.get(door.way_from_sign_in_page(email))
    answer = provider.visit(sent.headers["location"])
    with door.new_browser() as other:
        assert door.callback(answer, other).status_code == 400
    assert door.callback(answer).status_code == 400


@pytest.mark.parametrize(
    ("max_age", "age", "taken"),
    [
        ("300", 200, True),
        ("300", 500, False),
        ("0", 0, True),
        ("0", 200, False),
        ("300", None, False),
        ("300", -500, False),
    ],
)
def test_a_recent_sign_in_is_asked_for_and_no_other_is_taken(
    door: Door, provider: Provider, max_age: str, age: int | None, *, taken: bool
) -> None:
    user_id, email = door.invite()
    now = int(time.time())
    provider.claims = {"email": email, "auth_time": None if age is None else now - age}
    sent = door.start(email, max_age=max_age).headers["location"]
    asked = dict(parse_qsl(urlsplit(sent).query))
    assert asked["max_age"] == max_age
    assert asked.get("prompt") == (None if int(max_age) else "login")
    back = door.callback(provider.visit(sent))
    if taken:
        assert age is not None
        assert door.signed_in_at(door.tokens(back).json()) == now - age
    else:
        assert back.status_code == 403
        assert "new sign-in at your provider" in back.text
        assert door.user(user_id).status == door.client.stubs.USER_STATUS_INVITED


@pytest.mark.parametrize(
    ("told", "known"), [(1_000, 1_000), (None, None), ("1000", None), (True, None)]
)
def test_who_asks_for_no_recent_sign_in_is_told_how_old_it_is(
    door: Door, provider: Provider, told: Any, known: int | None
) -> None:
    """Where the provider does not tell, nobody knows, and it is not taken for recent."""
    _, email = door.invite()
    provider.claims = {"email": email, "auth_time": told}
    sent = door.start(email).headers["location"]
    assert not {"max_age", "prompt"} & dict(parse_qsl(urlsplit(sent).query)).keys()
    assert door.signed_in_at(door.tokens(door.callback(provider.visit(sent))).json()) == known


@pytest.mark.parametrize("max_age", ["-1", "x", "1" * 10, "\u0663"])
def test_what_is_no_age_leads_nowhere(door: Door, max_age: str) -> None:
    _, email = door.invite()
    assert door.start(email, max_age=max_age).status_code == 400

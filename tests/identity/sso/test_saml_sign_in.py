"""Signing in by a SAML provider: pysaml2, and those who would be it."""

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from lxml import etree
from support.forms import submit
from support.grpc_client import Client, Organization, Stubs
from support.http_peer import HttpPeer, Scripted
from support.identity_provider import Documents
from support.name_server import NameServer
from support.running import Installation, running
from support.saml_forgery import changed, closed, one, signed_again, wrapped
from support.saml_provider import FAMILY_NAME, GIVEN_NAME, MAIL, SamlProvider, identity
from support.sso_door import APPLICATION, SsoDoor
from support.story import row_counts

from pidgr.clock import SECOND
from pidgr.identity.sign_in_method import OTP, PASSKEY
from pidgr.storage.sql import Statement

SAML = 1
CONSUMER, METADATA = "/auth/sso/saml/acs", "/auth/sso/saml/metadata"
WITHDRAW = Statement("update sso_provider set verified_at = null where id = :id")
EXPIRE = Statement("update sso_attempt set expires_at = 1")
DEPARTMENT = "urn:oid:2.5.4.11"

Form = dict[str, str]


class Door(SsoDoor):
    """One whose provider speaks SAML."""

    def __init__(
        self,
        installation: Installation,
        client: Client,
        organization: Organization,
        domain: str,
        peer: HttpPeer,
        provider: SamlProvider,
    ) -> None:
        peer.answer = lambda _request: Scripted(200, {}, provider.metadata().encode())
        names = client.stubs.SamlAttributeNames(
            email=MAIL, given_name=GIVEN_NAME, family_name=FAMILY_NAME
        )
        super().__init__(
            installation,
            client,
            organization,
            domain,
            type=SAML,
            metadata_url=peer.url(path="/saml/metadata"),
            attribute_mapping=names,
        )
        self.provider = provider

    def visit(self, email: str, name: str = "", **attributes: Any) -> Form:
        """Go to the provider and sign in there; return what it sends one back with."""
        sent = self.start(email)
        assert sent.status_code == 303, sent.text
        told = attributes or {"mail": [email]}
        return self.provider.visit(sent.headers["location"], told, name)

    def show(self, form: Form, browser: httpx.Client | None = None) -> httpx.Response:
        return (browser or self.browser).post(CONSUMER, data=form)

    def provider_door(self, method: str, credential: str) -> Any:
        headers = {"authorization": f"Bearer {credential}"}
        body: Form | None = {} if method == "POST" else None
        url = "/auth/sso/provider"
        return self.browser.request(method, url, headers=headers, json=body).json()


@pytest.fixture
def provider(installation: Installation, tmp_path: Path) -> SamlProvider:
    return SamlProvider(tmp_path, httpx.get(installation.url + METADATA, timeout=60).text)


@pytest.fixture
def door(
    installation: Installation,
    client: Client,
    organization: Organization,
    domain: str,
    peer: HttpPeer,
    provider: SamlProvider,
) -> Iterator[Door]:
    door = Door(installation, client, organization, domain, peer, provider)
    yield door
    door.browser.close()


def test_an_invited_member_comes_in_with_their_profile_and_acts_here_only(door: Door) -> None:
    door.client(
        "OrganizationService/UpdateSsoAttributeMappings",
        door.organization.api_key,
        sso_attribute_mappings=[{"idp_claim": DEPARTMENT, "profile_field": "department"}],
    )
    user_id, email = door.invite(profile=door.client.stubs.UserProfile(title="Nurse"))
    assert door.client("SSOService/CheckSSOByDomain", email=email).sso_enabled
    told: dict[str, Any] = {
        "mail": [email.upper()],
        "givenName": ["Ada"],
        "sn": ["Lovelace"],
        "ou": ["7", "8"],
    }
    answer = door.tokens(door.show(door.visit(email, **told)))
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    assert (tokens["organization_id"], tokens["user_id"]) == (door.organization.id, user_id)
    user = door.user(user_id)
    assert user.status == door.client.stubs.USER_STATUS_ACTIVE
    profile = user.profile
    assert (profile.first_name, profile.last_name) == ("Ada", "Lovelace")
    assert (profile.department, profile.title) == ("7, 8", "Nurse")
    other = door.installation.found()
    joined = door.client("MemberService/InviteUser", other.api_key, email=email).user
    door.installation.token(joined.id)
    headers = {"authorization": f"Bearer {tokens['access_token']}", "x-org-id": other.id}
    rpc = "/pidgr.v1.MemberService/GetUserSettings"
    chosen = door.browser.post(rpc, json={}, headers=headers)
    assert chosen.json()["code"] == "permission_denied"
    assert door.tokens(door.show(door.visit(email))).json()["user_id"] == user_id


def test_the_address_may_be_the_name_of_the_person(door: Door) -> None:
    user_id, email = door.invite()
    form = door.visit(email, name=email, givenName=["Ada"])
    assert door.tokens(door.show(form)).json()["user_id"] == user_id
    # The attribute counts, where there is one.
    assert (
        door.show(door.visit(email, name=email, mail=["eve@elsewhere.example"])).status_code == 403
    )


@pytest.mark.parametrize("told", ["somebody@{domain}", "somebody@elsewhere.example", ""])
def test_who_is_not_a_member_is_told_so(door: Door, told: str) -> None:
    user_id, email = door.invite()
    form = door.visit(email, givenName=["Ada"], mail=[told.format(domain=door.domain)])
    assert door.show(form).status_code == 403
    assert door.user(user_id).status == door.client.stubs.USER_STATUS_INVITED


def test_two_addresses_are_none(door: Door) -> None:
    _, email = door.invite()
    assert door.show(door.visit(email, mail=[email, f"x{email}"])).status_code == 403


def test_a_deactivated_member_stays_out(door: Door) -> None:
    user_id, email = door.invite()
    form = door.visit(email)
    door.client("MemberService/DeactivateUser", door.organization.api_key, user_id=user_id)
    assert door.show(form).status_code == 403


def spoilt(change: Callable[[str], str]) -> Callable[[Form], Form]:
    return lambda form: {**form, "SAMLResponse": change(form["SAMLResponse"])}


def eve(response: etree._Element) -> None:
    for value in response.iter("{*}NameID", "{*}AttributeValue"):
        value.text = "eve@elsewhere.example"


def late(response: etree._Element) -> None:
    one(response, ".//saml:Conditions").set("NotOnOrAfter", "2026-01-01T00:00:00Z")


def unsigned(response: etree._Element) -> None:
    signature = one(response, "saml:Assertion/ds:Signature")
    one(response, "saml:Assertion").remove(signature)


@pytest.mark.parametrize(
    "spoil",
    [
        spoilt(lambda message: changed(message, eve)),
        spoilt(lambda message: changed(message, unsigned)),
        spoilt(lambda message: signed_again(message, late, identity("provider"))),
        spoilt(lambda message: signed_again(message, eve, identity("mallory"))),
        spoilt(lambda message: wrapped(message, 3, "eve@elsewhere.example")),
        spoilt(lambda _message: closed(b"<!DOCTYPE a><a/>")),
        spoilt(lambda _message: "nonsense"),
        lambda form: {"RelayState": form["RelayState"]},
    ],
)
def test_what_the_provider_has_not_said_changes_nothing(
    door: Door, spoil: Callable[[Form], Form]
) -> None:
    user_id, email = door.invite()
    form = spoil(door.visit(email))
    before = row_counts(door.installation)
    back = door.show(form)
    assert back.status_code == 400
    assert 'role="alert"' in back.text
    # The attempt alone is used up.
    after = row_counts(door.installation)
    assert {name: before[name] - after[name] for name in before if before[name] != after[name]} == {
        "sso_attempt": 1
    }
    assert door.user(user_id).status == door.client.stubs.USER_STATUS_INVITED


def test_a_response_counts_once_in_the_browser_that_asked_and_in_time(door: Door) -> None:
    _, email = door.invite()
    form = door.visit(email)
    with door.new_browser() as other:
        assert door.show(form, other).status_code == 400
    assert door.show(form).status_code == 400
    form = door.visit(email)
    assert door.show(form).status_code == 303
    assert door.show(form).status_code == 400
    # Nor as the answer to another request.
    again = {**form, "RelayState": door.visit(email)["RelayState"]}
    assert door.show(again).status_code == 400
    form = door.visit(email)
    door.change(EXPIRE)
    assert door.show(form).status_code == 400


def test_of_eight_uses_of_a_response_at_once_one_counts(door: Door) -> None:
    _, email = door.invite()
    form = door.visit(email)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: door.show(form).status_code, range(8)))
    assert sorted(found) == [303] + [400] * 7


def test_a_response_counts_once_whichever_process_it_comes_to(
    door: Door, database_settings: dict[str, Any]
) -> None:
    _, email = door.invite()
    first = door.installation
    with running(
        first.system.settings.data_dir,
        issuer=first.url,
        sign_in_url="https://app.example/inbox?a=1",
        embedded_engine=False,
        **database_settings,
    ) as second:
        form = door.visit(email)
        shown = [door.browser.post(f"{at.url}{CONSUMER}", data=form) for at in (second, first)]
    assert [answer.status_code for answer in shown] == [303, 400]


def test_nobody_is_let_in_who_was_not_sent(door: Door) -> None:
    _, email = door.invite()
    form = door.visit(email)
    for state in ({}, {"RelayState": ""}, {"RelayState": "https://app.example/"}):
        unasked = {"SAMLResponse": form["SAMLResponse"], **state}
        assert door.show(unasked).status_code == 400
    assert door.browser.get(CONSUMER).status_code == 405
    assert door.browser.post(CONSUMER, json=form).status_code == 400
    large = {**form, "SAMLResponse": "x" * (256 * 1024)}
    assert door.show(large).status_code == 400
    # None of that was an answer.
    assert door.show(form).status_code == 303


def test_a_sign_in_by_one_protocol_ends_by_no_other(door: Door) -> None:
    _, email = door.invite()
    form = door.visit(email)
    query = {"state": form["RelayState"], "code": "x"}
    assert door.browser.get("/auth/sso/callback", params=query).status_code == 400
    assert door.show(form).status_code == 400


def test_another_organization_s_provider_speaks_for_its_own_people_only(
    door: Door, client: Client, peer: HttpPeer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    metadata = httpx.get(door.installation.url + METADATA, timeout=60).text
    theirs = SamlProvider(tmp_path_factory.mktemp("other"), metadata, identity("mallory"))
    domain = f"d{secrets.token_hex(6)}.example"
    other = Door(door.installation, client, door.installation.found(), domain, peer, theirs)
    _, email = door.invite()
    _, own = other.invite()
    with other.browser:
        # Its own people's sign-in, with somebody's name who is elsewhere at home.
        assert other.show(other.visit(own, mail=[email])).status_code == 403
        # A sign-in of the others' people, answered by it.
        sent = door.start(email)
        asked = sent.headers["location"]
        form = theirs.visit(asked, {"mail": [email]})
        assert door.show(form).status_code == 400


def test_with_a_provider_other_ways_in_are_closed_to_the_domain(door: Door) -> None:
    _, email = door.invite()
    for method in (OTP, PASSKEY):
        assert door.welcome(email, method) is None
    form = door.visit(email)
    door.change(WITHDRAW, id=door.provider_id)
    assert door.show(form).status_code == 400
    for method in (OTP, PASSKEY):
        assert door.welcome(email, method)
    assert door.start(email).status_code == 404
    assert not door.client("SSOService/CheckSSOByDomain", email=email).sso_enabled


def test_a_provider_that_wants_requests_posted_gets_them_so(
    door: Door, peer: HttpPeer, client: Client, organization: Organization
) -> None:
    client("SSOService/DeleteSSOProvider", organization.api_key)
    location = "https://idp.example/sso?a=1&b=2"
    document = door.provider.metadata().replace("HTTP-Redirect", "HTTP-POST")
    document = document.replace(door.provider.sign_on_url, location.replace("&", "&amp;"))
    peer.answer = lambda _request: Scripted(200, {}, document.encode())
    url = peer.url(path="/saml/metadata")
    again = SsoDoor(
        door.installation, client, organization, door.domain, type=SAML, metadata_url=url
    )
    _, email = again.invite()
    with again.browser:
        page = again.start(email)
        assert page.status_code == 200
        form = etree.HTML(page.text).find(".//form")
        assert form is not None
        assert (form.get("action"), form.get("method")) == (location, "post")
        fields = {field.get("name"): field.get("value") for field in form.iterfind("input")}
        request = etree.fromstring(base64.b64decode(fields["SAMLRequest"] or ""))
        assert request.get("Destination") == location
        assert len(fields["RelayState"] or "") == 43
        assert "form-action 'self' https:" in page.headers["content-security-policy"]
        assert "pidgr_sso" in again.browser.cookies


def test_a_new_certificate_counts_once_the_metadata_is_read_again(
    door: Door, peer: HttpPeer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def ask(method: str) -> Any:
        return door.provider_door(method, door.organization.api_key)

    def fingerprints(*names: str) -> list[str]:
        ders = [base64.b64decode(identity(name).der) for name in names]
        return [hashlib.sha256(der).hexdigest() for der in ders]

    metadata = httpx.get(door.installation.url + METADATA, timeout=60).text
    directory = tmp_path_factory.mktemp("next")
    renewed = SamlProvider(directory, metadata, identity("next"), door.provider.entity_id)
    user_id, email = door.invite()
    form = renewed.visit(door.start(email).headers["location"], {"mail": [email]})
    assert door.show(form).status_code == 400
    shown = ask("GET")
    assert (shown["name"], shown["certificates"]) == (
        door.provider.entity_id,
        fingerprints("provider"),
    )
    peer.answer = lambda _request: Scripted(200, {}, b"nothing of use")
    assert ask("POST")["code"] == "invalid_argument"
    assert ask("GET") == shown

    peer.answer = lambda _request: Scripted(200, {}, renewed.metadata().encode())
    found = ask("POST")
    assert (found["name"], found["certificates"]) == (shown["name"], fingerprints("next"))
    assert ask("GET") == found
    form = renewed.visit(door.start(email).headers["location"], {"mail": [email]})
    assert door.tokens(door.show(form)).json()["user_id"] == user_id
    assert door.show(door.visit(email)).status_code == 400


def test_who_may_read_a_provider_s_metadata_again(door: Door) -> None:
    made = door.client(
        "ApiKeyService/CreateApiKey", door.organization.api_key, name="reader", permissions=[1]
    )
    foreign = door.installation.found().api_key
    for credential, method, code in (
        (made.key, "POST", "permission_denied"),
        (foreign, "POST", "not_found"),
        (foreign, "GET", "not_found"),
        ("nonsense", "GET", "unauthenticated"),
    ):
        assert door.provider_door(method, credential)["code"] == code


def test_the_sign_in_page_leads_to_the_provider_and_on_to_what_it_was_for(door: Door) -> None:
    _, email = door.invite()
    sent = door.browser.get(door.way_from_sign_in_page(email))
    form = door.provider.visit(sent.headers["location"], {"mail": [email]})
    asked = door.show(form)
    assert door.organization.id in asked.text
    allowed = submit(
        door.browser, asked, organization_id=door.organization.id, decision="allow"
    ).headers["location"]
    assert allowed.startswith(f"{APPLICATION}?code=")
    assert door.show(form).status_code == 400


def test_a_recent_sign_in_is_asked_for_and_no_other_is_taken(door: Door) -> None:
    user_id, email = door.invite()
    now = door.installation.system.clock.now() // SECOND

    def come(age: int, **changes: str) -> httpx.Response:
        door.provider.signed_in_at = now - age
        sent = door.start(email, **changes).headers["location"]
        return door.show(door.provider.visit(sent, {"mail": [email]}))

    for max_age in (0, 300):
        stale = come(max_age + 200, max_age=str(max_age))
        assert door.provider.forced
        assert stale.status_code == 403
        assert "new sign-in at your provider" in stale.text
    assert door.user(user_id).status == door.client.stubs.USER_STATUS_INVITED
    tokens = door.tokens(come(200, max_age="300")).json()
    assert door.signed_in_at(tokens) == now - 200
    fields = {"refresh_token": tokens["refresh_token"]}
    again = door.browser.post("/auth/refresh", json=fields).json()
    assert door.signed_in_at(again) == now - 200
    # Who asks for none gets what there is, and is told how old that is.
    assert door.signed_in_at(door.tokens(come(4_000)).json()) == now - 4_000
    assert not door.provider.forced


def test_an_application_s_wish_for_a_recent_sign_in_reaches_the_provider(door: Door) -> None:
    _, email = door.invite()
    for wish, forced in (({"prompt": "login"}, True), ({"max_age": "300"}, True), ({}, False)):
        sent = door.browser.get(door.way_from_sign_in_page(email, **wish)).headers["location"]
        door.provider.visit(sent, {"mail": [email]})
        assert door.provider.forced is forced


def test_the_metadata_tells_a_provider_all_it_needs(installation: Installation) -> None:
    answer = httpx.get(installation.url + METADATA, timeout=60)
    assert answer.headers["content-type"].startswith("application/samlmetadata+xml")
    root = etree.fromstring(answer.content)
    assert root.get("entityID") == installation.url + METADATA
    descriptor = root[0]
    assert descriptor.get("WantAssertionsSigned") == "true"
    consumer = descriptor[0]
    assert consumer.get("Location") == installation.url + CONSUMER
    assert consumer.get("Binding") == "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


def test_the_cookie_comes_along_when_another_site_posts(
    stubs: Stubs, documents: Documents, names: NameServer, tmp_path: Path
) -> None:
    with (
        running(
            tmp_path,
            issuer="https://pidgr.example",
            sign_in_url="https://app.example/inbox?a=1",
            sso_allowed_networks=("127.0.0.1",),
            dns_servers=(names.address,),
            embedded_engine=False,
        ) as secure,
        grpc.insecure_channel(secure.address) as channel,
    ):
        url = documents.saml_url
        domain, client = "secure.example", Client(channel, stubs)
        door = SsoDoor(secure, client, secure.found(), domain, type=SAML, metadata_url=url)
        with door.browser:
            cookie = door.start(door.invite()[1]).headers["set-cookie"]
    assert "SameSite=none" in cookie
    assert "Secure" in cookie
    assert "HttpOnly" in cookie

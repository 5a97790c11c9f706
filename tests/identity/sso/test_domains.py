"""Proving that a domain is one's own: doors, name servers, the operator."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from support.grpc_client import Client, Organization
from support.identity_provider import Documents
from support.name_server import NameServer
from support.running import Installation

from pidgr import operations
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.sso_pb import SSOProviderType
from pidgr.errors import NotFoundError, SetupError
from pidgr.identity import operator
from pidgr.identity.sso import domains, known_providers
from pidgr.outreach.txt_records import TxtRecords
from pidgr.storage.sql import Statement

CHECK = "SSOService/CheckSSOByDomain"
KEY = Statement("select key from organization where id = :id")
FACTS = Statement("""
    select e.actor_kind, e.facts from audit_event e
    join organization o on o.key = e.organization_key
    where o.id = :id and e.facts like '%domain_verified%' order by e.created_at
""")

Door = Callable[..., httpx.Response]


@pytest.fixture
def connect(
    installation: Installation, client: Client, domain: str, documents: Documents
) -> Callable[[Organization], Any]:
    def call(organization: Organization) -> Any:
        made = client(
            "SSOService/CreateSSOProvider",
            organization.api_key,
            domain=domain,
            type=2,
            metadata_url=documents.openid_url,
        ).provider
        known = httpx.post(
            f"{installation.url}/auth/sso/client",
            json={"client_id": "us"},
            headers={"authorization": f"Bearer {organization.api_key}"},
        )
        assert known.status_code == 200
        return made

    return call


@pytest.fixture
def door(installation: Installation) -> Iterator[Door]:
    with httpx.Client(base_url=installation.url, timeout=60) as http:

        def call(method: str, credential: str, **options: Any) -> httpx.Response:
            headers = {"authorization": f"Bearer {credential}"}
            given = {"json": {}, **options} if method == "POST" else options
            return http.request(method, "/auth/sso/domain", headers=headers, **given)

        yield call


def refusal(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return str(answer.json()["message"])


def test_a_record_in_the_zone_proves_a_domain(
    client: Client,
    organization: Organization,
    domain: str,
    names: NameServer,
    door: Door,
    connect: Callable[[Organization], Any],
) -> None:
    connect(organization)
    claim = door("GET", organization.api_key).json()
    assert claim["domain"] == domain
    assert claim["verified"] is False
    assert claim["record_name"] == f"_pidgr-challenge.{domain}"
    message = refusal(door("POST", organization.api_key), 400, "failed_precondition")
    assert claim["record_name"] in message
    assert claim["record_value"] in message
    names.records[claim["record_name"]] = ["v=spf1 -all", claim["record_value"] + "x"]
    refusal(door("POST", organization.api_key), 400, "failed_precondition")
    assert not client(CHECK, email=f"eve@{domain}").sso_enabled
    names.records[claim["record_name"]].append(claim["record_value"])
    proved = door("POST", organization.api_key)
    assert proved.json() == {**claim, "verified": True}
    assert proved.headers["cache-control"] == "no-store"
    assert client(CHECK, email=f"eve@{domain}").sso_enabled
    del names.records[claim["record_name"]]
    assert door("POST", organization.api_key).json() == {**claim, "verified": True}


def test_a_record_proves_nothing_for_another_organization(
    installation: Installation,
    organization: Organization,
    names: NameServer,
    door: Door,
    connect: Callable[[Organization], Any],
) -> None:
    other = installation.found()
    connect(organization)
    connect(other)
    claim, others = (door("GET", one.api_key).json() for one in (organization, other))
    assert claim["record_name"] == others["record_name"]
    names.records[claim["record_name"]] = [claim["record_value"]]
    refusal(door("POST", other.api_key), 400, "failed_precondition")
    assert door("POST", organization.api_key).json()["verified"]
    names.records[claim["record_name"]].append(others["record_value"])
    refusal(door("POST", other.api_key), 409, "already_exists")
    assert door("GET", other.api_key).json()["verified"] is False


def test_silent_name_servers_are_no_proof_against_anybody(
    organization: Organization,
    names: NameServer,
    door: Door,
    connect: Callable[[Organization], Any],
) -> None:
    connect(organization)
    claim = door("GET", organization.api_key).json()
    names.broken.add(claim["record_name"])
    refusal(door("POST", organization.api_key), 503, "unavailable")
    names.broken.clear()
    names.records[claim["record_name"]] = [claim["record_value"]]
    assert door("POST", organization.api_key).json()["verified"]


def test_without_a_provider_there_is_no_domain(organization: Organization, door: Door) -> None:
    refusal(door("GET", organization.api_key), 404, "not_found")
    refusal(door("POST", organization.api_key), 404, "not_found")


def test_the_doors_need_a_credential_and_its_permissions(
    installation: Installation,
    organization: Organization,
    names: NameServer,
    door: Door,
    connect: Callable[[Organization], Any],
) -> None:
    connect(organization)
    reader = installation.system.database.write_now(
        lambda unit: operator.create_api_key(
            unit,
            unit.value(KEY, {"id": organization.id}),
            "k",
            (Permission.ORG_READ,),
            1,
        )
    )
    asked = len(names.asked)
    assert door("GET", reader).status_code == 200
    assert refusal(door("POST", reader), 403, "permission_denied") == (
        "requires ORG_WRITE permission"
    )
    for method in ("GET", "POST"):
        refusal(door(method, "pidgr_k_made_up"), 401, "unauthenticated")
    refusal(door("POST", organization.api_key, json=[]), 400, "invalid_argument")
    assert len(names.asked) == asked


def test_the_operator_vouches_and_withdraws(
    installation: Installation,
    client: Client,
    organization: Organization,
    domain: str,
    connect: Callable[[Organization], Any],
) -> None:
    system = installation.system
    settings = system.settings
    with pytest.raises(NotFoundError, match="no identity provider"):
        operations.sso_domain(settings, organization.id, verified=True)
    with pytest.raises(NotFoundError, match="no organization"):
        operations.sso_domain(settings, "nobody", verified=None)
    connect(organization)
    assert not operations.sso_domain(settings, organization.id, verified=None).verified
    assert operations.sso_domain(settings, organization.id, verified=True).verified
    assert operations.sso_domain(settings, organization.id, verified=True).domain == domain
    assert client(CHECK, email=f"eve@{domain}").sso_enabled
    assert not operations.sso_domain(settings, organization.id, verified=False).verified
    assert not client(CHECK, email=f"eve@{domain}").sso_enabled
    events = system.database.read_now(lambda unit: unit.rows(FACTS, {"id": organization.id}))
    assert [kind for kind, _ in events] == [3, 3]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("Example.COM.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("a-b.c_d.example", None),
        ("..", None),
        ("example..com", None),
        ("xn--.example", None),
        ("exa\0mple.com", None),
    ],
)
def test_domains_have_one_spelling(given: str, found: str | None) -> None:
    assert domains.normalise(given) == found
    assert domains.of_address(f"eve@{given}") == found


@pytest.mark.parametrize(
    ("url", "name", "email"),
    [
        ("https://acme.okta.com/app/x/sso/saml/metadata", "Okta", "email"),
        ("https://okta.com.evil.example/x", "okta.com.evil.example", "email"),
        (
            "https://login.microsoftonline.com/tenant/federationmetadata",
            "Microsoft Entra ID",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        ),
        (
            "https://id.acme.example/realms/acme/protocol/saml/descriptor",
            "Keycloak",
            "urn:oid:1.2.840.113549.1.9.1",
        ),
    ],
)
def test_known_providers_are_told_by_their_host(url: str, name: str, email: str) -> None:
    found, attributes = known_providers.detect(url, SSOProviderType.SAML)
    assert (found, attributes.email) == (name, email)


@pytest.mark.parametrize("entry", ["ns.example.com", "192.0.2.1:", "192.0.2.1:99999", "", ":53"])
def test_name_servers_are_addresses(entry: str) -> None:
    with pytest.raises(SetupError):
        TxtRecords([entry])


def test_addresses_of_name_servers_have_ports_or_not() -> None:
    servers = TxtRecords(["192.0.2.1", "192.0.2.1:54", "2001:db8::1", "[2001:db8::1]:54"])._servers
    assert [(server.address, server.port) for server in servers] == [
        ("192.0.2.1", 53),
        ("192.0.2.1", 54),
        ("2001:db8::1", 53),
        ("2001:db8::1", 54),
    ]

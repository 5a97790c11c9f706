"""Connecting an identity provider, over the wire."""

import uuid
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from support.grpc_client import Client, Organization
from support.http_peer import HttpPeer, Scripted
from support.identity_provider import POST, Documents, saml_metadata
from support.running import Installation

from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.identity import operator
from pidgr.storage.sql import Statement

CREATE, GET = "SSOService/CreateSSOProvider", "SSOService/GetSSOProvider"
DELETE, CHECK = "SSOService/DeleteSSOProvider", "SSOService/CheckSSOByDomain"
VERIFY = Statement("update sso_provider set verified_at = 1 where id = :id")
SET_CLIENT = Statement("update sso_provider set client_id = 'us' where id = :id")
KEY = Statement("select key from organization where id = :id")
EVENTS = Statement("""
    select e.event_type, e.entity_id, e.facts from audit_event e
    join organization o on o.key = e.organization_key
    where o.id = :id and e.entity_type = 'sso_provider' order by e.created_at, e.event_type
""")
OIDC, SAML = 2, 1
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
def create(
    client: Client, organization: Organization, domain: str, documents: Documents
) -> Callable[..., Any]:
    def call(api_key: str = organization.api_key, **fields: Any) -> Any:
        given = {"domain": domain, "type": OIDC, "metadata_url": documents.openid_url, **fields}
        return client(CREATE, api_key, **given).provider

    return call


def execute(installation: Installation, statement: Statement, **parameters: object) -> None:
    changed = installation.system.database.write_now(
        lambda unit: unit.execute(statement, parameters)
    )
    assert changed == 1


def refused(client: Client, organization: Organization, **fields: Any) -> str:
    """Return the message of an INVALID_ARGUMENT; nothing must have been stored."""
    error = client.error(CREATE, organization.api_key, **fields)
    assert error.code() is INVALID, error.details()
    assert not client(GET, organization.api_key).HasField("provider")
    return str(error.details())


def test_an_openid_provider_is_connected_shown_and_disconnected(
    client: Client, organization: Organization, create: Callable[..., Any], domain: str
) -> None:
    assert not client(GET, organization.api_key).HasField("provider")
    made = create(domain=domain.upper() + ".")
    assert uuid.UUID(made.id)
    assert (made.domain, made.type, made.idp_provider_name) == (domain, OIDC, "127.0.0.1")
    mapping = made.attribute_mapping
    assert (mapping.email, mapping.given_name, mapping.family_name) == (
        "email",
        "given_name",
        "family_name",
    )
    assert made.created_at == made.updated_at
    assert client(GET, organization.api_key).provider == made
    client(DELETE, organization.api_key, provider_id=made.id.upper())
    assert not client(GET, organization.api_key).HasField("provider")
    again = client.error(DELETE, organization.api_key, provider_id=made.id)
    assert again.code() is grpc.StatusCode.NOT_FOUND


def test_a_saml_provider_is_connected_with_its_own_names(
    client: Client, create: Callable[..., Any], documents: Documents
) -> None:
    names = client.stubs.SamlAttributeNames(email="mail", family_name="sn")
    made = create(type=SAML, metadata_url=documents.saml_url, attribute_mapping=names)
    assert made.type == SAML
    mapping = made.attribute_mapping
    assert (mapping.email, mapping.given_name, mapping.family_name) == ("mail", "firstName", "sn")


def test_an_empty_id_means_the_organizations_provider(
    client: Client, organization: Organization, create: Callable[..., Any]
) -> None:
    create()
    client(DELETE, organization.api_key)
    assert not client(GET, organization.api_key).HasField("provider")
    error = client.error(DELETE, organization.api_key)
    assert error.code() is grpc.StatusCode.NOT_FOUND


def test_an_organization_has_one_provider(
    client: Client, organization: Organization, create: Callable[..., Any]
) -> None:
    first = create()
    with pytest.raises(grpc.RpcError) as raised:
        create(domain=f"other.{first.domain}")
    error: Any = raised.value
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    assert client(GET, organization.api_key).provider == first


def test_only_a_proved_domain_is_taken(
    installation: Installation, create: Callable[..., Any], client: Client
) -> None:
    first = create()
    other, third = installation.found(), installation.found()
    second = create(api_key=other.api_key)
    assert second.domain == first.domain
    execute(installation, VERIFY, id=first.id)
    with pytest.raises(grpc.RpcError) as raised:
        create(api_key=third.api_key)
    error: Any = raised.value
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    assert not client(GET, third.api_key).HasField("provider")


def test_nobody_is_sent_to_a_provider_whose_domain_is_not_proved(
    installation: Installation, client: Client, create: Callable[..., Any], domain: str
) -> None:
    def check(email: str) -> tuple[bool, str]:
        answer = client(CHECK, email=email)
        return answer.sso_enabled, answer.provider_name

    made = create()
    assert check(f"eve@{domain}") == (False, "")
    execute(installation, VERIFY, id=made.id)
    assert check(f"eve@{domain}") == (False, ""), "an OpenID provider must know us first"
    execute(installation, SET_CLIENT, id=made.id)
    assert check(f"eve@{domain}") == (True, "127.0.0.1")
    assert check(f"nobody.at.all@{domain.upper()}") == (True, "127.0.0.1")
    assert check(f"eve@sub.{domain}") == (False, "")
    assert check(f"eve@{domain}x") == (False, "")
    assert check("eve@unknown.example") == (False, "")


def test_a_saml_provider_needs_a_proved_domain_and_no_more(
    installation: Installation,
    client: Client,
    create: Callable[..., Any],
    documents: Documents,
    domain: str,
) -> None:
    made = create(type=SAML, metadata_url=documents.saml_url)
    assert not client(CHECK, email=f"eve@{domain}").sso_enabled
    execute(installation, VERIFY, id=made.id)
    assert client(CHECK, email=f"eve@{domain}").sso_enabled


@pytest.mark.parametrize("email", ["", "eve", "eve@", "@x.example", "e@x", "e" * 250 + "@x.org"])
def test_what_is_no_address_is_refused(client: Client, email: str) -> None:
    assert client.error(CHECK, email=email).code() is INVALID


def test_providers_of_others_do_not_exist(
    installation: Installation, client: Client, create: Callable[..., Any]
) -> None:
    made = create()
    other = installation.found()
    assert not client(GET, other.api_key).HasField("provider")
    foreign = client.error(DELETE, other.api_key, provider_id=made.id)
    unknown = client.error(DELETE, other.api_key, provider_id=str(uuid.uuid4()))
    assert foreign.code() is grpc.StatusCode.NOT_FOUND
    assert (foreign.code(), foreign.details()) == (unknown.code(), unknown.details())


def test_reading_and_writing_need_their_permissions(
    installation: Installation, client: Client, organization: Organization, documents: Documents
) -> None:
    def key(*granted: Permission) -> str:
        return installation.system.database.write_now(
            lambda unit: operator.create_api_key(
                unit, unit.value(KEY, {"id": organization.id}), "k", granted, 1
            )
        )

    reader, writer = key(Permission.ORG_READ), key(Permission.ORG_WRITE)
    fields = {"domain": "x.example", "type": OIDC, "metadata_url": documents.openid_url}
    for rpc, given in ((CREATE, fields), (DELETE, {})):
        error = client.error(rpc, reader, **given)
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert error.details() == "requires ORG_WRITE permission"
    error = client.error(GET, writer)
    assert error.details() == "requires ORG_READ permission"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"domain": ""}, "domain"),
        ({"domain": "example"}, "domain"),
        ({"domain": "a b.example"}, "domain"),
        ({"domain": "-a.example"}, "domain"),
        ({"domain": "10.0.0.1"}, "domain"),
        ({"domain": "eve@x.example"}, "domain"),
        ({"domain": "a" * 64 + ".example"}, "domain"),
        ({"domain": "a." * 126 + "example"}, "domain"),
        ({"type": 0}, "type"),
        ({"type": 9}, "type"),
        ({"metadata_url": ""}, "metadata_url"),
        ({"metadata_url": "https://idp.example/" + "x" * 2_048}, "metadata_url"),
    ],
)
def test_malformed_fields_are_named(
    client: Client,
    organization: Organization,
    documents: Documents,
    fields: dict[str, Any],
    field: str,
) -> None:
    given = {"domain": "x.example", "type": OIDC, "metadata_url": documents.openid_url}
    assert refused(client, organization, **{**given, **fields}).startswith(f"{field}: ")


@pytest.mark.parametrize(
    "url",
    [
        "idp.example.com/metadata",
        "ftp://idp.example.com/metadata",
        "http://8.8.8.8/metadata",
        "https://user:secret@idp.example.com/metadata",
        "https://10.0.0.1/metadata",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/metadata",
        "https://[::ffff:10.0.0.1]/metadata",
        "https://2130706433/metadata",
        "https://localhost/metadata",
        "https://nowhere.invalid/metadata",
    ],
)
def test_metadata_is_fetched_from_public_https_hosts_only(
    client: Client, organization: Organization, url: str
) -> None:
    for type_ in (OIDC, SAML):
        message = refused(client, organization, domain="x.example", type=type_, metadata_url=url)
        assert message.startswith("metadata_url: cannot be used: ")


def test_metadata_leads_to_no_private_address_either(
    client: Client, organization: Organization, documents: Documents
) -> None:
    fields = {"domain": "x.example", "type": OIDC, "metadata_url": documents.openid_url}
    good = dict(documents.openid)
    for name in ("token_endpoint", "jwks_uri", "userinfo_endpoint", "authorization_endpoint"):
        for url in ("https://10.0.0.1/x", "http://idp.example.com/x", "javascript:alert(1)"):
            if (name, url) == ("authorization_endpoint", "https://10.0.0.1/x"):
                continue  # Only browsers go there.
            documents.openid = {**good, name: url}
            assert "cannot be used" in refused(client, organization, **fields)


@pytest.mark.parametrize(
    "answer",
    [
        Scripted(302, {"Location": "https://idp.example.com/"}),
        Scripted(404),
        Scripted(500),
        Scripted(200, {}, b""),
        Scripted(200, {}, b"x" * ((1 << 20) + 1)),
    ],
    ids=["redirect", "missing", "broken", "empty", "huge"],
)
def test_what_is_no_document_is_refused(
    client: Client,
    organization: Organization,
    peer: HttpPeer,
    documents: Documents,
    answer: Scripted,
) -> None:
    for type_, url in ((OIDC, documents.openid_url), (SAML, documents.saml_url)):
        peer.answers = [answer]
        message = refused(client, organization, domain="x.example", type=type_, metadata_url=url)
        assert message.startswith("metadata_url: ")


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://accounts.example.com"},
        {"issuer": "http://127.0.0.1/{tenantid}/v2.0"},
        {"issuer": 7},
        {"response_types_supported": ["id_token"]},
        {"code_challenge_methods_supported": ["plain"]},
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
        {"id_token_signing_alg_values_supported": "RS256"},
        {"token_endpoint": ""},
        {"jwks_uri": None},
    ],
    ids=str,
)
def test_an_openid_configuration_must_be_usable(
    client: Client, organization: Organization, documents: Documents, change: dict[str, Any]
) -> None:
    documents.openid |= change
    fields = {"domain": "x.example", "type": OIDC, "metadata_url": documents.openid_url}
    assert "cannot be used" in refused(client, organization, **fields)


@pytest.mark.parametrize("keys", [{}, [], {"keys": "none"}, {"keys": [{"kty": "RSA"}]}, 7])
def test_an_openid_provider_must_have_keys(
    client: Client, organization: Organization, documents: Documents, keys: Any
) -> None:
    documents.keys = keys
    fields = {"domain": "x.example", "type": OIDC, "metadata_url": documents.openid_url}
    assert "has no keys" in refused(client, organization, **fields)


ENTITY, SSO = "https://idp.example.com", "https://idp.example.com/sso"
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "metadata",
    [
        "<html/>",
        "not XML",
        BOMB + saml_metadata(ENTITY, SSO).partition("?>")[2],
        saml_metadata(ENTITY, SSO, entities=0),
        saml_metadata(ENTITY, SSO, entities=2),
        saml_metadata("", SSO),
        saml_metadata("x" * 1_025, SSO),
        saml_metadata(ENTITY, SSO, binding="urn:oasis:names:tc:SAML:2.0:bindings:SOAP"),
        saml_metadata(ENTITY, "http://idp.example.com/sso"),
        saml_metadata(ENTITY, "javascript:alert(1)"),
        saml_metadata(ENTITY, SSO, kind=""),
        saml_metadata(ENTITY, SSO, kind="small"),
        saml_metadata(ENTITY, SSO, kind="AAAA"),
        saml_metadata(ENTITY, SSO, attributes='validUntil="2020-01-01T00:00:00Z"'),
        saml_metadata(ENTITY, SSO, attributes='validUntil="tomorrow"'),
    ],
    ids=range(15),
)
def test_saml_metadata_must_be_usable(
    client: Client, organization: Organization, documents: Documents, metadata: str
) -> None:
    documents.saml = metadata
    fields = {"domain": "x.example", "type": SAML, "metadata_url": documents.saml_url}
    assert "cannot be used" in refused(client, organization, **fields)


@pytest.mark.parametrize(
    "metadata",
    [
        saml_metadata(ENTITY, SSO, binding=POST, kind="ec"),
        saml_metadata(ENTITY, SSO, attributes='validUntil="2999-01-01T00:00:00Z"'),
        "<!-- a comment is no harm -->" + saml_metadata(ENTITY, SSO).partition("?>")[2],
    ],
    ids=range(3),
)
def test_other_forms_of_metadata_are_fine(
    create: Callable[..., Any], documents: Documents, metadata: str
) -> None:
    documents.saml = metadata
    create(type=SAML, metadata_url=documents.saml_url)


def test_a_repeated_call_makes_one_provider_and_asks_it_nothing_again(
    client: Client, organization: Organization, documents: Documents, domain: str
) -> None:
    stub = client.stubs.SSOServiceStub(client.channel)
    request = client.stubs.CreateSSOProviderRequest(
        domain=domain, type=OIDC, metadata_url=documents.openid_url
    )
    metadata = [
        ("authorization", f"Bearer {organization.api_key}"),
        ("idempotency-key", str(uuid.uuid4())),
    ]
    first = stub.CreateSSOProvider(request, metadata=metadata)
    documents.openid.clear()
    assert stub.CreateSSOProvider(request, metadata=metadata) == first
    request.domain = f"other.{domain}"
    with pytest.raises(grpc.RpcError) as refused:
        stub.CreateSSOProvider(request, metadata=metadata)
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS


def test_connecting_and_disconnecting_are_on_record(
    installation: Installation,
    client: Client,
    organization: Organization,
    create: Callable[..., Any],
) -> None:
    made = create()
    client(DELETE, organization.api_key)
    events = installation.system.database.read_now(
        lambda unit: unit.rows(EVENTS, {"id": organization.id})
    )
    assert {kind for kind, _, _ in events} == {
        AuditEventType.SSO_PROVIDER_CREATED,
        AuditEventType.SSO_CONFIGURED,
        AuditEventType.SSO_PROVIDER_DELETED,
    }
    assert {entity for _, entity, _ in events} == {made.id}
    assert all(made.domain in facts for _, _, facts in events)

"""Access tokens that look almost right."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import hashes, hmac
from joserfc import jwt
from joserfc.jwk import RSAKey
from support.grpc_client import Client, Organization
from support.running import Installation

from pidgr.storage.sql import Statement

_SIGNING_KEY = Statement("select kid, sealed_private_key from signing_key")
_SUBJECT = Statement("select subject, email from member where id = :id")
Claims = dict[str, Any]


@pytest.fixture(scope="module")
def organization(installation: Installation) -> Organization:
    made = installation.found()
    installation.token(made.admin_id)
    return made


@pytest.fixture
def claims(installation: Installation, organization: Organization) -> Claims:
    """The claims of a good token of the organization's first member."""
    return good_claims(installation, organization)


def good_claims(installation: Installation, organization: Organization) -> Claims:
    subject, email = installation.system.database.read_now(
        lambda reader: reader.rows(_SUBJECT, {"id": organization.admin_id})
    )[0]
    now = int(time.time())
    settings = installation.system.settings
    return {
        "iss": settings.issuer,
        "aud": settings.audience,
        "sub": subject,
        "email": email,
        "iat": now,
        "exp": now + 600,
        "custom:org_id": organization.id,
    }


@pytest.fixture
def key(installation: Installation) -> RSAKey:
    """The key the server itself signs with, as a thief of the database would have it."""
    system = installation.system
    ((kid, sealed),) = system.database.read_now(lambda reader: reader.rows(_SIGNING_KEY))
    pem = system.master_key.unseal("signing-key", sealed)
    return RSAKey.import_key(pem, {"kid": kid})


def sign(key: RSAKey, claims: Claims, **header: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid} | header, claims, key)


def encoded(part: object) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def code(client: Client, token: str, rpc: str = "TeamService/ListTeams") -> grpc.StatusCode:
    try:
        client(rpc, token)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_the_good_token_that_all_others_differ_from_is_accepted(
    client: Client, key: RSAKey, claims: Claims
) -> None:
    assert code(client, sign(key, claims)) is grpc.StatusCode.OK
    assert code(client, sign(key, claims | {"aud": ["other", claims["aud"]]})) is grpc.StatusCode.OK


def without(name: str) -> Callable[[Claims], Claims]:
    return lambda claims: {claim: value for claim, value in claims.items() if claim != name}


def changed(**values: Any) -> Callable[[Claims], Claims]:
    return lambda claims: claims | values


def shifted(name: str, seconds: int) -> Callable[[Claims], Claims]:
    return lambda claims: claims | {name: int(time.time()) + seconds}


@pytest.mark.parametrize(
    "change",
    [
        changed(iss="https://elsewhere.example"),
        changed(iss=""),
        without("iss"),
        changed(aud="elsewhere"),
        changed(aud=[]),
        without("aud"),
        without("sub"),
        changed(sub=""),
        changed(sub=["a"]),
        changed(sub="somebody else"),
        without("exp"),
        changed(exp="tomorrow"),
        changed(exp=None),
        changed(exp=1e400),
        shifted("exp", -1),
        shifted("exp", -600),
        shifted("nbf", 600),
        shifted("iat", 600),
        changed(**{"custom:org_id": "5b0f3c52-9d0e-4f4e-8f3f-6f1f6a0d5a10"}),
        changed(**{"custom:org_id": "' or 1=1 --"}),
        changed(**{"custom:org_id": "\0"}),
        changed(**{"custom:org_id": ["a"]}),
        changed(**{"custom:org_id": {"a": 1}}),
    ],
)
def test_a_well_signed_token_with_a_wrong_claim_is_refused(
    client: Client, key: RSAKey, claims: Claims, change: Callable[[Claims], Claims]
) -> None:
    assert code(client, sign(key, change(claims))) is grpc.StatusCode.UNAUTHENTICATED


def test_a_member_of_one_organization_is_a_stranger_in_another(
    installation: Installation, client: Client, key: RSAKey, claims: Claims
) -> None:
    other = installation.found()
    token = sign(key, claims | {"custom:org_id": other.id})
    assert code(client, token) is grpc.StatusCode.UNAUTHENTICATED


def test_an_unsigned_token_is_refused(client: Client, key: RSAKey, claims: Claims) -> None:
    for algorithm in ("none", "None", "NONE", ""):
        for signature in ("", "x", encoded(b"x" * 256)):
            header = {"alg": algorithm, "kid": key.kid, "typ": "JWT"}
            token = f"{encoded(header)}.{encoded(claims)}.{signature}"
            assert code(client, token) is grpc.StatusCode.UNAUTHENTICATED


def test_a_token_that_takes_the_public_key_for_a_shared_secret_is_refused(
    client: Client, key: RSAKey, claims: Claims
) -> None:
    pem = key.as_pem(private=False)
    for secret in (pem, pem.strip(), json.dumps(key.as_dict(private=False)).encode()):
        text = f"{encoded({'alg': 'HS256', 'kid': key.kid})}.{encoded(claims)}"
        mac = hmac.HMAC(secret, hashes.SHA256())
        mac.update(text.encode())
        token = f"{text}.{encoded(mac.finalize())}"
        assert code(client, token) is grpc.StatusCode.UNAUTHENTICATED


def test_a_token_of_a_key_we_do_not_know_is_refused_under_any_name(
    client: Client, key: RSAKey, claims: Claims
) -> None:
    stranger = RSAKey.generate_key(2048)
    for kid in (key.kid, "other", ""):
        token = jwt.encode({"alg": "RS256", "kid": kid}, claims, stranger)
        assert code(client, token) is grpc.StatusCode.UNAUTHENTICATED
    carried = {"alg": "RS256", "jwk": stranger.as_dict(private=False)}
    token = jwt.encode(carried, claims, stranger)
    assert code(client, token) is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_only_rs256_counts_even_with_our_own_key(
    client: Client, key: RSAKey, claims: Claims, algorithm: str
) -> None:
    raw = RSAKey.import_key(key.as_pem(private=True))
    token = jwt.encode({"alg": algorithm, "kid": key.kid}, claims, raw, algorithms=[algorithm])
    assert code(client, token) is grpc.StatusCode.UNAUTHENTICATED


def test_a_token_with_any_part_turned_is_refused(
    client: Client, key: RSAKey, claims: Claims
) -> None:
    token = sign(key, claims)
    header, payload, signature = token.split(".")
    tampered = encoded(claims | {"email": "eve@example.com"})
    for wrong in (
        f"{header}.{tampered}.{signature}",
        f"{header}.{payload}.{signature[::-1]}",
        f"{header}.{payload}.{signature[:-6]}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}..{signature}",
        f".{payload}.{signature}",
        f"{token}.{signature}",
        token.replace("eyJ", "eyK", 1),
    ):
        assert code(client, wrong) is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "payload", [b"", b"null", b"[]", b"1", b'"x"', b"{", b"\xff", b"[" * 5_000, b'{"exp":1e999}']
)
def test_a_well_signed_token_that_holds_no_claims_is_refused(
    client: Client, key: RSAKey, payload: bytes
) -> None:
    from joserfc import jws

    header = {"alg": "RS256", "kid": key.kid}
    token = jws.serialize_compact(header, payload, key)
    assert code(client, token) is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "header",
    [
        {},
        [],
        None,
        {"alg": 5},
        {"alg": "RS256", "kid": 5},
        {"alg": "RS256", "kid": [1]},
        b"[" * 5_000,
        b'{"a":' * 1_100,
    ],
)
def test_a_token_with_a_strange_header_is_refused(
    client: Client, claims: Claims, header: object
) -> None:
    token = f"{encoded(header)}.{encoded(claims)}.{encoded(b'x' * 256)}"
    assert code(client, token) is grpc.StatusCode.UNAUTHENTICATED


def test_a_token_ends_while_its_bearer_keeps_calling(
    installation: Installation, client: Client, key: RSAKey, claims: Claims
) -> None:
    from support.waiting import until

    token = sign(key, claims | {"exp": int(time.time()) + 2})
    assert code(client, token) is grpc.StatusCode.OK
    until(lambda: code(client, token) is grpc.StatusCode.UNAUTHENTICATED, 10)
    assert (
        installation.system.clock.now()
        >= json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["exp"] * 1_000_000
    )


def test_somebody_without_an_organization_can_found_one_and_nothing_else(
    client: Client, key: RSAKey, claims: Claims
) -> None:
    nobody = without("custom:org_id")(claims) | {"sub": "newcomer", "email": "new@example.com"}
    token = sign(key, nobody)
    for rpc in ("TeamService/ListTeams", "InboxService/Sync", "DeviceService/ListDevices"):
        assert code(client, token, rpc) is grpc.StatusCode.UNAUTHENTICATED
    made = client("OrganizationService/CreateOrganization", token, name=f"Founded {time.time_ns()}")
    assert made.admin_user.email == "new@example.com"
    inside = sign(key, nobody | {"custom:org_id": made.organization.id})
    assert code(client, inside) is grpc.StatusCode.OK
    found = client("OrganizationService/GetOrganization", inside).organization
    assert found.id == made.organization.id


def test_an_api_key_founds_nothing(client: Client, organization: Organization) -> None:
    error = client.error(
        "OrganizationService/CreateOrganization", organization.api_key, name="Key's own"
    )
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED

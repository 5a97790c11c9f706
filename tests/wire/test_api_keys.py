"""API keys through the wire: making, listing, using and revoking them."""

import time
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from support.grpc_client import Client, Organization
from support.running import Installation
from support.waiting import until


def create(client: Client, credential: str, permissions: list[str], **fields: Any) -> Any:
    numbers = [client.stubs.Permission.Value(f"PERMISSION_{name}") for name in permissions]
    values = {"name": "robot", "permissions": numbers, **fields}
    return client("ApiKeyService/CreateApiKey", credential, **values)


def test_a_key_works_until_it_is_revoked_and_shows_its_secret_once(
    client: Client, organization: Organization
) -> None:
    made = create(client, organization.api_key, ["TEAMS_ALL_READ", "ORG_READ"])
    assert made.key.startswith("pidgr_k_")
    assert len(made.key) >= 40
    assert made.api_key.key_prefix == made.key[:16]
    client("TeamService/ListTeams", made.key)
    listed = client("ApiKeyService/ListApiKeys", organization.api_key)
    assert next(key.id for key in listed.api_keys) == made.api_key.id
    assert made.key not in str(listed)

    for _ in range(2):
        client("ApiKeyService/RevokeApiKey", organization.api_key, api_key_id=made.api_key.id)
    error = client.error("TeamService/ListTeams", made.key)
    assert error.code() == grpc.StatusCode.UNAUTHENTICATED
    listed = client("ApiKeyService/ListApiKeys", organization.api_key)
    assert made.api_key.id not in {key.id for key in listed.api_keys}


def test_a_key_has_its_own_permissions_and_no_others(
    client: Client, organization: Organization
) -> None:
    made = create(client, organization.api_key, ["CAMPAIGNS_READ"])
    client("CampaignService/ListCampaigns", made.key)
    error = client.error("MemberService/ListUsers", made.key)
    assert error.code() == grpc.StatusCode.PERMISSION_DENIED
    assert error.details() == "requires MEMBERS_READ permission"


def test_nobody_grants_what_they_lack(client: Client, organization: Organization) -> None:
    made = create(client, organization.api_key, ["ORG_READ", "ORG_WRITE"])
    numbers = [client.stubs.PERMISSION_CAMPAIGNS_START]
    error = client.error("ApiKeyService/CreateApiKey", made.key, name="more", permissions=numbers)
    assert error.code() == grpc.StatusCode.PERMISSION_DENIED
    assert "CAMPAIGNS_START" in error.details()


def test_no_key_outlives_the_key_that_made_it(client: Client, organization: Organization) -> None:
    end = Timestamp(seconds=int(time.time()) + 3_600)
    may = ["ORG_READ", "ORG_WRITE"]
    maker = create(client, organization.api_key, may, expires_at=end).key

    for asked in (end, Timestamp(seconds=end.seconds - 1)):
        assert create(client, maker, may, expires_at=asked).api_key.expires_at == asked
    unsaid = create(client, maker, may)
    assert unsaid.api_key.expires_at == end
    count = len(client("ApiKeyService/ListApiKeys", maker).api_keys)
    for credential in (maker, unsaid.key):
        error = client.error(
            "ApiKeyService/CreateApiKey",
            credential,
            name="more",
            permissions=[client.stubs.PERMISSION_ORG_READ],
            expires_at=Timestamp(seconds=end.seconds, nanos=1_000),
        )
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED
        assert "outlives" in error.details()
    assert len(client("ApiKeyService/ListApiKeys", maker).api_keys) == count
    later = Timestamp(seconds=end.seconds + 1)
    assert create(client, organization.api_key, may, expires_at=later).api_key.expires_at == later


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"permissions": []}, "permissions"),
        ({"permissions": [0]}, "permissions[0]"),
        ({"permissions": [1, 999]}, "permissions[1]"),
        ({"permissions": [23]}, "permissions[0]"),
        ({"key_type": 9}, "key_type"),
        ({"expires_at": Timestamp(seconds=1)}, "expires_at"),
        ({"expires_at": Timestamp(seconds=1 << 60)}, "expires_at"),
    ],
)
def test_bad_fields_are_named_and_nothing_is_made(
    client: Client, organization: Organization, fields: dict[str, object], path: str
) -> None:
    values = {"name": "robot", "permissions": [1], **fields}
    before = len(client("ApiKeyService/ListApiKeys", organization.api_key).api_keys)
    error = client.error("ApiKeyService/CreateApiKey", organization.api_key, **values)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"{path}:")
    assert len(client("ApiKeyService/ListApiKeys", organization.api_key).api_keys) == before


def test_an_expired_key_is_refused_and_still_listed(
    client: Client, organization: Organization
) -> None:
    soon = Timestamp(nanos=int((time.time() % 1) * 1e9), seconds=int(time.time()) + 1)
    made = create(client, organization.api_key, ["TEAMS_ALL_READ"], expires_at=soon)

    def expired() -> bool:
        try:
            client("TeamService/ListTeams", made.key)
        except grpc.RpcError as error:
            return error.code() == grpc.StatusCode.UNAUTHENTICATED
        return False

    until(expired)
    listed = client("ApiKeyService/ListApiKeys", organization.api_key)
    assert made.api_key.id in {key.id for key in listed.api_keys}


def test_last_use_is_noted(client: Client, organization: Organization) -> None:
    made = create(client, organization.api_key, ["TEAMS_ALL_READ"])
    assert not made.api_key.HasField("last_used_at")
    client("TeamService/ListTeams", made.key)

    def noted() -> bool:
        listed = client("ApiKeyService/ListApiKeys", organization.api_key).api_keys
        return bool(next(k for k in listed if k.id == made.api_key.id).HasField("last_used_at"))

    until(noted)


def test_scim_tokens_are_listed_by_type_and_open_no_rpc(
    client: Client, organization: Organization
) -> None:
    scim = client.stubs.KEY_TYPE_SCIM_TOKEN
    made = create(client, organization.api_key, ["MEMBERS_MANAGE"], key_type=scim)
    assert made.key.startswith("pidgr_scim_")
    listed = client("ApiKeyService/ListApiKeys", organization.api_key, key_type=scim)
    assert [key.id for key in listed.api_keys] == [made.api_key.id]
    error = client.error("MemberService/ListUsers", made.key)
    assert error.code() == grpc.StatusCode.UNAUTHENTICATED


def test_another_organization_neither_sees_nor_revokes_a_key(
    installation: Installation, client: Client, organization: Organization
) -> None:
    made = create(client, organization.api_key, ["TEAMS_ALL_READ"])
    other = installation.found()
    error = client.error("ApiKeyService/RevokeApiKey", other.api_key, api_key_id=made.api_key.id)
    assert error.code() == grpc.StatusCode.NOT_FOUND
    client("TeamService/ListTeams", made.key)
    listed = client("ApiKeyService/ListApiKeys", other.api_key)
    assert made.api_key.id not in {key.id for key in listed.api_keys}

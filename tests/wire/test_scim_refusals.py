"""What SCIM refuses: callers, paths and bodies; nothing changes by it."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from support.grpc_client import Client, Organization
from support.rows import contents, differences
from support.running import Installation
from support.scim import PATCH, USER, Directory, scim_token
from support.story import World

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
SCIM = {"content-type": "application/scim+json"}


@pytest.fixture(scope="module")
def directory(world: World) -> Iterator[Directory]:
    token = scim_token(world.client, world.organization.api_key)
    with Directory(world.installation, token) as opened:
        yield opened


def test_only_scim_tokens_open_the_door(
    installation: Installation, client: Client, organization: Organization
) -> None:
    revoked = scim_token(client, organization.api_key)
    listed = client("ApiKeyService/ListApiKeys", organization.api_key).api_keys
    [key] = [one for one in listed if revoked.startswith(one.key_prefix)]
    client("ApiKeyService/RevokeApiKey", organization.api_key, api_key_id=key.id)
    for credential in (
        organization.api_key,
        installation.token(organization.admin_id),
        "pidgr_scim_" + "x" * 43,
        revoked,
    ):
        for path in ("Users", "ServiceProviderConfig", "Nothing"):
            with Directory(installation, credential) as intruder:
                answer = intruder("GET", path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/scim+json"
            assert answer.json()["schemas"] == [ERROR]
            assert answer.json()["status"] == "401"


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [
        ("MEMBERS_READ", {("GET", "Users")}),
        ("MEMBERS_MANAGE", {("GET", "Users"), ("PATCH", "Users/ID"), ("DELETE", "Users/ID")}),
        ("GROUPS_ALL_READ", {("GET", "Groups")}),
        ("GROUPS_ALL_WRITE", {("GET", "Groups"), ("POST", "Groups")}),
        ("TEAMS_ALL_WRITE", set()),
    ],
)
def test_tokens_may_do_what_their_permissions_say(
    world: World, directory: Directory, permission: str, allowed: set[tuple[str, str]]
) -> None:
    user_id = directory.add(f"{secrets.token_hex(6)}@example.com")["id"]
    token = scim_token(world.client, world.organization.api_key, permission)
    name = f"{secrets.token_hex(6)}@example.com"
    title = {"op": "replace", "path": "title", "value": "T"}
    bodies: dict[tuple[str, str], Any] = {
        ("GET", "Users"): None,
        ("POST", "Users"): {"schemas": [USER], "userName": name},
        ("PATCH", "Users/ID"): {"schemas": [PATCH], "Operations": [title]},
        ("DELETE", "Users/ID"): None,
        ("GET", "Groups"): None,
        ("POST", "Groups"): {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": name,
        },
    }
    with Directory(world.installation, token) as limited:
        for (method, path), body in bodies.items():
            answer = limited(method, path.replace("ID", user_id), body)
            assert (answer.status_code == 403) is ((method, path) not in allowed), (method, path)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "Nothing", 404),
        ("GET", "", 404),
        ("GET", "Users/nobody", 404),
        ("GET", "Schemas/urn:nothing", 404),
        ("POST", "ServiceProviderConfig", 405),
        ("PUT", "Users", 405),
        ("POST", f"Users/{'0' * 8}", 405),
        ("POST", "Bulk", 501),
        ("GET", "Me", 501),
        ("POST", ".search", 501),
        ("POST", "Users/.search", 501),
        ("GET", "Schemas?filter=id%20pr", 403),
        ("GET", "Users?count=many", 400),
        ("GET", "Users?startIndex=99999999999999999999", 400),
        ("GET", "Users?attributes=title&excludedAttributes=name", 400),
    ],
)
def test_paths(directory: Directory, method: str, path: str, expected: int) -> None:
    answer = directory(method, path)
    assert answer.status_code == expected, answer.text
    assert answer.json()["schemas"] == [ERROR]
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "filter_",
    [
        "",
        "userName",
        "userName eq",
        'userName eq "x',
        'userName sw "a"',
        "userName eq 7",
        "active eq true",
        'userName eq "a" or userName eq "b"',
        'not (userName eq "a")',
        'title eq "T"',
        "(" * 2_000,
        'nothing eq "x"',
    ],
)
def test_filters(directory: Directory, filter_: str) -> None:
    answer = directory("GET", "Users", params={"filter": filter_})
    assert answer.status_code == 400, answer.text
    assert answer.json()["scimType"] in {"invalidFilter", "invalidPath"}


@pytest.mark.parametrize(
    ("body", "keyword"),
    [
        (b"", "invalidSyntax"),
        (b"[]", "invalidSyntax"),
        (b"{", "invalidSyntax"),
        (b"[" * 100_000, "invalidSyntax"),
        (b'{"userName": "a@example.com", "title": "\\u0000"}', "invalidSyntax"),
        (b'{"userName": "a@example.com", "title": "\\ud800"}', "invalidSyntax"),
        ({}, "invalidValue"),
        ({"userName": ""}, "invalidValue"),
        ({"userName": "no address"}, "invalidValue"),
        ({"userName": 7}, "invalidValue"),
        ({"userName": "a@example.com", "active": "perhaps"}, "invalidValue"),
        ({"userName": "a@example.com", "emails": "a@example.com"}, "invalidValue"),
        ({"userName": "a", "emails": [{"value": "nowhere"}]}, "invalidValue"),
        ({"userName": "a@example.com", "title": "x" * 201}, "invalidValue"),
        ({"userName": "a@example.com", "displayName": "x" * 201}, "invalidValue"),
        ({"userName": "a@example.com", "externalId": "x" * 255}, "invalidValue"),
        ({"userName": "a", "emails": [{"value": "a@example.com"}] * 21}, "invalidValue"),
        ({"userName": "a", "schemas": ["urn:other"], "emails": []}, None),
    ],
)
def test_users_that_cannot_be(
    installation: Installation, directory: Directory, body: Any, keyword: str | None
) -> None:
    before = installation.system.database.read_now(contents)
    content = body if isinstance(body, bytes) else json.dumps({"schemas": [USER], **body}).encode()
    answer = directory("POST", "Users", content=content, headers=SCIM)
    assert answer.status_code == 400, answer.text
    if keyword:
        assert answer.json()["scimType"] == keyword
    after = installation.system.database.read_now(contents)
    assert differences(before, after).keys() <= {"api_key"}


def test_bodies_have_a_type_and_an_end(directory: Directory) -> None:
    body = json.dumps({"schemas": [USER], "userName": "a@example.com"}).encode()
    plain = directory("POST", "Users", content=body, headers={"content-type": "text/plain"})
    assert (plain.status_code, plain.json()["scimType"]) == (400, "invalidSyntax")
    large = directory("POST", "Users", content=body + b" " * (1 << 20), headers=SCIM)
    assert large.status_code == 413
    operations = [{"op": "add", "path": "title", "value": "T"}] * 1_001
    many = directory("PATCH", "Users/nobody", {"schemas": [PATCH], "Operations": operations})
    assert many.status_code in {400, 404}

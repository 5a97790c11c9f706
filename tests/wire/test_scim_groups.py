"""What a directory does with groups."""

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.grpc_client import Client
from support.rows import contents, differences
from support.running import Installation
from support.scim import GROUP, PATCH, Directory, scim_token
from support.story import World

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def directory(world: World) -> Iterator[Directory]:
    token = scim_token(world.client, world.organization.api_key)
    with Directory(world.installation, token) as opened:
        yield opened


@pytest.fixture(scope="module")
def people(world: World) -> list[str]:
    return [world.invite(f"{secrets.token_hex(6)}@example.com") for _ in range(3)]


class Made:
    """A group that a directory has made."""

    def __init__(self, directory: Directory, *ids: str, **attributes: Any) -> None:
        self.directory = directory
        self.name = f"Group {secrets.token_hex(4)}"
        members = [{"value": id_} for id_ in ids]
        body = {"schemas": [GROUP], "displayName": self.name, "members": members, **attributes}
        answer = directory("POST", "Groups", body)
        assert answer.status_code == 201, answer.text
        self.made = answer.json()
        self.path = f"Groups/{self.made['id']}"

    def read(self, **parameters: str) -> dict[str, Any]:
        answer = self.directory("GET", self.path, params=parameters)
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def ids(self) -> set[str]:
        return {one["value"] for one in self.read().get("members", [])}

    def patch(self, *operations: dict[str, Any]) -> httpx.Response:
        return self.directory.patch(self.path, *operations)


def test_a_group_is_made_with_its_members(
    world: World, directory: Directory, people: list[str]
) -> None:
    made = Made(directory, *people[:2], externalId="g-1")
    assert made.made["externalId"] == "g-1"
    assert made.ids() == set(people[:2])
    group = world.client("GroupService/GetGroup", world.key, group_id=made.made["id"]).group
    assert (group.name, group.member_count) == (made.name, 2)
    user = directory("GET", f"Users/{people[0]}").json()
    assert made.name in {one["display"] for one in user["groups"]}


def test_finding(directory: Directory, people: list[str]) -> None:
    external_id = secrets.token_hex(4)
    made = Made(directory, people[0], externalId=external_id)
    group_id = made.made["id"]
    for filter_ in (
        f'displayName eq "{made.name.upper()}"',
        f'externalId eq "{external_id}"',
        f'id eq "{group_id}" and members eq "{people[0]}"',
    ):
        assert [one["id"] for one in directory.found("Groups", filter_)] == [group_id]
    for filter_ in (
        f'id eq "{group_id}" and members eq "{people[1]}"',
        f'displayName eq "{made.name}" and externalId eq "other"',
    ):
        assert directory.found("Groups", filter_) == []


def test_pages_hold_every_group_once(directory: Directory, people: list[str]) -> None:
    for _ in range(4):
        Made(directory, people[0])
    whole = directory("GET", "Groups", params={"count": 200}).json()
    ids = [one["id"] for one in whole["Resources"]]
    assert whole["totalResults"] == len(ids) == len(set(ids))
    seen: list[str] = []
    while len(seen) < len(ids):
        page = directory("GET", "Groups", params={"startIndex": len(seen) + 1, "count": 2}).json()
        seen += [one["id"] for one in page["Resources"]]
    assert seen == ids
    jump = directory("GET", "Groups", params={"startIndex": 4, "count": 1}).json()
    assert [one["id"] for one in jump["Resources"]] == ids[3:4]


def test_members_come_and_go(directory: Directory, people: list[str]) -> None:
    made = Made(directory, people[0])
    one, two, three = people
    add = {"op": "Add", "path": "members", "value": [{"value": two}, {"value": one}]}
    assert made.patch(add).status_code == 204
    assert made.ids() == {one, two}
    assert made.patch({"op": "remove", "path": f'members[value eq "{one}"]'}).status_code == 204
    assert made.ids() == {two}
    entra = {"op": "Remove", "path": "members", "value": [{"value": two}]}
    assert made.patch(entra).status_code == 204
    assert made.ids() == set()
    okta = {"op": "replace", "value": {"id": made.made["id"], "members": [{"value": three}]}}
    assert made.patch(add, okta).status_code == 204
    assert made.ids() == {three}
    assert made.patch({"op": "remove", "path": "members"}).status_code == 204
    assert made.ids() == set()


def test_names_change(world: World, directory: Directory) -> None:
    made = Made(directory, externalId="old")
    new = f"Group {secrets.token_hex(4)}"
    answer = made.patch(
        {"op": "replace", "path": "displayName", "value": new},
        {"op": "remove", "path": "externalId"},
    )
    assert answer.status_code == 204
    read = made.read()
    assert read["displayName"] == new
    assert "externalId" not in read
    assert made.patch({"op": "replace", "path": "displayName", "value": " "}).status_code == 400
    taken = {"schemas": [GROUP], "displayName": new.upper()}
    assert directory("POST", "Groups", taken).json()["scimType"] == "uniqueness"
    events = world.client("AuditService/ListAuditEvents", world.key, page_size=100).events
    named = [event for event in events if event.entity_id == made.made["id"]]
    assert [event.metadata.get("fields", "") for event in named] == ["external_id", "name", ""]


def test_replacing(directory: Directory, people: list[str]) -> None:
    made = Made(directory, *people[:2], externalId="x")
    members = [{"value": people[1]}, {"value": people[2]}]
    body = {"schemas": [GROUP], "displayName": made.name, "members": members}
    answer = directory("PUT", made.path, body)
    assert answer.status_code == 200
    assert {one["value"] for one in answer.json()["members"]} == set(people[1:])
    assert "externalId" not in answer.json()


def test_who_is_in_it_need_not_be_read(directory: Directory, people: list[str]) -> None:
    made = Made(directory, *people)
    assert "members" not in made.read(excludedAttributes="members")
    assert made.read(attributes="displayName").keys() == {"schemas", "id", "displayName"}
    assert len(made.read(attributes="members")["members"]) == 3


def test_versions(directory: Directory, people: list[str]) -> None:
    made = Made(directory, people[0])
    version = made.made["meta"]["version"]
    known = directory("GET", made.path, headers={"if-none-match": version})
    assert known.status_code == 304
    made.patch({"op": "remove", "path": f'members[value eq "{people[0]}"]'})
    made.patch({"op": "add", "path": "members", "value": [{"value": people[1]}]})
    assert made.read()["meta"]["version"] != version
    body = {"schemas": [GROUP], "displayName": made.name}
    stale = directory("PUT", made.path, body, headers={"if-match": version})
    assert stale.status_code == 412
    assert made.ids() == {people[1]}


def test_who_was_deleted_is_in_no_group(directory: Directory) -> None:
    user = directory.add(f"{secrets.token_hex(6)}@example.com")
    made = Made(directory, user["id"])
    assert directory("DELETE", f"Users/{user['id']}").status_code == 204
    assert made.ids() == set()


def test_deleting(directory: Directory) -> None:
    made = Made(directory)
    assert directory("DELETE", made.path).status_code == 204
    assert directory("GET", made.path).status_code == 404
    assert directory("DELETE", made.path).status_code == 404


def test_the_default_group_stays(directory: Directory) -> None:
    user = directory.add(f"{secrets.token_hex(6)}@example.com")
    [default] = user["groups"]
    path = f"Groups/{default['value']}"
    assert directory("DELETE", path).status_code == 409
    renamed = directory.patch(path, {"op": "replace", "path": "displayName", "value": "New"})
    assert renamed.status_code == 409


def test_another_organization_is_another_world(
    installation: Installation, client: Client, directory: Directory, people: list[str]
) -> None:
    made = Made(directory, people[0])
    other = installation.found()
    with Directory(installation, scim_token(client, other.api_key)) as stranger:
        theirs = Made(stranger)
        before = installation.system.database.read_now(contents)
        add = {"op": "add", "path": "members", "value": [{"value": people[0]}]}
        for answer in (
            stranger("GET", made.path),
            stranger("PUT", made.path, {"schemas": [GROUP], "displayName": "X"}),
            stranger("DELETE", made.path),
            stranger.patch(made.path, add),
        ):
            assert answer.status_code == 404
        assert stranger.patch(theirs.path, add).json()["scimType"] == "invalidValue"
        assert stranger.found("Groups", f'displayName eq "{made.name}"') == []
        after = installation.system.database.read_now(contents)
        assert differences(before, after).keys() <= {"api_key"}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "members", "value": [{"value": "nobody"}]},
        {"op": "add", "path": "members", "value": ["nobody"]},
        {
            "op": "add",
            "path": "members",
            "value": [{"value": NOBODY}],
        },
        {"op": "remove", "path": 'members[display eq "x"]'},
        {"op": "replace", "path": 'members[value eq "x"].value', "value": "y"},
        {"op": "replace", "path": "displayName", "value": 7},
        {"op": "add", "value": "text"},
        {"op": "remove"},
        {"op": "shout", "path": "members"},
        {"op": "replace", "path": "id", "value": "other"},
    ],
    ids=str,
)
def test_what_no_group_can_have(
    installation: Installation, directory: Directory, people: list[str], operation: dict[str, Any]
) -> None:
    made = Made(directory, people[0])
    before = installation.system.database.read_now(contents)
    good = {"op": "replace", "path": "displayName", "value": secrets.token_hex(4)}
    answer = directory("PATCH", made.path, {"schemas": [PATCH], "Operations": [good, operation]})
    assert answer.status_code == 400, answer.text
    assert answer.json()["scimType"]
    after = installation.system.database.read_now(contents)
    assert differences(before, after).keys() <= {"api_key"}

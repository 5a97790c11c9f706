"""What a directory does with people, and what the rest of the server sees of it."""

import secrets
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from support.grpc_client import Client
from support.rows import contents, differences
from support.running import Installation
from support.scim import ENTERPRISE, USER, Directory, scim_token
from support.story import World
from support.waiting import until

from pidgr.storage.sql import Statement

_SIGN_IN = Statement("""
    insert into sign_in_session
      (handle, digest, subject, method, organization_key, created_at, refreshed_at, expires_at)
    select :handle, :handle, subject, 'otp', organization_key, 1, 1, 4102444800000000
    from member where id = :id
""")
_REVOKED = Statement("select revoked_at from sign_in_session where handle = :handle")


@pytest.fixture(scope="module")
def directory(world: World) -> Iterator[Directory]:
    token = scim_token(world.client, world.organization.api_key)
    with Directory(world.installation, token) as opened:
        yield opened


def address() -> str:
    return f"{secrets.token_hex(6)}@example.com"


def member(world: World, user_id: str) -> Any:
    return world.client("MemberService/GetUser", world.key, user_id=user_id).user


def status(world: World, user_id: str) -> str:
    number = member(world, user_id).status
    return str(world.client.stubs.UserStatus.Name(number)).removeprefix("USER_STATUS_")


def events(world: World, user_id: str) -> list[tuple[str, Any]]:
    """Return what the trail says of somebody, oldest first."""
    stubs = world.client.stubs
    found = world.client("AuditService/ListAuditEvents", world.key, page_size=100).events
    return [
        (stubs.AuditEventType.Name(event.event_type).removeprefix("AUDIT_EVENT_TYPE_"), event)
        for event in reversed(found)
        if event.entity_id == user_id
    ]


class TestAdding:
    def test_a_user_becomes_an_invited_member(self, world: World, directory: Directory) -> None:
        email = address()
        added = directory.add(
            "ada.l",
            externalId="ext-1",
            displayName="Ada Lovelace",
            name={"givenName": "Ada", "familyName": "Lovelace"},
            title="Countess",
            active=True,
            emails=[
                {"value": "a@example.org", "type": "home"},
                {"value": email, "type": "Work"},
            ],
            phoneNumbers=[{"value": "+1 1", "type": "work"}, {"value": "+1 2", "primary": True}],
            **{ENTERPRISE: {"employeeNumber": "7", "department": "Engines"}},
            photos=[{"value": "https://example.org/ada.png"}],
        )
        user = member(world, added["id"])
        assert (user.email, user.name) == (email, "Ada Lovelace")
        assert status(world, added["id"]) == "INVITED"
        profile = user.profile
        assert (profile.first_name, profile.last_name, profile.title) == (
            "Ada",
            "Lovelace",
            "Countess",
        )
        assert (profile.phone, profile.employee_id, profile.department) == ("+1 2", "7", "Engines")
        assert added["userName"] == "ada.l"
        assert [one["value"] for one in added["emails"]] == ["a@example.org", email]
        assert len(added["groups"]) == 1
        assert "photos" not in added
        assert added["meta"]["location"].endswith(f"/scim/v2/Users/{added['id']}")

    def test_an_address_can_be_the_name_and_names_are_put_together(
        self, world: World, directory: Directory
    ) -> None:
        email = address()
        added = directory.add(email, name={"givenName": "Bo", "familyName": "Li"})
        assert member(world, added["id"]).email == email
        assert added["displayName"] == "Bo Li"
        assert added["active"] is True

    def test_who_is_not_active_is_not_invited(self, world: World, directory: Directory) -> None:
        added = directory.add(address(), active=False)
        assert status(world, added["id"]) == "DEACTIVATED"
        assert added["active"] is False

    def test_names_and_addresses_are_taken_once(self, world: World, directory: Directory) -> None:
        email, name = address(), secrets.token_hex(4)
        world.invite(email)
        directory.add(name, emails=[{"value": address()}])
        for body in (
            {"userName": email.upper()},
            {"userName": "new-name", "emails": [{"value": email.upper()}]},
            {"userName": name.upper(), "emails": [{"value": address()}]},
        ):
            answer = directory("POST", "Users", {"schemas": [USER], **body})
            assert answer.status_code == 409
            assert answer.json()["scimType"] == "uniqueness"
            assert answer.json()["status"] == "409"


class TestFinding:
    def test_members_nobody_provisioned_are_there_too(
        self, world: World, directory: Directory
    ) -> None:
        email = address()
        user_id = world.invite(email, name="Cy")
        [found] = directory.found("Users", f'userName eq "{email.upper()}"')
        assert (found["id"], found["userName"], found["displayName"]) == (user_id, email, "Cy")

    def test_by_whatever_directories_ask_for(self, directory: Directory) -> None:
        email, name, external_id = address(), secrets.token_hex(4), secrets.token_hex(4)
        added = directory.add(
            name,
            externalId=external_id,
            emails=[{"value": email, "type": "work", "primary": True}],
        )
        for filter_ in (
            f'userName eq "{name.upper()}"',
            f'externalId eq "{external_id}"',
            f'emails.value eq "{email}"',
            f'emails eq "{email}"',
            f'emails[type eq "work" and value eq "{email}"]',
            f'{USER}:userName eq "{name}"',
            f'id eq "{added["id"]}" and active eq true',
        ):
            assert [one["id"] for one in directory.found("Users", filter_)] == [added["id"]]
        for filter_ in (
            f'userName eq "{name}" and active eq false',
            f'emails[type eq "home" and value eq "{email}"]',
            f'externalId eq "{external_id.upper()}X"',
            # The name of somebody who has one is not their address.
            f'userName eq "{email}"',
        ):
            assert directory.found("Users", filter_) == []

    def test_pages_hold_everybody_once(self, directory: Directory) -> None:
        for _ in range(7):
            directory.add(address())
        whole = directory("GET", "Users", params={"count": 200}).json()
        ids = [one["id"] for one in whole["Resources"]]
        assert whole["totalResults"] == len(ids) == len(set(ids))
        seen: list[str] = []
        while len(seen) < whole["totalResults"]:
            parameters = {"startIndex": len(seen) + 1, "count": 3}
            page = directory("GET", "Users", params=parameters).json()
            assert (page["startIndex"], page["itemsPerPage"]) == (
                len(seen) + 1,
                len(page["Resources"]),
            )
            seen += [one["id"] for one in page["Resources"]]
        assert seen == ids
        # An index that no page has ended before.
        jump = directory("GET", "Users", params={"startIndex": 6, "count": 1}).json()
        assert [one["id"] for one in jump["Resources"]] == ids[5:6]
        for parameters in ({"count": 0}, {"startIndex": len(ids) + 1}, {"count": -1}):
            page = directory("GET", "Users", params=parameters).json()
            assert (page["Resources"], page["totalResults"]) == ([], len(ids))

    def test_attributes_are_chosen(self, directory: Directory) -> None:
        added = directory.add(address(), title="T", displayName="D")
        path = f"Users/{added['id']}"
        few = directory("GET", path, params={"attributes": "title"}).json()
        assert few.keys() == {"schemas", "id", "title"}
        rest = directory("GET", path, params={"excludedAttributes": "title,groups"}).json()
        assert not rest.keys() & {"title", "groups"}
        assert rest["displayName"] == "D"


class TestChanging:
    def test_as_entra_does(self, world: World, directory: Directory) -> None:
        boss = directory.add(address())
        added = directory.add(address(), displayName="Old")
        email = address()
        answer = directory.patch(
            f"Users/{added['id']}",
            {"op": "Replace", "path": 'emails[type eq "work"].value', "value": email},
            {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": boss["id"]},
            {"op": "Add", "path": 'addresses[type eq "work"].country', "value": "NL"},
            {"op": "Replace", "value": {"displayName": "New", "name.givenName": "Eve"}},
            {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+31 6"},
        )
        assert answer.status_code == 200, answer.text
        user = member(world, added["id"])
        assert (user.email, user.name, user.profile.first_name) == (email, "New", "Eve")
        assert (user.profile.manager_id, user.profile.phone) == (boss["id"], "+31 6")
        [(_, _), (event, told)] = events(world, added["id"])
        assert event == "SCIM_USER_UPDATED"
        assert set(told.metadata["fields"].split(",")) == {
            "email",
            "emails",
            "name",
            "first_name",
            "manager_id",
            "phone",
            "phone_numbers",
        }

    def test_replacing_clears_what_is_not_sent(self, world: World, directory: Directory) -> None:
        email = address()
        added = directory.add(
            email, title="T", displayName="D", phoneNumbers=[{"value": "+1"}], externalId="x"
        )
        body = {"schemas": [USER], "userName": email, "name": {"givenName": "Flo"}}
        answer = directory("PUT", f"Users/{added['id']}", body)
        assert answer.status_code == 200
        assert not answer.json().keys() & {"title", "phoneNumbers", "externalId"}
        user = member(world, added["id"])
        assert (user.name, user.profile.title, user.profile.phone) == ("Flo", "", "")
        assert status(world, added["id"]) == "INVITED"

    def test_repeating_a_change_changes_nothing(self, world: World, directory: Directory) -> None:
        added = directory.add(address())
        operation = {"op": "replace", "path": "title", "value": "T"}
        first = directory.patch(f"Users/{added['id']}", operation)
        again = directory.patch(f"Users/{added['id']}", operation)
        assert first.headers["etag"] == again.headers["etag"] != added["meta"]["version"]
        assert len(events(world, added["id"])) == 2

    def test_shutting_out_signs_out_and_letting_in_invites(
        self, world: World, directory: Directory
    ) -> None:
        user_id = world.invite(address())
        token = world.tokens[user_id]
        world.client("MemberService/GetUser", token)
        off = {"op": "replace", "path": "active", "value": "False"}
        assert directory.patch(f"Users/{user_id}", off).json()["active"] is False
        assert status(world, user_id) == "DEACTIVATED"
        error = world.client.error("MemberService/GetUser", token)
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED
        on = {"op": "replace", "value": {"active": True}}
        assert directory.patch(f"Users/{user_id}", on).json()["active"] is True
        assert status(world, user_id) == "INVITED"
        names = [name for name, _ in events(world, user_id)]
        assert names[-2:] == ["SCIM_USER_DEPROVISIONED", "USER_REACTIVATED"]

    def test_another_address_must_be_proved(self, world: World, directory: Directory) -> None:
        user_id = world.invite(address())
        token = world.tokens[user_id]
        world.register(user_id)
        database, handle = world.installation.system.database, secrets.token_bytes(16)
        session = {"id": user_id, "handle": handle}
        database.write_now(lambda unit: unit.execute(_SIGN_IN, session))
        operation = {"op": "replace", "path": "emails", "value": [{"value": address()}]}
        assert directory.patch(f"Users/{user_id}", operation).status_code == 200
        assert database.read_now(lambda reader: reader.value(_REVOKED, {"handle": handle}))
        devices = world.client("DeviceService/ListMemberDevices", world.key, user_id=user_id)
        assert [device.active for device in devices.devices] == [False]
        error = world.client.error("MemberService/GetUser", token)
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED

    def test_the_address_of_who_may_more_is_not_theirs_to_change(
        self, world: World, directory: Directory
    ) -> None:
        admin = world.organization.admin_id
        before = member(world, admin)
        operation = {"op": "replace", "path": "emails", "value": [{"value": address()}]}
        answer = directory.patch(f"Users/{admin}", operation)
        assert answer.status_code == 403
        assert member(world, admin) == before

    def test_who_may_more_is_not_theirs_to_let_in_again(
        self, world: World, directory: Directory
    ) -> None:
        user_id = world.invite(address())
        roles = world.client("RoleService/ListRoles", world.key).roles
        (manager,) = (role.id for role in roles if role.slug == "manager")
        world.client("MemberService/UpdateUserRole", world.key, user_id=user_id, role_id=manager)
        off, on = ({"op": "replace", "path": "active", "value": value} for value in (False, True))
        assert directory.patch(f"Users/{user_id}", off).status_code == 200
        answer = directory.patch(f"Users/{user_id}", on)
        assert answer.status_code == 403
        assert "CAMPAIGNS_WRITE" in answer.json()["detail"]
        assert status(world, user_id) == "DEACTIVATED"

    def test_the_last_super_admin_stays(self, world: World, directory: Directory) -> None:
        admin = world.organization.admin_id
        world.installation.token(admin)
        off = {"op": "replace", "path": "active", "value": False}
        for answer in (
            directory.patch(f"Users/{admin}", off),
            directory("DELETE", f"Users/{admin}"),
        ):
            assert answer.status_code == 409
            assert "super admin" in answer.json()["detail"]

    def test_versions(self, directory: Directory) -> None:
        added = directory.add(address())
        path, version = f"Users/{added['id']}", added["meta"]["version"]
        known = directory("GET", path, headers={"if-none-match": version})
        assert (known.status_code, known.content) == (304, b"")
        title = {"op": "replace", "path": "title", "value": "New"}
        fresh = directory.patch(path, title, headers={"if-match": version})
        assert fresh.status_code == 200
        assert fresh.headers["etag"] != version
        for answer in (
            directory.patch(path, title, headers={"if-match": version}),
            directory("DELETE", path, headers={"if-match": version}),
        ):
            assert answer.status_code == 412
        read = directory("GET", path, headers={"if-none-match": version})
        assert read.json()["title"] == "New"

    @pytest.mark.parametrize("whose", ["nobody", "own", "circle"])
    def test_managers_who_cannot_be(self, directory: Directory, whose: str) -> None:
        added, boss = directory.add(address()), directory.add(address())
        path = f"{ENTERPRISE}:manager.value"
        named = {"nobody": secrets.token_hex(4), "own": added["id"], "circle": added["id"]}[whose]
        if whose == "circle":
            to_boss = {"op": "add", "path": path, "value": boss["id"]}
            assert directory.patch(f"Users/{added['id']}", to_boss).status_code == 200
        subject = boss if whose == "circle" else added
        answer = directory.patch(
            f"Users/{subject['id']}", {"op": "add", "path": path, "value": named}
        )
        assert answer.status_code == 400
        assert answer.json()["scimType"] == "invalidValue"


class TestDeleting:
    def test_who_was_deleted_is_out_of_sight_until_they_come_back(
        self, world: World, directory: Directory
    ) -> None:
        email = address()
        added = directory.add("gone-" + secrets.token_hex(4), emails=[{"value": email}])
        path = f"Users/{added['id']}"
        total = directory("GET", "Users", params={"count": 0}).json()["totalResults"]
        assert directory("DELETE", path).status_code == 204
        assert status(world, added["id"]) == "DEACTIVATED"
        for answer in (
            directory("GET", path),
            directory("DELETE", path),
            directory("PUT", path, {"schemas": [USER], "userName": email}),
        ):
            assert answer.status_code == 404
        for filter_ in (f'emails eq "{email}"', f'userName eq "{added["userName"]}"'):
            assert directory.found("Users", filter_) == []
        listed = directory("GET", "Users", params={"count": 200}).json()
        assert listed["totalResults"] == total - 1 == len(listed["Resources"])
        back = directory.add(email, displayName="Back")
        assert back["id"] == added["id"]
        assert status(world, added["id"]) == "INVITED"
        assert [name for name, _ in events(world, added["id"])] == [
            "SCIM_USER_PROVISIONED",
            "SCIM_USER_DEPROVISIONED",
            "USER_REACTIVATED",
            "SCIM_USER_PROVISIONED",
        ]

    def test_a_revoked_invitation_leaves_nothing(self, world: World, directory: Directory) -> None:
        added = directory.add(address())
        world.client("MemberService/RevokeInvite", world.key, user_id=added["id"])
        assert directory("GET", f"Users/{added['id']}").status_code == 404

    @pytest.mark.parametrize("anonymize", [False, True])
    def test_who_is_erased_leaves_nothing(
        self, world: World, directory: Directory, *, anonymize: bool
    ) -> None:
        name, external_id, email = secrets.token_hex(8), secrets.token_hex(8), address()
        added = directory.add(name, externalId=external_id, emails=[{"value": email}])
        admin = world.installation.token(world.organization.admin_id)
        asked = world.client(
            "PrivacyService/DeleteUserData", admin, user_id=added["id"], anonymize=anonymize
        )
        world.client(
            "PrivacyService/ImmediateDelete",
            admin,
            request_id=asked.request_id,
            confirmation_email=email,
        )
        until(lambda: directory("GET", f"Users/{added['id']}").status_code == 404)
        left = str(world.installation.system.database.read_now(contents))
        assert [text for text in (name, external_id, email) if text in left] == []


def test_another_organization_is_another_world(
    installation: Installation, client: Client, directory: Directory
) -> None:
    email = address()
    added = directory.add(email, externalId="same")
    other = installation.found()
    with Directory(installation, scim_token(client, other.api_key)) as stranger:
        before = installation.system.database.read_now(contents)
        path = f"Users/{added['id']}"
        for answer in (
            stranger("GET", path),
            stranger("PUT", path, {"schemas": [USER], "userName": email}),
            stranger.patch(path, {"op": "replace", "path": "title", "value": "T"}),
            stranger("DELETE", path),
        ):
            assert answer.status_code == 404
            assert answer.json()["detail"] == "no User has this id"
        for filter_ in (f'userName eq "{email}"', 'externalId eq "same"', f'id eq "{added["id"]}"'):
            assert stranger.found("Users", filter_) == []
        assert stranger("GET", "Users").json()["totalResults"] == 1
        after = installation.system.database.read_now(contents)
        assert differences(before, after).keys() <= {"api_key"}
        assert stranger.add(email)["id"] != added["id"]

"""Privacy requests through the wire: copies, corrections, restrictions, erasure."""

import secrets
import uuid
from typing import Any

import grpc
import httpx
import pytest
from support.grpc_client import Client
from support.rows import contents
from support.running import Installation
from support.story import World, row_counts
from support.waiting import until

from pidgr.audit import incident_store
from pidgr.audit.incident_store import IncidentKind
from pidgr.clock import DAY
from pidgr.engine.port import TaskStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

_KEY = Statement("select key from privacy_request where id = :id")
_SUBJECT = Statement("select subject from member where id = :id")
EXPORT, DELETE, CANCEL, NOW, RECTIFY, RESTRICT, EXISTS, LIST, MINE, ORGANIZATION, INCIDENTS = (
    f"PrivacyService/{rpc}"
    for rpc in (
        "ExportUserData",
        "DeleteUserData",
        "CancelDeletion",
        "ImmediateDelete",
        "RectifyUserData",
        "RestrictProcessing",
        "GetDataExistenceConfirmation",
        "ListPrivacyRequests",
        "ListMyPrivacyRequests",
        "ExportOrgData",
        "ListOrgSecurityIncidents",
    )
)


class Office:
    """People of an organization, and its data protection officer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client: Client = world.client
        self.stubs = world.client.stubs
        self.officer = world.installation.token(world.organization.admin_id)

    def __call__(self, rpc: str, credential: str | None = None, /, **fields: Any) -> Any:
        return self.client(rpc, credential or self.officer, **fields)

    def refusal(
        self, rpc: str, credential: str | None = None, /, **fields: Any
    ) -> tuple[grpc.StatusCode, str]:
        error = self.client.error(rpc, credential or self.officer, **fields)
        return error.code(), error.details()

    def person(self, **fields: Any) -> tuple[str, str]:
        """Return the id and the address of somebody new."""
        email = f"{secrets.token_hex(6)}@example.com"
        return self.world.invite(email, **fields), email

    def user(self, user_id: str) -> Any:
        return self("MemberService/GetUser", user_id=user_id).user

    def request(self, request_id: str) -> Any:
        return next(one for one in self(LIST, page_size=100).requests if one.id == request_id)

    def key(self, request_id: str) -> int:
        """Return what its task calls a request."""
        database = self.world.installation.system.database
        found: int = database.read_now(lambda reader: reader.value(_KEY, {"id": request_id}))
        return found

    def finished(self, request_id: str) -> Any:
        pending = {
            self.stubs.PRIVACY_REQUEST_STATUS_PENDING,
            self.stubs.PRIVACY_REQUEST_STATUS_PROCESSING,
        }
        until(lambda: self.request(request_id).status not in pending)
        return self.request(request_id)

    def fetch(self, url: str) -> httpx.Response:
        base = httpx.URL(self.world.installation.url)
        return httpx.get(base.join(httpx.URL(url).raw_path.decode()))


@pytest.fixture(scope="module")
def office(world: World) -> Office:
    return Office(world)


class TestExport:
    def test_a_person_gets_all_that_is_known_of_them_and_no_secret(
        self, office: Office, world: World
    ) -> None:
        profile = office.stubs.UserProfile(first_name="Ève", custom_attributes={"badge": "7"})
        user_id, email = office.person(profile=profile)
        device_id = world.register(user_id, push_token="the push token")
        campaign = world.start(user_ids=[user_id])
        world.acknowledge(campaign.id, user_id)
        begun = office(EXPORT, world.tokens[user_id])
        assert begun.status == office.stubs.PRIVACY_REQUEST_STATUS_PENDING
        done = office.finished(begun.export_id)
        assert done.status == office.stubs.PRIVACY_REQUEST_STATUS_COMPLETED
        assert (done.request_type, done.user_email) == ("export", email)
        answer = office.fetch(done.metadata["result_url"])
        assert answer.headers["content-type"] == "application/json"
        copy = answer.json()
        assert copy["format"] == "pidgr-user-data/1"
        assert copy["profile"]["email"] == email
        assert copy["profile"]["first_name"] == "Ève"
        assert copy["profile"]["custom_attributes"] == {"badge": "7"}
        assert copy["profile"]["status"] == "ACTIVE"
        (device,) = copy["devices"]
        assert device["id"] == device_id
        (message,) = copy["messages"]
        assert message["campaign_id"] == campaign.id
        assert message["delivery_id"] == world.delivery_id(campaign.id, user_id)
        assert message["status"] == "ACKNOWLEDGED"
        assert message["body"] == "Please **read** it."
        assert message["acted_at"].endswith("Z")
        assert [group["name"] for group in copy["groups"]] == ["Everyone"]
        assert "the push token" not in answer.text
        categories = office(EXISTS, user_id=email.upper())
        assert categories.exists
        assert list(categories.data_categories) == [
            "profile",
            "groups",
            "teams",
            "devices",
            "messages",
            "audit_events",
        ]

    def test_a_copy_is_deleted_after_a_week_and_stays_listed(
        self, office: Office, installation: Installation
    ) -> None:
        user_id, _ = office.person()
        done = office.finished(office(EXPORT, user_id=user_id).export_id)
        key = office.key(done.id)
        url = done.metadata["result_url"]
        assert office.fetch(url).status_code == 200
        for _ in range(2):
            installation.system.data_exports.expire(key)
        assert office.fetch(url).status_code == 404
        assert office.request(done.id).request_type == "export"


class TestDeletion:
    @pytest.mark.parametrize("anonymize", [False, True])
    def test_nothing_that_tells_who_it_was_is_left(
        self, office: Office, world: World, installation: Installation, anonymize: bool
    ) -> None:
        secret = secrets.token_hex(8)
        profile = office.stubs.UserProfile(
            first_name=secret, phone=secret, custom_attributes={"badge": secret}
        )
        email = f"{secret}@example.com"
        user_id = world.invite(email, name=secret, profile=profile)
        report, _ = office.person(profile=office.stubs.UserProfile(manager_id=user_id))
        world.register(user_id, push_token=secret)
        template = world.template(
            body="Dear {{first_name}}",
            variables=[
                world.variable("first_name", source="TEMPLATE_VARIABLE_SOURCE_PROFILE"),
            ],
        )
        campaign = world.start(template_id=template, user_ids=[user_id])
        world.acknowledge(campaign.id, user_id)
        office(RECTIFY, user_id=user_id, corrections={"department": secret})
        before = world.counts(campaign.id)
        asked = office(DELETE, world.tokens[user_id], anonymize=anonymize)
        due = asked.deleted_at.ToMicroseconds() - installation.system.clock.now()
        assert 29 * DAY < due <= 30 * DAY
        assert office.user(user_id).processing_restricted
        assert office(DELETE, user_id=user_id).request_id == asked.request_id
        fields = {"request_id": asked.request_id, "confirmation_email": email.upper()}
        office(NOW, **fields)
        done = office.finished(asked.request_id)
        assert done.status == office.stubs.PRIVACY_REQUEST_STATUS_COMPLETED
        assert (done.user_id, done.user_email == "") == (user_id, not anonymize)
        left = installation.system.database.read_now(contents)
        assert [name for name, rows in left.items() if secret in repr(rows)] == []
        assert world.counts(campaign.id) == before
        code, _ = world.refusal("InboxService/Sync", user_id)
        assert code is grpc.StatusCode.UNAUTHENTICATED
        if anonymize:
            assert office.user(user_id).status == office.stubs.USER_STATUS_DEACTIVATED
            assert office.user(user_id).email == f"erased-{user_id}@invalid"
        else:
            code, _ = office.refusal("MemberService/GetUser", user_id=user_id)
            assert code is grpc.StatusCode.NOT_FOUND
        assert office.user(report).profile.manager_id == ""
        assert not office(EXISTS, user_id=email).exists
        assert office.refusal(NOW, **fields)[0] is grpc.StatusCode.FAILED_PRECONDITION
        # The address is free.
        world.invite(email)

    def test_who_is_a_member_elsewhere_can_still_sign_in_there(
        self, office: Office, world: World, installation: Installation
    ) -> None:
        user_id, email = office.person()
        other = installation.found()
        theirs = office.client("MemberService/InviteUser", other.api_key, email=email).user.id
        token = installation.token(theirs)
        asked = office(DELETE, user_id=user_id)
        office(NOW, request_id=asked.request_id, confirmation_email=email)
        office.finished(asked.request_id)
        assert office.client("MemberService/GetUser", token, user_id=theirs).user.email == email
        code, _ = world.refusal("InboxService/Sync", user_id)
        assert code is not grpc.StatusCode.OK

    def test_a_deletion_that_is_called_off_leaves_all_as_it_was(
        self, office: Office, world: World, installation: Installation
    ) -> None:
        for restricted in (False, True):
            user_id, email = office.person()
            if restricted:
                office(RESTRICT, user_id=user_id, restricted=True)
            asked = office(DELETE, user_id=user_id)
            own = world.tokens[user_id]
            wrong = {"request_id": asked.request_id, "confirmation_email": "no@example.com"}
            for rpc in (CANCEL, NOW):
                code, told = office.refusal(rpc, **wrong)
                assert code is grpc.StatusCode.INVALID_ARGUMENT
                assert told.startswith("confirmation_email:")
            cancelled = office(CANCEL, own, **{**wrong, "confirmation_email": email})
            assert cancelled.status == office.stubs.PRIVACY_REQUEST_STATUS_FAILED
            assert office.request(asked.request_id).metadata["outcome"] == "cancelled"
            assert office.user(user_id).processing_restricted is restricted
            engine = installation.system.engine
            assert engine.status(f"erase/{asked.request_id}") is TaskStatus.CANCELLED
            again = {"request_id": asked.request_id, "confirmation_email": email}
            assert office.refusal(CANCEL, **again)[0] is grpc.StatusCode.FAILED_PRECONDITION
            installation.system.erasure.run(office.key(asked.request_id))
            assert office.user(user_id).email == email

    def test_a_restriction_asked_for_meanwhile_stays_when_a_deletion_is_called_off(
        self, office: Office, world: World
    ) -> None:
        user_id, email = office.person()
        asked = office(DELETE, user_id=user_id)
        for _ in range(2):
            office(RESTRICT, user_id=user_id, restricted=True)
        office(CANCEL, request_id=asked.request_id, confirmation_email=email)
        assert office.user(user_id).processing_restricted
        mine = office(MINE, world.tokens[user_id]).requests
        assert [one.request_type for one in mine] == ["restriction", "deletion"]

    def test_who_has_become_the_last_super_admin_meanwhile_stays_as_they_were(
        self, office: Office, installation: Installation
    ) -> None:
        other = installation.found()
        officer = installation.token(other.admin_id)
        roles = {one.slug: one.id for one in office("RoleService/ListRoles", officer).roles}
        email = f"{secrets.token_hex(6)}@example.com"
        invite = {"email": email, "role_id": roles["super_admin"]}
        successor = office("MemberService/InviteUser", officer, **invite).user.id
        own = installation.token(successor)
        asked = office(DELETE, own)
        demotion = {"user_id": other.admin_id, "role_id": roles["admin"]}
        office("MemberService/UpdateUserRole", officer, **demotion)
        office(NOW, officer, request_id=asked.request_id, confirmation_email=email)

        def deletion() -> Any:
            (found,) = office(MINE, own).requests
            return found

        until(lambda: deletion().status == office.stubs.PRIVACY_REQUEST_STATUS_FAILED)
        assert "last super admin" in deletion().metadata["error"]
        assert not office("MemberService/GetUser", own).user.processing_restricted

    def test_the_last_super_admin_stays(self, office: Office, world: World) -> None:
        code, told = office.refusal(DELETE)
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert "last super admin" in told
        assert not office.user(world.organization.admin_id).processing_restricted


class TestRectification:
    def test_what_is_corrected_is_named_and_what_is_right_is_not(
        self, office: Office, world: World
    ) -> None:
        user_id, email = office.person()
        corrections = {"first_name": "Ada", "custom:badge": "7"}
        first = office(RECTIFY, user_id=email, corrections=corrections)
        assert sorted(first.rectified_fields) == ["custom_attributes", "first_name"]
        assert list(office(RECTIFY, user_id=email, corrections=corrections).rectified_fields) == []
        own = office(RECTIFY, world.tokens[user_id], corrections={"custom:badge": ""})
        assert list(own.rectified_fields) == ["custom_attributes"]
        profile = office.user(user_id).profile
        assert (profile.first_name, dict(profile.custom_attributes)) == ("Ada", {})
        mine = office(MINE, world.tokens[user_id], request_type="rectification").requests
        assert [one.metadata["fields"] for one in mine] == [
            "custom_attributes",
            "first_name,custom_attributes",
        ]
        assert [one.requested_by_email for one in mine] == [email, office_email(office)]

    @pytest.mark.parametrize(
        "corrections",
        [
            {},
            {"email": "a@example.com"},
            {"custom:": "x"},
            {"first_name": " "},
            {"first_name": "x" * 201},
            {"start_date": "soon"},
            {"manager_id": "x"},
        ],
    )
    def test_what_cannot_be_is_refused_and_changes_nothing(
        self, office: Office, installation: Installation, corrections: dict[str, str]
    ) -> None:
        user_id, _ = office.person()
        before = row_counts(installation)
        code, _ = office.refusal(RECTIFY, user_id=user_id, corrections=corrections)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert row_counts(installation) == before


def office_email(office: Office) -> str:
    return str(office.user(office.world.organization.admin_id).email)


def test_restricted_people_are_left_out_until_it_is_lifted(office: Office, world: World) -> None:
    user_id, _ = office.person()
    own = world.tokens[user_id]
    first = office(RESTRICT, own, restricted=True)
    assert first.restricted_at.seconds > 0
    # When it was restricted, and not when that was asked for again.
    assert office(RESTRICT, own, restricted=True) == first
    assert office.user(user_id).processing_restricted
    lifted = office(RESTRICT, own)
    assert not lifted.restricted
    assert not lifted.HasField("restricted_at")
    assert not office.user(user_id).processing_restricted
    mine = office(MINE, own).requests
    assert [one.metadata["restricted"] for one in mine] == ["false", "true"]
    office(DELETE, own)
    assert office.refusal(RESTRICT, own)[0] is grpc.StatusCode.FAILED_PRECONDITION


def test_pages_show_every_request_once(office: Office) -> None:
    for _ in range(4):
        office(DELETE, user_id=office.person()[0])
    whole = [one.id for one in office(LIST, page_size=100).requests]
    for size in (1, 3):
        paged: list[str] = []
        token = ""
        while True:
            page = office(LIST, page_size=size, page_token=token)
            paged += [one.id for one in page.requests]
            token = page.next_page_token
            if not token:
                break
        assert paged == whole
    deletions = office(LIST, request_type="deletion", status=3, page_size=100).requests
    assert {(one.request_type, one.status) for one in deletions} <= {("deletion", 3)}


@pytest.mark.parametrize("rpc", [LIST, MINE])
@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"request_type": "nonsense"}, "request_type"),
        ({"status": 9}, "status"),
        ({"page_size": -1}, "page_size"),
        ({"page_token": "x"}, "page_token"),
    ],
)
def test_bad_filters_are_named(office: Office, rpc: str, fields: dict[str, Any], path: str) -> None:
    code, told = office.refusal(rpc, **fields)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert told.startswith(f"{path}:")


def test_about_others_a_permission_is_needed_and_foreign_people_are_unknown(
    office: Office, world: World, installation: Installation
) -> None:
    user_id, email = office.person()
    own = world.tokens[world.ada]
    stranger = installation.token(installation.found().admin_id)
    about: dict[str, dict[str, Any]] = {
        EXPORT: {},
        DELETE: {},
        RECTIFY: {"corrections": {"first_name": "x"}},
        RESTRICT: {"restricted": True},
        EXISTS: {},
    }
    unknown = str(uuid.uuid4())
    for rpc, fields in about.items():
        for name in (user_id, email, unknown):
            code, _ = office.refusal(rpc, own, user_id=name, **fields)
            assert code is grpc.StatusCode.PERMISSION_DENIED
        assert office.refusal(rpc, user_id="x", **fields)[0] is grpc.StatusCode.INVALID_ARGUMENT
        if rpc == EXISTS:
            assert not office(rpc, stranger, user_id=user_id).exists
            continue
        told = {
            office.refusal(rpc, stranger, user_id=name, **fields)[1].replace(name, "")
            for name in (user_id, unknown, email)
        }
        assert told == {"no user has the id "}
    asked = office(DELETE, user_id=user_id)
    fields = {"confirmation_email": email}
    for rpc in (CANCEL, NOW):
        code, _ = office.refusal(rpc, own, request_id=asked.request_id, **fields)
        assert code is grpc.StatusCode.PERMISSION_DENIED
        for request_id in (asked.request_id, unknown):
            code, _ = office.refusal(rpc, stranger, request_id=request_id, **fields)
            assert code is grpc.StatusCode.NOT_FOUND
    assert office.refusal(LIST, own)[0] is grpc.StatusCode.PERMISSION_DENIED
    assert office.refusal(MINE, world.key)[0] is grpc.StatusCode.PERMISSION_DENIED


class TestOrganizationExport:
    def test_everything_is_written_and_can_be_fetched(self, office: Office) -> None:
        user_id, email = office.person(name="Ann")
        campaign = office.world.start(user_ids=[user_id])
        begun = office(ORGANIZATION)
        assert begun.status == office.stubs.PRIVACY_REQUEST_STATUS_PENDING
        request = office.finished(begun.export_id)
        assert (request.request_type, request.user_id) == ("organization_export", "")
        answer = office.fetch(request.metadata["result_url"])
        assert answer.headers["content-type"] == "application/json"
        copy = answer.json()
        assert copy["format"] == "pidgr-organization-data/1"
        [ann] = [one for one in copy["members"] if one["id"] == user_id]
        assert (ann["email"], ann["status"]) == (email, "ACTIVE")
        told = [one for one in copy["audit_events"] if one["entity_id"] == user_id]
        assert [one["event_type"] for one in told] == ["USER_INVITED"]
        [delivery] = [one for one in copy["deliveries"] if one["campaign_id"] == campaign.id]
        assert delivery["user_id"] == user_id
        assert delivery["delivery_id"] == office.world.delivery_id(campaign.id, user_id)
        assert delivery["content_id"] in {one["content_id"] for one in copy["contents"]}
        assert [one["id"] for one in copy["campaigns"]].count(campaign.id) == 1

    def test_who_may_only_read_sees_that_it_is_there(self, office: Office) -> None:
        begun = office(ORGANIZATION)
        assert office.finished(begun.export_id).metadata["result_url"]
        reader = office(
            "ApiKeyService/CreateApiKey",
            office.world.key,
            name="Reader",
            permissions=[office.stubs.PERMISSION_PRIVACY_READ],
        ).key
        listed = office(LIST, reader, request_type="organization_export").requests
        [seen] = [one for one in listed if one.id == begun.export_id]
        assert seen.status == office.stubs.PRIVACY_REQUEST_STATUS_COMPLETED
        assert "result_url" not in seen.metadata

    def test_only_with_the_permission(self, office: Office) -> None:
        user_id, _ = office.person()
        token = office.world.tokens[user_id]
        for rpc in (ORGANIZATION, INCIDENTS):
            code, message = office.refusal(rpc, token)
            assert code is grpc.StatusCode.PERMISSION_DENIED
            assert "PRIVACY" in message


class TestIncidents:
    def test_they_are_listed_newest_first_and_are_nobody_else_s(self, office: Office) -> None:
        system = office.world.installation.system
        admin = office.world.organization.admin_id
        now = system.clock.now()

        def happen(transaction: Transaction) -> None:
            subject = transaction.value(_SUBJECT, {"id": admin})
            for number in range(3):
                incident_store.record(
                    transaction, IncidentKind.PASSKEY_CLONED, subject, None, now + number
                )

        system.database.write_now(happen)
        first = office(INCIDENTS, page_size=2)
        second = office(INCIDENTS, page_size=2, page_token=first.next_page_token)
        listed = [*first.incidents, *second.incidents]
        assert [one.detected_at.ToMicroseconds() for one in listed] == [now + 2, now + 1, now]
        assert not second.next_page_token
        assert {one.severity for one in listed} == {office.stubs.SECURITY_INCIDENT_SEVERITY_WARN}
        assert all(one.resolved_at == one.detected_at for one in listed)
        assert not any(one.HasField("notified_at") for one in listed)
        other = office.world.installation.found()
        assert list(office(INCIDENTS, other.api_key).incidents) == []

    def test_a_bad_page_is_refused(self, office: Office) -> None:
        code, _ = office.refusal(INCIDENTS, page_token="nonsense")
        assert code is grpc.StatusCode.INVALID_ARGUMENT

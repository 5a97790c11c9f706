"""What belongs to another organization does not exist: in every field of every RPC that names
something, an id of somebody else's gets the answer that a made-up one gets, and changes nothing.

The fields come from the contract's descriptors, so a new one is walked or must be excused here.
"""

import re
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import descriptor_pool
from support.fields import put, texts, values
from support.grpc_client import Client, Stubs, compiled_stubs
from support.requests import REQUESTS, Fields
from support.rows import differences, rows_of
from support.running import Installation
from support.stage import Stage

from pidgr.rpc.policy import POLICY, Access

TOKEN = "a token for tests, long enough for anyone"
SERVER_SETTINGS = {"internal_port": 0, "internal_token": TOKEN}

Case = tuple[str, str]
"""An RPC and the path of one of its fields."""

# What a field is called that names something, or somebody.
_NAMING = re.compile(
    r"(^|[._])(ids?|tokens?|codes?|emails?|sender_name|screen_name|translated_by)$"
)

# Ends of paths that name nothing of an organization.
_EXCUSED_ENDS = {
    "steps[].id": "the name of a step in its own workflow",
    "profile.employee_id": "a text of the profile",
    "confirmation_email": "is held against the person of the request, which is walked",
    "fixture_id": "the server's own catalogue",
}
EXCUSED = {
    ("ActionService/SubmitAction", "action_id"): "the name of a button of the message",
    ("CampaignService/CreateCampaign", "objective_ids[]"): "this server keeps no objectives",
    ("CampaignService/GetCampaignByShortCode", "short_code"): "public: whoever has the link",
    ("DeviceService/Register", "device_id"): "a shared phone moves (SEMANTICS 2.4)",
    ("DeviceService/Register", "push_token"): "what the push provider calls the phone",
    ("HeatmapService/IngestTouchEvents", "events[].screen_name"): "free for every organization",
    ("HeatmapService/UploadScreenshot", "screen_name"): "free for every organization",
    ("InviteLinkService/RedeemInviteLink", "token"): "whoever has the link may join",
    ("InviteLinkService/ValidateInviteLink", "token"): "public: whoever has the link",
    ("InviteLinkService/ValidateInviteLink", "email"): "public: of somebody who wants to join",
    ("OrganizationService/CreateOrganization", "access_code"): "ignored: for hosted services",
    ("SSOService/CheckSSOByDomain", "email"): "public: where an address signs in",
    ("SSOService/CreateSSOProvider", "attribute_mapping.email"): "the name of an attribute",
    ("SSOService/DeleteSSOProvider", "provider_id"): "tests/identity/sso/test_providers.py",
    ("TokenService/ValidateDeeplinkToken", "token"): "public: whoever has the link",
    ("TokenService/ValidateDeeplinkToken", "campaign_id"): "public: is held against the token",
}


def _sender(stage: Stage) -> dict[str, Any]:
    name = f"Team {secrets.token_hex(4)}"
    return {"sender_name": stage.make("TeamService/CreateTeam", name=name).team.name}


def _address(stage: Stage) -> str:
    return str(stage.make("MemberService/GetUser", user_id=stage.member()).user.email)


# Fields that the usual request leaves empty, or fills with what does not exist yet.
MORE: dict[Case, Fields] = {
    ("AuditService/ListAuditEvents", "page_token"): lambda stage: {
        **stage.plain_second_page("AuditService/ListAuditEvents"),
        "actor_id": "",
    },
    ("CampaignService/CreateCampaign", "audience[].user_id"): lambda stage: {
        "audience": [{"user_id": stage.member()}]
    },
    ("CampaignService/CreateCampaign", "originating_archetype.group_id"): lambda stage: {
        "originating_archetype": {"group_id": stage.collective("Group"), "archetype_label": "x"}
    },
    ("CampaignService/CreateCampaign", "sender_name"): _sender,
    ("CampaignService/UpdateCampaign", "sender_name"): _sender,
    ("CampaignService/GetCampaignArchetypeBreakdown", "campaign_id"): lambda stage: {
        "campaign_id": stage.create().id
    },
    ("MemberService/InviteUser", "email"): lambda stage: {"email": _address(stage)},
    ("MemberService/BulkInviteUsers", "emails[]"): lambda stage: {"emails": [_address(stage)]},
    ("TemplateService/CreateTemplateTranslation", "translated_by"): lambda stage: {
        "translated_by": stage.member()
    },
}

# What is written down as it comes. Whom a step addresses is looked up when it runs, see
# test_a_step_addresses_nobody_of_another_organization; who translated is a text.
_WRITTEN_DOWN = re.compile(r"\.target_id$|^translated_by$")


def _excuse(case: Case) -> str:
    path = case[1]
    ends = [reason for end, reason in _EXCUSED_ENDS.items() if path.endswith(end)]
    return EXCUSED.get(case) or next(iter(ends), "")


def _naming_fields() -> Iterator[Case]:
    compiled_stubs()
    for rpc in sorted(POLICY):
        service, _, method = rpc.partition("/")
        description = descriptor_pool.Default().FindServiceByName(f"pidgr.v1.{service}")
        for path in texts(description.methods_by_name[method].input_type):
            if _NAMING.search(path.replace("[]", "")):
                yield rpc, path


NAMING = list(_naming_fields())
CASES = [case for case in NAMING if not _excuse(case)]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# What two successful calls of the same kind need not have in common.
_OWN = re.compile(rf"{_UUID.pattern}|[0-9a-f]{{8,}}|(seconds|nanos): \d+")


@dataclass(frozen=True)
class Outcome:
    """How a call ended, with what was sent in a field called IT."""

    code: grpc.StatusCode
    message: str = ""
    details: bytes = b""
    answer: str = ""


def _made_up(value: str) -> str:
    if _UUID.fullmatch(value):
        return str(uuid.uuid4())
    if "@" in value:
        return f"{secrets.token_hex(5)}@example.com"
    return secrets.token_urlsafe(len(value))[: len(value)]


class Walk:
    """Two organizations; the administrator of the first calls with what the other one has."""

    def __init__(self, installation: Installation, client: Client, inside: Client) -> None:
        self.installation = installation
        self.client = client
        self.inside = inside
        self.alpha, self.beta = Stage(installation, client), Stage(installation, client)
        # With its key the time of the last use would go on changing in the background.
        self.beta.key = self.beta.admin
        self._theirs = cache(lambda rpc: self._fields(self.beta, rpc))
        self.theirs = {case: values(self.theirs_of(case), case[1]) for case in CASES}
        self.their_address = _address(self.beta)
        # What is made once and never again is made before the rows are looked at.
        _ = self.beta.picture, self.beta.recorded
        self.before = self.rows()

    def rows(self) -> dict[str, list[str]]:
        """Return every row of the other organization."""
        read = self.installation.system.database.read_now
        return read(lambda reader: rows_of(reader, self.beta.organization.id))

    def require_unchanged(self) -> None:
        before, self.before = self.before, self.rows()
        assert differences(before, self.before) == {}

    @staticmethod
    def _fields(stage: Stage, rpc: str) -> dict[str, Any]:
        return REQUESTS[rpc](stage) if rpc in REQUESTS else {}

    def theirs_of(self, case: Case) -> Any:
        more = MORE[case](self.beta) if case in MORE else {}
        return self.client.request(case[0], **{**self._theirs(case[0]), **more})

    def request(self, case: Case) -> Any:
        """Return a request of the first organization with the case's field filled."""
        rpc, path = case
        more = MORE[case](self.alpha) if case in MORE else {}
        request = self.client.request(rpc, **{**self._fields(self.alpha, rpc), **more})
        if "page_token" not in path:
            # A token is bound to what it was given for.
            paging = {"pagination", "page_token"}
            for name in paging.intersection(request.DESCRIPTOR.fields_by_name):
                request.ClearField(name)
        return request

    def call(self, case: Case, request: Any, sent: list[str]) -> Outcome:
        rpc, path = case
        copy = type(request).FromString(request.SerializeToString())
        put(copy, path, sent)
        credential, client, headers = self.alpha.admin, self.client, []
        if POLICY[rpc].access is Access.INTERNAL:
            credential, client = TOKEN, self.inside
            headers = [("x-org-id", self.alpha.organization.id)]
        try:
            answer = client.send(rpc, copy, credential, *headers)
            text = str(list(answer) if rpc == "RenderService/RenderBatch" else answer)
        except grpc.RpcError as error:
            return _refusal(error, sent)
        strangers = set(_UUID.findall(text)) & set(_UUID.findall(repr(self.before)))
        assert strangers <= {*sent, *values(request, path)}, "an id of somebody else's"
        return Outcome(grpc.StatusCode.OK, answer=_OWN.sub("", _without(sent, text)))


def _without(sent: list[str], text: str) -> str:
    for value in sent:
        text = text.replace(value, "IT")
    return text


def _refusal(error: Any, sent: list[str]) -> Outcome:
    metadata = dict(error.trailing_metadata())
    details = metadata.get("grpc-status-details-bin", b"")
    for value in sent:
        details = details.replace(value.encode(), b"IT")
    return Outcome(error.code(), _without(sent, error.details()), details)


@pytest.fixture(scope="module")
def inside(installation: Installation, stubs: Stubs) -> Iterator[Client]:
    with grpc.insecure_channel(installation.internal_address) as channel:
        yield Client(channel, stubs)


@pytest.fixture(scope="module")
def walk(installation: Installation, client: Client, inside: Client) -> Walk:
    return Walk(installation, client, inside)


def test_every_field_that_names_something_is_walked_or_excused(walk: Walk) -> None:
    assert len(CASES) > 90
    assert EXCUSED.keys() <= set(NAMING)
    assert MORE.keys() <= set(CASES)
    for end in _EXCUSED_ENDS:
        assert any(path.endswith(end) for _, path in NAMING), end
    assert [case for case in CASES if not walk.theirs[case]] == []


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_what_is_somebody_elses_does_not_exist(walk: Walk, case: Case) -> None:
    path = case[1]
    theirs = walk.theirs[case]
    mine = walk.request(case)
    foreign = walk.call(case, mine, theirs)
    walk.require_unchanged()
    if foreign.code is grpc.StatusCode.OK:
        mine = walk.request(case)
    assert walk.call(case, mine, [_made_up(value) for value in theirs]) == foreign
    if not _WRITTEN_DOWN.search(path):
        # Neither answer comes from something else in the request.
        mine = walk.request(case) if foreign.code is grpc.StatusCode.OK else mine
        assert walk.call(case, mine, values(mine, path)) != foreign


_ABOUT_A_PERSON = (
    "PrivacyService/ExportUserData",
    "PrivacyService/DeleteUserData",
    "PrivacyService/RectifyUserData",
    "PrivacyService/RestrictProcessing",
    "PrivacyService/GetDataExistenceConfirmation",
)


@pytest.mark.parametrize("rpc", _ABOUT_A_PERSON)
def test_a_person_of_somebody_elses_is_not_found_by_address_either(walk: Walk, rpc: str) -> None:
    case = (rpc, "user_id")
    mine = walk.request(case)
    theirs = [walk.their_address]
    foreign = walk.call(case, mine, theirs)
    walk.require_unchanged()
    assert walk.call(case, mine, [_made_up(theirs[0])]) == foreign
    assert walk.call(case, mine, [_address(walk.alpha)]) != foreign


def test_nobody_acts_in_an_organization_they_are_no_member_of(walk: Walk) -> None:
    def refused(rpc: str, organization_id: str) -> Outcome:
        request = walk.client.request(rpc)
        with pytest.raises(grpc.RpcError) as raised:
            walk.client.send(rpc, request, walk.alpha.admin, ("x-org-id", organization_id))
        return _refusal(raised.value, [organization_id])

    for rpc, rule in POLICY.items():
        if rule.access not in {Access.PUBLIC, Access.INTERNAL}:
            foreign = refused(rpc, walk.beta.organization.id)
            assert foreign.code is grpc.StatusCode.PERMISSION_DENIED, rpc
            assert refused(rpc, str(uuid.uuid4())) == foreign, rpc
    walk.require_unchanged()


def test_a_step_addresses_nobody_of_another_organization(walk: Walk) -> None:
    alpha, create = walk.alpha, "CampaignService/CreateCampaign"
    fields = alpha.request(workflow=alpha.workflow(), wait_for_enrollment=True)
    request = walk.client.request(create, **fields)
    for kind in ("send_reminder.notify_targets", "escalate_config.targets"):
        path = f"workflow.steps[].{kind}[].target_id"
        put(request, path, walk.theirs[create, path])
    campaign = walk.client.send(create, request, alpha.admin).campaign
    alpha.make("CampaignService/StartCampaign", campaign_id=campaign.id)
    alpha.reach(campaign.id, "wait")
    alpha.pass_deadline(campaign.id)
    alpha.complete(campaign.id)
    (delivery,) = alpha.deliveries(campaign.id).deliveries
    assert delivery.user_id == fields["user_ids"][0]
    walk.require_unchanged()


class TestPlainHttp:
    """Doors beside the RPCs."""

    @pytest.fixture
    def browser(self, walk: Walk) -> Iterator[httpx.Client]:
        headers = {"authorization": f"Bearer {walk.alpha.admin}"}
        with httpx.Client(base_url=walk.installation.url, headers=headers, timeout=60) as browser:
            yield browser

    def test_a_link_opens_one_file(self, walk: Walk, browser: httpx.Client) -> None:
        mine, theirs = httpx.URL(walk.alpha.picture), httpx.URL(walk.beta.picture)
        assert browser.get(mine.raw_path.decode()).is_success
        made_up = str(uuid.uuid4()).join(mine.path.split(walk.alpha.organization.id))
        assert made_up != mine.path
        foreign, unknown = (
            browser.get(path, params=dict(mine.params)) for path in (theirs.path, made_up)
        )
        assert foreign.status_code == 404
        assert foreign.content == unknown.content

    def test_a_recording_is_about_ones_own_campaigns(
        self, walk: Walk, browser: httpx.Client
    ) -> None:
        def begin(campaign_id: str) -> tuple[int, str]:
            answer = browser.post("/replay/recordings", json={"campaign_id": campaign_id})
            return answer.status_code, answer.text.replace(campaign_id, "IT")

        theirs, _ = walk.beta.recorded
        foreign = begin(theirs)
        assert foreign[0] == 404
        assert begin(str(uuid.uuid4())) == foreign
        walk.require_unchanged()

    def test_a_recording_is_continued_by_its_own_person(
        self, walk: Walk, browser: httpx.Client
    ) -> None:
        def add(token: str) -> tuple[int, str]:
            path, headers = f"/replay/recordings/{token}/1", {"content-type": "application/json"}
            answer = browser.post(path, content=b"[]", headers=headers)
            return answer.status_code, answer.text

        _, theirs = walk.beta.recorded
        foreign = add(theirs)
        assert foreign[0] == 404
        assert add(_made_up(theirs)) == foreign
        walk.require_unchanged()

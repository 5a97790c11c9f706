"""RPCs for services of the same installation: their door, rendering in bulk, and links."""

import secrets
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from support.grpc_client import Client, Organization, Stubs
from support.running import Installation
from support.story import World

from pidgr.campaigns import link_store
from pidgr.clock import SECOND
from pidgr.directory import organization_store
from pidgr.rpc.policy import POLICY, Access

TOKEN = "a token for tests, long enough for anyone"
SERVER_SETTINGS = {"internal_port": 0, "internal_token": TOKEN}
INTERNAL = sorted(rpc for rpc, rule in POLICY.items() if rule.access is Access.INTERNAL)


class Service:
    """Another service of the installation, acting for an organization."""

    def __init__(self, channel: grpc.Channel, stubs: Stubs, organization_id: str) -> None:
        self._channel = channel
        self._stubs = stubs
        self._organization_id = organization_id

    def __call__(
        self, rpc: str, /, *, token: str | None = TOKEN, org: str | None = None, **fields: Any
    ) -> Any:
        service, _, method = rpc.partition("/")
        metadata = [("x-org-id", self._organization_id if org is None else org)]
        if token is not None:
            metadata.append(("authorization", f"Bearer {token}"))
        call = getattr(getattr(self._stubs, f"{service}Stub")(self._channel), method)
        answer = call(getattr(self._stubs, f"{method}Request")(**fields), metadata=metadata)
        return list(answer) if method == "RenderBatch" else answer

    def refusal(self, rpc: str, /, **fields: Any) -> grpc.StatusCode:
        with pytest.raises(grpc.RpcError) as raised:
            self(rpc, **fields)
        code: grpc.StatusCode = raised.value.code()
        return code

    def messages(self, **fields: Any) -> dict[str, Any]:
        return {one.user_id: one for one in self("RenderService/RenderBatch", **fields)}


@pytest.fixture(scope="module")
def inside(installation: Installation, world: World, stubs: Stubs) -> Iterator[Service]:
    with grpc.insecure_channel(installation.internal_address) as channel:
        yield Service(channel, stubs, world.organization.id)


@pytest.fixture(scope="module")
def stranger(installation: Installation, stubs: Stubs) -> Iterator[Service]:
    """A service that acts for another organization."""
    with grpc.insecure_channel(installation.internal_address) as channel:
        yield Service(channel, stubs, installation.found().id)


@pytest.mark.parametrize("rpc", INTERNAL)
def test_on_the_public_port_nobody_may(
    rpc: str, installation: Installation, client: Client, organization: Organization
) -> None:
    outside = Service(client.channel, client.stubs, organization.id)
    for credential in (organization.api_key, installation.token(organization.admin_id)):
        assert outside.refusal(rpc, token=credential) is grpc.StatusCode.PERMISSION_DENIED
    for made_up in (TOKEN, None):
        assert outside.refusal(rpc, token=made_up) is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("rpc", INTERNAL)
def test_on_the_internal_port_the_token_and_an_organization_are_needed(
    rpc: str, installation: Installation, inside: Service, organization: Organization
) -> None:
    for other in (None, "x", TOKEN[:-1], TOKEN + "x", organization.api_key):
        assert inside.refusal(rpc, token=other) is grpc.StatusCode.UNAUTHENTICATED
    member = installation.token(organization.admin_id)
    assert inside.refusal(rpc, token=member) is grpc.StatusCode.UNAUTHENTICATED
    for malformed in ("", "none"):
        assert inside.refusal(rpc, org=malformed) is grpc.StatusCode.INVALID_ARGUMENT
    assert inside.refusal(rpc, org=str(uuid.uuid4())) is grpc.StatusCode.NOT_FOUND


def test_the_internal_port_has_nothing_else(inside: Service, organization: Organization) -> None:
    for token in (TOKEN, organization.api_key):
        code = inside.refusal("TeamService/ListTeams", token=token)
        assert code is grpc.StatusCode.UNIMPLEMENTED


class TestRenderBatch:
    def test_everybody_gets_their_own_message_in_their_language(
        self, world: World, inside: Service
    ) -> None:
        template = world.template(
            title="Hello {{first_name}}",
            body="Room {{room}}, {{first_name}}",
            variables=[
                world.variable("room", required=True),
                world.variable(
                    "first_name", source="TEMPLATE_VARIABLE_SOURCE_PROFILE", default_value="you"
                ),
            ],
        )
        eve = world.invite(
            f"{secrets.token_hex(4)}@example.com",
            profile=world.stubs.UserProfile(first_name="Eve"),
        )
        context = world.stubs.UserRenderContext
        unknown = str(uuid.uuid4())
        users = [
            context(user_id=eve.upper(), variables={"room": "7"}),
            context(user_id=world.bob, variables={"room": "9", "first_name": "Bobby"}),
            context(user_id=world.dan),
            context(user_id=unknown, variables={"room": "1"}),
        ]
        found = inside.messages(template_id=template, users=users)
        assert found.keys() == {eve.upper(), world.bob, world.dan, unknown}
        message = found[eve.upper()].message
        assert (message.title, message.body) == ("Hello Eve", "Room 7, Eve")
        assert len(message.content_id) == 64
        assert (message.summary, message.preview) == ("Room 7, Eve", "Room 7, Eve")
        assert message.created_at.seconds > 0
        assert found[world.bob].message.title == "Hello Bobby"
        for failed, part in ((world.dan, "room"), (unknown, "no member")):
            assert part in found[failed].error
            assert not found[failed].HasField("message")

    def test_as_many_as_there_may_be_and_one_more(self, world: World, inside: Service) -> None:
        template = world.template(body="Same for all")
        context = world.stubs.UserRenderContext
        users = [context(user_id=world.ada)] * 10_000
        found = inside("RenderService/RenderBatch", template_id=template, users=users)
        assert len(found) == 10_000
        assert {one.message.body for one in found} == {"Same for all"}
        users.append(users[0])
        code = inside.refusal("RenderService/RenderBatch", template_id=template, users=users)
        assert code is grpc.StatusCode.INVALID_ARGUMENT

    def test_bad_requests_and_unknown_templates_get_no_message(
        self, world: World, inside: Service, stranger: Service
    ) -> None:
        template = world.template()
        context = world.stubs.UserRenderContext
        rpc = "RenderService/RenderBatch"
        for bad in (
            context(user_id="ada"),
            context(user_id=world.ada, variables={"x" * 101: ""}),
            context(user_id=world.ada, variables={"x": "y" * 10_001}),
            context(user_id=world.ada, variables={f"x{n}": "" for n in range(101)}),
        ):
            code = inside.refusal(rpc, template_id=template, users=[bad])
            assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert inside.refusal(rpc, template_id="x") is grpc.StatusCode.INVALID_ARGUMENT
        for code in (
            inside.refusal(rpc, template_id=template, version=2),
            inside.refusal(rpc, template_id=str(uuid.uuid4())),
            stranger.refusal(rpc, template_id=template),
        ):
            assert code is grpc.StatusCode.NOT_FOUND
        assert inside(rpc, template_id=template) == []


class TestShortCodes:
    def test_a_code_never_changes_and_tells_a_stranger_what_they_may_know(
        self, world: World, client: Client, inside: Service
    ) -> None:
        template = world.template(
            title="{{greeting}}, {{name}} of {{unit}}",
            variables=[
                world.variable("greeting", default_value="Hello"),
                world.variable("name", default_value="Ada", pii=True),
            ],
        )
        campaign = world.create(template_id=template, title="")
        other = world.create(title="Fire drill")
        rpc = "CampaignService/ResolveOrCreateShortCode"
        code = inside(rpc, campaign_id=campaign.id).short_code
        assert len(code) == 8
        assert code.isalnum()
        assert inside(rpc, campaign_id=campaign.id.upper()).short_code == code
        found = client("CampaignService/GetCampaignByShortCode", short_code=code)
        name = client("OrganizationService/GetOrganization", world.organization.api_key)
        assert found.campaign_id == campaign.id
        assert found.org_id == world.organization.id
        assert found.organization_name == name.organization.name
        assert found.subject == "Hello, … of …"
        second = inside(rpc, campaign_id=other.id).short_code
        assert second != code
        found = client("CampaignService/GetCampaignByShortCode", short_code=second)
        assert found.subject == "Fire drill"

    def test_what_is_no_code_and_what_leads_nowhere(
        self, world: World, client: Client, inside: Service, stranger: Service
    ) -> None:
        rpc = "CampaignService/GetCampaignByShortCode"
        for malformed in ("", "1234567", "123456789", "1234567_", "1234567é"):
            code = client.error(rpc, short_code=malformed).code()
            assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert client.error(rpc, short_code="00000000").code() is grpc.StatusCode.NOT_FOUND
        rpc = "CampaignService/ResolveOrCreateShortCode"
        campaign = world.create()
        assert stranger.refusal(rpc, campaign_id=campaign.id) is grpc.StatusCode.NOT_FOUND
        unknown = str(uuid.uuid4())
        assert inside.refusal(rpc, campaign_id=unknown) is grpc.StatusCode.NOT_FOUND
        assert inside.refusal(rpc, campaign_id="x") is grpc.StatusCode.INVALID_ARGUMENT


class TestDeeplinkTokens:
    SIGN = "TokenService/SignDeeplinkToken"
    VALIDATE = "TokenService/ValidateDeeplinkToken"

    def test_a_token_says_who_was_nudged_about_what_until_its_time_is_over(
        self, world: World, client: Client, inside: Service
    ) -> None:
        campaign = world.create()
        signed = inside(
            self.SIGN,
            campaign_id=campaign.id,
            recipient_user_id=world.bob,
            step_kind="CHANNEL_STEP_KIND_REMINDER",
            ttl_seconds=60,
        )
        assert signed.key_version == 1
        answer = client(self.VALIDATE, token=signed.token, campaign_id=campaign.id)
        assert answer.valid
        assert answer.failure_reason == 0
        assert answer.payload.campaign_id == campaign.id
        assert answer.payload.recipient_user_id == world.bob
        assert answer.payload.step_kind == 1
        assert answer.payload.expires_at == signed.expires_at

    def test_what_a_bad_token_is_bad_for(
        self, world: World, installation: Installation, client: Client
    ) -> None:
        campaign, other = world.create(), world.create()
        tokens = installation.system.deeplink_tokens
        now = installation.system.clock.now()

        def reason(token: str, campaign_id: str) -> str:
            answer = client(self.VALIDATE, token=token, campaign_id=campaign_id)
            assert not answer.valid
            assert not answer.HasField("payload")
            names = client.stubs.ValidationFailureReason.Name(answer.failure_reason)
            assert isinstance(names, str)
            return names.removeprefix("VALIDATION_FAILURE_REASON_")

        def sign(expires_at: int, version: int = 1) -> str:
            return tokens.sign(
                world.organization.id,
                link_store.LinkKey(version, 0),
                campaign_id=campaign.id,
                recipient_id=world.bob,
                step_kind=1,
                expires_at=expires_at,
            )

        later = now + 3600 * SECOND
        good = sign(later)
        for malformed in ("", "x", good + "A", good[:-1], "é", good.replace(good[0], "*", 1)):
            assert reason(malformed, campaign.id) == "MALFORMED"
        assert reason(good, other.id) == "INVALID_SIGNATURE"
        assert reason(good, str(uuid.uuid4())) == "INVALID_SIGNATURE"
        forged = good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBA")
        assert reason(forged, campaign.id) in {"INVALID_SIGNATURE", "MALFORMED"}
        assert reason(sign(now - 1), campaign.id) == "EXPIRED"
        assert reason(sign(later, version=2), campaign.id) == "KEY_RETIRED"

    def test_a_replaced_key_is_good_for_a_while_one_replaced_twice_is_not(
        self, installation: Installation, client: Client, stubs: Stubs
    ) -> None:
        world = World(installation, client)
        campaign = world.create()
        with grpc.insecure_channel(installation.internal_address) as channel:
            inside = Service(channel, stubs, world.organization.id)
            fields = {
                "campaign_id": campaign.id,
                "recipient_user_id": world.bob,
                "step_kind": "CHANNEL_STEP_KIND_ESCALATION",
                "ttl_seconds": 30 * 86_400,
            }

            def rotate() -> int:
                def work(transaction: Any) -> int:
                    key = organization_store.organization_key(transaction, world.organization.id)
                    assert key is not None
                    now = installation.system.clock.now()
                    return link_store.rotate_link_key(transaction, key, now)

                return installation.system.database.write_now(work)

            def good(signed: Any) -> bool:
                answer = client(self.VALIDATE, token=signed.token, campaign_id=campaign.id)
                return bool(answer.valid)

            first = inside(self.SIGN, **fields)
            assert rotate() == 2
            second = inside(self.SIGN, **fields)
            assert (first.key_version, second.key_version) == (1, 2)
            assert (good(first), good(second)) == (True, True)
            assert rotate() == 3
            assert (good(first), good(second)) == (False, True)

    def test_signing_needs_a_campaign_a_member_a_kind_and_a_time(
        self, world: World, client: Client, inside: Service, stranger: Service
    ) -> None:
        fields = {
            "campaign_id": world.create().id,
            "recipient_user_id": world.bob,
            "step_kind": "CHANNEL_STEP_KIND_REMINDER",
            "ttl_seconds": 60,
        }
        for bad in (
            {"campaign_id": "x"},
            {"recipient_user_id": ""},
            {"step_kind": 0},
            {"step_kind": 77},
            {"ttl_seconds": 0},
            {"ttl_seconds": 30 * 86_400 + 1},
        ):
            code = inside.refusal(self.SIGN, **{**fields, **bad})
            assert code is grpc.StatusCode.INVALID_ARGUMENT
        for unknown in (
            {"campaign_id": str(uuid.uuid4())},
            {"recipient_user_id": str(uuid.uuid4())},
        ):
            code = inside.refusal(self.SIGN, **{**fields, **unknown})
            assert code is grpc.StatusCode.NOT_FOUND
        assert stranger.refusal(self.SIGN, **fields) is grpc.StatusCode.NOT_FOUND
        error = client.error(self.VALIDATE, token="x", campaign_id="x")
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


class TestAppend:
    def test_an_event_of_another_service_is_in_the_trail(
        self, world: World, inside: Service
    ) -> None:
        appended = inside(
            "AuditService/Append",
            event_type="REACHABILITY_UPSERT",
            org_id=world.organization.id,
            subject_user_id=world.ada,
            actor_id=world.bob,
            details={"channel": "sms", "attempts": 3, "tags": ["a", "b"]},
        )
        admin = world.installation.token(world.organization.admin_id)
        listed = world.client(
            "AuditService/ListAuditEvents", admin, event_type=58, actor_id=world.bob
        )
        (event,) = listed.events
        assert event.id == appended.event_id
        assert (event.entity_type, event.entity_id) == ("user", world.ada)
        facts = dict(event.metadata)
        assert facts.pop("request_id")
        assert facts == {
            "channel": "sms",
            "attempts": "3",
            "tags": '["a", "b"]',
            "actor_type": "user",
        }

    def test_without_subject_and_actor_it_is_the_system_about_the_organization(
        self, world: World, inside: Service
    ) -> None:
        fields = {"event_type": "KMS_ENCRYPT", "org_id": world.organization.id}
        appended = inside("AuditService/Append", **fields)
        admin = world.installation.token(world.organization.admin_id)
        (event,) = world.client("AuditService/ListAuditEvents", admin, event_type=60).events
        assert event.id == appended.event_id
        assert (event.entity_type, event.entity_id) == ("organization", world.organization.id)
        assert event.metadata["actor_type"] == "system"

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"event_type": "UNSPECIFIED"}, grpc.StatusCode.INVALID_ARGUMENT),
            ({"event_type": "NONSENSE"}, grpc.StatusCode.INVALID_ARGUMENT),
            ({"org_id": str(uuid.uuid4())}, grpc.StatusCode.INVALID_ARGUMENT),
            ({"org_id": "x"}, grpc.StatusCode.INVALID_ARGUMENT),
            ({"subject_user_id": "x"}, grpc.StatusCode.INVALID_ARGUMENT),
            ({"subject_user_id": str(uuid.uuid4())}, grpc.StatusCode.NOT_FOUND),
            ({"actor_id": str(uuid.uuid4())}, grpc.StatusCode.NOT_FOUND),
            ({"details": {"text": "x" * 10_001}}, grpc.StatusCode.INVALID_ARGUMENT),
            ({"details": {"text": "a\0b"}}, grpc.StatusCode.INVALID_ARGUMENT),
        ],
    )
    def test_what_is_refused(
        self, world: World, inside: Service, fields: dict[str, Any], code: grpc.StatusCode
    ) -> None:
        good = {"event_type": "KMS_DECRYPT", "org_id": world.organization.id}
        assert inside.refusal("AuditService/Append", **{**good, **fields}) is code

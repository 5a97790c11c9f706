"""What recipients read, and what their phones show."""

import grpc
from support.push_gateway import PushGateway
from support.story import World

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


def test_a_recipient_who_lacks_a_required_value_fails_alone(
    world: World, gateway: PushGateway
) -> None:
    template = world.template(
        body="Room {{room}}", variables=[world.variable("room", required=True)]
    )
    member = world.stubs.AudienceMember
    audience = [
        member(user_id=world.ada, variables={"room": "7"}),
        member(user_id=world.bob),
        member(user_id=world.dan, variables={"room": "9"}),
    ]
    campaign = world.start(template_id=template, audience=audience)
    assert world.statuses(campaign.id) == {
        world.ada: "SENT",
        world.bob: "FAILED",
        world.dan: "NO_DEVICE",
    }
    assert world.message(campaign.id, world.ada).body == "Room 7"
    assert [push["push_token"] for push in gateway.of(campaign.id)] == [f"token-{world.ada}"]
    failed = world.delivery_id(campaign.id, world.bob)
    for rpc in ("InboxService/GetMessage", "InboxService/MarkRead"):
        code, _ = world.refusal(rpc, world.bob, delivery_id=failed)
        assert code is grpc.StatusCode.NOT_FOUND
    assert campaign.id not in {
        entry.message.campaign_id
        for entry in world.client("InboxService/Sync", world.tokens[world.bob]).entries
    }
    assert world.counts(campaign.id) == (3, 0, 0)


def test_what_was_never_rendered_cannot_be_acknowledged(world: World) -> None:
    template = world.template(
        body="Room {{room}}", variables=[world.variable("room", required=True)]
    )
    member = world.stubs.AudienceMember
    audience = [
        member(user_id=world.ada, variables={"room": "7"}),
        member(user_id=world.bob),
    ]
    campaign = world.start(template_id=template, audience=audience)
    action = world.ack(campaign.id, world.bob)
    assert world.refusal("ActionService/SubmitAction", world.bob, **action)[0] is PRECONDITION
    assert world.statuses(campaign.id)[world.bob] == "FAILED"


def test_values_come_from_the_audience_then_the_step_then_the_profile(world: World) -> None:
    profile = world.stubs.UserProfile(
        first_name="Eve", custom_attributes={"city": "Lisbon", "secret": "swordfish"}
    )
    eve = world.invite("eve@example.com", profile=profile)
    world.user_ids.remove(eve)
    source = world.stubs.TEMPLATE_VARIABLE_SOURCE_PROFILE
    template = world.template(
        title="For {{first_name}}",
        body="{{first_name}} {{city}} {{floor}} {{step}} {{secret}} {{unknown}}.",
        variables=[
            world.variable("first_name", source=source),
            world.variable("city", source=source),
            world.variable("floor", default_value="ground"),
            world.variable("step"),
            world.variable("secret", source=source, pii=True),
        ],
    )
    sending = world.steps.send(custom_variables={"step": "from step", "city": "Porto"})
    member = world.stubs.AudienceMember(user_id=eve, variables={"step": "{{own}}"})
    campaign = world.start(
        template_id=template,
        audience=[member],
        workflow=world.steps(sending, world.steps.wait()),
        wait_for_enrollment=True,
    )
    received = world.message(campaign.id, eve)
    assert received.title == "For Eve"
    assert received.body == "Eve Porto ground {{own}} {{pii}}swordfish{{/pii}} ."
    assert "pii" not in received.summary + received.preview


def test_the_campaigns_title_wins_and_critical_and_sender_show(
    world: World, gateway: PushGateway
) -> None:
    campaign = world.start(title="Own title", critical=True, user_ids=[world.ada, world.bob])
    received = world.message(campaign.id, world.ada)
    assert (received.title, received.sender_name) == ("Own title", "People team")
    assert received.critical
    assert received.summary == received.preview == "Please read it."
    assert len(received.content_id) == 64
    assert received.content_id == world.message(campaign.id, world.bob).content_id
    (push, _) = gateway.of(campaign.id)
    assert (push["title"], push["summary"], push["critical"]) == (
        "Own title",
        "Please read it.",
        True,
    )
    assert push["platform"] == "IOS"
    assert push["delivery_id"] == world.delivery_id(campaign.id, world.ada)


def test_a_campaign_keeps_the_version_it_was_made_with(world: World) -> None:
    template = world.template(body="first")
    campaign = world.create(template_id=template, user_ids=[world.ada])
    assert campaign.template_version == 1
    world.client("TemplateService/UpdateTemplate", world.key, template_id=template, body="second")
    world.client("CampaignService/StartCampaign", world.key, campaign_id=campaign.id)
    world.reach(campaign.id, "wait")
    assert world.message(campaign.id, world.ada).body == "first"
    later = world.start(template_id=template, user_ids=[world.ada])
    assert later.template_version == 2
    assert world.message(later.id, world.ada).body == "second"


def test_a_step_sends_the_template_and_version_it_names(world: World) -> None:
    template = world.template(body="first")
    world.client("TemplateService/UpdateTemplate", world.key, template_id=template, body="second")
    steps = world.steps
    workflow = steps(steps.send(template_id=template, template_version=1), steps.wait())
    campaign = world.start(workflow=workflow, user_ids=[world.ada])
    assert world.message(campaign.id, world.ada).body == "first"

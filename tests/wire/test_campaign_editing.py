"""Changing a campaign before its start, and looking at who it is for."""

from typing import Any

import grpc
import pytest
from support.grpc_client import Client, Organization
from support.running import Installation
from support.story import Story, deadline_workflow


@pytest.fixture
def story(installation: Installation, client: Client, organization: Organization) -> Story:
    return Story(installation, client, organization, people=3)


def update(story: Story, campaign_id: str, **fields: Any) -> Any:
    values = {"campaign_id": campaign_id, **fields}
    return story.client("CampaignService/UpdateCampaign", story.key, **values).campaign


def audience(story: Story, campaign_id: str) -> list[Any]:
    found = story.client("CampaignService/GetCampaignAudience", story.key, campaign_id=campaign_id)
    return list(found.entries)


def test_empty_fields_stay_as_they_are(story: Story) -> None:
    before = story.create(title="Title")
    after = update(story, before.id)
    assert after == before


def test_named_fields_change(story: Story) -> None:
    campaign = story.create(title="Old")
    story.client("TeamService/CreateTeam", story.key, name="Board")
    workflow = deadline_workflow(story.client, delay="2h")
    after = update(
        story, campaign.id, name="New name", title="New", sender_name="Board", workflow=workflow
    )
    assert (after.name, after.title, after.sender_name) == ("New name", "New", "Board")
    assert after.workflow == workflow
    assert after.template_id == campaign.template_id


def test_another_template_is_pinned_at_its_latest_version(story: Story) -> None:
    campaign = story.create()
    other = story.template(name="Other")
    story.client("TemplateService/UpdateTemplate", story.key, template_id=other, body="Second")
    after = update(story, campaign.id, template_id=other)
    assert (after.template_id, after.template_version) == (other, 2)
    after = update(story, campaign.id, template_version=1)
    assert (after.template_id, after.template_version) == (other, 1)


def test_naming_the_template_it_has_pins_no_newer_version(story: Story) -> None:
    campaign = story.create()
    story.client(
        "TemplateService/UpdateTemplate",
        story.key,
        template_id=campaign.template_id,
        body="Second",
    )
    after = update(story, campaign.id, template_id=campaign.template_id, name="Renamed")
    assert (after.name, after.template_version) == ("Renamed", 1)


def test_another_template_must_have_the_versions_that_steps_name(story: Story) -> None:
    first = story.template()
    story.client("TemplateService/UpdateTemplate", story.key, template_id=first, body="Second")
    workflow = story.steps(story.steps.send(template_version=2))
    campaign = story.create(template_id=first, workflow=workflow)
    fields = {"campaign_id": campaign.id, "template_id": story.template()}
    error = story.client.error("CampaignService/UpdateCampaign", story.key, **fields)
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert story.get(campaign.id).template_id == first


def test_a_replacement_replaces_everyone_and_nobody_is_an_audience_too(story: Story) -> None:
    stubs = story.client.stubs
    campaign = story.create()
    members = [
        stubs.AudienceMember(user_id=story.user_ids[2], variables={"floor": "3"}),
        stubs.AudienceMember(user_id=story.user_ids[2], variables={"floor": "4"}),
    ]
    after = update(
        story, campaign.id, audience_replacement=stubs.AudienceReplacement(members=members)
    )
    assert after.audience_snapshot_size == 1
    assert after.audience_snapshot_ref != campaign.audience_snapshot_ref
    (entry,) = audience(story, campaign.id)
    assert entry.member == members[0]
    assert (entry.email, entry.display_name) == ("person2@example.com", "Person 2")
    assert entry.active

    empty = update(story, campaign.id, audience_replacement=stubs.AudienceReplacement())
    assert empty.audience_snapshot_size == 0
    assert audience(story, campaign.id) == []


def test_a_started_campaign_does_not_change(story: Story) -> None:
    campaign = story.start()
    error = story.client.error(
        "CampaignService/UpdateCampaign", story.key, campaign_id=campaign.id, name="Late"
    )
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert story.get(campaign.id).name == campaign.name


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "x" * 201}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"title": "x" * 201}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"sender_name": "Nobody"}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"template_id": "nonsense"}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"template_version": -1}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"template_version": 99}, grpc.StatusCode.NOT_FOUND),
        (
            {"template_id": "00000000-0000-0000-0000-000000000000"},
            grpc.StatusCode.NOT_FOUND,
        ),
    ],
)
def test_a_refused_change_changes_nothing(
    story: Story, fields: dict[str, Any], code: grpc.StatusCode
) -> None:
    campaign = story.create()
    error = story.client.error(
        "CampaignService/UpdateCampaign",
        story.key,
        **{"campaign_id": campaign.id, "name": "Changed", **fields},
    )
    assert error.code() == code
    assert story.get(campaign.id) == campaign


def test_an_unknown_recipient_leaves_the_audience_alone(story: Story) -> None:
    stubs = story.client.stubs
    campaign = story.create()
    stranger = stubs.AudienceMember(user_id="00000000-0000-0000-0000-000000000000")
    error = story.client.error(
        "CampaignService/UpdateCampaign",
        story.key,
        campaign_id=campaign.id,
        audience_replacement=stubs.AudienceReplacement(members=[stranger]),
    )
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert len(audience(story, campaign.id)) == 3


@pytest.mark.parametrize(
    "rpc", ["UpdateCampaign", "GetCampaignAudience", "GetCampaignArchetypeBreakdown"]
)
def test_another_organization_finds_nothing(
    story: Story, installation: Installation, rpc: str
) -> None:
    campaign = story.create()
    error = story.client.error(
        f"CampaignService/{rpc}", installation.found().api_key, campaign_id=campaign.id
    )
    assert error.code() == grpc.StatusCode.NOT_FOUND


def test_no_campaign_originates_from_an_archetype(story: Story) -> None:
    campaign = story.create()
    error = story.client.error(
        "CampaignService/GetCampaignArchetypeBreakdown", story.key, campaign_id=campaign.id
    )
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_links_to_what_this_server_does_not_keep_are_refused(story: Story) -> None:
    stubs = story.client.stubs
    request = {
        "name": "n",
        "template_id": story.template(),
        "sender_name": "People team",
        "workflow": deadline_workflow(story.client),
    }
    objective = story.client.error(
        "CampaignService/CreateCampaign", story.key, **request, objective_ids=["o"]
    )
    assert objective.code() == grpc.StatusCode.NOT_FOUND
    origin = stubs.CampaignOriginatingArchetype(
        group_id="00000000-0000-0000-0000-000000000000", archetype_label="early"
    )
    archetype = story.client.error(
        "CampaignService/CreateCampaign", story.key, **request, originating_archetype=origin
    )
    assert archetype.code() == grpc.StatusCode.PERMISSION_DENIED

"""Campaigns that cannot be made or moved: the code, the field, and nothing written."""

import uuid
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from support.grpc_client import Client
from support.running import Installation
from support.story import Story, row_counts

Fields = dict[str, Any]
NOBODY = "5b0f3c52-9d0e-4f4e-8f3f-6f1f6a0d5a10"


@pytest.fixture(scope="module")
def story(installation: Installation, client: Client) -> Story:
    return Story(installation, client, installation.found(), people=3)


@pytest.fixture(scope="module")
def stranger(installation: Installation, client: Client) -> Story:
    """Another organization, with everything the first one has."""
    return Story(installation, client, installation.found(), people=1)


@pytest.fixture(scope="module")
def template(story: Story) -> str:
    return story.template()


Refuse = Callable[..., grpc.Call]


@pytest.fixture
def refuse(story: Story, template: str) -> Refuse:
    """Call CreateCampaign with something wrong in an otherwise good request."""

    def run(**fields: Any) -> grpc.Call:
        request = story.request(template_id=template) | fields
        before = row_counts(story.installation)
        error = story.client.error("CampaignService/CreateCampaign", story.key, **request)
        assert row_counts(story.installation) == before
        return error

    return run


def fields_of(error: grpc.Call) -> list[str]:
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    for detail in status.details:
        bad_request = error_details_pb2.BadRequest()
        if detail.Unpack(bad_request):
            return [violation.field for violation in bad_request.field_violations]
    return []


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": " \n"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"title": "x" * 201}, "title"),
        ({"title": "\0"}, "title"),
        ({"sender_name": ""}, "sender_name"),
        ({"sender_name": "x" * 201}, "sender_name"),
        ({"sender_name": "people team"}, "sender_name"),
        ({"sender_name": "People team "}, "sender_name"),
        ({"sender_name": "Somebody else"}, "sender_name"),
        ({"template_id": ""}, "template_id"),
        ({"template_id": "1"}, "template_id"),
        ({"template_id": NOBODY + "0"}, "template_id"),
        ({"template_version": -1}, "template_version"),
        ({"default_locale": "fr"}, "default_locale"),
        ({"default_locale": "EN"}, "default_locale"),
        ({"workflow": None}, "workflow"),
        ({"user_ids": ["x"]}, "user_ids[0]"),
        ({"user_ids": [NOBODY]}, "audience"),
    ],
)
def test_a_bad_field_is_named(refuse: Refuse, wrong: Fields, path: str) -> None:
    error = refuse(**wrong)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"{path}:")
    assert fields_of(error) == [path]


def test_all_bad_fields_are_named_at_once(refuse: Refuse) -> None:
    error = refuse(name="", title="x" * 201, default_locale="fr")
    assert fields_of(error) == ["name", "title", "default_locale"]


def test_an_audience_of_100000_entries_is_taken_and_one_more_is_not(
    story: Story, template: str, refuse: Refuse
) -> None:
    many = [story.user_ids[0]] * 100_000
    campaign = story.create(template_id=template, user_ids=many)
    assert campaign.audience_snapshot_size == 1
    assert fields_of(refuse(user_ids=[*many, story.user_ids[1]])) == ["user_ids"]
    member = story.stubs.AudienceMember(user_id=story.user_ids[0])
    assert fields_of(refuse(audience=[member] * 100_001)) == ["audience"]


def test_limits_are_inclusive(story: Story, template: str) -> None:
    longest = "ü" * 200
    story.client("TeamService/CreateTeam", story.key, name=longest)
    member = story.stubs.AudienceMember(
        user_id=story.user_ids[0].upper(),
        variables={f"{number:0>100}": "x" for number in range(99)} | {"long": "界" * 10_000},
    )
    campaign = story.create(
        template_id=template.upper(),
        name=longest,
        title=longest,
        sender_name=longest,
        audience=[member],
        default_locale="pt-BR",
    )
    assert (campaign.name, campaign.title, campaign.sender_name) == (longest, longest, longest)
    assert campaign.template_id == template
    assert campaign.audience_snapshot_size == 1


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        ({f"v{number}": "x" for number in range(101)}, "audience[1].variables"),
        ({"": "x"}, "audience[1].variables"),
        ({"x" * 101: "x"}, "audience[1].variables"),
        ({"name": "x" * 10_001}, "audience[1].variables[name]"),
        ({"name": "\0"}, "audience[1].variables[name]"),
    ],
)
def test_a_recipients_variables_have_limits(
    story: Story, refuse: Refuse, variables: dict[str, str], path: str
) -> None:
    member = story.stubs.AudienceMember
    good, bad = member(user_id=story.user_ids[0]), member(user_id=story.user_ids[1])
    bad.variables.update(variables)
    assert fields_of(refuse(audience=[good, bad])) == [path]


def test_a_thousand_bad_recipients_are_one_readable_refusal(story: Story, refuse: Refuse) -> None:
    members = [
        story.stubs.AudienceMember(user_id="x" * 1_000, variables={"y" * 1_000: "z"})
        for _ in range(1_000)
    ]
    error = refuse(audience=members)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error)[0] == "audience[0].user_id"
    error = refuse(user_ids=[str(uuid.uuid4()) for _ in range(1_000)])
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().count("-") == 10 * 4


def test_a_workflow_of_a_hundred_hopeless_steps_is_one_readable_refusal(
    story: Story, refuse: Refuse
) -> None:
    step = story.stubs.WorkflowStep
    steps = [
        step(id="ü" * 500, type=77, transitions={"x" * 900: f"nowhere {n}" * 90})
        for n in range(100)
    ]
    error = refuse(workflow=story.stubs.WorkflowDefinition(steps=steps))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error)[0] == "workflow.steps[0].id"


def test_a_circle_of_a_hundred_long_names_is_one_readable_refusal(
    story: Story, refuse: Refuse
) -> None:
    steps = [story.steps.send(f"{n:0>3}" + "界" * 197) for n in range(100)]
    circle = story.steps(*steps)
    circle.steps[99].transitions["completed"] = circle.steps[0].id
    error = refuse(workflow=circle)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == ["workflow.steps"]


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"template_version": 2}, ""),
        ({"template_version": 2**31 - 1}, ""),
        ({"template_id": NOBODY}, ""),
    ],
)
def test_an_unknown_template_or_version_is_not_found(
    refuse: Refuse, wrong: Fields, path: str
) -> None:
    error = refuse(**wrong)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert fields_of(error) == [path] * bool(path)


@pytest.mark.parametrize(
    "config",
    [
        {"template_id": NOBODY},
        {"template_version": 9},
        {"template_id": "own", "template_version": 9},
    ],
)
def test_an_unknown_template_or_version_of_a_step_is_not_found(
    story: Story, template: str, refuse: Refuse, config: Fields
) -> None:
    if config.get("template_id") == "own":
        config = config | {"template_id": template}
    error = refuse(workflow=story.steps(story.steps.send(**config)))
    assert error.code() is grpc.StatusCode.NOT_FOUND


def test_what_another_organization_has_does_not_exist(
    story: Story, stranger: Story, refuse: Refuse
) -> None:
    foreign = stranger.template()
    for wrong in (
        {"template_id": foreign},
        {"workflow": story.steps(story.steps.send(template_id=foreign))},
    ):
        error = refuse(**wrong)
        assert error.code() is grpc.StatusCode.NOT_FOUND
        unknown = {name: (NOBODY if value == foreign else value) for name, value in wrong.items()}
        if "workflow" in unknown:
            unknown["workflow"] = story.steps(story.steps.send(template_id=NOBODY))
        assert refuse(**unknown).details() == error.details()
    person = stranger.user_ids[0]
    there, nowhere = refuse(user_ids=[person]), refuse(user_ids=[NOBODY])
    assert there.code() is nowhere.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert there.details().replace(person, NOBODY) == nowhere.details()
    stranger.client("TeamService/CreateTeam", stranger.key, name="Theirs")
    assert fields_of(refuse(sender_name="Theirs")) == ["sender_name"]


@pytest.mark.parametrize(
    "rpc", ["GetCampaign", "StartCampaign", "CancelCampaign", "ListDeliveries"]
)
def test_an_id_leads_only_to_the_callers_own_campaigns(
    story: Story, stranger: Story, rpc: str
) -> None:
    theirs = stranger.create()
    before = row_counts(story.installation)

    def refusal(campaign_id: str) -> grpc.Call:
        return story.client.error(f"CampaignService/{rpc}", story.key, campaign_id=campaign_id)

    there, nowhere = refusal(theirs.id), refusal(NOBODY)
    assert there.code() is nowhere.code() is grpc.StatusCode.NOT_FOUND
    assert there.details() == nowhere.details()
    for bad in ("", "x", NOBODY + " ", "' or 1=1 --"):
        error = refusal(bad)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert fields_of(error) == ["campaign_id"]
    assert row_counts(story.installation) == before
    assert stranger.get(theirs.id).status == story.stubs.CAMPAIGN_STATUS_CREATED


def test_an_unknown_status_is_no_filter(story: Story) -> None:
    campaign = story.create()
    error = story.client.error(
        "CampaignService/ListDeliveries", story.key, campaign_id=campaign.id, status_filter=99
    )
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == ["status_filter"]

"""Lists read page by page, while rows are added between the pages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from support.grpc_client import Client
from support.running import Installation
from support.story import Story


@dataclass(frozen=True)
class List:
    """How a list is read, and how a row gets into it."""

    rpc: str
    rows: str
    add: Callable[["Shelf", int], object]
    newest_first: bool


def add_campaign(story: "Shelf", number: int) -> object:
    return story.create(name=f"{number}", template_id=story.templates[0], user_ids=[])


LISTS = [
    List("CampaignService/ListCampaigns", "campaigns", add_campaign, newest_first=True),
    List(
        "TemplateService/ListTemplates",
        "templates",
        lambda story, number: story.template(name=f"{number}"),
        newest_first=True,
    ),
    List(
        "MemberService/ListUsers",
        "users",
        lambda story, number: story.invite(f"{number:0>3}@example.com", name=f"N{number:0>3}"),
        newest_first=False,
    ),
    List(
        "TeamService/ListTeams",
        "teams",
        lambda story, number: story.client(
            "TeamService/CreateTeam", story.key, name=f"N{number:0>3}"
        ),
        newest_first=False,
    ),
]


class Shelf(Story):
    """An organization with 25 rows more in each list than it began with."""

    def __init__(self, installation: Installation, client: Client) -> None:
        super().__init__(installation, client, installation.found(), people=0)
        self.templates = [self.template(name="first")]
        for number in range(25):
            for one in LISTS:
                one.add(self, number * 2)

    def page(self, one: List, size: int = 0, token: str = "") -> tuple[list[str], str, int]:
        pagination = self.stubs.Pagination(page_size=size, page_token=token)
        answer = self.client(one.rpc, self.key, pagination=pagination)
        meta = answer.pagination_meta
        return [row.id for row in getattr(answer, one.rows)], meta.next_page_token, meta.total_count

    def walk(self, one: List, size: int) -> list[str]:
        found: list[str] = []
        ids, token, _ = self.page(one, size)
        found += ids
        while token:
            ids, token, _ = self.page(one, size, token)
            found += ids
        return found


@pytest.fixture(scope="module")
def shelf(installation: Installation, client: Client) -> Shelf:
    return Shelf(installation, client)


@pytest.fixture(params=LISTS, ids=lambda one: one.rows)
def one(request: pytest.FixtureRequest) -> List:
    found: List = request.param
    return found


def test_every_size_of_page_shows_every_row_once(shelf: Shelf, one: List) -> None:
    whole, token, total = shelf.page(one, 100)
    assert token == ""
    assert len(whole) == len(set(whole)) == total >= 25
    for size in (1, 7, total - 1, total, total + 1):
        assert shelf.walk(one, size) == whole


def test_a_page_holds_20_rows_unless_told(shelf: Shelf, one: List) -> None:
    ids, token, total = shelf.page(one)
    assert len(ids) == 20
    assert token
    assert total > 20
    unset = getattr(shelf.client(one.rpc, shelf.key), one.rows)
    assert [row.id for row in unset] == ids


def test_rows_added_between_pages_neither_repeat_nor_hide_others(shelf: Shelf, one: List) -> None:
    before, _, total = shelf.page(one, 100)
    found, token, _ = shelf.page(one, 7)
    number = 101
    while token:
        one.add(shelf, number)
        one.add(shelf, total - number)
        ids, token, now = shelf.page(one, 7, token)
        found += ids
        number += 2
        assert now > total
    assert len(found) == len(set(found))
    assert [row for row in found if row in set(before)] == before


@pytest.mark.parametrize("size", [-1, -(2**31)])
def test_a_negative_size_is_refused(shelf: Shelf, one: List, size: int) -> None:
    pagination = shelf.stubs.Pagination(page_size=size)
    error = shelf.client.error(one.rpc, shelf.key, pagination=pagination)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("pagination.page_size:")


@pytest.mark.parametrize("token", ["x", "🦆", "AAAA", "a" * 5_000, "=", "../../etc", "\0"])
def test_garbage_is_no_token(shelf: Shelf, one: List, token: str) -> None:
    pagination = shelf.stubs.Pagination(page_token=token)
    error = shelf.client.error(one.rpc, shelf.key, pagination=pagination)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("pagination.page_token:")


def test_a_token_is_good_for_its_own_list_and_organization_only(
    installation: Installation, client: Client, shelf: Shelf
) -> None:
    tokens = {one.rpc: shelf.page(one, 1)[1] for one in LISTS}
    other = installation.found()
    for one in LISTS:
        for rpc, token in tokens.items():
            pagination = shelf.stubs.Pagination(page_size=1, page_token=token)
            if rpc != one.rpc:
                error = client.error(one.rpc, shelf.key, pagination=pagination)
                assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        pagination = shelf.stubs.Pagination(page_size=1, page_token=tokens[one.rpc])
        error = client.error(one.rpc, other.api_key, pagination=pagination)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_newest_first_means_what_it_says(shelf: Shelf) -> None:
    for one in LISTS:
        if one.newest_first:
            made: Any = one.add(shelf, 999)
            first = shelf.page(one, 1)[0][0]
            assert first == (made if isinstance(made, str) else made.id)


def test_deliveries_are_paged_by_status(installation: Installation, client: Client) -> None:
    story = Story(installation, client, installation.found(), people=12, devices=True)
    story.invite("nobody@example.com")
    campaign = story.start()
    for user_id in story.user_ids[:5]:
        story.acknowledge(campaign.id, user_id)
    stubs = story.stubs
    expected = {
        stubs.DELIVERY_STATUS_UNSPECIFIED: 13,
        stubs.DELIVERY_STATUS_PENDING: 0,
        stubs.DELIVERY_STATUS_SENT: 7,
        stubs.DELIVERY_STATUS_DELIVERED: 0,
        stubs.DELIVERY_STATUS_ACKNOWLEDGED: 5,
        stubs.DELIVERY_STATUS_MISSED: 0,
        stubs.DELIVERY_STATUS_NO_DEVICE: 1,
        stubs.DELIVERY_STATUS_FAILED: 0,
    }
    tokens: dict[int, str] = {}
    for status, total in expected.items():
        found: list[str] = []
        token = ""
        while True:
            answer = story.deliveries(
                campaign.id,
                status_filter=status,
                pagination=stubs.Pagination(page_size=2, page_token=token),
            )
            found += [one.id for one in answer.deliveries]
            assert answer.pagination_meta.total_count == total
            assert all(status in (0, one.status) for one in answer.deliveries)
            token = answer.pagination_meta.next_page_token
            tokens.setdefault(status, token)
            if not token:
                break
        assert len(found) == len(set(found)) == total
    wrong = stubs.Pagination(page_token=tokens[stubs.DELIVERY_STATUS_SENT])
    error = client.error(
        "CampaignService/ListDeliveries", story.key, campaign_id=campaign.id, pagination=wrong
    )
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_deliveries_of_several_steps_are_one_list(
    installation: Installation, client: Client
) -> None:
    story = Story(installation, client, installation.found(), people=3, devices=True)
    stubs, steps = story.stubs, story.steps
    target = stubs.EscalationTarget(
        type=stubs.ESCALATION_TARGET_TYPE_USER, target_id=story.invite("lead@example.com")
    )
    escalation = stubs.WorkflowStep(
        id="escalate",
        type=stubs.STEP_TYPE_ESCALATE,
        escalate_config=stubs.EscalateConfig(
            condition=stubs.ESCALATION_CONDITION_IF_NOT_ACKED, targets=[target]
        ),
    )
    people = story.user_ids[:3]
    workflow = steps(
        steps.send(), steps.wait(), escalation, steps.send("again"), steps.wait("last")
    )
    campaign = story.start(user_ids=people, workflow=workflow)
    # The steps of another one lie between the two.
    other = story.start(user_ids=people)
    story.pass_deadline(campaign.id)
    story.reach(campaign.id, "last")
    assert len(story.deliveries(other.id).deliveries) == 3
    whole = [one.id for one in story.deliveries(campaign.id).deliveries]
    assert len(set(whole)) == 9
    for size in (1, 2, 3, 4, 8):
        found: list[str] = []
        token = ""
        while token or not found:
            paging = stubs.Pagination(page_size=size, page_token=token)
            answer = story.deliveries(campaign.id, pagination=paging)
            found += [one.id for one in answer.deliveries]
            token = answer.pagination_meta.next_page_token
        assert found == whole

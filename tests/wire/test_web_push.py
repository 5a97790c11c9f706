"""Browsers sign up for pushes and get them, through the wire and on both databases."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.browser import PushService, push_service, vapid_claims
from support.grpc_client import Client, Organization
from support.running import Installation
from support.story import Story
from support.waiting import until

# Filled in by ``gateway``, on which the server waits.
SERVER_SETTINGS: dict[str, Any] = {"push_url": ""}
SUBSCRIPTIONS = "/push/web/subscriptions"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Any]:
    """The push service of the browsers, instead of a gateway for all pushes."""
    with push_service() as service:
        SERVER_SETTINGS["web_push_services"] = (service.origin,)
        service.url = ""  # type: ignore[attr-defined]
        yield service


class Doors:
    def __init__(self, installation: Installation) -> None:
        self._http = httpx.Client(base_url=installation.url, timeout=60)

    def get(self, path: str, credential: str = "") -> httpx.Response:
        return self._http.get(path, headers=self._headers(credential))

    def post(self, path: str, credential: str = "", **fields: Any) -> httpx.Response:
        return self._http.post(path, headers=self._headers(credential), json=fields)

    def subscribe(self, credential: str, subscription: dict[str, Any]) -> str:
        answer = self.post(SUBSCRIPTIONS, credential, subscription=subscription)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def subscribed(self, credential: str) -> list[str]:
        answer = self.get(SUBSCRIPTIONS, credential)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["subscriptions"]]

    @staticmethod
    def _headers(credential: str) -> dict[str, str]:
        return {"authorization": f"Bearer {credential}"} if credential else {}

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def doors(installation: Installation) -> Iterator[Doors]:
    doors = Doors(installation)
    yield doors
    doors.close()


@pytest.fixture
def story(installation: Installation, client: Client, organization: Organization) -> Story:
    return Story(installation, client, organization, people=3)


def test_a_browser_makes_a_person_reachable_until_it_is_gone(
    story: Story, doors: Doors, gateway: PushService
) -> None:
    ada, bo, _ = story.user_ids
    browser, gone = gateway.browser(f"ada-{ada}"), gateway.browser(f"bo-{bo}")
    gateway.gone.add(gone.endpoint.removeprefix(gateway.origin))
    key = doors.get("/push/web/key", story.tokens[ada]).json()["public_key"]
    mine = doors.subscribe(story.tokens[ada], browser.subscription)
    doors.subscribe(story.tokens[bo], gone.subscription)
    campaign = story.create()
    story.client("CampaignService/StartCampaign", story.key, campaign_id=campaign.id)
    until(lambda: story.get(campaign.id).workflow_progress.current_step_id == "wait")
    assert list(story.statuses(campaign.id).values()) == ["SENT", "NO_DEVICE", "NO_DEVICE"]
    (push,) = gateway.pushes(browser)
    assert (push["title"], push["campaign_id"]) == ("New policy", campaign.id)
    request = next(one for one in gateway.requests if browser.endpoint.endswith(one.path))
    claims, used = vapid_claims(request)
    assert (claims["aud"], used) == (gateway.origin, key)
    assert doors.subscribed(story.tokens[ada]) == [mine]
    assert doors.subscribed(story.tokens[bo]) == []


def test_an_alert_reaches_a_browser_until_it_is_gone(
    story: Story, doors: Doors, gateway: PushService
) -> None:
    ada, bo, cy = story.user_ids
    here, gone = gateway.browser(f"alert-{bo}"), gateway.browser(f"alert-{cy}")
    gateway.gone.add(gone.endpoint.removeprefix(gateway.origin))
    doors.subscribe(story.tokens[bo], here.subscription)
    doors.subscribe(story.tokens[cy], gone.subscription)
    alert = story.steps.escalate(
        mode=story.stubs.ESCALATE_MODE_ALERT_ONLY,
        targets=[story.steps.target("USER", user_id) for user_id in (bo, cy)],
    )
    workflow = story.steps(story.steps.send(), alert, story.steps.missed())
    campaign = story.start(workflow=workflow, user_ids=[ada])
    until(lambda: not doors.subscribed(story.tokens[cy]))
    (push,) = gateway.pushes(here)
    assert (push["delivery_id"], push["campaign_id"]) == ("", campaign.id)
    assert push["title"] == "Reminder: New policy"
    assert len(doors.subscribed(story.tokens[bo])) == 1


def test_a_subscription_is_a_persons_own(
    story: Story, doors: Doors, gateway: PushService, installation: Installation, client: Client
) -> None:
    ada, bo, _ = (story.tokens[user_id] for user_id in story.user_ids)
    subscription = gateway.browser(f"shared-{story.user_ids[0]}").subscription
    shared = doors.subscribe(ada, subscription)
    assert doors.subscribe(ada, subscription) == shared
    assert doors.subscribed(ada) == [shared]
    stranger = Story(installation, client, installation.found(), people=1)
    for other in (bo, *stranger.tokens.values()):
        assert doors.post(f"{SUBSCRIPTIONS}/remove", other, id=shared).status_code == 404
        assert doors.subscribed(other) == []
    # Whoever uses the browser last gets its pushes.
    assert doors.subscribe(bo, subscription) == shared
    assert (doors.subscribed(ada), doors.subscribed(bo)) == ([], [shared])
    assert doors.post(f"{SUBSCRIPTIONS}/remove", bo, id=shared).json() == {}
    assert doors.subscribed(bo) == []


def test_only_the_newest_browsers_are_kept(
    story: Story, doors: Doors, gateway: PushService
) -> None:
    ada = story.tokens[story.user_ids[0]]
    made = [doors.subscribe(ada, gateway.browser(f"{n}").subscription) for n in range(22)]
    assert set(doors.subscribed(ada)) == set(made[2:])


def test_who_may_not_is_refused_and_nothing_changes(
    story: Story, doors: Doors, gateway: PushService
) -> None:
    ada = story.tokens[story.user_ids[0]]
    good = gateway.browser("refused").subscription
    for credential, status in (("", 401), ("made up", 401), (story.key, 403)):
        assert doors.get("/push/web/key", credential).status_code == status
        assert doors.get(SUBSCRIPTIONS, credential).status_code == status
        answer = doors.post(SUBSCRIPTIONS, credential, subscription=good)
        assert answer.status_code == status
        answer = doors.post(f"{SUBSCRIPTIONS}/remove", credential, id="x")
        assert answer.status_code == status
    for wrong in (
        {},
        {"subscription": "x"},
        {"subscription": good | {"endpoint": "https://elsewhere.example/a"}},
        {"subscription": good | {"keys": {}}},
    ):
        answer = doors.post(SUBSCRIPTIONS, ada, **wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")
        assert "subscription" in answer.json()["message"]
    assert doors.post(f"{SUBSCRIPTIONS}/remove", ada, id="x").status_code == 400
    assert doors.subscribed(ada) == []


def test_who_leaves_is_pushed_to_no_more(
    story: Story, doors: Doors, gateway: PushService, client: Client
) -> None:
    ada = story.user_ids[0]
    doors.subscribe(story.tokens[ada], gateway.browser(f"leaving-{ada}").subscription)
    client("MemberService/DeactivateUser", story.key, user_id=ada)
    client("MemberService/ReactivateUser", story.key, user_id=ada)
    assert doors.subscribed(story.installation.token(ada)) == []

"""A provider that is slow or away keeps nobody's message from the inbox, and gets no push twice."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from support.google_push import UNREGISTERED, service_account
from support.grpc_client import Client, Organization
from support.held import unfinished_tasks
from support.http2_peer import Asked, Told, http2_peer
from support.running import Installation, running
from support.story import Story
from support.waiting import until

from pidgr import reports
from pidgr.campaigns import lanes, push_pace
from pidgr.storage.sql import Statement

WAIT = Told(429, {"error": {"status": "RESOURCE_EXHAUSTED"}}, {"retry-after": "2"})
LEFT = Statement(
    "select count(*) from workflow_status where workflow_uuid like '%pushes'",
    postgresql="select count(*) from dbos.workflow_status where workflow_uuid like '%pushes'",
)
AWAY = Told(503, {"error": {"status": "UNAVAILABLE"}})
REFUSED = Told(400, {"error": {"status": "INVALID_ARGUMENT"}})
DEAD = Told(404, UNREGISTERED)


class Google:
    """Takes every push unless it is told what to say to a device's token instead."""

    def __init__(self) -> None:
        self.answers: dict[str, Told] = {}
        self.asked: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()

    def __call__(self, asked: Asked) -> Told:
        if asked.path == "/token":
            return Told(200, {"access_token": "good", "expires_in": 3600})
        token = asked.json["message"]["token"]
        self.asked[token] += 1
        answer = self.answers.get(token) or self.answers.get("")
        if answer is None:
            self.taken[token] += 1
        return answer or Told(200, {"name": "projects/acme/messages/1"})

    def await_another(self) -> None:
        """Wait until it is asked once more."""
        asked = self.asked.total()
        until(lambda: self.asked.total() > asked)


@pytest.fixture(scope="module")
def google() -> Google:
    return Google()


@pytest.fixture(scope="module")
def installation(
    database_settings: dict[str, Any],
    google: Google,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    directory = tmp_path_factory.mktemp("providers")
    patch = pytest.MonkeyPatch()
    patch.setenv("SSL_CERT_FILE", str(directory / "authority.pem"))
    with (
        http2_peer(directory, google) as peer,
        running(
            tmp_path_factory.mktemp("data"),
            fcm_credentials=service_account(peer.url),
            fcm_url=peer.url,
            **database_settings,
        ) as installation,
    ):
        yield installation
    patch.undo()


class Phones(Story):
    """An organization whose people have Android phones."""

    def phone(self, user_id: str, token: str) -> None:
        self.register(user_id, platform=self.stubs.PLATFORM_ANDROID, push_token=token)

    def begin(self, *user_ids: str) -> str:
        campaign = self.create(user_ids=list(user_ids))
        self.client("CampaignService/StartCampaign", self.key, campaign_id=campaign.id)
        return str(campaign.id)

    def told(self, campaign_id: str, user_id: str) -> list[tuple[str, str]]:
        """Return the events of somebody's delivery and what they say."""
        delivery_id = self.delivery_id(campaign_id, user_id)
        found = reports.explain_in(self.installation.system, delivery_id).happenings
        return [(one.event, one.detail) for one in found]


@pytest.fixture
def phones(
    installation: Installation, client: Client, organization: Organization, google: Google
) -> Iterator[Phones]:
    google.asked.clear()
    google.taken.clear()
    yield Phones(installation, client, organization, people=6)
    google.answers.clear()


def test_an_outage_keeps_no_message_from_the_inbox(phones: Phones, google: Google) -> None:
    google.answers[""] = AWAY
    *waiting, last = phones.user_ids
    for number, user_id in enumerate(waiting):
        phones.phone(user_id, f"phone-{number}")
    # More than lanes may run at once.
    campaigns = [phones.begin(*waiting) for _ in range(5)]
    phones.begin(last)
    until(lambda: phones.client("InboxService/Sync", phones.tokens[last]).entries)
    google.answers.clear()
    for campaign_id in campaigns:
        phones.reach(campaign_id, "wait")
    assert set(google.taken.values()) == {len(campaigns)}


def test_what_a_provider_has_taken_it_does_not_get_again(phones: Phones, google: Google) -> None:
    one, two, three, *_ = phones.user_ids
    for user_id, token in [(one, "one"), (two, "two"), (three, "three"), (three, "late")]:
        phones.phone(user_id, token)
    google.answers = {"two": WAIT, "late": WAIT}
    campaign_id = phones.begin(one, two, three)
    # It does not wait for those who wait.
    phones.reach(campaign_id, "wait")
    assert phones.statuses(campaign_id) == {one: "SENT", two: "PENDING", three: "PENDING"}
    assert google.taken == {"one": 1, "three": 1}
    assert any("wanted it later" in detail for _, detail in phones.told(campaign_id, two))
    google.answers.clear()
    until(lambda: set(phones.statuses(campaign_id).values()) == {"SENT"})
    assert google.taken == {"one": 1, "two": 1, "three": 1, "late": 1}
    assert [event for event, _ in phones.told(campaign_id, two)] == [
        "created",
        "rendered",
        "pushed",
        "answer",
        "pushed",
        "answer",
    ]


@pytest.mark.parametrize("comes_back", ["late", "later"])
def test_whose_phones_get_it_one_by_one_gets_it_once_on_each(
    phones: Phones, google: Google, comes_back: str
) -> None:
    """Also where nobody of a batch has had all after the second attempt and the third."""
    one, two, *_ = phones.user_ids
    for token in ("early", "late", "later"):
        phones.phone(one, token)
    phones.phone(two, "other")
    phones.phone(two, "later still")
    google.answers = dict.fromkeys(["late", "later", "later still"], WAIT)
    campaign_id = phones.begin(one, two)
    until(lambda: google.taken == {"early": 1, "other": 1})
    for _ in range(2):
        google.await_another()
    del google.answers[comes_back]
    until(lambda: google.taken[comes_back])
    assert phones.statuses(campaign_id) == {one: "PENDING", two: "PENDING"}
    google.answers.clear()
    until(lambda: set(phones.statuses(campaign_id).values()) == {"SENT"})
    assert google.taken == dict.fromkeys(["early", "late", "later", "other", "later still"], 1)


@pytest.mark.parametrize("end", ["refused", "dead", "gone"])
def test_who_has_had_it_on_one_phone_has_had_it_whatever_becomes_of_the_other(
    phones: Phones, google: Google, end: str
) -> None:
    one, *_ = phones.user_ids
    phones.phone(one, "early")
    late = phones.register(one, platform=phones.stubs.PLATFORM_ANDROID, push_token="late")
    google.answers = {"late": WAIT}
    campaign_id = phones.begin(one)
    until(lambda: google.taken["early"])
    google.await_another()
    if end == "gone":
        phones.client("DeviceService/Deactivate", phones.tokens[one], device_id=late)
    else:
        google.answers = {"late": REFUSED if end == "refused" else DEAD}
    until(lambda: phones.statuses(campaign_id) == {one: "SENT"})
    until(lambda: not unfinished_tasks(phones.installation.system.database))
    assert phones.statuses(campaign_id) == {one: "SENT"}
    assert google.taken == {"early": 1}


def test_a_cancel_tells_what_a_provider_had_taken_before(phones: Phones, google: Google) -> None:
    one, two, *_ = phones.user_ids
    phones.phone(one, "one")
    phones.phone(two, "two")
    google.answers = {"two": WAIT}
    campaign_id = phones.begin(one, two)
    until(lambda: phones.statuses(campaign_id).get(one) == "SENT")
    phones.cancel(campaign_id)
    google.answers.clear()
    assert phones.statuses(campaign_id) == {one: "SENT", two: "PENDING"}
    assert ("not_pushed", "the campaign was stopped before") in phones.told(campaign_id, two)
    assert google.taken == {"one": 1}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every lane leave its pushes to another task, after the first of several batches."""
    monkeypatch.setattr(push_pace, "_SECONDS_TO_TELL", 0.0)
    monkeypatch.setattr(push_pace, "_QUICK_PER_SECOND", 1e9)
    for dialect in ("sqlite", "postgresql"):
        monkeypatch.setitem(lanes.PUSHES_PER_BATCH, dialect, 2)


@pytest.mark.usefixtures("impatient")
def test_what_goes_slowly_goes_on_elsewhere(phones: Phones, google: Google) -> None:
    for number, user_id in enumerate(phones.user_ids):
        phones.phone(user_id, f"phone-{number}")
    campaign_id = phones.begin(*phones.user_ids)
    phones.reach(campaign_id, "wait")
    assert set(phones.statuses(campaign_id).values()) == {"SENT"}
    assert sorted(google.taken.values()) == [1] * len(phones.user_ids)
    with_tasks = phones.installation.system.database.read_now(lambda reader: reader.value(LEFT))
    assert with_tasks

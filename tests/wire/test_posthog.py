"""Recordings that an organization keeps at PostHog, whose API a local peer speaks."""

import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import httpx
import pytest
from support.grpc_client import Client, Organization, Stubs
from support.http_peer import HttpPeer, Received, Scripted, http_peer
from support.running import Installation, running

from pidgr.errors import SetupError
from pidgr.replay.archives import build_archives
from pidgr.replay.own_archive import OwnArchive
from pidgr.settings import Settings

LIST, GET = (f"ReplayService/{rpc}" for rpc in ("ListSessionRecordings", "GetSessionSnapshots"))
KEY = "phx_key"
SECRET = "s3cret"
CAMPAIGN = "0b9c4f5e-5d5c-4a8e-8a55-8f4b7b2f6f11"


def packed(value: object) -> str:
    return gzip.compress(json.dumps(value).encode()).decode("latin-1")


def snapshot() -> dict[str, Any]:
    field = {
        "type": 2,
        "id": 3,
        "tagName": "input",
        "attributes": {"value": SECRET},
        # What PostHog has blocked.
        "childNodes": [None],
    }
    text = {"type": 3, "id": 4, "textContent": f"Dear {{{{pii}}}}{SECRET}{{{{/pii}}}}"}
    return {"node": {"type": 0, "id": 1, "childNodes": [field, text]}, "initialOffset": {}}


def event(kind: int, at: int, data: object, **more: Any) -> dict[str, Any]:
    return {"type": kind, "timestamp": at, "data": data, **more}


class PostHog:
    """A project with recordings, as far as its API shows."""

    def __init__(self, peer: HttpPeer) -> None:
        self.peer = peer
        self.results: list[dict[str, Any]] = []
        self.blobs: list[list[Any]] = []
        peer.answer = self._answer

    @property
    def queries(self) -> list[dict[str, list[str]]]:
        return [parse_qs(urlsplit(request.path).query) for request in self.peer.received]

    def add(self, number: int) -> None:
        self.results.append(
            {
                "id": f"0190-{number}",
                "distinct_id": "ada@example.com",
                "person": {"name": "Ada", "properties": {"email": "ada@example.com"}},
                "start_url": f"https://example.com/?token={SECRET}",
                "start_time": f"2026-11-{number:02}T08:00:00.500000Z",
                "end_time": f"2026-11-{number:02}T08:02:00Z",
                "recording_duration": 119.5,
                "click_count": 10,
                "keypress_count": 9,
            }
        )

    def _answer(self, request: Received) -> Scripted:
        address = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return Scripted(401)
        base, _, rest = address.path.partition("/session_recordings/")
        assert base == "/api/projects/7"
        if not rest:
            start, count = int(query["offset"]), int(query["limit"])
            page = self.results[start : start + count]
            more = start + count < len(self.results)
            return self._json({"results": page, "has_next": more})
        if rest != "0190-1/snapshots/":
            return Scripted(404)
        if "source" not in query:
            sources = [{"source": "blob_v2", "blob_key": str(n)} for n in range(len(self.blobs))]
            return self._json({"sources": [*sources, {"source": "realtime"}]})
        first, last = int(query["start_blob_key"]), int(query["end_blob_key"])
        assert last - first < 20
        lines = [line for blob in self.blobs[first : last + 1] for line in blob]
        return Scripted(body="\n".join(json.dumps(line) for line in lines).encode())

    @staticmethod
    def _json(value: object) -> Scripted:
        return Scripted(body=json.dumps(value).encode())


class Scene:
    """A server, and the organization that keeps its recordings at PostHog."""

    def __init__(
        self, installation: Installation, client: Client, organization: Organization
    ) -> None:
        self.installation = installation
        self.client = client
        self.organization = organization

    def list(self, **fields: Any) -> Any:
        return self.client(LIST, self.organization.api_key, **fields)

    def play(self, recording_id: str = "0190-1") -> Any:
        answer = self.client(GET, self.organization.api_key, recording_id=recording_id)
        return json.loads(answer.snapshot_data)

    def error(self, rpc: str, **fields: Any) -> grpc.Call:
        return self.client.error(rpc, self.organization.api_key, **fields)


@pytest.fixture(scope="module")
def peer() -> Iterator[HttpPeer]:
    with http_peer() as found:
        yield found


@pytest.fixture(scope="module")
def scene(
    peer: HttpPeer, stubs: Stubs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("posthog")
    # The organization must be there before the settings can name it.
    with running(directory, embedded_engine=False) as before:
        organization = before.found()
    settings: dict[str, Any] = {
        "posthog_url": peer.url(path="/"),
        "posthog_project_id": "7",
        "posthog_api_key": KEY,
        "posthog_organization_id": organization.id,
    }
    with (
        running(directory, embedded_engine=False, **settings) as installation,
        grpc.insecure_channel(installation.address) as channel,
    ):
        yield Scene(installation, Client(channel, stubs), organization)


@pytest.fixture
def posthog(peer: HttpPeer) -> PostHog:
    peer.received.clear()
    return PostHog(peer)


def test_recordings_are_listed_without_the_people_in_them(scene: Scene, posthog: PostHog) -> None:
    posthog.add(1)
    answer = scene.list()
    (recording,) = answer.recordings
    assert recording.id == "0190-1"
    assert recording.start_time.ToJsonString() == "2026-11-01T08:00:00.500Z"
    assert recording.end_time.ToJsonString() == "2026-11-01T08:02:00Z"
    assert recording.duration_seconds == 119
    assert recording.activity_score == pytest.approx(19 / (119.5 / 60), rel=1e-3)
    assert answer.pagination_meta.total_count == 1
    told = str(answer)
    assert not any(one in told for one in ("Ada", "ada@", SECRET))


def test_pages_show_every_recording_once(scene: Scene, posthog: PostHog) -> None:
    for number in range(1, 6):
        posthog.add(number)
    seen: list[str] = []
    token = ""
    while True:
        page = scene.list(pagination={"page_size": 2, "page_token": token})
        seen += [one.id for one in page.recordings]
        token = page.pagination_meta.next_page_token
        assert page.pagination_meta.total_count == len(seen) + bool(token)
        if not token:
            break
    assert seen == [f"0190-{number}" for number in range(1, 6)]


def test_the_filters_are_handed_on(scene: Scene, posthog: PostHog) -> None:
    scene.list()
    scene.list(
        campaign_id=CAMPAIGN,
        date_from={"seconds": 86_400},
        date_to={"seconds": 172_800, "nanos": 1000},
    )
    everything, some = posthog.queries
    assert everything["date_from"] == ["2015-01-01T00:00:00+00:00"]
    assert not {"date_to", "properties"} & set(everything)
    assert some["date_from"] == ["1970-01-02T00:00:00+00:00"]
    assert some["date_to"] == ["1970-01-03T00:00:00.000001+00:00"]
    (wanted,) = json.loads(some["properties"][0])
    assert (wanted["key"], wanted["value"]) == ("campaign_id", [CAMPAIGN])


def test_events_are_unpacked_and_masked(scene: Scene, posthog: PostHog) -> None:
    texts = packed([{"id": 4, "value": SECRET}])
    style = event(3, 40, {"source": 8, "id": 9, "adds": packed([{"rule": "b{}"}])}, cv="2024-10")
    posthog.blobs = [
        [["tab", event(2, 10, packed(snapshot()), cv="2024-10")], "nonsense", ["tab", {"type": 2}]],
        [
            ["other", event(2, 5, snapshot())],
            ["tab", style],
            ["tab", event(3, 30, {"source": 0, "texts": texts}, cv="2024-10")],
        ],
        [["tab", event(5, 35, {"tag": "$pageview", "payload": SECRET})]],
        [["tab", event(3, 50, {"source": 2, "type": 2, "id": 4, "x": float("nan")})]],
    ]
    events = scene.play()
    assert [one["timestamp"] for one in events] == [10, 30, 40, 50]
    assert SECRET not in json.dumps(events)
    assert events[0]["data"]["node"]["childNodes"][1]["textContent"] == "Dear ***"
    assert events[2]["data"]["adds"] == [{"rule": "b{}"}]


def test_many_blobs_are_asked_for_together(scene: Scene, posthog: PostHog) -> None:
    posthog.blobs = [[["tab", event(0, number, {})]] for number in range(45)]
    assert len(scene.play()) == 45
    asked = [query["start_blob_key"] for query in posthog.queries if "source" in query]
    assert asked == [["0"], ["20"], ["40"]]


def test_a_recording_that_is_not_there(scene: Scene, posthog: PostHog) -> None:
    error = scene.error(GET, recording_id="../../7/persons")
    assert error.code() is grpc.StatusCode.NOT_FOUND
    (request,) = posthog.peer.received
    assert "..%2F..%2F7%2Fpersons" in request.path


def test_one_that_is_too_large_is_refused(scene: Scene, posthog: PostHog) -> None:
    bomb = packed([{"id": 4, "value": "x" * (49 << 20)}])
    posthog.blobs = [[["tab", event(3, 1, {"source": 0, "texts": bomb}, cv="2024-10")]]]
    error = scene.error(GET, recording_id="0190-1")
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    "answer",
    [
        Scripted(500),
        Scripted(302, {"location": "https://example.com/"}),
        Scripted(body=b"<html>"),
        Scripted(body=b"[]"),
        Scripted(body=b'{"results": [{}]}'),
        Scripted(body=b'{"results": [{"id": "1", "start_time": "x", "recording_duration": 1}]}'),
    ],
)
def test_an_answer_that_makes_no_sense_is_no_empty_list(
    scene: Scene, posthog: PostHog, answer: Scripted
) -> None:
    posthog.peer.answers.append(answer)
    error = scene.error(LIST)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert error.details().startswith("PostHog")
    assert KEY not in error.details()


def test_no_other_organization_sees_them(scene: Scene, posthog: PostHog) -> None:
    posthog.add(1)
    other = scene.installation.found()
    assert list(scene.client(LIST, other.api_key).recordings) == []
    error = scene.client.error(GET, other.api_key, recording_id="0190-1")
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert posthog.peer.received == []


def test_nothing_is_recorded_here_where_it_is_kept_there(scene: Scene) -> None:
    other = scene.installation.found()
    begun = {}
    for organization in (scene.organization, other):
        credential = scene.installation.token(organization.admin_id)
        answer = httpx.post(
            f"{scene.installation.url}/replay/recordings",
            json={},
            headers={"authorization": f"Bearer {credential}"},
            timeout=60,
        )
        begun[organization.id] = answer.json()["recording"]
    assert begun[scene.organization.id] == ""
    assert begun[other.id]


@pytest.mark.parametrize(
    "missing", ["posthog_project_id", "posthog_api_key", "posthog_organization_id"]
)
def test_half_of_the_settings_are_refused(missing: str, scene: Scene) -> None:
    names = ("url", "project_id", "api_key", "organization_id")
    values: dict[str, Any] = {f"posthog_{name}": "https://eu.posthog.com" for name in names}
    values[missing] = ""
    system = scene.installation.system
    with pytest.raises(SetupError, match="PIDGR_POSTHOG_URL needs"):
        build_archives(Settings(**values), OwnArchive(system.database, system.blobs))

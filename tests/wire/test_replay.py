"""Session replay through the wire: recorded by people, listed and played by administrators."""

import gzip
import json
import secrets
import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from support.grpc_client import Client
from support.rows import contents
from support.running import Installation
from support.story import World, row_counts

from pidgr.replay import recorder
from pidgr.storage.blobs import BlobStore
from pidgr.storage.sql import Statement

LIST, GET = (f"ReplayService/{rpc}" for rpc in ("ListSessionRecordings", "GetSessionSnapshots"))
_KEY = Statement("select key from recording where id = :id")
_RESTRICT = Statement("update member set processing_restricted = :restricted where id = :id")
START = 1_790_000_000_000


def click(moment: int, **data: Any) -> dict[str, Any]:
    return {"type": 3, "timestamp": moment, "data": {"source": 2, "type": 2, "id": 4, **data}}


class Theatre:
    """A person's browser, and an administrator who watches."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client: Client = world.client
        self.http = httpx.Client(base_url=world.installation.url, timeout=60)
        self.person = world.tokens[world.ada]

    def post(self, path: str, credential: str | None = None, **request: Any) -> httpx.Response:
        headers = {
            "authorization": f"Bearer {credential or self.person}",
            "content-type": "application/json",
            **request.pop("headers", {}),
        }
        return self.http.post(path, headers=headers, **request)

    def begin(self, credential: str | None = None, **fields: str) -> str:
        answer = self.post("/replay/recordings", credential, json=fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["recording"])

    def send(self, token: str, number: int, *events: Any, **request: Any) -> httpx.Response:
        path = f"/replay/recordings/{token}/{number}"
        return self.post(path, content=json.dumps(events).encode(), **request)

    def list(self, credential: str | None = None, **fields: Any) -> Any:
        return self.client(LIST, credential or self.world.key, **fields)

    def newest(self) -> Any:
        return self.list().recordings[0]

    def play(self, recording_id: str) -> Any:
        answer = self.client(GET, self.world.key, recording_id=recording_id)
        return json.loads(answer.snapshot_data)


@pytest.fixture(scope="module")
def theatre(world: World) -> Any:
    theatre = Theatre(world)
    yield theatre
    theatre.http.close()


def test_what_was_recorded_is_listed_and_played_in_order(theatre: Theatre, world: World) -> None:
    campaign = world.create()
    token = theatre.begin(campaign_id=campaign.id)
    before = theatre.list().pagination_meta.total_count
    packed = gzip.compress(json.dumps([click(START, x=1), click(START + 5_000)]).encode())
    path = f"/replay/recordings/{token}/0"
    answer = theatre.post(path, content=packed, headers={"content-encoding": "gzip"})
    assert answer.json() == {"next": 1}
    assert theatre.send(token, 1).json() == {"next": 2}
    assert theatre.send(token, 2, click(START + 90_500, x=3)).json() == {"next": 3}
    listed = theatre.list(campaign_id=campaign.id)
    (recording,) = listed.recordings
    assert listed.pagination_meta.total_count == 1
    assert theatre.list().pagination_meta.total_count == before + 1
    assert recording.duration_seconds == 90
    assert recording.end_time.ToMilliseconds() - recording.start_time.ToMilliseconds() == 90_500
    assert recording.activity_score == pytest.approx(3 / (90.5 / 60), rel=1e-3)
    assert [event["timestamp"] - START for event in theatre.play(recording.id)] == [
        0,
        5_000,
        90_500,
    ]


def test_large_batches_are_taken_one_after_the_other(theatre: Theatre) -> None:
    text = {"type": 3, "id": 4, "textContent": "x" * (2 << 20)}
    page = {"type": 2, "timestamp": START, "data": {"node": text}}
    headers = {"content-encoding": "gzip"}
    content = gzip.compress(json.dumps([page]).encode(), 1)

    def record() -> int:
        path = f"/replay/recordings/{theatre.begin()}/0"
        return int(theatre.post(path, content=content, headers=headers).json()["next"])

    with ThreadPoolExecutor() as threads:
        assert [one.result() for one in [threads.submit(record) for _ in range(4)]] == [1] * 4


def test_half_a_character_is_kept_as_a_sign_of_damage(theatre: Theatre) -> None:
    """As browsers spell it whose page holds one; refused, it would be sent again for ever."""
    token = theatre.begin()
    changed = {"source": 0, "texts": [{"id": 9, "value": "\ud83d! \ud83d\ude00"}]}
    event = {"type": 3, "timestamp": START, "data": changed}
    assert theatre.send(token, 0, event).json() == {"next": 1}
    (played,) = theatre.play(theatre.newest().id)
    assert played["data"]["texts"] == [{"id": 9, "value": "\ufffd! \U0001f600"}]


def test_batches_that_come_side_by_side_are_taken_in_their_order(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a page sends them that is left: it is not there any more to repeat the later one."""
    monkeypatch.setattr(recorder, "PAUSES", (0.02,) * 1_000)
    token = theatre.begin()
    with ThreadPoolExecutor() as threads:
        later = threads.submit(theatre.send, token, 1, click(START + 1))
        with pytest.raises(TimeoutError):
            later.result(0.2)
        assert theatre.send(token, 0, click(START)).json() == {"next": 1}
        assert later.result().json() == {"next": 2}
    moments = [event["timestamp"] - START for event in theatre.play(theatre.newest().id)]
    assert moments == [0, 1]


def test_a_batch_that_comes_again_or_too_early_changes_nothing(theatre: Theatre) -> None:
    token = theatre.begin()
    assert theatre.send(token, 1, click(START)).json() == {"next": 0}
    assert theatre.send(token, 0, click(START)).json() == {"next": 1}
    assert theatre.send(token, 0, click(START + 1)).json() == {"next": 1}
    assert len(theatre.play(theatre.newest().id)) == 1


def test_nobody_and_no_secret_is_anywhere(theatre: Theatre, installation: Installation) -> None:
    secret = secrets.token_hex(12)
    before = installation.system.database.read_now(contents)
    token = theatre.begin()
    node = {
        "type": 2,
        "id": 3,
        "tagName": "input",
        "attributes": {"type": "password", "value": secret},
        "childNodes": [{"type": 3, "id": 4, "textContent": f"{{{{pii}}}}{secret}{{{{/pii}}}}"}],
    }
    page = {"type": 2, "timestamp": START, "data": {"node": node}}
    typed = {"type": 3, "timestamp": START, "data": {"source": 5, "id": 3, "text": secret}}
    theatre.send(token, 0, page, typed)
    theatre.send(token, 1, typed)
    recording_id = theatre.newest().id
    assert secret not in json.dumps(theatre.play(recording_id))
    after = installation.system.database.read_now(contents)
    new = json.dumps([sorted(set(after[name]) - set(before[name])) for name in sorted(after)])
    world = theatre.world
    for told in (secret, token, world.ada, "person0@example.com"):
        assert told not in new
    names = [one.name for one in installation.system.blobs.list()]
    ours = [name for name in names if recording_id in name]
    assert len(ours) == 3
    for name in ours:
        with installation.system.blobs.get(name) as blob:
            content = gzip.decompress(blob.read()).decode()
        assert secret not in content
        assert world.ada not in name + content


def test_a_paragraph_that_becomes_editable_in_a_later_batch_is_masked(theatre: Theatre) -> None:
    token = theatre.begin()
    words = {"type": 3, "id": 4, "textContent": "public"}
    node = {"type": 2, "id": 3, "tagName": "p", "attributes": {}, "childNodes": [words]}

    def change(**data: Any) -> dict[str, Any]:
        return {"type": 3, "timestamp": START, "data": {"source": 0, **data}}

    editable = {"id": 3, "attributes": {"contenteditable": "true"}}
    typed = {"id": 4, "value": "a secret"}
    theatre.send(token, 0, {"type": 2, "timestamp": START, "data": {"node": node}})
    theatre.send(token, 1, change(attributes=[editable]))
    theatre.send(token, 2, change(texts=[typed]))
    page, _, masked = theatre.play(theatre.newest().id)
    assert page["data"]["node"]["childNodes"][0]["textContent"] == "public"
    assert masked["data"]["texts"] == [{"id": 4, "value": "***"}]


class SlowBlobs:
    """The blob store, except that writing one page takes until it is let go."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self.waits, self.go = Event(), Event()

    def put(self, name: str, content: bytes) -> None:
        if "page" in name and not self.waits.is_set():
            self.waits.set()
            assert self.go.wait(60)
        self._blobs.put(name, content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)


def test_a_batch_that_ends_after_the_next_one_does_not_undo_what_that_one_told_of_the_page(
    theatre: Theatre, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was sent again when no answer came. What follows is refused, and not masked too little."""
    token = theatre.begin()
    theatre.send(token, 0, click(START))
    slow = SlowBlobs(installation.system.blobs)
    monkeypatch.setattr(installation.system.recorder, "_blobs", slow)
    node = {"type": 2, "id": 3, "tagName": "textarea", "attributes": {}, "childNodes": []}
    page = {"type": 2, "timestamp": START, "data": {"node": node}}
    with ThreadPoolExecutor() as threads:
        first = threads.submit(theatre.send, token, 1, click(START))
        assert slow.waits.wait(60)
        assert theatre.send(token, 1, click(START)).json() == {"next": 2}
        assert theatre.send(token, 2, page).json() == {"next": 3}
        slow.go.set()
        assert first.result().json() == {"next": 2}
    answer = theatre.send(token, 3, click(START))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert len(theatre.play(theatre.newest().id)) == 3


def test_pages_show_every_recording_once_newest_first(theatre: Theatre) -> None:
    for _ in range(3):
        theatre.send(theatre.begin(), 0, click(START))
    theatre.begin()
    whole = [one.id for one in theatre.list(pagination={"page_size": 100}).recordings]
    paged: list[str] = []
    token = ""
    while True:
        page = theatre.list(pagination={"page_size": 2, "page_token": token})
        paged += [one.id for one in page.recordings]
        assert page.pagination_meta.total_count == len(whole)
        token = page.pagination_meta.next_page_token
        if not token:
            break
    assert paged == whole
    moments = [one.start_time.ToNanoseconds() for one in theatre.list().recordings]
    assert moments == sorted(moments, reverse=True)
    newest = theatre.newest().start_time
    assert theatre.list(date_from=newest, date_to=newest).pagination_meta.total_count == 1


def test_a_switch_and_a_restriction_are_honoured_without_a_word(
    theatre: Theatre, installation: Installation
) -> None:
    world = theatre.world
    database = installation.system.database

    token = theatre.begin()
    assert theatre.send(token, 0, click(START)).json() == {"next": 1}
    running = theatre.newest().id
    settings = "OrganizationService/UpdateOrgPrivacySettings"

    def switch(*, shut: bool) -> None:
        theatre.client(settings, world.key, behavioral_analytics_enabled=not shut)

    def restrict(*, shut: bool) -> None:
        parameters = {"restricted": shut, "id": world.ada}
        database.write_now(lambda unit: unit.execute(_RESTRICT, parameters))

    refusals = []
    for turn in (switch, restrict):
        turn(shut=True)
        assert theatre.begin() == ""
        before = row_counts(installation)
        answer = theatre.send(token, 1, click(START + 1))
        refusals.append((answer.status_code, answer.json()))
        assert row_counts(installation) == before
        assert len(theatre.play(running)) == 1
        turn(shut=False)
        assert theatre.begin()
    assert refusals[0] == refusals[1]
    assert refusals[0][0] == 404
    assert theatre.send(token, 1, click(START + 1)).json() == {"next": 2}


@pytest.mark.parametrize(
    ("path", "request_", "status", "start"),
    [
        ("{token}/x", {}, 400, "number"),
        ("{token}/-1", {}, 400, "number"),
        ("{token}/9999999999", {}, 400, "number"),
        ("{token}/0", {"content": b"{}"}, 400, "the body is not a JSON array"),
        ("{token}/0", {"content": b"["}, 400, "the body is not a JSON array"),
        ("{token}/0", {"content": b"[" * 100_000}, 400, "the body is not a JSON array"),
        ("{token}/0", {"content": b"[1]"}, 400, "events[0]"),
        ("{token}/0", {"content": b'[{"type":3,"timestamp":1}]'}, 400, "events[0]"),
        (
            "{token}/0",
            {"content": b'[{"type":3,"timestamp":NaN,"data":{}}]'},
            400,
            "the body is not a JSON array",
        ),
        ("{token}/0", {"content": b'[{"type":3,"timestamp":-1,"data":{}}]'}, 400, "events[0]"),
        (
            "{token}/0",
            {"content": b'[{"type":3,"timestamp":1,"data":{"source":1,"x":Infinity}}]'},
            400,
            "the body is not a JSON array",
        ),
        (
            "{token}/0",
            {"content": b'[{"type":3,"timestamp":1,"data":{"source":1,"x":1e999}}]'},
            400,
            "the body is not a JSON array",
        ),
        ("{token}/0", {"content": bytes((1 << 20) + 1)}, 400, "the body is larger"),
        (
            "{token}/0",
            {
                "headers": {"content-encoding": "gzip"},
                "content": gzip.compress(b"[" + b"[]," * 400_000 + b"1]"),
            },
            400,
            "events: must have at most 400,000 objects and lists",
        ),
        ("{token}/0", {"headers": {"content-type": "text/plain"}}, 400, "send JSON"),
        ("{token}/0", {"headers": {"content-encoding": "br"}}, 400, "content-encoding"),
        ("{token}/0", {"headers": {"content-encoding": "gzip"}}, 400, "the body is not gzip"),
        (
            "{token}/0",
            {"headers": {"content-encoding": "gzip"}, "content": 2 * gzip.compress(b"[]")},
            400,
            "the body is not one whole gzip member",
        ),
        (
            "{token}/0",
            {"headers": {"content-encoding": "gzip"}, "content": gzip.compress(b"[]")[:-1]},
            400,
            "the body is not one whole gzip member",
        ),
        (
            "{token}/0",
            {"headers": {"content-encoding": "gzip"}, "content": gzip.compress(bytes(9 << 20))},
            400,
            "the body is larger than 8,388,608 bytes",
        ),
        ("unknown/0", {}, 404, "there is no such recording"),
    ],
)
def test_bad_batches_are_refused_and_change_nothing(
    theatre: Theatre,
    installation: Installation,
    path: str,
    request_: dict[str, Any],
    status: int,
    start: str,
) -> None:
    token = theatre.begin()
    before = row_counts(installation)
    values = {"content": b"[]", **request_}
    answer = theatre.post(f"/replay/recordings/{path.format(token=token)}", **values)
    assert answer.status_code == status
    assert answer.json()["message"].startswith(start)
    assert row_counts(installation) == before
    assert theatre.send(token, 0, click(START)).json() == {"next": 1}


def test_who_may(theatre: Theatre, installation: Installation) -> None:
    world = theatre.world
    token = theatre.begin()
    other = installation.found()
    stranger = installation.token(other.admin_id)
    assert theatre.post("/replay/recordings", world.key, json={}).status_code == 403
    assert theatre.post("/replay/recordings", "nonsense", json={}).status_code == 401
    assert theatre.send(token, 0, credential=world.key).status_code == 403
    assert theatre.send(token, 0, credential=stranger).status_code == 404
    theatre.send(token, 0, click(START))
    recording_id = theatre.newest().id
    assert list(theatre.list(other.api_key).recordings) == []
    for credential, code in (
        (other.api_key, grpc.StatusCode.NOT_FOUND),
        (theatre.person, grpc.StatusCode.PERMISSION_DENIED),
    ):
        error = theatre.client.error(GET, credential, recording_id=recording_id)
        assert error.code() is code
    campaign = world.create()
    unknown = str(uuid.uuid4())
    begun = {
        one: theatre.post("/replay/recordings", stranger, json={"campaign_id": one})
        for one in (campaign.id, unknown)
    }
    answers = {answer.text.replace(one, "") for one, answer in begun.items()}
    assert len(answers) == 1
    assert '"not_found"' in answers.pop()


@pytest.mark.parametrize(
    ("rpc", "fields", "path"),
    [
        (LIST, {"campaign_id": "x"}, "campaign_id"),
        (LIST, {"date_from": Timestamp(seconds=9), "date_to": Timestamp()}, "date_to"),
        (LIST, {"date_from": Timestamp(seconds=1 << 60)}, "date_from"),
        (LIST, {"pagination": {"page_token": "x"}}, "pagination.page_token"),
        (GET, {}, "recording_id"),
        (GET, {"recording_id": "x" * 201}, "recording_id"),
    ],
)
def test_bad_fields_are_named(
    theatre: Theatre, rpc: str, fields: dict[str, Any], path: str
) -> None:
    error = theatre.client.error(rpc, theatre.world.key, **fields)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"{path}:")


def test_a_recording_ends_where_a_message_would_be_too_large(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LARGEST_RECORDING", 1_000)
    token = theatre.begin()
    assert theatre.send(token, 0, *(click(START) for _ in range(5))).json() == {"next": 1}
    answer = theatre.send(token, 1, *(click(START) for _ in range(10)))
    assert answer.status_code == 429
    assert theatre.send(token, 1, click(START)).json() == {"next": 2}


def test_an_expired_recording_is_gone_with_its_blobs(
    theatre: Theatre, installation: Installation
) -> None:
    token = theatre.begin()
    theatre.send(token, 0, click(START))
    recording_id = theatre.newest().id
    key = installation.system.database.read_now(
        lambda reader: reader.value(_KEY, {"id": recording_id})
    )
    for _ in range(2):
        installation.system.recorder.expire(key)
    error = theatre.client.error(GET, theatre.world.key, recording_id=recording_id)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert theatre.send(token, 1, click(START)).status_code == 404
    assert not [one for one in installation.system.blobs.list() if recording_id in one.name]

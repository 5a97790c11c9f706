"""The recorder in a real browser, observing pages for a real server."""

import json
import secrets
from typing import Any

import httpx
import pytest
from support.grpc_client import Organization
from support.node import NodeProject
from support.rows import contents
from support.running import Installation
from support.web_build import ROOT, bundle

from pidgr.replay import recorder

SCREEN = "MessageDetail"
OBSERVED = ["observed"]
STOP = ["stop"]


@pytest.fixture(scope="module")
def script() -> str:
    bundle("recorder")
    return str(ROOT / "web" / "recorder" / "dist" / "recorder.js")


class Stage:
    """A person's browser with the recorder in it, and an administrator who watches."""

    def __init__(
        self, node: NodeProject, script: str, server: Installation, organization: Organization
    ) -> None:
        self.node = node
        self.script = script
        self.server = server
        self.person = organization.admin_id
        self.credential = server.token(self.person)
        self.headers = {"authorization": f"Bearer {organization.api_key}"}

    def observe(
        self, html: str, *steps: list[Any], flush: int = 200, **signals: Any
    ) -> list[dict[str, Any]]:
        """Return the requests that left the browser, every ``flush`` milliseconds."""
        seen = self.node.run(
            "recorder/observe",
            **self.node.browser(),
            script=self.script,
            html=html,
            options={
                "server": self.server.url,
                "credential": self.credential,
                "screenName": SCREEN,
                "flushMilliseconds": flush,
                "retryMilliseconds": 50,
            },
            signals=signals,
            steps=steps,
        )
        assert seen["errors"] == []
        sent: list[dict[str, Any]] = seen["sent"]
        return sent

    def call(self, rpc: str, **request: Any) -> Any:
        answer = httpx.post(
            f"{self.server.url}/pidgr.v1.{rpc}", json=request, headers=self.headers, timeout=60
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def recordings(self) -> list[str]:
        listed = self.call("ReplayService/ListSessionRecordings").get("recordings", [])
        return [one["id"] for one in listed]

    def play(self, recording_id: str = "") -> str:
        if not recording_id:
            (recording_id,) = self.recordings()
        answer = self.call("ReplayService/GetSessionSnapshots", recordingId=recording_id)
        return str(answer["snapshotData"])

    def touches(self, kind: str) -> float:
        answer = self.call(
            "HeatmapService/QueryHeatmapData",
            screenName=SCREEN,
            eventTypes=[f"TOUCH_EVENT_TYPE_{kind}"],
        )
        return sum(float(point["value"]) for point in answer.get("dataPoints", []))


@pytest.fixture
def stage(
    node: NodeProject, script: str, server: Installation, organization: Organization
) -> Stage:
    return Stage(node, script, server, organization)


def clicks(snapshot_data: str) -> int:
    """Return how many clicks a recording has."""
    increments = (event["data"] for event in json.loads(snapshot_data) if event["type"] == 3)
    return sum(data["source"] == 2 and data["type"] == 2 for data in increments)


def test_no_secret_of_a_page_leaves_the_browser_and_what_is_kept_plays(stage: Stage) -> None:
    secret = secrets.token_hex(12)
    page = f"""
    <title>Messages</title>
    <h1 id="public">A public heading</h1>
    <p id="split">{{{{pii}}}}<b id="bold">{secret}</b>{{{{/pii}}}}</p>
    <p class="rr-mask" title="{secret}"><span id="masked">{secret}</span></p>
    <div id="message"></div>
    <form>
      <input id="password" type="password" value="{secret}">
      <input type="hidden" name="csrf" value="{secret}">
      <textarea id="area">{secret}</textarea>
      <select><option value="{secret}" selected>{secret}</option></select>
    </form>
    <a href="/inbox?token={secret}">Inbox</a>
    <button data-pidgr-action="read" id="read">I have read it</button>
    <div style="height: 3000px"></div>
    """
    message = f"<p>Dear {{{{pii}}}}<i>{secret}</i>{{{{/pii}}}}, welcome</p><p>Good bye</p>"
    before = stage.server.system.database.read_now(contents)
    sent = stage.observe(
        page,
        OBSERVED,
        ["fill", "#password", secret],
        ["fill", "#area", secret],
        ["text", "#bold", secret],
        ["text", "#masked", secret],
        ["html", "#message", message],
        ["click", "#public"],
        ["press", "#public", 600],
        ["click", "#read"],
        STOP,
    )
    for request in sent:
        assert secret not in request["text"]
        assert stage.credential not in request["text"]
    data = stage.play()
    assert secret not in data
    after = stage.server.system.database.read_now(contents)
    new = [row for name in after for row in set(after[name]) - set(before[name])]
    assert secret not in json.dumps(new)
    assert clicks(data) == 3
    assert (stage.touches("TAP"), stage.touches("LONG_PRESS")) == (1, 1)
    assert stage.touches("ACTION_CLICK") == 1
    played = stage.node.run("replay/play", **stage.node.browser(), events=data)
    assert played["errors"] == []
    for text in ("A public heading", "Dear ***", "***, welcome", "Good bye", "I have read it"):
        assert text in played["text"]


@pytest.mark.parametrize("signals", [{"doNotTrack": "1"}, {"globalPrivacyControl": True}])
def test_a_browser_that_says_no_is_not_even_asked(stage: Stage, signals: dict[str, Any]) -> None:
    assert stage.observe("<p>Hello</p>", ["click", "p"], STOP, **signals) == []


def test_where_the_organization_does_not_want_it_nothing_is_observed(stage: Stage) -> None:
    stage.call("OrganizationService/UpdateOrgPrivacySettings", behavioralAnalyticsEnabled=False)
    sent = stage.observe("<p>Hello</p>", ["requests", 1], ["click", "p"], STOP, ["leave"])
    assert [request["path"] for request in sent] == ["/replay/recordings"]
    assert stage.recordings() == []


def test_it_ends_where_the_organization_changes_its_mind(stage: Stage) -> None:
    switch = f"{stage.server.url}/pidgr.v1.OrganizationService/UpdateOrgPrivacySettings"
    headers = {**stage.headers, "content-type": "application/json"}
    sent = stage.observe(
        "<p>Hello</p>",
        OBSERVED,
        ["requests", 2],
        ["call", switch, headers, json.dumps({"behavioralAnalyticsEnabled": False})],
        ["click", "p"],
        ["ignored"],
        ["click", "p"],
        STOP,
        ["leave"],
    )
    paths = [request["path"] for request in sent if "Heatmap" not in request["path"]]
    assert [path.count("/") for path in paths] == [2, 4, 4, 2]
    assert clicks(stage.play()) == 0
    assert stage.touches("TAP") == 0


def test_while_the_server_is_away_nothing_is_lost_and_nothing_comes_twice(stage: Stage) -> None:
    """It is away before it has anything, and again before it can answer."""
    sent = stage.observe(
        "<p>Hello</p>",
        ["way", "cut"],
        ["requests", 2],
        ["way", "open"],
        OBSERVED,
        ["click", "p"],
        ["way", "cut"],
        ["click", "p"],
        ["requests", 8],
        ["click", "p"],
        ["hide"],
        ["click", "p"],
        ["hide"],
        ["way", "deaf"],
        ["click", "p"],
        ["requests", 20],
        ["way", "open"],
        ["click", "p"],
        STOP,
    )
    assert clicks(stage.play()) == 6
    assert stage.touches("TAP") == 6
    bodies: dict[str, set[str]] = {}
    for request in sent:
        if request["path"].count("/") == 4:
            bodies.setdefault(request["path"], set()).add(request["packed"])
    assert {len(different) for different in bodies.values()} == {1}
    assert "deaf" in {request["mode"] for request in sent}


def test_what_is_full_goes_on_as_another_recording(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LARGEST_RECORDING", 8_000)
    noise, quiet = ["noise", "p", 1_500], ["html", "p", "Hello"]
    kept = ["answered", 2]
    steps = (OBSERVED, kept, noise, quiet, noise, quiet, ["begun", 2], STOP)
    stage.observe("<p>Hello</p>", *steps)
    both = [json.loads(stage.play(one)) for one in stage.recordings()]
    assert len(both) == 2
    for events in both:
        assert [event["type"] for event in events].count(2) == 1


def test_what_was_seen_last_is_sent_when_the_page_is_left(stage: Stage) -> None:
    """With ``keepalive``: the page that sends it is not there any more when it is answered."""
    steps = (OBSERVED, ["click", "p"], ["leave"], ["answered", 3])
    stage.observe("<p>Hello</p>", *steps, flush=3_600_000)
    assert clicks(stage.play()) == 1
    assert stage.touches("TAP") == 1


def test_too_much_for_one_batch_is_divided(stage: Stage) -> None:
    noise = ["noise", "p", 400_000]
    sent = stage.observe("<p>Hello</p>", OBSERVED, *([noise] * 3), ["click", "p"], STOP)
    batches = [request for request in sent if request["path"].count("/") == 4]
    assert len(batches) >= 2
    assert max(request["size"] for request in batches) <= 1024 * 1024
    data = stage.play()
    assert clicks(data) == 1
    assert len(data) > 1_200_000

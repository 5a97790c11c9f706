"""A recording that rrweb makes in Chromium without masking, taken in, and played by rrweb."""

import gzip
import json
import secrets
from typing import Any

import httpx
import pytest
from support.grpc_client import Organization
from support.node import NodeProject
from support.rows import contents
from support.running import Installation


@pytest.fixture(scope="module")
def chromium(node: NodeProject) -> dict[str, str]:
    return node.browser()


def page_of(secret: str) -> str:
    return f"""
    <title>Messages</title>
    <h1 id="public">A public heading</h1>
    <p id="marked">Dear {{{{pii}}}}{secret}{{{{/pii}}}}, please read.</p>
    <p>{{{{pii}}}}<b>{secret}</b>{{{{/pii}}}}</p>
    <p class="rr-mask" title="{secret}"><span id="masked">{secret}</span></p>
    <p data-pii id="data">{secret}</p>
    <form>
      <input id="password" type="password" value="{secret}">
      <input id="text" value="{secret}">
      <input type="hidden" name="csrf" value="{secret}">
      <input type="checkbox" checked data-value="{secret}">
      <textarea id="area">{secret}</textarea>
      <select><option value="{secret}" selected>{secret}</option></select>
    </form>
    <a href="/inbox?token={secret}#{secret}">Inbox</a>
    <div contenteditable id="editable">{secret}</div>
    <script>window.secret = "{secret}"</script>
    <noscript>{secret}</noscript>
    <!-- {secret} -->
    """


def test_none_of_the_secrets_of_a_page_is_kept_and_the_rest_plays(
    node: NodeProject, chromium: dict[str, str], server: Installation, organization: Organization
) -> None:
    secret = secrets.token_hex(12)
    fields = {"#password": secret, "#text": secret, "#area": secret}
    recorded = node.run(
        "replay/record",
        **chromium,
        html=page_of(secret),
        typed={"url": secret, "fields": fields},
        changed={"#masked": secret, "#data": secret, "#editable": secret},
    )["events"]
    assert recorded.count(secret) > 15
    before = server.system.database.read_now(contents)
    headers = {"authorization": f"Bearer {server.token(organization.admin_id)}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as http:
        token = http.post("/replay/recordings", json={}).json()["recording"]
        events = json.loads(recorded)
        # The first batch ends in the middle: what it masks must be known to the second.
        halves = events[: len(events) // 2], events[len(events) // 2 :]
        for number, half in enumerate(halves):
            sent = http.post(
                f"/replay/recordings/{token}/{number}",
                content=gzip.compress(json.dumps(half).encode()),
                headers={"content-type": "application/json", "content-encoding": "gzip"},
            )
            assert sent.json() == {"next": number + 1}
        key = {"authorization": f"Bearer {organization.api_key}"}
        rpc = "/pidgr.v1.ReplayService/"
        listed = http.post(f"{rpc}ListSessionRecordings", json={}, headers=key).json()
        recording_id = listed["recordings"][0]["id"]
        request = {"recordingId": recording_id}
        answer = http.post(f"{rpc}GetSessionSnapshots", json=request, headers=key).json()
    assert secret not in answer["snapshotData"]
    after = server.system.database.read_now(contents)
    new = [row for name in after for row in set(after[name]) - set(before[name])]
    assert secret not in json.dumps(new)
    kept = [blob.name for blob in server.system.blobs.list() if recording_id in blob.name]
    assert len(kept) == 3
    for name in kept:
        with server.system.blobs.get(name) as blob:
            assert secret not in gzip.decompress(blob.read()).decode()
    played: dict[str, Any] = node.run("replay/play", **chromium, events=answer["snapshotData"])
    assert played["errors"] == []
    assert "A public heading" in played["text"]
    assert "Dear ***, please read." in played["text"]
    assert secret not in json.dumps(played)
    assert set(played["values"]) <= {"", "***", "on"}

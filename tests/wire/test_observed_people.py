"""What a person is observed by, touches and recordings, is not told of them by the log either."""

from typing import Any

import httpx
import structlog
from support.story import World

TOUCH = {"screen_name": "Home", "x_pct": 0.5, "y_pct": 0.5, "event_type": 1}


def logged_of(world: World, *observe: Any) -> list[dict[str, Any]]:
    with structlog.testing.capture_logs() as logged:
        for one in observe:
            one()
        world.client("DeviceService/ListDevices", world.tokens[world.ada])
    return [dict(entry) for entry in logged if entry["event"] in {"rpc", "http"}]


def test_the_log_does_not_tell_whose_touches_and_recordings_came_in(world: World) -> None:
    credential = world.tokens[world.ada]
    headers = {"authorization": f"Bearer {credential}"}

    def touch() -> None:
        assert world.client("HeatmapService/IngestTouchEvents", credential, events=[TOUCH])

    def record() -> None:
        url = f"{world.installation.url}/replay/recordings"
        assert httpx.post(url, headers=headers, json={}).json()["recording"]

    touched, recorded, other = logged_of(world, touch, record)
    assert touched["method"] == "HeatmapService/IngestTouchEvents"
    assert recorded["door"] == "replay/recordings"
    # Which shows that the log would tell.
    assert other["actor_id"] == world.ada
    assert world.ada not in f"{touched} {recorded}"

"""Pushes to a gateway of one's own."""

from collections.abc import Iterator

import pytest
from outreach.test_apns import push
from support.http_peer import HttpPeer, Scripted, http_peer

from pidgr.clock import HOUR, SECOND
from pidgr.errors import UnavailableError
from pidgr.outreach.departure import Departure
from pidgr.outreach.http_push import HttpPusher


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with http_peer() as peer:
        yield peer


@pytest.mark.parametrize(
    ("headers", "pause"),
    [({}, 0), ({"retry-after": "30"}, 30 * SECOND), ({"retry-after": "7200"}, HOUR)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_gateway_is_left_alone_as_long_as_it_asks_and_an_hour_at_most(
    peer: HttpPeer, status: int, headers: dict[str, str], pause: int
) -> None:
    peer.answers = [Scripted(status, headers)]
    pusher = HttpPusher(peer.url())
    with pytest.raises(UnavailableError, match=f"answered {status}") as raised:
        pusher.send([push()], "batch", Departure())
    pusher.close()
    assert raised.value.pause == pause

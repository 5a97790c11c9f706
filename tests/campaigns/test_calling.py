import uuid

import pytest

from pidgr.campaigns.calling import idempotency_key, pause
from pidgr.clock import HOUR, MINUTE, SECOND
from pidgr.outreach.webhook import Answer


@pytest.mark.parametrize(("attempt", "planned"), [(1, 30 * SECOND), (2, 5 * MINUTE)])
def test_the_pauses_are_the_promised_ones_and_spread_a_little(attempt: int, planned: int) -> None:
    found = {pause(attempt, Answer(500)) for _ in range(200)}
    assert len(found) > 100
    assert min(found) >= planned
    assert max(found) < planned * 6 // 5


def test_a_receiver_may_ask_for_a_longer_pause_but_not_for_a_shorter_one() -> None:
    assert pause(1, Answer(503, retry_after=HOUR)) == HOUR
    assert pause(2, Answer(503, retry_after=SECOND)) >= 5 * MINUTE


def test_the_idempotency_key_names_the_campaigns_step_and_fits_a_header() -> None:
    campaign = str(uuid.uuid4())
    key = idempotency_key(campaign, "schritt\r\n über")
    assert key == idempotency_key(campaign, "schritt\r\n über")
    assert uuid.UUID(key)
    assert key != idempotency_key(campaign, "other")
    assert key != idempotency_key(str(uuid.uuid4()), "schritt\r\n über")

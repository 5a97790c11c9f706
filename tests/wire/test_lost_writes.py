"""A database that crashed may have lost what it was not asked to keep at once."""

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from support.push_gateway import PushGateway
from support.story import World

from pidgr.campaigns import lanes
from pidgr.storage.transaction import Transaction


class _LostError(Exception):
    """Undoes a transaction that is said to have been committed."""


@pytest.fixture
def lose(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[bool]]:
    """Lose one batch of rows after its commit: that of a number, counted from 0.

    Returns which of the batches written since have been lost.
    """

    def lose(number: int) -> list[bool]:
        database = world.installation.system.database
        write = database.write_now
        lost: list[bool] = []

        def write_now(work: Callable[[Transaction], Any], **options: Any) -> Any:
            if not (isinstance(work, functools.partial) and "_write_batch" in str(work.func)):
                return write(work, **options)
            lost.append(len(lost) == number)
            if not lost[-1]:
                return write(work, **options)

            def undone(transaction: Transaction) -> None:
                raise _LostError(work(transaction))

            with pytest.raises(_LostError) as told:
                write(undone, **options)
            return told.value.args[0]

        monkeypatch.setattr(database, "write_now", write_now)
        return lost

    return lose


def _check(world: World, gateway: PushGateway, campaign_id: str, status: str) -> None:
    phones = {world.ada, world.bob, world.cleo}
    statuses = {**dict.fromkeys(phones, status), world.dan: "NO_DEVICE"}
    assert world.statuses(campaign_id) == statuses
    assert world.deliveries(campaign_id).pagination_meta.total_count == 4
    assert world.get(campaign_id).total_recipients == 4
    pushed = Counter(push["push_token"] for push in gateway.of(campaign_id))
    assert pushed.keys() == {f"token-{user_id}" for user_id in phones}
    # A batch of pushes finds the loss after it was sent.
    assert max(pushed.values()) <= 2


@pytest.mark.parametrize("text", ["Please **read** it.", "Dear {{first_name}}, please read it."])
@pytest.mark.parametrize("number", range(4))
def test_deliveries_that_were_lost_are_written_again(
    world: World,
    gateway: PushGateway,
    lose: Callable[[int], list[bool]],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    number: int,
) -> None:
    for name in ("_ROWS_PER_BATCH", "_SHARED_ROWS_PER_BATCH"):
        monkeypatch.setattr(lanes, name, {"sqlite": 1, "postgresql": 1})
    variables = [world.variable("first_name", source=world.stubs.TEMPLATE_VARIABLE_SOURCE_PROFILE)]
    template = world.template(body=text, variables=variables if "{{" in text else [])
    lost = lose(number)

    campaign = world.start(template_id=template)

    assert sum(lost) == 1
    _check(world, gateway, campaign.id, "SENT")


def test_marks_that_were_lost_are_made_again(
    world: World, gateway: PushGateway, lose: Callable[[int], list[bool]]
) -> None:
    campaign = world.start()
    lost = lose(0)

    world.pass_deadline(campaign.id)
    world.complete(campaign.id)

    assert lost == [True, False]
    assert world.get(campaign.id).missed_count == 3
    _check(world, gateway, campaign.id, "MISSED")

"""Packs batches into blocks and adds them to the sums."""

from collections.abc import Iterator, Mapping

from pidgr.heatmaps import blocks, grids, packing_store
from pidgr.heatmaps.blocks import CAPACITY, Touches
from pidgr.heatmaps.grids import Tally
from pidgr.heatmaps.packing_store import GridPlace
from pidgr.heatmaps.ranges import SPAN_DAYS
from pidgr.storage.transaction import Transaction

Days = Mapping[int, Touches]
"""Touches of one screen and campaign by day."""


def pack_some(transaction: Transaction, organization_key: int, screen_key: int, most: int) -> int:
    """Pack the oldest batches of a screen and return how many there were, at most ``most``."""
    packing_store.lock_screen(transaction, organization_key, screen_key)
    taken = packing_store.take_batches(transaction, organization_key, screen_key, most)
    by_place: dict[tuple[int, int], list[Touches]] = {}
    for batch in taken:
        place = (batch.campaign_key, batch.day)
        by_place.setdefault(place, []).append(blocks.read_batch(batch.events))
    by_campaign: dict[int, dict[int, Touches]] = {}
    for (campaign_key, day), parts in by_place.items():
        by_campaign.setdefault(campaign_key, {})[day] = blocks.together(parts)
    for campaign_key, days in by_campaign.items():
        add(transaction, packing_store.Scope(organization_key, screen_key, campaign_key), days)
    return len(taken)


def add(transaction: Transaction, scope: packing_store.Scope, days: Days) -> None:
    """Add touches to the blocks and to the sums."""
    _add_to_blocks(transaction, scope, days)
    _add_to_grids(transaction, scope, days)


def _add_to_blocks(transaction: Transaction, scope: packing_store.Scope, days: Days) -> None:
    """Fill up the last block of each day, and begin others."""
    opened = packing_store.open_blocks(transaction, scope, list(days), CAPACITY)
    replaced: list[int] = []
    written: list[tuple[int, int, bytes, bytes]] = []
    for day, touches in days.items():
        parts = [touches]
        if day in opened:
            replaced.append(opened[day].key)
            parts.append(blocks.decode(opened[day].places, opened[day].minutes).touches())
        written += [
            (day, len(part), *blocks.encode(part)) for part in blocks.split(blocks.together(parts))
        ]
    packing_store.replace_blocks(transaction, scope, replaced, written)


def _add_to_grids(transaction: Transaction, scope: packing_store.Scope, days: Days) -> None:
    added = counts_of(days)
    starts = {(place.days, place.start_day) for place in added}
    written = {place: grids.encode(tally) for place, tally in added.items()}
    for place, stored in packing_store.grids(transaction, scope, starts):
        if place in added:
            written[place] = grids.encode_sum(stored, added[place])
    packing_store.write_grids(transaction, scope, written)


def counts_of(days: Days) -> dict[GridPlace, Tally]:
    """Return what touches add to the sums."""
    found: dict[GridPlace, Tally] = {}
    for day, touches in days.items():
        for place, tally in _counts(day, touches):
            before = found.get(place)
            found[place] = tally if before is None else before.plus(tally)
    return found


def _counts(day: int, touches: Touches) -> Iterator[tuple[GridPlace, Tally]]:
    """Yield what is to be added to the sums of a day and of its span."""
    types = touches.event_type
    for event_type in range(int(types.min()), int(types.max()) + 1):
        some = touches.where(types == event_type)
        if not len(some):
            continue
        for cell in grids.CELLS:
            tally = grids.count(some, cell)
            yield GridPlace(cell, 1, day, event_type), tally
            start = day // SPAN_DAYS * SPAN_DAYS
            yield GridPlace(cell, SPAN_DAYS, start, event_type), tally

"""What a webhook tells: the campaign's primary deliveries and their totals, as JSON.

::

    {"campaign_id": "...", "campaign_name": "...",
     "deliveries": [{"delivery_id": "...", "user_id": "...", "status": "ACKNOWLEDGED",
                     "sent_at": "2026-01-01T09:00:00Z",
                     "acknowledged_at": "2026-01-01T09:05:00Z"}],
     "summary": {"total": 1, "acknowledged": 1, "missed": 0, "failed": 0}}

``sent_at`` is when the message was put into the inbox; ``acknowledged_at`` is left out before the
acknowledgement, and ``user_id`` is empty once the member's record is gone (SEMANTICS 4.6). The
summary counts the deliveries that were written before it, so the two always agree.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from pidgr.campaigns import webhook_store
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.campaigns.store import CampaignRow
from pidgr.campaigns.webhook_store import ToldDelivery
from pidgr.clock import to_datetime
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader

_PAGE: Final = 2_000


def deliveries(
    database: Database, run_keys: Sequence[int], checkpoint: Callable[[], None]
) -> Iterator[tuple[int, ToldDelivery]]:
    """Return the deliveries of runs with their run's key, a page in memory at a time.

    Raises:
        StoppingError: from ``checkpoint``, which is called before each page.
    """
    for run_key in run_keys:
        after = -1
        while True:
            checkpoint()
            page = database.read_now(partial(_page, run_key, after))
            yield from ((run_key, told) for told in page)
            if len(page) < _PAGE:
                break
            after = page[-1].ordinal


def _page(run_key: int, after: int, reader: Reader) -> list[ToldDelivery]:
    return webhook_store.told_deliveries(reader, run_key, after, _PAGE)


def write(
    campaign: CampaignRow,
    told: Iterable[tuple[int, ToldDelivery]],
    delivery_ids: DeliveryIds,
    put: Callable[[bytes], None],
) -> None:
    """Write the document, delivery by delivery."""
    head = {"campaign_id": campaign.id, "campaign_name": campaign.name}
    put((_json(head)[:-1] + ',"deliveries":[').encode())
    counts: Counter[int] = Counter()
    for run_key, delivery in told:
        separator = "," if counts else ""
        counts[delivery.status] += 1
        entry = _entry(delivery_ids.encode(run_key, delivery.ordinal), delivery)
        put((separator + _json(entry)).encode())
    summary = {
        "total": counts.total(),
        "acknowledged": counts[DeliveryStatus.ACKNOWLEDGED],
        "missed": counts[DeliveryStatus.MISSED],
        "failed": counts[DeliveryStatus.FAILED],
    }
    put(f'],"summary":{_json(summary)}}}'.encode())


def _entry(delivery_id: str, delivery: ToldDelivery) -> dict[str, str]:
    entry = {
        "delivery_id": delivery_id,
        "user_id": delivery.member_id or "",
        "status": DeliveryStatus(delivery.status).name,
        "sent_at": _time(delivery.created_at),
    }
    if delivery.acted_at is not None:
        entry["acknowledged_at"] = _time(delivery.acted_at)
    return entry


def _time(microseconds: int) -> str:
    """Return RFC 3339 in UTC."""
    return to_datetime(microseconds).isoformat().replace("+00:00", "Z")


def _json(value: dict[str, str] | dict[str, int]) -> str:
    return json.dumps(value, separators=(",", ":"))

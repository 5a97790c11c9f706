"""SQL of pushes on their way out: whose are still wanted, and the locks that tell of them.

A process holds a campaign's lock, shared, while pushes of the campaign may start in it. The locks
belong to its session and are free when that ends, however the process does.
"""

import hashlib
from collections.abc import Collection
from typing import Final

from pidgr.contract.v1.common_pb import CampaignStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader

_IS_WANTED: Final = f"status not in ({int(CampaignStatus.CANCELLED)}, {int(CampaignStatus.FAILED)})"
_WANTED: Final = Statement(
    f"select id from campaign where id in (select value from json_each(:ids)) and {_IS_WANTED}",
    postgresql=f"select id from campaign where id = any(:ids) and {_IS_WANTED}",
)
_SHARE: Final = Statement("select 0", postgresql="select pg_advisory_lock_shared(:lock)")
_UNSHARE: Final = Statement("select 0", postgresql="select pg_advisory_unlock_shared(:lock)")
# Given back at the end of the statement.
_IS_FREE: Final = Statement("select 1", postgresql="select pg_try_advisory_xact_lock(:lock)")


def wanted(reader: Reader, campaign_ids: Collection[str]) -> set[str]:
    """Return those of some campaigns that have neither been cancelled nor failed."""
    return {row[0] for row in reader.rows(_WANTED, {"ids": reader.array(list(campaign_ids))})}


def share(session: Reader, campaign_id: str) -> None:
    """Hold a campaign's lock, beside others who do."""
    session.value(_SHARE, _lock(campaign_id))


def unshare(session: Reader, campaign_id: str) -> None:
    """Give a campaign's lock back."""
    session.value(_UNSHARE, _lock(campaign_id))


def is_free(reader: Reader, campaign_id: str) -> bool:
    """Tell whether nobody holds a campaign's lock; outside a transaction."""
    return bool(reader.value(_IS_FREE, _lock(campaign_id)))


def _lock(campaign_id: str) -> dict[str, object]:
    digest = hashlib.sha256(f"pidgr.departure.{campaign_id}".encode()).digest()
    return {"lock": int.from_bytes(digest[:8], "big", signed=True)}

"""InboxService: what a person has received."""

from collections.abc import Sequence
from typing import Final

from pidgr.campaigns.delivery_id import DeliveryIds, DeliveryKey, unknown_delivery
from pidgr.campaigns.store import Counters, Move, count_moves
from pidgr.clock import Clock, to_timestamp
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.contract.v1.inbox_pb import (
    GetMessageRequest,
    GetMessageResponse,
    InboxEntry,
    MarkReadRequest,
    MarkReadResponse,
    SyncRequest,
    SyncResponse,
)
from pidgr.identity.caller import Caller
from pidgr.inbox import store
from pidgr.inbox.messages import inbox_entry
from pidgr.inbox.store import InboxRow
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import require_moment

DEFAULT_LIMIT: Final = 50
MAXIMUM_LIMIT: Final = 200
_RECEIVED: Final = Counters(waiting=-1, delivered=1)
_RECEIPT_DUE: Final = frozenset({DeliveryStatus.PENDING, DeliveryStatus.SENT})


class InboxService:
    """Reads inboxes. The first answer that carries an entry is its delivery receipt."""

    def __init__(self, database: Database, clock: Clock, delivery_ids: DeliveryIds) -> None:
        self._database = database
        self._clock = clock
        self._delivery_ids = delivery_ids

    async def sync(self, request: SyncRequest, caller: Caller) -> SyncResponse:
        """Return the newest entries, or those that changed since a cursor."""
        member_key = caller.member().key
        limit = _limit(request.limit)
        since = require_moment("since", request.since) if request.since is not None else None

        def read(reader: Reader) -> tuple[int, list[InboxRow]]:
            horizon = store.horizon(reader)
            if since is None:
                return horizon, store.newest(reader, member_key, limit)
            return horizon, store.changed_since(reader, member_key, since, limit)

        horizon, rows = await self._database.read(read)
        if not rows:
            return SyncResponse(next_since=request.since)
        await self._confirm_delivery(member_key, rows)
        latest = min(max(row.changed_at for row in rows), horizon - 1)
        return SyncResponse(
            entries=[self._entry(row) for row in rows],
            next_since=to_timestamp(max(latest, since or 0)),
        )

    async def get_message(self, request: GetMessageRequest, caller: Caller) -> GetMessageResponse:
        """Return one entry of the caller's inbox.

        Raises:
            NotFoundError: no such delivery, or somebody else's.
        """
        member_key = caller.member().key
        key = self._delivery_ids.decode("delivery_id", request.delivery_id)
        row = await self._database.read(lambda reader: store.entry(reader, member_key, key))
        if row is None:
            raise unknown_delivery()
        await self._confirm_delivery(member_key, [row])
        return GetMessageResponse(entry=self._entry(row))

    def mark_read(
        self, request: MarkReadRequest, caller: Caller, transaction: Transaction
    ) -> MarkReadResponse:
        """Note that the caller has opened an entry; repeats change nothing.

        Raises:
            NotFoundError: no such delivery, or somebody else's.
        """
        member_key = caller.member().key
        key = self._delivery_ids.decode("delivery_id", request.delivery_id)
        if store.entry(transaction, member_key, key) is None:
            raise unknown_delivery()
        store.mark_read(transaction, member_key, key, self._clock.now())
        return MarkReadResponse(success=True)

    def _entry(self, row: InboxRow) -> InboxEntry:
        entry = inbox_entry(row, self._delivery_ids)
        if row.status in _RECEIPT_DUE:
            entry.status = DeliveryStatus.DELIVERED
        return entry

    async def _confirm_delivery(self, member_key: int, rows: Sequence[InboxRow]) -> None:
        """Move waiting deliveries among the rows to DELIVERED before they are answered."""
        due = [row for row in rows if row.status in _RECEIPT_DUE]
        if due:
            await self._database.write(
                lambda transaction: self._write_receipts(transaction, member_key, due)
            )

    def _write_receipts(
        self, transaction: Transaction, member_key: int, due: Sequence[InboxRow]
    ) -> None:
        """Deliveries first and in one order, counters after them and in one order: no deadlocks."""
        now = self._clock.now()
        received: list[Move] = []
        for row in sorted(due, key=_delivery_key):
            key = _delivery_key(row)
            campaign_key = store.mark_delivered(transaction, member_key, key, now)
            if campaign_key is not None:
                is_primary = row.kind == store.PRIMARY
                received.append(Move(campaign_key, is_primary, key.ordinal, _RECEIVED))
        count_moves(transaction, received)


def _delivery_key(row: InboxRow) -> DeliveryKey:
    return DeliveryKey(row.step_run_key, row.ordinal)


def _limit(limit: int) -> int:
    """Return how many entries to read: 50 for 0, otherwise what is nearest within 1 and 200."""
    return min(max(limit, 1), MAXIMUM_LIMIT) if limit else DEFAULT_LIMIT

"""Tasks that pack what came in, and delete what is too old.

A task packs an organization's batches some minutes after the first of them came in; nothing runs
where nothing comes in. Packing plans tomorrow's deletion, and a deletion the next one, as long as
there is anything that will be too old one day.
"""

from functools import partial
from typing import Final

import structlog

from pidgr.clock import DAY, MINUTE, Clock
from pidgr.engine.port import Engine, Queue, Task
from pidgr.heatmaps import ingest_store, packing_store, upkeep_store
from pidgr.heatmaps.retention import first_day
from pidgr.heatmaps.touches import minute_of
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

PACK: Final = "heatmaps.pack"
EXPIRE: Final = "heatmaps.expire"
_PACK_DELAY: Final = 5 * MINUTE
# A task that should have come by then never will.
_PACK_LOST_AFTER: Final = 60 * MINUTE
# Of one transaction: on SQLite requests wait for it. At most 20,000 touches, some 50 ms.
_BATCHES_AT_ONCE: Final = 200
_ROWS_AT_ONCE: Final = 200

log = structlog.get_logger("pidgr.heatmaps")


class Upkeep:
    """Plans and does the packing and the deletion."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        clock: Clock,
        retention_days: int,
        *,
        batches_at_once: int = _BATCHES_AT_ONCE,
        rows_at_once: int = _ROWS_AT_ONCE,
    ) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock
        self._retention_days = retention_days
        self._batches_at_once = batches_at_once
        self._rows_at_once = rows_at_once

    def register(self) -> None:
        """Give the engine its handlers."""
        self._engine.register(PACK, self.pack, self._packing_failed)
        self._engine.register(EXPIRE, self.expire)

    def first_day(self, expired_before: int) -> int:
        """Return the first day whose touches count, counted from 1970."""
        return first_day(self._clock.now(), self._retention_days, expired_before)

    def plan_packing(
        self, transaction: Transaction, organization_key: int, waiting_until: int | None
    ) -> None:
        """Have what came in packed soon, unless a task is waiting to."""
        now = self._clock.now()
        if waiting_until is not None and now < waiting_until + _PACK_LOST_AFTER:
            return
        due = now + _PACK_DELAY
        ingest_store.set_packing_due(transaction, organization_key, due)
        key = f"pack-touches/{organization_key}/{due}"
        self._engine.enqueue(
            transaction, Task(PACK, key, (organization_key,), Queue.LANES, _PACK_DELAY)
        )

    def pack(self, organization_key: int) -> None:
        """Pack everything that has come in; harmless to repeat, also after half the work."""
        # Not before it is needed: numpy takes 16 MB, and not every installation has heatmaps.
        from pidgr.heatmaps import packing  # noqa: PLC0415

        # First: what comes in from now on plans a task of its own.
        if not self._database.write_now(
            lambda transaction: self._begin_packing(transaction, organization_key)
        ):
            return
        while True:
            screen_key = self._database.read_now(
                lambda reader: packing_store.next_screen(reader, organization_key)
            )
            if screen_key is None:
                return
            packed = self._batches_at_once
            while packed == self._batches_at_once:
                self._engine.checkpoint()
                packed = self._database.write_now(
                    partial(
                        packing.pack_some,
                        organization_key=organization_key,
                        screen_key=screen_key,
                        most=self._batches_at_once,
                    )
                )

    def _begin_packing(self, transaction: Transaction, organization_key: int) -> bool:
        if upkeep_store.organization_id(transaction, organization_key) is None:
            return False
        ingest_store.set_packing_due(transaction, organization_key, None)
        self._plan_expiry(transaction, organization_key)
        return True

    def _packing_failed(self, task: Task, error: Exception) -> None:
        del error
        (organization_key,) = task.arguments

        def forget(transaction: Transaction) -> None:
            if upkeep_store.organization_id(transaction, int(organization_key)) is not None:
                ingest_store.set_packing_due(transaction, int(organization_key), None)

        self._database.write_now(forget)

    def _plan_expiry(self, transaction: Transaction, organization_key: int) -> None:
        tomorrow = minute_of(self._clock.now())[0] + 1
        key = f"expire-touches/{organization_key}/{tomorrow}"
        self._engine.enqueue(transaction, Task(EXPIRE, key, (organization_key,), Queue.LANES, DAY))

    def expire(self, organization_key: int) -> None:
        """Delete what is too old, in batches; harmless to repeat."""

        def begin(transaction: Transaction) -> tuple[str | None, int]:
            organization_id = upkeep_store.organization_id(transaction, organization_key)
            day = self.first_day(upkeep_store.expired_before(transaction, organization_key))
            if organization_id is not None:
                upkeep_store.expire(transaction, organization_key, day)
            return organization_id, day

        organization_id, day = self._database.write_now(begin)
        if organization_id is None:
            return
        deleted, rows = 0, 1
        while rows:
            self._engine.checkpoint()
            rows = self._database.write_now(
                partial(
                    upkeep_store.delete_some,
                    organization_key=organization_key,
                    day=day,
                    most=self._rows_at_once,
                )
            )
            deleted += rows

        def end(transaction: Transaction) -> None:
            if upkeep_store.any_left(transaction, organization_key):
                self._plan_expiry(transaction, organization_key)

        self._database.write_now(end)
        log.info("old touches were deleted", organization_id=organization_id, rows=deleted)

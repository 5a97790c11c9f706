"""When deliveries get another partition, on PostgreSQL.

Writing a delivery costs the more the larger the index of inboxes is that it goes into, and reading
an inbox costs the more the more partitions there are (docs/decisions/0033-partitions.md).
"""

from functools import partial
from typing import Final

import structlog

from pidgr.campaigns import partition_store
from pidgr.campaigns.partition_store import Newest
from pidgr.engine.port import Engine, Queue, Task
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

_TASK: Final = "deliveries.cut"
# Of 4 million deliveries.
_SMALLEST: Final = 512 << 20
_LARGEST_SHARE: Final = 8

log = structlog.get_logger("pidgr.campaigns")


def is_full(newest: Newest, smallest: int = _SMALLEST) -> bool:
    """Tell whether the newest partition is to be the newest no longer.

    That is when it is large both by itself (bytes) and beside the others, so that there are few,
    or when many more step runs would not find a key in it.
    """
    return newest.has_half_its_keys or newest.size >= max(
        smallest, newest.size_of_all // _LARGEST_SHARE
    )


class Partitions:
    """Cuts partitions."""

    def __init__(self, database: Database, engine: Engine, *, smallest: int = _SMALLEST) -> None:
        """``smallest`` is how large a partition becomes at least, in bytes."""
        self._database = database
        self._engine = engine
        self._smallest = smallest

    def register(self) -> None:
        """Give the engine its handler."""
        self._engine.register(_TASK, self.cut)

    def watch(self, transaction: Transaction) -> None:
        """Plan a cut if it is time for one: for whoever is about to have deliveries written."""
        if transaction.dialect == "sqlite":
            return
        newest = partition_store.newest(transaction)
        if is_full(newest, self._smallest):
            number = newest.number + 1
            self._engine.enqueue(
                transaction, Task(_TASK, f"cut-deliveries/{number}", (number,), Queue.STEPS)
            )

    def cut(self, number: int) -> None:
        """Let new deliveries go to the partition of a number; harmless to repeat, or at once.

        Runs that have begun go on in the partition that they have begun in.
        """
        self._database.write_now(partial(partition_store.add, number=number))
        if self._database.write_now(partial(partition_store.begin, number=number)):
            log.info("new deliveries go to another partition", number=number)

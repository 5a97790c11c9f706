"""Two units of work of which one begins while the other has not committed."""

import threading
from collections.abc import Callable

from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction
from support.waiting import until


def waits_for_a_lock(database: Database) -> bool:
    """Tell whether another transaction waits; on SQLite it always does, for the only writer."""
    if database.dialect == "sqlite":
        return True
    waiting = Statement("select count(*) from pg_locks where not granted")
    return bool(database.read_now(lambda reader: reader.value(waiting)))


def overlap(database: Database, first: Callable[[Transaction], object], second: object) -> None:
    """Run ``second`` in another thread while ``first`` has done its work and not committed."""
    assert callable(second)
    thread = threading.Thread(target=second)

    def work(transaction: Transaction) -> None:
        first(transaction)
        thread.start()
        until(lambda: not thread.is_alive() or waits_for_a_lock(database))

    database.write_now(work)
    thread.join(timeout=30)
    assert not thread.is_alive()

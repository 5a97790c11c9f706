"""How PostgreSQL finds a delivery in several partitions."""

from collections.abc import Iterator
from functools import partial

import pytest

from pidgr.campaigns import partition_store
from pidgr.campaigns.delivery_id import DeliveryKey
from pidgr.inbox import store
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

PARTITIONS = 8
MEMBERS = 10
RUNS = 200
# A plan is kept from the sixth time on, and the driver prepares a statement at its second one.
OFTEN = 10
_FILL = Statement("""
    insert into delivery (step_run_key, ordinal, organization_key, member_key, kind, status, locale,
                          created_at, changed_at)
    select (p.number::bigint << 32) + r.number, m.number, 1, m.number, 1, 1, 0, 1, 1
    from generate_series(0, :partitions - 1) p (number),
         generate_series(1, :runs) r (number), generate_series(1, :members) m (number)
""")
_ANALYZE = Statement("analyze delivery")
_PREPARED = Statement("""
    select statement, generic_plans from pg_prepared_statements where statement ~ 'step_run_key'
""")


@pytest.fixture
def database(migrated_postgres_url: str) -> Iterator[Database]:
    """Inboxes with as many entries in each of the partitions."""
    opened = Database(migrated_postgres_url)
    for number in range(1, PARTITIONS):
        opened.write_now(partial(partition_store.add, number=number))
    parameters = {"partitions": PARTITIONS, "runs": RUNS, "members": MEMBERS}
    opened.write_now(lambda transaction: transaction.execute(_FILL, parameters))
    opened.write_now(lambda transaction: transaction.execute(_ANALYZE))
    yield opened
    opened.close()


def test_a_statement_about_one_delivery_keeps_its_plan(database: Database) -> None:
    """Planning anew for the partition of each delivery would take longer than all the rest."""

    def act(transaction: Transaction) -> dict[str, int]:
        for run in range(1, OFTEN + 1):
            key = DeliveryKey(run, 7)
            store.entry(transaction, 7, key)
            store.lock_delivery(transaction, 1, key)
            store.mark_read(transaction, 7, key, 5)
            store.mark_delivered(transaction, 7, key, 5)
            store.acknowledge(transaction, key, 5)
        return dict(transaction.rows(_PREPARED))

    kept = database.write_now(act)
    assert len(kept) == 5
    assert [text for text, plans in kept.items() if not plans] == []

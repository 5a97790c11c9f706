from pidgr.engine import rows, schema
from pidgr.engine.port import Queue
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement

_ANYTHING = {"executor": "x", "before": 0, "rows": 1, "now": 0, "key": "x", "keys": "[]"}


def plan(sqlite_url: str, statement: Statement) -> str:
    database = Database(sqlite_url)
    schema.migrate(database)
    explained = Statement(f"explain query plan {statement.sqlite}")
    found = database.read_now(lambda reader: reader.rows(explained, _ANYTHING))
    database.close()
    return "\n".join(row[-1] for row in found)


def test_looking_for_queued_tasks_reads_only_queued_tasks(sqlite_url: str) -> None:
    steps = plan(sqlite_url, rows._QUEUED).splitlines()
    searches = [step for step in steps if "workflow_status" in step]
    assert len(searches) == len(Queue)
    assert all("idx_workflow_status_in_flight" in search for search in searches)


def test_looking_for_running_tasks_reads_only_running_tasks(sqlite_url: str) -> None:
    for statement in (rows._EXECUTORS, rows._CLAIMED, rows._REVIVE_ALL):
        assert "USING INDEX idx_workflow_status_pending" in plan(sqlite_url, statement)


def test_migrating_again_changes_nothing(database: Database) -> None:
    schema.migrate(database)
    schema.migrate(database)
    schema.verify(database)

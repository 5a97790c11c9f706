import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.marks import CREATE_MARKS, mark
from pidgr.engine import schema
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.storage.database import Database

MakeEngine = Callable[..., DbosEngine]


@pytest.fixture
def prepared(database: Database) -> Database:
    schema.migrate(database)
    database.write_now(lambda transaction: transaction.execute(CREATE_MARKS))
    return database


@pytest.fixture
def make_engine(prepared: Database) -> Iterator[MakeEngine]:
    """Makes engines, and stops them in the end. Retries come quickly."""
    made: list[DbosEngine] = []

    def make(database: Database = prepared, **settings: Any) -> DbosEngine:
        settings = {"run_handlers": True, "retry_delays": (1_000, 1_000), **settings}
        engine = DbosEngine(database, **settings)
        made.append(engine)
        return engine

    yield make
    for engine in reversed(made):
        engine.stop()


@pytest.fixture
def engine(prepared: Database, make_engine: MakeEngine) -> DbosEngine:
    """An engine whose handler "mark" counts its calls."""
    engine = make_engine()
    engine.register("mark", lambda name: mark(prepared, name))
    return engine


@pytest.fixture(autouse=True)
def no_threads_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    # Database threads end with the database, after this.
    left = {thread for thread in threading.enumerate() if "pidgr-engine" in thread.name} - before
    assert not left

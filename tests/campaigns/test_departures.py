"""Batches on their way, and cancels that wait for them. Two objects stand for two processes."""

import asyncio
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from structlog.testing import capture_logs
from support.waiting import until

from pidgr.campaigns.departures import Departures
from pidgr.storage.database import Database

# No row has it, so it is not wanted, as if it had been cancelled a moment ago.
CAMPAIGN = "11111111-1111-4111-8111-111111111111"
# One process serves SQLite.
on_postgresql = pytest.mark.parametrize("migrated_database", ["postgresql"], indirect=True)


@pytest.fixture
def departures(migrated_database: Database) -> Iterator[Departures]:
    made = Departures(migrated_database)
    yield made
    made.close()


@pytest.fixture
def elsewhere(migrated_database: Database) -> Iterator[Departures]:
    """Another process's."""
    database = Database(migrated_database.url.render_as_string(hide_password=False))
    made = Departures(database)
    yield made
    made.close()
    database.close()


def stop(departures: Departures) -> list[str]:
    """Stop the campaign and return what is logged."""
    with capture_logs() as logs:
        asyncio.run(departures.stop(CAMPAIGN))
    return [str(entry["event"]) for entry in logs]


def test_a_stop_closes_the_batches_of_its_campaign_and_no_other(departures: Departures) -> None:
    with departures.of(CAMPAIGN) as mine:
        mine.begin()
        mine.end()
        assert stop(departures) == []
        assert mine.is_stopped
        assert mine.is_quiet
    assert stop(departures) == []


def test_a_stop_waits_for_a_push_that_is_about_to_leave(departures: Departures) -> None:
    with departures.of(CAMPAIGN) as mine:
        mine.begin()
        stopping = threading.Thread(target=stop, args=(departures,))
        stopping.start()
        until(lambda: mine.is_stopped)
        stopping.join(0.05)
        assert stopping.is_alive()
        mine.end()
        stopping.join()


def test_a_batch_that_nobody_wants_is_stopped_without_being_told(departures: Departures) -> None:
    with departures.of(CAMPAIGN) as mine:
        until(lambda: mine.is_stopped)


@on_postgresql
def test_a_stop_waits_for_another_process_to_notice(
    departures: Departures, elsewhere: Departures
) -> None:
    with elsewhere.of(CAMPAIGN) as theirs:
        assert stop(departures) == []
        assert theirs.is_quiet


@on_postgresql
def test_a_stop_waits_no_longer_than_the_other_process_may_push_unasked(
    departures: Departures, elsewhere: Departures
) -> None:
    with elsewhere.of(CAMPAIGN) as theirs:
        theirs.begin()
        began = time.monotonic()
        assert stop(departures) == ["not everybody has said that they push no more"]
        assert time.monotonic() - began >= 3
        theirs.end()
    assert stop(departures) == []


@on_postgresql
def test_whoever_loses_its_session_starts_nothing_more(
    departures: Departures, migrated_database: Database
) -> None:
    url = migrated_database.url.set(drivername="postgresql")
    with departures.of(CAMPAIGN) as mine:
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as admin:
            admin.execute("""
                select pg_terminate_backend(l.pid) from pg_locks l
                where l.locktype = 'advisory' and l.database =
                  (select oid from pg_database where datname = current_database())
            """)
        until(lambda: mine.is_quiet)
        assert not mine.is_stopped
    with departures.of(CAMPAIGN) as again:
        again.begin()
        again.end()

"""Pushes on their way out of this process, and how a cancel makes sure that no more of them start.

Whoever sends a batch says so first and looks then whether its campaign still runs; a cancel commits
first and looks then who is on the way. So one of them sees the other. In this process a cancel
closes the batches itself. On PostgreSQL those of other processes hold their campaign's lock until
they have noticed, which they do by asking, and cancels wait for it.

What cannot be asked, because a process or its network stands still, is outlived: pushes start only
for a while after the last answer, and a cancel waits for longer than that.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import psycopg
import sqlalchemy
import structlog

from pidgr.campaigns import departure_store
from pidgr.errors import UnavailableError
from pidgr.outreach.departure import Departure
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader

# How often it is asked whether batches on their way are still wanted.
_LOOK_SECONDS: Final = 0.1
# How long pushes start without a new answer; less than a cancel waits.
_GOOD_SECONDS: Final = 2.0
_LONGEST_WAIT_SECONDS: Final = 3.0
_PAUSE_SECONDS: Final = 0.005

log = structlog.get_logger("pidgr.push")


class _Session:
    """The session that holds this process's locks; PostgreSQL only. Threads may share it."""

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self._connection = connection
        self.reader: Final = Reader(connection.connection.driver_connection, "postgresql")

    def close(self) -> None:
        """End it, and with it the locks."""
        self._connection.invalidate()
        self._connection.close()


@dataclass(eq=False, slots=True)
class _Batch:
    """A batch on its way; its campaign's lock is held by ``session`` before it departs."""

    campaign_id: str
    departure: Departure = field(default_factory=Departure)
    session: _Session | None = None


class Departures:
    """The batches of pushes that are on their way out of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._has_locks = database.dialect == "postgresql"
        # Guards what follows, and is never held while the database is asked.
        self._changed = threading.Condition(threading.Lock())
        self._batches: set[_Batch] = set()
        # By campaign, who holds its lock. It is kept for the batch that follows, so that a lane
        # need not ask for it and give it back again each time.
        self._locks: dict[str, _Session] = {}
        self._session: _Session | None = None
        self._watch: threading.Thread | None = None
        self._is_closing = False

    @contextmanager
    def of(self, campaign_id: str) -> Iterator[Departure]:
        """Let a batch of a campaign's pushes depart within a block.

        Only in it may be looked whether the campaign still runs.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        batch = _Batch(campaign_id)
        self._add(batch)
        try:
            if self._has_locks:
                self._share(batch)
            yield batch.departure
        finally:
            batch.departure.close()
            with self._changed:
                self._batches.discard(batch)

    async def stop(self, campaign_id: str) -> None:
        """Return when no push of a campaign that has been stopped can start any more.

        Whatever happens, it returns after three seconds. By then whoever could not be told has
        given up by itself; only a request that its receiver has not read for as long may still
        be leaving.
        """
        with self._changed:
            own = [batch for batch in self._batches if batch.campaign_id == campaign_id]
        for batch in own:
            batch.departure.stop()
        deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
        while not await self._database.read(
            lambda reader: self._is_quiet(reader, campaign_id, own)
        ):
            if time.monotonic() > deadline:
                log.warning("not everybody has said that they push no more", campaign=campaign_id)
                return
            await asyncio.sleep(_PAUSE_SECONDS)

    def interrupt(self) -> None:
        """Let no push start of the batches on their way, so that what has left can be recorded."""
        with self._changed:
            batches = list(self._batches)
        for batch in batches:
            batch.departure.close()

    def close(self) -> None:
        """End the thread and the session."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
            watch, session = self._watch, self._session
            self._session = None
        if watch is not None:
            watch.join()
        if session is not None:
            session.close()

    def _is_quiet(self, reader: Reader, campaign_id: str, own: list[_Batch]) -> bool:
        if not all(batch.departure.is_quiet for batch in own):
            return False
        self._give_back(campaign_id)
        return departure_store.is_free(reader, campaign_id)

    def _add(self, batch: _Batch) -> None:
        with self._changed:
            self._batches.add(batch)
            if self._watch is None or not self._watch.is_alive():
                self._watch = threading.Thread(
                    target=self._keep_looking, name="pidgr-departures", daemon=True
                )
                self._watch.start()
            self._changed.notify_all()

    def _share(self, batch: _Batch) -> None:
        moment = time.monotonic()
        session = self._session or self._open()
        with self._changed:
            is_held = self._locks.get(batch.campaign_id) is session
        if not is_held:
            self._take(batch.campaign_id, session)
        batch.departure.good_until(moment + _GOOD_SECONDS)
        batch.session = session

    def _open(self) -> _Session:
        """Open the session, unless somebody has meanwhile."""
        opened = _Session(self._database.session())
        with self._changed:
            session = self._session = self._session or opened
        if session is not opened:
            opened.close()
        return session

    def _take(self, campaign_id: str, session: _Session) -> None:
        """Hold a campaign's lock. Whoever comes second gives it back once, as locks are counted."""
        try:
            departure_store.share(session.reader, campaign_id)
            with self._changed:
                is_second = self._locks.get(campaign_id) is session
                if self._session is session:
                    self._locks[campaign_id] = session
            if is_second:
                departure_store.unshare(session.reader, campaign_id)
        except psycopg.OperationalError as error:
            self._lose(session)
            raise UnavailableError("the database cannot be reached; try again shortly") from error

    def _give_back(self, campaign_id: str) -> None:
        """Give a campaign's lock back, unless a push of it may still start here."""
        with self._changed:
            own = [batch for batch in self._batches if batch.campaign_id == campaign_id]
            if not all(batch.departure.is_quiet for batch in own):
                return
            session = self._locks.pop(campaign_id, None)
        if session is None:
            return
        try:
            departure_store.unshare(session.reader, campaign_id)
        except psycopg.OperationalError:
            self._lose(session)

    def _lose(self, session: _Session) -> None:
        """Interrupt all batches: the locks that told of them are gone."""
        with self._changed:
            if self._session is not session:
                return
            self._session = None
            self._locks.clear()
            for batch in self._batches:
                batch.departure.close()
        session.close()

    def _keep_looking(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._batches or self._locks or self._is_closing)
                if self._changed.wait_for(lambda: self._is_closing, _LOOK_SECONDS):
                    return
                batches, session = list(self._batches), self._session
                locked = list(self._locks)
            if self._has_locks:
                # What has no lock yet has not looked yet itself.
                batches = [one for one in batches if one.session and one.session is session]
            if batches:
                self._look(batches, session)
            for campaign_id in locked:
                self._give_back(campaign_id)

    def _look(self, batches: list[_Batch], session: _Session | None) -> None:
        """Stop what is not wanted any more, and let the rest go on."""
        moment = time.monotonic()
        campaign_ids = {batch.campaign_id for batch in batches}
        try:
            if session is None:
                wanted = self._database.read_now(
                    lambda reader: departure_store.wanted(reader, campaign_ids)
                )
            else:
                wanted = departure_store.wanted(session.reader, campaign_ids)
        except psycopg.OperationalError:
            assert session is not None  # noqa: S101 - there is no other driver of this error
            self._lose(session)
            return
        for batch in batches:
            if batch.campaign_id not in wanted:
                batch.departure.stop()
            elif session is not None:
                batch.departure.good_until(moment + _GOOD_SECONDS)

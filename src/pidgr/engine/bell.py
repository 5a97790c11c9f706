"""Rings for the processes that execute when another one has added a task: PostgreSQL's NOTIFY.

Without it the task waits until they look: a twentieth of a second on average.
"""

import threading
from typing import Final

import psycopg
import sqlalchemy
import structlog

from pidgr.errors import UnavailableError
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

_log = structlog.get_logger("pidgr.engine")

_CHANNEL: Final = "pidgr_tasks"
_RING: Final = Statement("select 0", postgresql=f"select pg_notify('{_CHANNEL}', '')")


def ring(transaction: Transaction) -> None:
    """Wake those who wait at a bell, once the transaction commits; on SQLite nobody needs it."""
    if transaction.dialect == "postgresql":
        transaction.value(_RING)


class Bell:
    """Waits for a ring, on a session of its own."""

    def __init__(self, database: Database, stopping: threading.Event) -> None:
        self._database = database
        self._stopping = stopping
        self._session: sqlalchemy.Connection | None = None

    def wait(self, seconds: float) -> None:
        """Return when it rings, or after so long; also when the database cannot be reached."""
        if self._database.dialect == "sqlite":
            self._stopping.wait(seconds)
            return
        try:
            for _ in self._listening().notifies(timeout=seconds, stop_after=1):
                pass
        except (psycopg.Error, UnavailableError) as error:
            _log.debug("nobody can ring", error=type(error).__name__)
            self.close()
            self._stopping.wait(seconds)

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.invalidate()
            self._session.close()
            self._session = None

    def _listening(self) -> psycopg.Connection:
        if self._session is not None:
            return self._driver(self._session)
        self._session = self._database.session()
        driver = self._driver(self._session)
        driver.execute(f"listen {_CHANNEL}")
        return driver

    @staticmethod
    def _driver(session: sqlalchemy.Connection) -> psycopg.Connection:
        # Asked directly, so that errors are the driver's, whichever call meets them.
        driver = session.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 - PostgreSQL's
        return driver

"""When API keys were last used, without a write per request."""

import asyncio
from typing import Final

import structlog

from pidgr.clock import MINUTE, Clock
from pidgr.errors import PidgrError
from pidgr.identity import api_key_store
from pidgr.storage.database import Database

# What ListApiKeys shows may lag this much behind; a busy key costs one write in that time.
_RESOLUTION: Final = MINUTE

log = structlog.get_logger(__name__)


class LastUse:
    """Writes a key's last use in the background, at most once a minute."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._writing: dict[str, asyncio.Task[None]] = {}

    def note(self, key_id: str, last_used_at: int | None) -> None:
        """Note a use; ``last_used_at`` is what the database says of the key now."""
        now = self._clock.now()
        if last_used_at is not None and now - last_used_at < _RESOLUTION:
            return
        if key_id not in self._writing:
            task = asyncio.create_task(self._write(key_id, now))
            self._writing[key_id] = task
            task.add_done_callback(lambda _: self._writing.pop(key_id))

    async def _write(self, key_id: str, now: int) -> None:
        try:
            await self._database.write(
                lambda transaction: api_key_store.touch_api_key(transaction, key_id, now)
            )
        except PidgrError as error:
            # The next use tries again.
            log.warning("last use of an API key not noted", key_id=key_id, error=str(error))

"""Keeps pictures of screens: the rows in the database, the pixels in the blob store.

A picture is in the blob store before its row is written, and the one it replaces is deleted by a
task after that, so a row always has its picture. A picture whose row was never written, because the
server died in between, is found by nobody; the same task looks for it an hour later.
"""

import asyncio
import uuid
from functools import partial
from typing import Final

from pidgr.clock import HOUR, Clock
from pidgr.engine.port import Engine, Queue, Task
from pidgr.errors import ResourceExhaustedError
from pidgr.heatmaps import screenshot_store
from pidgr.heatmaps.pictures import clean_png
from pidgr.heatmaps.screenshot_store import Screenshot
from pidgr.identity.caller import Caller
from pidgr.storage.blobs import BlobStore
from pidgr.storage.blobs.links import LINK_LIFE, BlobLinks
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction

MOST_PICTURES: Final = 2_000
"""Of one organization: a program gone wrong would make up names without end."""

_TASK: Final = "heatmaps.delete_unused_picture"
_UNSTORED_AFTER: Final = HOUR


class Screenshots:
    """Puts and finds pictures."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        blobs: BlobStore,
        links: BlobLinks,
        clock: Clock,
    ) -> None:
        self._database = database
        self._engine = engine
        self._blobs = blobs
        self._links = links
        self._clock = clock
        # A picture of few bytes may have so many pixels that it takes 170 MB and some seconds.
        self._one_at_a_time = asyncio.Lock()

    def register(self) -> None:
        """Give the engine its handler."""
        self._engine.register(_TASK, self.delete_unused)

    async def upload(self, caller: Caller, content: bytes) -> str:
        """Put a picture into the blob store and return its name there.

        Raises:
            InvalidArgumentError: not a PNG of a fair size.
            UnavailableError: the blob store cannot be reached.
        """
        async with self._one_at_a_time:
            clean = await asyncio.to_thread(clean_png, "image_data", content)
        name = f"{caller.organization_id}/screenshots/{uuid.uuid4()}.png"
        await self._database.write(lambda unit: self._delete_later(unit, name, _UNSTORED_AFTER))
        await asyncio.to_thread(self._blobs.put, name, clean)
        return name

    def store(self, unit: Transaction, organization_key: int, picture: Screenshot) -> str:
        """Make an uploaded picture the one of its screen and version; return where it is.

        Raises:
            ResourceExhaustedError: the organization has as many as there may be.
        """
        before = screenshot_store.screenshot(
            unit, organization_key, picture.screen_name, picture.app_version
        )
        if before is not None:
            self._delete_later(unit, before.blob_name, 0)
        elif screenshot_store.count(unit, organization_key) >= MOST_PICTURES:
            message = f"an organization has at most {MOST_PICTURES:,} pictures of screens"
            raise ResourceExhaustedError(message)
        screenshot_store.put(unit, organization_key, picture, self._clock.now())
        return self.url(picture)

    def newest_url(self, reader: Reader, organization_key: int, screen_name: str) -> str:
        """Return where the latest picture of a screen is, empty if there is none."""
        found = screenshot_store.newest(reader, organization_key, screen_name)
        return self.url(found) if found is not None else ""

    def url(self, picture: Screenshot) -> str:
        """Return a link to a picture that ends."""
        return self._links.write(picture.blob_name, LINK_LIFE)

    def delete_unused(self, name: str) -> None:
        """Delete a picture unless it is some screen's; harmless to repeat."""
        if not self._database.read_now(partial(screenshot_store.is_used, blob_name=name)):
            self._blobs.delete(name)

    def _delete_later(self, unit: Transaction, name: str, delay: int) -> None:
        # Two keys: the look an hour after the upload must not stand for that at its replacement.
        key = f"delete-picture/{name}/{'uploaded' if delay else 'replaced'}"
        self._engine.enqueue(unit, Task(_TASK, key, (name,), Queue.LANES, delay))

"""The archive of what the recorder takes in: rows in the database, events in the blob store."""

import asyncio
import gzip
from typing import Final

from pidgr.clock import MILLISECOND
from pidgr.heatmaps import ingest_store
from pidgr.identity.caller import Caller
from pidgr.pagination import Page
from pidgr.replay import store
from pidgr.replay.archive import Found, Recording, Span
from pidgr.replay.recorder import segment
from pidgr.replay.store import ListedRecording
from pidgr.storage.blobs import BlobMissingError, BlobStore
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader

_LAST: Final = 2**62
_NO_CAMPAIGN: Final = -1
"""The key of a campaign that the organization does not have; no recording is of it."""


class OwnArchive:
    """Reads what the recorder has taken in."""

    name = "own"

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs

    async def find(self, caller: Caller, span: Span, page: Page) -> Found:
        """Return a page of recordings."""

        def work(reader: Reader) -> Found:
            place = _place(reader, caller.organization_key, span)
            at, key = page.position or (_LAST, _LAST)
            found = store.recordings(reader, place, (at, key), page.size + 1)
            shown = found[: page.size]
            last = shown[-1] if len(found) > page.size else None
            return Found(
                [_recording(one) for one in shown],
                (last.started_at, last.key) if last else (),
                store.count(reader, place),
            )

        return await self._database.read(work)

    async def events(self, caller: Caller, recording_id: str) -> str | None:
        """Return the events of a recording."""
        count = await self._database.read(
            lambda reader: store.batches(reader, caller.organization_key, recording_id)
        )
        if count is None:
            return None
        return await asyncio.to_thread(self._read, caller.organization_id, recording_id, count)

    def _read(self, organization_id: str, recording_id: str, count: int) -> str | None:
        parts = []
        for number in range(count):
            try:
                with self._blobs.get(segment(organization_id, recording_id, number)) as blob:
                    parts.append(gzip.decompress(blob.read()).decode())
            except BlobMissingError:
                # It has expired since the row was read.
                return None
        return f"[{','.join(part for part in parts if part)}]"


def _place(reader: Reader, organization_key: int, span: Span) -> store.Span:
    campaign_key = None
    if span.campaign_id:
        keys = ingest_store.campaign_keys(reader, organization_key, [span.campaign_id])
        campaign_key = keys.get(span.campaign_id, _NO_CAMPAIGN)
    return store.Span(organization_key, campaign_key, span.start, span.end)


def _recording(row: ListedRecording) -> Recording:
    """The client's clock tells how long it lasted, ours when it began."""
    length = (row.last_at - row.first_at) * MILLISECOND
    return Recording(row.id, row.started_at, length, row.interactions)

"""Takes recordings in, batch by batch, and deletes them when their time is over.

A client asks to begin and gets a token, which is all that ties it to its recording: neither the
rows nor the blobs know who it was. Batches are numbered from 0. Each is masked and put into the
blob store before its row says so, so what a crash loses is sent again under the same number.
"""

import asyncio
import contextlib
import gzip
import hashlib
import secrets
import uuid
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import Final

from pidgr.clock import DAY, Clock
from pidgr.directory.privacy import BEHAVIORAL_ANALYTICS
from pidgr.engine.port import Engine, Queue, Task
from pidgr.errors import NotFoundError, ResourceExhaustedError
from pidgr.heatmaps import ingest_store
from pidgr.identity.caller import Caller
from pidgr.replay import store
from pidgr.replay.archive import LARGEST_RECORDING
from pidgr.replay.batch import Batch, keep, read_events
from pidgr.replay.page_tree import PageTree, decode
from pidgr.replay.store import NewRecording, OpenRecording
from pidgr.storage.blobs import BlobMissingError, BlobStore, delete_under
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction

PAUSES: Final = (0.05, 0.1, 0.2, 0.4)
"""Seconds between looks for the batch before one that came too early."""

_TASK: Final = "replay.expire"
_TOKEN_BYTES: Final = 32
_LARGE: Final = 1024 * 1024
_PAGE: Final = "page.json.gz"
_GONE: Final = "there is no such recording, or not any more; begin another one"


class Recorder:
    """Begins, continues and deletes recordings."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        blobs: BlobStore,
        clock: Clock,
        retention_days: int,
        kept_elsewhere: Collection[str] = (),
    ) -> None:
        """Take in everything but what organizations of the ids ``kept_elsewhere`` would send."""
        self._database = database
        self._engine = engine
        self._blobs = blobs
        self._clock = clock
        self._retention = retention_days * DAY
        self._kept_elsewhere = kept_elsewhere
        self._large = asyncio.Lock()

    def register(self) -> None:
        """Give the engine its handler."""
        self._engine.register(_TASK, self.expire)

    async def begin(self, caller: Caller, campaign_id: str) -> str:
        """Begin a recording and return its token; empty when there is not to be one.

        That is when the organization has switched analytics off, keeps its recordings elsewhere, or
        the person's data is restricted: the client is not told which.

        Raises:
            PermissionDeniedError: the caller is an API key.
            NotFoundError: no such campaign.
        """
        person = caller.member()
        if caller.organization_id in self._kept_elsewhere:
            return ""
        token = secrets.token_urlsafe(_TOKEN_BYTES)

        def work(transaction: Transaction) -> str:
            organization_key = caller.organization_key
            if not _may_record(transaction, organization_key, person.key):
                return ""
            campaign_key = 0
            if campaign_id:
                keys = ingest_store.campaign_keys(transaction, organization_key, [campaign_id])
                if campaign_id not in keys:
                    raise NotFoundError(f"no campaign has the id {campaign_id}")
                campaign_key = keys[campaign_id]
            new = NewRecording(
                id=str(uuid.uuid4()),
                organization_key=organization_key,
                digest=_digest(token),
                campaign_key=campaign_key,
                started_at=self._clock.now(),
            )
            key = store.insert(transaction, new)
            task = Task(_TASK, f"expire-recording/{new.id}", (key,), Queue.LANES, self._retention)
            self._engine.enqueue(transaction, task)
            return token

        return await self._database.write(work)

    async def add(self, caller: Caller, token: str, number: int, content: bytes) -> int:
        """Keep a batch, unless it is not the next one; return the number of the next one.

        Args:
            caller: a person of the recording's organization.
            token: what beginning has returned.
            number: of the batch, from 0.
            content: JSON array of rrweb events.

        Raises:
            PermissionDeniedError: the caller is an API key.
            NotFoundError: no such recording, or not any more, or nothing is to be recorded any
                more: whoever begins another one then gets the empty token.
            InvalidArgumentError: what is sent is no such array.
            ResourceExhaustedError: the recording is as long as one can be.
        """
        person = caller.member()
        digest = _digest(token)

        def look(reader: Reader) -> OpenRecording | None:
            if not _may_record(reader, caller.organization_key, person.key):
                return None
            return store.open_recording(reader, caller.organization_key, digest)

        found = await self._open(look, number)
        if found is None:
            raise NotFoundError(_GONE)
        if number != found.next_batch:
            return found.next_batch
        async with self._turn(content):
            batch = await asyncio.to_thread(self._keep, found, content)
        moments = [at for at in (found.first_at, batch.first_at) if at]
        after = replace(
            found,
            size=found.size + len(batch.text.encode()) + 1,
            first_at=min(moments, default=0),
            last_at=max(found.last_at, batch.last_at),
            interactions=found.interactions + batch.interactions,
        )
        if after.size > LARGEST_RECORDING:
            raise ResourceExhaustedError("the recording is full; begin another one")
        await asyncio.to_thread(self._put, found, batch)
        await self._database.write(lambda transaction: store.advance(transaction, after))
        return number + 1

    def _turn(self, content: bytes) -> AbstractAsyncContextManager[None]:
        """Let one large batch after the other in: each takes some 100 MB while it is masked."""
        return self._large if len(content) > _LARGE else contextlib.nullcontext()

    async def _open(
        self, look: Callable[[Reader], OpenRecording | None], number: int
    ) -> OpenRecording | None:
        """Return the recording, not before the batch before ``number`` if that is all it lacks.

        A page that is left sends its last batches side by side and cannot repeat what came early.
        """
        for pause in PAUSES:
            found = await self._database.read(look)
            if found is None or number != found.next_batch + 1:
                return found
            await asyncio.sleep(pause)
        return await self._database.read(look)

    def expire(self, key: int) -> None:
        """Delete a recording and its blobs; harmless to repeat."""
        found = self._database.read_now(partial(store.folder, key=key))
        if found is not None:
            delete_under(self._blobs, folder(*found))
            self._database.write_now(partial(store.delete, key=key))

    def _keep(self, recording: OpenRecording, content: bytes) -> Batch:
        """Mask a batch by what is known of the ones before, and remember what the next one needs.

        That is written before the batch: should the server die in between, the same batch comes
        again and finds nodes masked that it masks itself.

        Raises:
            NotFoundError: what is known is of another batch: one that was sent twice has come to
                its end after the next one did. A new recording begins with all of the page.
        """
        events = read_events(content)
        name = f"{folder(recording.organization_id, recording.id)}/{_PAGE}"
        page, number = PageTree(), recording.next_batch
        if number:
            page = self._page(name)
            if page.batches not in {number, number + 1}:
                raise NotFoundError(_GONE)
        batch = keep(events, page)
        page.batches = number + 1
        self._blobs.put(name, gzip.compress(page.encode(), mtime=0))
        return batch

    def _page(self, name: str) -> PageTree:
        try:
            with self._blobs.get(name) as blob:
                return decode(gzip.decompress(blob.read()))
        except BlobMissingError as error:
            # It has expired since the row was read.
            raise NotFoundError(_GONE) from error

    def _put(self, recording: OpenRecording, batch: Batch) -> None:
        name = segment(recording.organization_id, recording.id, recording.next_batch)
        self._blobs.put(name, gzip.compress(batch.text.encode(), mtime=0))


def folder(organization_id: str, recording_id: str) -> str:
    """Return the folder of a recording's blobs."""
    return f"{organization_id}/replays/{recording_id}"


def segment(organization_id: str, recording_id: str, number: int) -> str:
    """Return the name of a batch's blob."""
    return f"{folder(organization_id, recording_id)}/{number:08d}.json.gz"


def _may_record(reader: Reader, organization_key: int, member_key: int) -> bool:
    door = ingest_store.door(reader, organization_key, member_key, BEHAVIORAL_ANALYTICS)
    return door is not None and not door.shut


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()

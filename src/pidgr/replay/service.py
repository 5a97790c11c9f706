"""ReplayService: lists recordings and plays them back (SEMANTICS 2.11)."""

import asyncio
import gzip
from typing import Final

from pidgr.clock import MILLISECOND, SECOND, Clock, to_timestamp
from pidgr.contract.v1.replay_pb import (
    GetSessionSnapshotsRequest,
    GetSessionSnapshotsResponse,
    ListSessionRecordingsRequest,
    ListSessionRecordingsResponse,
    SessionRecording,
)
from pidgr.errors import NotFoundError, Violations, invalid_field
from pidgr.heatmaps import ingest_store
from pidgr.identity.caller import Caller
from pidgr.pagination import PageTokens
from pidgr.replay import store
from pidgr.replay.recorder import segment
from pidgr.replay.store import ListedRecording, Span
from pidgr.storage.blobs import BlobMissingError, BlobStore
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader
from pidgr.validation import check_text, require_moment, require_uuid

_ID_LENGTH: Final = 200
_LAST: Final = 2**62
_NO_CAMPAIGN: Final = -1
"""The key of a campaign that the organization does not have; no recording is of it."""
_LIVELIEST: Final = 100.0


class ReplayService:
    """Reads what the recorder has taken in."""

    def __init__(
        self, database: Database, blobs: BlobStore, clock: Clock, page_tokens: PageTokens
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._page_tokens = page_tokens

    def list_session_recordings(
        self, request: ListSessionRecordingsRequest, caller: Caller, reader: Reader
    ) -> ListSessionRecordingsResponse:
        """Return a page of recordings, newest first.

        Raises:
            InvalidArgumentError: a malformed id or time, a start after the end, a bad page.
        """
        span = _span(request, caller, reader)
        scope = f"recordings/{span}"
        page = self._page_tokens.read(request.pagination, scope)
        at, key = page.position or (_LAST, _LAST)
        found = store.recordings(reader, span, (at, key), page.size + 1)
        positions = [(one.started_at, one.key) for one in found]
        return ListSessionRecordingsResponse(
            recordings=[_message(one) for one in found[: page.size]],
            pagination_meta=self._page_tokens.meta(
                scope, page, positions, store.count(reader, span)
            ),
        )

    async def get_session_snapshots(
        self, request: GetSessionSnapshotsRequest, caller: Caller
    ) -> GetSessionSnapshotsResponse:
        """Return the events of a recording as a JSON array.

        Raises:
            InvalidArgumentError: no id, or a long one.
            NotFoundError: the organization has no such recording, or not any more.
        """
        violations = Violations()
        check_text(violations, "recording_id", request.recording_id, _ID_LENGTH, required=True)
        violations.raise_if_any()
        count = await self._database.read(
            lambda reader: store.batches(reader, caller.organization_key, request.recording_id)
        )
        if count is None:
            raise _unknown(request.recording_id)
        text = await asyncio.to_thread(
            self._read, caller.organization_id, request.recording_id, count
        )
        return GetSessionSnapshotsResponse(snapshot_data=text)

    def _read(self, organization_id: str, recording_id: str, count: int) -> str:
        parts = []
        for number in range(count):
            try:
                with self._blobs.get(segment(organization_id, recording_id, number)) as blob:
                    parts.append(gzip.decompress(blob.read()).decode())
            except BlobMissingError as error:
                # It has expired since the row was read.
                raise _unknown(recording_id) from error
        return f"[{','.join(part for part in parts if part)}]"


def _span(request: ListSessionRecordingsRequest, caller: Caller, reader: Reader) -> Span:
    campaign_key = None
    if request.campaign_id:
        campaign_id = require_uuid("campaign_id", request.campaign_id)
        keys = ingest_store.campaign_keys(reader, caller.organization_key, [campaign_id])
        campaign_key = keys.get(campaign_id, _NO_CAMPAIGN)
    start, end = 0, _LAST
    if request.date_from is not None:
        start = require_moment("date_from", request.date_from)
    if request.date_to is not None:
        end = require_moment("date_to", request.date_to)
    if start > end:
        raise invalid_field("date_to", "must not be before date_from")
    return Span(caller.organization_key, campaign_key, start, end)


def _message(recording: ListedRecording) -> SessionRecording:
    """The client's clock tells how long it lasted, ours when it began."""
    length = (recording.last_at - recording.first_at) * MILLISECOND
    minutes = max(length / (60 * SECOND), 1 / 60)
    return SessionRecording(
        id=recording.id,
        start_time=to_timestamp(recording.started_at),
        end_time=to_timestamp(recording.started_at + length),
        duration_seconds=length // SECOND,
        activity_score=min(_LIVELIEST, recording.interactions / minutes),
    )


def _unknown(recording_id: str) -> NotFoundError:
    return NotFoundError(f"no recording has the id {recording_id}")

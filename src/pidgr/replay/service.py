"""ReplayService: lists recordings and plays them back (SEMANTICS 2.11)."""

from typing import Final

from pidgr.clock import SECOND, to_timestamp
from pidgr.contract.v1.common_pb import PaginationMeta
from pidgr.contract.v1.replay_pb import (
    GetSessionSnapshotsRequest,
    GetSessionSnapshotsResponse,
    ListSessionRecordingsRequest,
    ListSessionRecordingsResponse,
    SessionRecording,
)
from pidgr.errors import NotFoundError, Violations, invalid_field
from pidgr.identity.caller import Caller
from pidgr.pagination import PageTokens
from pidgr.replay.archive import Recording, Span
from pidgr.replay.archives import Archives
from pidgr.validation import check_text, require_moment, require_uuid

_ID_LENGTH: Final = 200
_LAST: Final = 2**62
_LIVELIEST: Final = 100.0


class ReplayService:
    """Passes recordings on from whoever keeps them."""

    def __init__(self, archives: Archives, page_tokens: PageTokens) -> None:
        self._archives = archives
        self._page_tokens = page_tokens

    async def list_session_recordings(
        self, request: ListSessionRecordingsRequest, caller: Caller
    ) -> ListSessionRecordingsResponse:
        """Return a page of recordings, newest first.

        Raises:
            InvalidArgumentError: a malformed id or time, a start after the end, a bad page.
            UnavailableError: whoever keeps them does not answer.
        """
        span = _span(request)
        archive = self._archives.of(caller)
        scope = f"recordings/{archive.name}/{caller.organization_key}/{span}"
        page = self._page_tokens.read(request.pagination, scope)
        found = await archive.find(caller, span, page)
        following = found.following
        token = self._page_tokens.write(scope, following) if following else ""
        return ListSessionRecordingsResponse(
            recordings=[_message(one) for one in found.recordings],
            pagination_meta=PaginationMeta(next_page_token=token, total_count=found.total),
        )

    async def get_session_snapshots(
        self, request: GetSessionSnapshotsRequest, caller: Caller
    ) -> GetSessionSnapshotsResponse:
        """Return the events of a recording as a JSON array.

        Raises:
            InvalidArgumentError: no id, or a long one.
            NotFoundError: the organization has no such recording, or not any more.
            UnavailableError: whoever keeps it does not answer.
            ResourceExhaustedError: it is too large for a message.
        """
        violations = Violations()
        check_text(violations, "recording_id", request.recording_id, _ID_LENGTH, required=True)
        violations.raise_if_any()
        text = await self._archives.of(caller).events(caller, request.recording_id)
        if text is None:
            raise NotFoundError(f"no recording has the id {request.recording_id}")
        return GetSessionSnapshotsResponse(snapshot_data=text)


def _span(request: ListSessionRecordingsRequest) -> Span:
    campaign_id = ""
    if request.campaign_id:
        campaign_id = require_uuid("campaign_id", request.campaign_id)
    start, end = 0, _LAST
    if request.date_from is not None:
        start = require_moment("date_from", request.date_from)
    if request.date_to is not None:
        end = require_moment("date_to", request.date_to)
    if start > end:
        raise invalid_field("date_to", "must not be before date_from")
    return Span(campaign_id, start, end)


def _message(recording: Recording) -> SessionRecording:
    minutes = max(recording.length / (60 * SECOND), 1 / 60)
    return SessionRecording(
        id=recording.id,
        start_time=to_timestamp(recording.started_at),
        end_time=to_timestamp(recording.started_at + recording.length),
        duration_seconds=recording.length // SECOND,
        activity_score=min(_LIVELIEST, recording.interactions / minutes),
    )

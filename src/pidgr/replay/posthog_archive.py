"""Recordings that an organization keeps at PostHog, read by its API and masked here.

https://posthog.com/docs/api/session-recordings for the list,
https://posthog.com/docs/session-replay/snapshot-api for the events. What PostHog knows of the
person (``person``, ``distinct_id``, the page they began on) is not looked at.
"""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from pidgr.clock import SECOND, from_datetime, to_datetime
from pidgr.errors import ResourceExhaustedError, UnavailableError
from pidgr.identity.caller import Caller
from pidgr.outreach.fetching import Fetcher, FetchError
from pidgr.pagination import Page
from pidgr.replay.archive import LARGEST_RECORDING, Found, Recording, Span
from pidgr.replay.masking import mask
from pidgr.replay.page_tree import PageTree
from pidgr.replay.posthog_events import TooLargeError, Unpacker

_NOT_FOUND: Final = 404
_SOURCE: Final = "blob_v2"
_KEYS_OF_CALL: Final = 20
"""Blobs that PostHog gives in one answer."""
_BEGINNING: Final = "2015-01-01T00:00:00+00:00"
"""Before PostHog; without a date it answers with the last three days."""
_END: Final = 253_402_300_799 * SECOND
"""The year 9999, after which there are no dates."""


class PostHogArchive:
    """One project at PostHog."""

    name = "posthog"

    def __init__(self, fetcher: Fetcher, url: str, project_id: str, key: str) -> None:
        """Take where the project is, and a personal API key with session_recording:read."""
        self._fetcher = fetcher
        self._project = f"{url.rstrip('/')}/api/projects/{quote(project_id, safe='')}"
        self._headers = {"authorization": f"Bearer {key}", "accept": "application/json"}

    def close(self) -> None:
        """Begin nothing more."""
        self._fetcher.close()

    async def find(self, caller: Caller, span: Span, page: Page) -> Found:
        """Return a page of recordings; how many there are beyond the next one is not told.

        ``campaign_id`` is looked for among the properties of events, where the page has registered
        it.
        """
        del caller
        (offset,) = page.position or (0,)
        query = {
            "limit": str(page.size),
            "offset": str(offset),
            "order": "start_time",
            "date_from": _moment(span.start) if span.start else _BEGINNING,
        }
        if span.end < _END:
            query["date_to"] = _moment(span.end)
        if span.campaign_id:
            wanted = {"type": "event", "key": "campaign_id", "operator": "exact"}
            query["properties"] = json.dumps([{**wanted, "value": [span.campaign_id]}])
        answer = _object(await self._get("", query))
        results = answer.get("results")
        if not isinstance(results, list):
            raise _incomprehensible()
        recordings = [_recording(_object(one)) for one in results]
        reached = offset + len(recordings)
        more = bool(recordings) and answer.get("has_next") is True
        return Found(recordings, (reached,) if more else (), reached + more)

    async def events(self, caller: Caller, recording_id: str) -> str | None:
        """Return the masked events of the recording's liveliest window."""
        del caller
        path = f"/{quote(recording_id, safe='')}/snapshots"
        try:
            keys = _blob_keys(await self._get(path, {}))
            lines: list[bytes] = []
            size = 0
            for first in range(0, len(keys), _KEYS_OF_CALL):
                called = keys[first : first + _KEYS_OF_CALL]
                part = await self._fetch(
                    path,
                    {
                        "source": _SOURCE,
                        "start_blob_key": str(called[0]),
                        "end_blob_key": str(called[-1]),
                    },
                )
                size += len(part)
                if size > LARGEST_RECORDING:
                    raise _too_large()
                lines += part.splitlines()
        except _MissingError:
            return None
        return await asyncio.to_thread(_masked, lines)

    async def _get(self, path: str, query: dict[str, str]) -> Any:  # noqa: ANN401 - any JSON
        try:
            return json.loads(await self._fetch(path, query))
        except (ValueError, RecursionError) as error:
            raise _incomprehensible() from error

    async def _fetch(self, path: str, query: dict[str, str]) -> bytes:
        url = f"{self._project}/session_recordings{path}/?{urlencode(query)}"
        try:
            return await self._fetcher.get(url, self._headers)
        except FetchError as error:
            if error.status == _NOT_FOUND and path:
                raise _MissingError from error
            raise UnavailableError(f"PostHog, which keeps the recordings: {error}") from error


class _MissingError(Exception):
    """PostHog has no such recording."""


def _masked(lines: list[bytes]) -> str:
    try:
        events = Unpacker(LARGEST_RECORDING).events(lines)
    except TooLargeError as error:
        raise _too_large() from error
    return json.dumps(mask(events, PageTree()), ensure_ascii=False, separators=(",", ":"))


def _recording(item: dict[str, Any]) -> Recording:
    try:
        started_at = from_datetime(datetime.fromisoformat(item["start_time"]))
        length = round(float(item["recording_duration"] or 0) * SECOND)
        counts = (item.get("click_count"), item.get("keypress_count"))
        interactions = sum(int(count or 0) for count in counts)
        return Recording(str(item["id"]), started_at, length, interactions)
    except (KeyError, TypeError, ValueError) as error:
        raise _incomprehensible() from error


def _blob_keys(answer: object) -> list[int]:
    """Return the numbers of a recording's blobs. What is too new to be in one has none yet."""
    sources = _object(answer).get("sources")
    if not isinstance(sources, list):
        raise _incomprehensible()
    return sorted(_numbers(sources))


def _numbers(sources: list[object]) -> Iterator[int]:
    for one in map(_object, sources):
        key = str(one.get("blob_key"))
        if one.get("source") == _SOURCE and key.isascii() and key.isdecimal():
            yield int(key)


def _moment(microseconds: int) -> str:
    return to_datetime(microseconds).isoformat()


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _incomprehensible() -> UnavailableError:
    return UnavailableError("PostHog, which keeps the recordings, answered with something else")


def _too_large() -> ResourceExhaustedError:
    return ResourceExhaustedError("the recording is too large for one answer; play it at PostHog")

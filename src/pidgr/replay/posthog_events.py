"""PostHog's spelling of rrweb events, made rrweb's again.

A source is lines of JSON, each ``[window, event]``. The data of a large event, or the parts of it,
can be gzip, one character for each byte (``"cv": "2024-10"``).
https://posthog.com/docs/session-replay/snapshot-api
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pidgr.replay.batch import is_event
from pidgr.replay.masking import Event, EventType, Source

_GZIP: Final = 31
_PACKED: Final = "2024-10"
_PACKED_PARTS: Final[dict[object, tuple[str, ...]]] = {
    Source.MUTATION: ("texts", "attributes", "removes", "adds"),
    Source.STYLE_SHEET_RULE: ("adds", "removes"),
}


class TooLargeError(Exception):
    """The events of a recording are more than may be read."""


class Unpacker:
    """Reads the lines of one recording, up to a number of bytes of JSON."""

    def __init__(self, largest: int) -> None:
        self._left = largest

    def events(self, lines: Iterable[bytes]) -> list[Event]:
        """Return the events of the window that has most of them, in their order in time.

        Node ids of different windows have nothing to do with each other, so one player cannot play
        them together. Lines that are no events are left out.

        Raises:
            TooLargeError: there is more than may be read.
        """
        windows: dict[str, list[Event]] = {}
        for window, event in self._read(lines):
            windows.setdefault(window, []).append(event)
        liveliest = max(windows.values(), key=len, default=[])
        return sorted(liveliest, key=lambda event: float(event["timestamp"]))

    def _read(self, lines: Iterable[bytes]) -> Iterator[tuple[str, Event]]:
        for line in lines:
            self._spend(len(line))
            parsed = _parse(line)
            if not isinstance(parsed, list) or len(parsed) != 2:  # noqa: PLR2004 - a pair
                continue
            window, event = parsed
            if isinstance(event, dict):
                event = self._unpacked(event)
            if is_event(event):
                yield str(window), event

    def _unpacked(self, event: Event) -> Event:
        if event.get("cv") != _PACKED:
            return event
        data = event.get("data")
        if event.get("type") == EventType.FULL_SNAPSHOT and isinstance(data, str):
            return {**event, "data": self._inflate(data)}
        if event.get("type") == EventType.INCREMENTAL_SNAPSHOT and isinstance(data, dict):
            parts = {
                name: self._inflate(data[name])
                for name in _PACKED_PARTS.get(data.get("source"), ())
                if isinstance(data.get(name), str)
            }
            return {**event, "data": {**data, **parts}}
        return event

    def _inflate(self, text: str) -> Any:  # noqa: ANN401 - any JSON
        inflater = zlib.decompressobj(_GZIP)
        try:
            content = inflater.decompress(text.encode("latin-1"), self._left + 1)
        except (UnicodeEncodeError, zlib.error):
            return None
        self._spend(len(content))
        return _parse(content)

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise TooLargeError


def _parse(content: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(content, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None

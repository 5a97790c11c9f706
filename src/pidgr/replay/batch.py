"""One batch of events on its way in: read, checked and measured, without a database."""

import json
import math
import zlib
from dataclasses import dataclass
from typing import Final

from pidgr.errors import InvalidArgumentError, invalid_field
from pidgr.replay.masking import INTERACTIONS, Event, EventType, mask
from pidgr.replay.page_tree import PageTree

LARGEST_BODY: Final = 1024 * 1024
"""As it is sent, compressed or not, in bytes."""
LARGEST_INFLATED: Final = 8 * 1024 * 1024
MOST_EVENTS: Final = 5_000
MOST_CONTAINERS: Final = 400_000
"""Objects and lists of JSON, three for each element of a page. What is 8 MiB of brackets would take
400 MB of memory, and some KB to send."""

_GZIP: Final = 31
_LATEST: Final = 2**53


@dataclass(frozen=True, slots=True)
class Batch:
    """What is kept of a batch.

    ``text`` is JSON: the events with commas between them. Moments are in milliseconds of the
    client's clock; both are 0 in a batch without events.
    """

    text: str
    first_at: int
    last_at: int
    interactions: int


def inflate(body: bytes, encoding: str) -> bytes:
    """Return a body as it was before it was compressed.

    Raises:
        InvalidArgumentError: an encoding other than gzip, a damaged one, anything behind it, or
            more than 8 MiB.
    """
    match encoding.strip().lower():
        case "" | "identity":
            content, whole = body[: LARGEST_INFLATED + 1], True
        case "gzip":
            inflater = zlib.decompressobj(_GZIP)
            try:
                content = inflater.decompress(body, LARGEST_INFLATED + 1)
            except zlib.error as error:
                raise InvalidArgumentError("the body is not gzip") from error
            # Another member behind the first would be lost without a word.
            ended = inflater.eof and not inflater.unused_data
            whole = ended or len(content) > LARGEST_INFLATED
        case _:
            raise InvalidArgumentError("content-encoding must be gzip, or none")
    if not whole:
        raise InvalidArgumentError("the body is not one whole gzip member")
    if len(content) > LARGEST_INFLATED:
        message = f"the body is larger than {LARGEST_INFLATED:,} bytes; send fewer events"
        raise InvalidArgumentError(message)
    return content


def read_events(content: bytes) -> list[Event]:
    """Return the events of a body, which is their JSON array.

    Raises:
        InvalidArgumentError: not such an array, too many of them, too many things in them, or one
            that is no rrweb event.
    """
    # Those within texts count too: pages have few there.
    if content.count(b"{") + content.count(b"[") > MOST_CONTAINERS:
        message = f"must have at most {MOST_CONTAINERS:,} objects and lists; send fewer events"
        raise invalid_field("events", message)
    try:
        events = json.loads(content, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        events = None
    if not isinstance(events, list):
        raise InvalidArgumentError("the body is not a JSON array of events")
    if len(events) > MOST_EVENTS:
        message = f"must be at most {MOST_EVENTS:,}, are {len(events):,}"
        raise invalid_field("events", message)
    for index, event in enumerate(events):
        if not is_event(event):
            message = "must be an rrweb event with type, data and timestamp"
            raise invalid_field(f"events[{index}]", message)
    return events


def keep(events: list[Event], page: PageTree) -> Batch:
    """Mask events and measure them; ``page`` is brought up to date."""
    kept = mask(events, page)
    moments = [int(event["timestamp"]) for event in events]
    interactions = sum(
        event["type"] == EventType.INCREMENTAL_SNAPSHOT and event["data"]["source"] in INTERACTIONS
        for event in kept
    )
    text = ",".join(
        json.dumps(event, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        for event in kept
    )
    # A page can hold halves of characters, which UTF-8 cannot; browsers send them escaped.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return Batch(text, min(moments, default=0), max(moments, default=0), interactions)


def _finite(text: str) -> float:
    """Return a number of JSON, which NaN, Infinity and 1e999 are not."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def is_event(event: object) -> bool:
    """Tell whether something has what every event has."""
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        return False
    kind, moment = event.get("type"), event.get("timestamp")
    return (
        isinstance(kind, int)
        and isinstance(moment, (int, float))
        and math.isfinite(moment)
        and 0 <= moment < _LATEST
    )

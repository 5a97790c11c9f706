"""From the events of a request to what is kept of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from pidgr.clock import SECOND
from pidgr.contract.v1.heatmap_pb import TouchEvent, TouchEventType
from pidgr.heatmaps.touches import Touch, encode, kind_of, minute_of, units
from pidgr.identity.caller import Caller
from pidgr.validation import NAME_LENGTH, is_uuid

MOST_EVENTS: Final = 100
ORGANIC: Final = 0
"""The campaign key of touches outside any message."""

_TYPES: Final = frozenset(TouchEventType) - {TouchEventType.UNSPECIFIED}
_NANOSECONDS: Final = 1_000_000_000


class Event(NamedTuple):
    """A well-formed event; the campaign's id in lower case, or empty.

    A tuple, because a hundred come with each request: a frozen data class takes twice as long.
    """

    screen_name: str
    campaign_id: str
    x: int
    y: int
    event_type: int
    day: int
    minute: int


@dataclass(frozen=True, slots=True)
class Batch:
    """The touches of one request on one screen, in one campaign, on one day."""

    screen_key: int
    campaign_key: int
    day: int
    touches: tuple[Touch, ...]

    @property
    def encoded(self) -> bytes:
        """The touches as they are stored."""
        return encode(self.touches)


def well_formed(
    events: Iterable[TouchEvent], caller: Caller, now: int, first_day: int
) -> Iterator[Event]:
    """Yield the events that keep to the contract, and drop the others one by one.

    An event without a time is of now, and so is one whose device's clock is ahead. One from before
    ``first_day`` would be deleted at once and is dropped. So is one that names its own person.
    """
    person = own_names(caller)
    # The events of a request are about a few places, which are looked at once.
    places: dict[tuple[str, str], bool] = {}
    for event in events:
        place = (event.screen_name, event.campaign_id)
        known = places.get(place)
        if known is None:
            known = places[place] = _is_place(*place, person)
        moment = _moment(event, now)
        if not known or moment is None or not _keeps_to_the_contract(event):
            continue
        day, minute = minute_of(moment)
        if day >= first_day:
            yield Event(
                event.screen_name,
                event.campaign_id.lower(),
                units(event.x_pct),
                units(event.y_pct),
                int(event.event_type),
                day,
                minute,
            )


def own_names(caller: Caller) -> tuple[str, ...]:
    """Return what would tell who the caller is if it stood in a text."""
    person = caller.member()
    known = (person.id, person.email, caller.subject, caller.email)
    return tuple({name.casefold() for name in known if name})


def _is_place(screen_name: str, campaign_id: str, person: tuple[str, ...]) -> bool:
    """Tell whether a screen and a campaign are well-formed, and tell nothing about a person."""
    text = f"{screen_name} {campaign_id}".casefold()
    return (
        bool(screen_name.strip())
        and len(screen_name) <= NAME_LENGTH
        and "\0" not in screen_name
        and (not campaign_id or is_uuid(campaign_id.lower()))
        and not any(name in text for name in person)
    )


def _keeps_to_the_contract(event: TouchEvent) -> bool:
    return (
        0.0 <= event.x_pct <= 1.0
        and 0.0 <= event.y_pct <= 1.0
        and event.event_type in _TYPES
        and event.screen_width >= 0
        and event.screen_height >= 0
    )


def _moment(event: TouchEvent, now: int) -> int | None:
    given = event.client_timestamp
    if given is None:
        return now
    if not 0 <= given.nanos < _NANOSECONDS:
        return None
    return min(given.seconds * SECOND + given.nanos // 1_000, now)


def batches(
    events: Iterable[Event],
    bucket: int,
    screen_keys: Mapping[str, int],
    campaign_keys: Mapping[str, int],
) -> list[Batch]:
    """Put events together by screen, campaign and day.

    Those whose screen or campaign has no key are dropped; the campaign of the empty id is
    ``ORGANIC``.
    """
    found: dict[tuple[int, int, int], list[Touch]] = {}
    for event in events:
        screen_key = screen_keys.get(event.screen_name)
        campaign_key = campaign_keys.get(event.campaign_id) if event.campaign_id else ORGANIC
        if screen_key is not None and campaign_key is not None:
            touch = (event.minute, event.x, event.y, kind_of(event.event_type, bucket))
            found.setdefault((screen_key, campaign_key, event.day), []).append(touch)
    return [Batch(*place, tuple(touches)) for place, touches in found.items()]

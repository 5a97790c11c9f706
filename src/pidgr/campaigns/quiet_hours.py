"""When a person may be pushed: by their own clock, outside their organization's quiet hours.

Pure rules over the zones of the IANA database. A push that comes in quiet hours waits for the
moment at which the person's clock shows their end; where the clock is put forward over that time,
for the moment at which it is; where it shows it twice, for the next of the two.
"""

import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from pidgr.clock import from_datetime, to_datetime
from pidgr.errors import Violations

ATTRIBUTE: Final = "timezone"
"""The custom attribute of a profile that names the person's zone, for example Europe/Berlin."""

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Minutes of the day between which nobody is pushed, the end excluded; never equal.

    They may go over midnight. ``zone`` is for people whose profile names none that there is.
    """

    start: int
    end: int
    zone: str

    @property
    def begins(self) -> str:
        """The time of the day they begin at, as 22:00."""
        return _clock(self.start)

    @property
    def ends(self) -> str:
        """The time of the day they end at."""
        return _clock(self.end)

    def include(self, local: datetime) -> bool:
        """Tell whether a clock that shows this shows quiet hours."""
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def parse(begin: str, end: str, zone: str) -> QuietHours:
    """Return quiet hours from times of the day as 22:00 and the name of a zone.

    Raises:
        InvalidArgumentError: naming everything that is wrong.
    """
    violations = Violations()
    start, stop = (_minute(violations, *given) for given in (("from", begin), ("to", end)))
    if begin == end:
        violations.add("to", "must be another time than from")
    if zone not in known_zones():
        violations.add("zone", "must be the name of a zone of the IANA database: Europe/Berlin")
    violations.raise_if_any()
    return QuietHours(start, stop, zone)


def _minute(violations: Violations, path: str, text: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        violations.add(path, "must be a time of the day, from 00:00 to 23:59")
        return 0
    return int(found[1]) * 60 + int(found[2])


@cache
def known_zones() -> frozenset[str]:
    """Return the names of every zone there is."""
    return frozenset(zoneinfo.available_timezones())


def pushable_from(quiet: QuietHours, now: int) -> Callable[[str], int]:
    """Return the function from a zone's name to when people in it may be pushed.

    That is ``now`` outside quiet hours. Every moment is in microseconds.
    """

    @cache
    def of_zone(name: str) -> int:
        zone = ZoneInfo(name if name in known_zones() else quiet.zone)
        moment = to_datetime(now)
        while quiet.include(moment.astimezone(zone)):
            moment = _next_end(quiet, moment, zone)
        return from_datetime(moment)

    return of_zone


def _next_end(quiet: QuietHours, moment: datetime, zone: tzinfo) -> datetime:
    """Return when a zone's clock shows the end of quiet hours next, or passes over it."""
    today = (
        moment.astimezone(zone)
        .replace(tzinfo=None)
        .replace(hour=quiet.end // 60, minute=quiet.end % 60, second=0, microsecond=0)
    )
    shown = (
        _when_shown(today + timedelta(days=days), fold, zone)
        for days in range(3)
        for fold in (0, 1)
    )
    return min(one for one in shown if one > moment)


def _when_shown(local: datetime, fold: int, zone: tzinfo) -> datetime:
    """Return when a zone's clock shows a time first or last, or is put forward over it."""
    moment = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if _shown(moment, zone) == local:
        return moment
    # PEP 495: read with the offset after the gap the time lies before it, with that before it
    # after it.
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if _shown(middle, zone) < local:
            before = middle
        else:
            after = middle
    return after


def _shown(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)

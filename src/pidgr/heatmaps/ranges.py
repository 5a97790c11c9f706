"""Which sums and which days answer a question about a range of minutes."""

from dataclasses import dataclass
from typing import Final

from pidgr.heatmaps.touches import MINUTES_PER_DAY

SPAN_DAYS: Final = 32
_NONE: Final = (1, 0)

Days = tuple[int, int]
"""First and last day, both included, counted from 1970; nothing where the last is before."""


@dataclass(frozen=True, slots=True)
class Cover:
    """A range of minutes as whole spans of 32 days, whole days beside them, and cut days.

    Every minute of the range is in exactly one of them. ``spans`` are first days of spans.
    """

    first_minute: int
    last_minute: int
    whole: Days
    """Every day that is not cut: the spans and the days beside them."""
    spans: Days
    days_before: Days
    days_after: Days
    cut: tuple[int, int]
    """The cut days; -1 where there is none, and the same twice when one day is cut on both ends."""

    @property
    def days(self) -> Days:
        """Every day that the range touches."""
        return self.first_minute // MINUTES_PER_DAY, self.last_minute // MINUTES_PER_DAY


def cover(first_minute: int, last_minute: int) -> Cover:
    """Return the parts of a range, minutes since 1970, both included and neither negative."""
    first_day, first_rest = divmod(first_minute, MINUTES_PER_DAY)
    last_day, last_rest = divmod(last_minute, MINUTES_PER_DAY)
    cut_first = first_rest > 0
    cut_last = last_rest < MINUTES_PER_DAY - 1
    if first_day == last_day and (cut_first or cut_last):
        cut_first = cut_last = True
    whole = (first_day + cut_first, last_day - cut_last)
    spans, before, after = _spans(whole)
    cut = (first_day if cut_first else -1, last_day if cut_last else -1)
    return Cover(first_minute, last_minute, whole, spans, before, after, cut)


def _spans(whole: Days) -> tuple[Days, Days, Days]:
    first, last = whole
    span_first = -(-first // SPAN_DAYS) * SPAN_DAYS
    span_end = (last + 1) // SPAN_DAYS * SPAN_DAYS
    if span_first >= span_end:
        return _NONE, whole, _NONE
    return (span_first, span_end - 1), (first, span_first - 1), (span_end, last)

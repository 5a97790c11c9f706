"""Pages by index, as SCIM has them, of lists that the database walks by position.

A directory reads page after page, so where one ended is remembered, and the next begins there at
the cost of any other. An index that nobody came to lately is found by counting from the beginning.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from scim2_models import InvalidValueException

DEFAULT_COUNT: Final = 100
MOST_RESULTS: Final = 200
_LARGEST_INDEX: Final = 2**31 - 1
_REMEMBERED: Final = 10_000

Position = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Window:
    """Which results to return: from an index counted from 1, and at most how many."""

    start: int
    count: int


def window(query: dict[str, str]) -> Window:
    """Return what a request asks for; RFC 7644, 3.4.2.4 takes what is too small for the smallest.

    Raises:
        InvalidValueException: not a number.
    """
    start = _number(query, "startIndex", 1)
    count = _number(query, "count", DEFAULT_COUNT)
    return Window(min(max(start, 1), _LARGEST_INDEX), min(max(count, 0), MOST_RESULTS))


class PageEnds:
    """Remembers in this process where pages ended, by list and by the index that comes next."""

    def __init__(self) -> None:
        self._ends: OrderedDict[tuple[str, int, int], Position] = OrderedDict()

    def find(self, kind: str, organization_key: int, index: int) -> Position | None:
        """Return behind which position an index is, if that is known."""
        return self._ends.get((kind, organization_key, index))

    def note(self, kind: str, organization_key: int, index: int, end: Position) -> None:
        """Remember it."""
        self._ends[kind, organization_key, index] = end
        self._ends.move_to_end((kind, organization_key, index))
        if len(self._ends) > _REMEMBERED:
            self._ends.popitem(last=False)


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(_LARGEST_INDEX))):
        raise InvalidValueException(detail=f"{name} must be a whole number")
    return int(text)

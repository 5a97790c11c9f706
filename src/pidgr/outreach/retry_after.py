"""Retry-After (RFC 9110, 10.2.3), as far as webhooks and nudges heed it alike."""

from collections.abc import Mapping
from typing import Final

from pidgr.clock import HOUR, SECOND

LONGEST: Final = HOUR
"""Microseconds; whoever asks for more is asked again after this."""


def delay(headers: Mapping[str, str]) -> int | None:
    """Return the microseconds to wait where the header says seconds; None of a date, or nothing."""
    text = headers.get("retry-after", "").strip()
    if not (text.isascii() and text.isdecimal()):
        return None
    return min(int(text[:9]) * SECOND, LONGEST)

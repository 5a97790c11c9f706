"""Retry-After (RFC 9110, 10.2.3): how long whoever is not served now is asked to wait."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from pidgr.clock import HOUR, SECOND

LONGEST: Final = HOUR
"""Microseconds; whoever asks for more is asked again after this."""

# The RFC has whole seconds, and services that mean less than one.
_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]+)?")


def delay(headers: Mapping[str, str]) -> int | None:
    """Return the microseconds to wait that an answer's headers ask for; None if they do not.

    A date counts from the answer's own, so that nobody's clock has to be right.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return int(min(float(text) * SECOND, LONGEST))
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return int(max(0, min(wait.total_seconds() * SECOND, LONGEST)))

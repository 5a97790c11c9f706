"""What an HTTP exchange ends with: a reply, or the reason why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass


class ExchangeError(Exception):
    """No whole answer came; the sentence says why and holds nothing of the request."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: header names in lower case, and the body's first bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

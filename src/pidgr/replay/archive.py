"""Where recordings are kept: what ReplayService asks, whoever keeps them.

Our own archive (``own_archive``) has what the recorder takes in; an organization may keep its
recordings at PostHog instead (``posthog_archive``).
"""

from dataclasses import dataclass
from typing import Final, Protocol

from pidgr.identity.caller import Caller
from pidgr.pagination import Page

LARGEST_RECORDING: Final = 48 * 1024 * 1024
"""Bytes of JSON. A player gets all of it in one message, and those end at 64 MiB."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which recordings: their campaign (empty: any) and when they started, inclusive."""

    campaign_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording in a list; its start and length in microseconds."""

    id: str
    started_at: int
    length: int
    interactions: int


@dataclass(frozen=True, slots=True)
class Found:
    """A page of recordings, newest first.

    ``following`` is the position of the next page, empty on the last. ``total`` counts the
    recordings on all pages, or those up to the end of this one and one more where the archive
    does not tell.
    """

    recordings: list[Recording]
    following: tuple[int, ...]
    total: int


class Archive(Protocol):
    """Keeps recordings of organizations."""

    name: str
    """Page tokens of one archive mean nothing to another."""

    async def find(self, caller: Caller, span: Span, page: Page) -> Found:
        """Return the caller's organization's recordings of a span.

        Raises:
            UnavailableError: whoever keeps them does not answer.
        """

    async def events(self, caller: Caller, recording_id: str) -> str | None:
        """Return the masked events of a recording as a JSON array; None when there is none.

        Raises:
            UnavailableError: whoever keeps them does not answer.
            ResourceExhaustedError: the recording is too large for a message.
        """

"""Channels beside push that nudge a person: the interface, and what passes through it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from pidgr.errors import UnavailableError
from pidgr.outreach.departure import Departure

_REQUEST_IDS: Final = uuid.UUID("2f1b6f0c-54b4-4c37-9a0e-8d5a3c7b1e60")


@dataclass(frozen=True, slots=True)
class Nudge:
    """One hint for one person that a message waits in the inbox; the message is not in it."""

    key: str
    """The same for every attempt at this nudge, so that a receiver can drop repeats."""
    organization_key: int
    """Whose member the person is; all of a batch are of one organization."""
    member_id: str
    email: str
    phone: str
    """As the member's profile has it, which may be empty or no number at all."""
    line_user_id: str
    """The same."""
    locale: str
    """Of the contract's five; what the nudge is written in."""
    first_name: str
    """May be empty."""
    campaign_id: str
    critical: bool
    title: str
    """Of the campaign, as strangers may read it; in one line, as is the name."""
    subject: str
    summary: str
    """The hint in a sentence, without a link."""
    text: str
    """The whole hint, with a greeting and the link at its end."""
    url: str
    occurred_at: int

    @property
    def request_id(self) -> str:
        """The key as a UUID that no other installation has used at the same receiver."""
        name = f"{self.campaign_id}/{self.member_id}/{self.key}"
        return str(uuid.uuid5(_REQUEST_IDS, name))


class NudgeOutcome(Enum):
    """What a channel says to one nudge."""

    SENT = auto()
    LATER = auto()
    """Not now, while others may pass."""
    REFUSED = auto()
    UNREACHABLE = auto()
    """The person has no address on this channel."""


@dataclass(frozen=True, slots=True)
class NudgeAnswer:
    """What became of one nudge, with the receiver's code if it did not take it."""

    outcome: NudgeOutcome
    code: str = ""


@dataclass(frozen=True, slots=True)
class Handed:
    """How far a batch has come: answers for the first of its nudges, in order.

    There are fewer answers than nudges only after an outage, which goes for all the others, or
    because the others must not start.
    """

    answers: Sequence[NudgeAnswer]
    outage: UnavailableError | None = None


class Channel(Protocol):
    """Hands nudges to the outside. Safe to use from several threads."""

    def send(self, nudges: Sequence[Nudge], departure: Departure) -> Handed:
        """Send a batch; after a crash the same batch may come again.

        Each nudge begins and ends with the ``departure``, and none starts when that is closed.
        """

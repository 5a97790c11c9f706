"""Push notifications: the interface, and the adapter that only writes to the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

import structlog

from pidgr.errors import UnavailableError
from pidgr.outreach.departure import Departure, NotStartedError

BROWSER: Final = "BROWSER"
"""The platform of pushes to browsers, beside those of the contract."""

log = structlog.get_logger("pidgr.push")


@dataclass(frozen=True, slots=True)
class Push:
    """One notification for one device. The inbox is the truth; a push is only a hint.

    An alert, which leads to no message of the person's own, has no delivery.
    """

    delivery_id: str
    campaign_id: str
    device_id: str
    platform: str
    push_token: str
    title: str
    summary: str
    critical: bool

    @property
    def tag(self) -> str:
        """What this is about: on the device it replaces an earlier push with the same tag."""
        return self.delivery_id or self.campaign_id


class Outcome(Enum):
    """What the provider answered for one device."""

    ACCEPTED = auto()
    DEAD_TOKEN = auto()
    """The token will never work again; the device is deactivated."""
    REFUSED = auto()
    NOT_STARTED = auto()
    """No answer: the batch was stopped before this push had one, and it is not sent again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The provider's answer for one push, in its own words when it refused."""

    outcome: Outcome
    reason: str = ""


ACCEPTED: Final = Answer(Outcome.ACCEPTED)
NOT_STARTED: Final = Answer(Outcome.NOT_STARTED, "the campaign was stopped before its turn")
WANTED_LATER: Final = Answer(Outcome.NOT_STARTED, "the provider wanted it later")


class Pusher(Protocol):
    """Hands pushes to a provider."""

    def send(
        self, pushes: Sequence[Push], idempotency_key: str, departure: Departure
    ) -> list[Answer]:
        """Send a batch and return one answer per push, in order.

        A batch may be sent again under the same key after a crash. Each push begins and ends its
        start with the ``departure``, and does not start when that has been closed.

        Raises:
            UnavailableError: the provider cannot be reached or asks to wait; nothing is lost, the
                same batch is sent again later.
        """

    def close(self) -> None:
        """Release connections."""


class LogPusher:
    """Accepts every push and notes that it would have been sent; titles stay out of the log."""

    def send(
        self, pushes: Sequence[Push], idempotency_key: str, departure: Departure
    ) -> list[Answer]:
        """Log a batch."""
        try:
            with departure.start():
                log.info("push batch", pushes=len(pushes), key=idempotency_key)
        except NotStartedError:
            departure.require_stopped()
            return [NOT_STARTED] * len(pushes)
        return [ACCEPTED] * len(pushes)

    def close(self) -> None:
        """Nothing to release."""


def send_all(
    parts: Sequence[tuple[Pusher, Sequence[Push], str]], departure: Departure
) -> list[Answer]:
    """Send batches, each by its pusher and under its key, and return all answers in order.

    Raises:
        UnavailableError: one of them wants its batch later; it has not kept the others' back.
    """
    answers: list[Answer] = []
    away: UnavailableError | None = None
    for pusher, pushes, key in parts:
        if not len(pushes):
            continue
        try:
            answers += pusher.send(pushes, key, departure)
        except UnavailableError as error:
            away = away or error
    if away is not None:
        raise away
    return answers

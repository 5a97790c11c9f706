"""Failed proofs of who somebody is, of every factor, counted in one place for each person.

A factor that can be guessed claims a failure before it looks at a guess and takes it back when the
guess was right: of any number of guesses at once, no more are looked at than are allowed. A
signature cannot be guessed, so a good passkey passes whatever has been counted: nobody can shut a
person out by failing in their name.
"""

from typing import Final

from pidgr.clock import MINUTE, Clock
from pidgr.identity.door_limits import DoorLimit, DoorLimits
from pidgr.storage.transaction import Transaction

FAILURES_PER_PERSON: Final = DoorLimit("failure", burst=20, interval=3 * MINUTE)
"""Twenty guesses at six digits and twenty more an hour: an even chance after almost four years."""


class Failures:
    """Counts by address, whether or not anybody has it, so that both are refused alike."""

    def __init__(self, limits: DoorLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock

    def count(self, transaction: Transaction, email_folded: str) -> None:
        """Count one failure, one that has happened or one that may.

        Raises:
            ResourceExhaustedError: too many; it carries the seconds until the next one.
        """
        self._limits.take(transaction, FAILURES_PER_PERSON, email_folded, self._clock.now())

    def take_back(self, transaction: Transaction, email_folded: str) -> None:
        """Uncount one that was claimed and has not happened."""
        self._limits.give_back(transaction, FAILURES_PER_PERSON, email_folded)

"""How much a run measures."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["sqlite", "postgresql"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sizes of one run. On two cores the default takes twelve to fifteen minutes, by load.

    ``rounds`` are repetitions of a measurement together with its floor; medians of them are shown.
    """

    kinds: tuple[Kind, ...] = ("sqlite", "postgresql")
    shared: tuple[int, ...] = (200_000, 1_000_000)
    personalised: tuple[int, ...] = (200_000,)
    rounds: int = 3
    load_seconds: float = 1.5
    inbox_recipients: int = 100_000
    tail_recipients: int = 200_000
    tail_seconds: float = 4.0
    tail_campaigns: int = 2
    garbage: int = 10_000
    waiting: int = 10_000
    rest_seconds: float = 20.0
    touches: int = 10_000_000
    touch_days: int = 90
    list_rows: int = 100_000
    list_calls: int = 150

    @property
    def members(self) -> int:
        """How many people the organization has."""
        return max(*self.shared, *self.personalised, self.inbox_recipients, self.tail_recipients)


QUICK = Plan(
    shared=(5_000,),
    personalised=(5_000,),
    rounds=1,
    load_seconds=0.3,
    inbox_recipients=5_000,
    tail_recipients=5_000,
    tail_seconds=0.5,
    tail_campaigns=1,
    garbage=300,
    waiting=300,
    rest_seconds=1.0,
    touches=50_000,
    touch_days=3,
    list_rows=1_000,
    list_calls=5,
)
WITHOUT_MILLION = Plan(shared=(200_000,))

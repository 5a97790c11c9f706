"""What it takes to send people to a provider of some kind, and to believe what it says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pidgr.identity.sso.provider_store import StoredProvider


class BrokenSignInError(Exception):
    """An answer that follows from no sign-in of this browser, or that is not to be believed."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a browser asks a provider."""

    url: str
    form: Mapping[str, str] = field(default_factory=dict)
    """Fields to be posted there; empty if going there is enough."""
    remembered: Mapping[str, str] = field(default_factory=dict)
    """What must be known when it comes back."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a provider says of somebody.

    ``claims`` have the names it has for them; ``authenticated_at`` is when it has seen them sign
    in, in microseconds, if it tells.
    """

    claims: Mapping[str, Any]
    authenticated_at: int | None


class Way(Protocol):
    """A protocol that providers speak."""

    def ask(
        self, provider: StoredProvider, email: str, state: str, max_age: int | None
    ) -> Question:
        """Return how to ask a provider who somebody is.

        Args:
            provider: of this kind.
            email: what they say they are; a hint.
            state: what the provider has to hand back as it is.
            max_age: by how many seconds they may have signed in there before; None for any.
        """

    async def believe(
        self, provider: StoredProvider, answer: Mapping[str, str], remembered: Mapping[str, str]
    ) -> Word:
        """Return what a provider says of somebody; how old that is, the caller judges.

        Raises:
            BrokenSignInError: it said no, or it cannot have been this provider or meant this
                sign-in.
            UnavailableError: the provider does not answer.
        """

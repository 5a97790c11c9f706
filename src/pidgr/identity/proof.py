"""That somebody has just shown who they are, before anything follows from it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Proof:
    """Who somebody has proved to be, how (RFC 8176) and when, in microseconds.

    ``authenticated_at`` is 0 where nobody can tell: a provider vouches for a sign-in of any age.
    ``organization_key`` is of the only organization in which it counts, if there is such a one.
    """

    subject: str
    method: str
    authenticated_at: int
    organization_key: int | None = None

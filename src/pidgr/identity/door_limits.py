"""Limits on doors that need no credential, counted in the database and so across processes.

The generic cell rate algorithm: one moment per name says when the allowance will be whole again. A
call moves it one interval further and is refused where that would pass the burst. One statement
does both, so that parallel calls cannot slip through between a look and a write.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Final

from pidgr.clock import SECOND
from pidgr.errors import ResourceExhaustedError
from pidgr.secrets import MasterKey
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

_TAKE: Final = Statement(
    """
    insert into door_limit (name, next_at) values (:name, :first)
    on conflict (name) do update set next_at = max(door_limit.next_at, :now) + :interval
    where door_limit.next_at <= :latest
    returning next_at
    """,
    postgresql="""
    insert into door_limit (name, next_at) values (:name, :first)
    on conflict (name) do update set next_at = greatest(door_limit.next_at, :now) + :interval
    where door_limit.next_at <= :latest
    returning next_at
    """,
)
_GIVE_BACK: Final = Statement("""
    update door_limit set next_at = next_at - :interval where name = :name
""")
_NEXT: Final = Statement("select next_at from door_limit where name = :name")
# A few at a time, whenever one is added: the table stays as large as the traffic is. Last in its
# transaction and around what others hold, so that nobody waits for somebody who waits for them.
_FORGET: Final = Statement(
    """
    delete from door_limit where name in
      (select name from door_limit where next_at < :now order by next_at limit 10)
    """,
    postgresql="""
    delete from door_limit where name in
      (select name from door_limit where next_at < :now order by next_at limit 10
       for update skip locked)
    """,
)


@dataclass(frozen=True, slots=True)
class DoorLimit:
    """How often one name may pass a door."""

    door: str
    burst: int
    interval: int
    """Microseconds until one more call is allowed."""


class DoorLimits:
    """Counts calls by the names of those who make them; the names themselves are not stored."""

    def __init__(self, master_key: MasterKey) -> None:
        self._key = master_key.derive("door-limits")

    def take(self, transaction: Transaction, limit: DoorLimit, name: str, now: int) -> None:
        """Count one call.

        Raises:
            ResourceExhaustedError: too many; it carries the seconds until the next one.
        """
        stored = self._stored(limit, name)
        latest = now + (limit.burst - 1) * limit.interval
        taken = transaction.value(
            _TAKE,
            {
                "name": stored,
                "first": now + limit.interval,
                "now": now,
                "interval": limit.interval,
                "latest": latest,
            },
        )
        if taken is None:
            wait = (transaction.value(_NEXT, {"name": stored}) - latest) / SECOND
            raise ResourceExhaustedError(
                f"too many requests; try again in {math.ceil(wait)} s",
                retry_after_seconds=wait,
            )
        transaction.execute(_FORGET, {"now": now})

    def give_back(self, transaction: Transaction, limit: DoorLimit, name: str) -> None:
        """Uncount one call that :meth:`take` has counted."""
        parameters = {"name": self._stored(limit, name), "interval": limit.interval}
        transaction.execute(_GIVE_BACK, parameters)

    def _stored(self, limit: DoorLimit, name: str) -> str:
        digest = hashlib.blake2b(name.encode(), key=self._key, digest_size=16).hexdigest()
        return f"{limit.door}/{digest}"

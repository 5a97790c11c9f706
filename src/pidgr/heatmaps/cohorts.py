"""Cohort buckets: all that is kept of who touched (SEMANTICS section 8)."""

import hashlib
import hmac

from pidgr.secrets import MasterKey

_PURPOSE = "cohort-bucket"


class Cohorts:
    """Puts people into buckets by a hash that needs the organization's salt and the master key.

    With the database alone nobody can tell a person's bucket; with a new salt everybody moves.
    """

    def __init__(self, master_key: MasterKey) -> None:
        self._key = master_key.derive(_PURPOSE)

    def bucket(self, salt: bytes, member_id: str, count: int) -> int:
        """Return a member's bucket, 0 to ``count - 1``."""
        digest = hmac.digest(self._key, salt + member_id.encode(), hashlib.sha256)
        return int.from_bytes(digest) % count

"""What an organization decides about the analysis of behaviour (SEMANTICS 2.9 and section 8)."""

import secrets
from typing import Final

_SALT_BYTES: Final = 32


def new_salt() -> bytes:
    """Return a secret that puts people into cohort buckets."""
    return secrets.token_bytes(_SALT_BYTES)

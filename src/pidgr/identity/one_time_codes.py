"""Six-digit codes (OWASP ASVS 5.0 V6.5: random, short-lived, single use, hashed at rest)."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from pidgr.clock import MINUTE
from pidgr.secrets import MasterKey

DIGITS: Final = 6
LIFETIME: Final = 3 * MINUTE
MAXIMUM_TRIES: Final = 3

_SALT_BYTES: Final = 16
# 4 MiB and about 14 ms: light for a password, enough for a secret of three minutes and three
# tries. Going through all codes offline takes hours, and needs the master key besides.
_COST: Final = 1 << 12
_BLOCK_SIZE: Final = 8


@dataclass(frozen=True, slots=True)
class HashedCode:
    """What is kept of a code."""

    salt: bytes
    digest: bytes


class Codes:
    """Makes and compares codes."""

    def __init__(self, master_key: MasterKey) -> None:
        self._pepper = master_key.derive("one-time-codes")

    def new(self) -> tuple[str, HashedCode]:
        """Return a code and what to keep of it. Takes some 14 ms of a core."""
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        salt = secrets.token_bytes(_SALT_BYTES)
        return code, HashedCode(salt, self._hash(code, salt))

    def matches(self, code: str, kept: HashedCode) -> bool:
        """Compare in constant time. Takes some 14 ms of a core."""
        return hmac.compare_digest(self._hash(code, kept.salt), kept.digest)

    def _hash(self, code: str, salt: bytes) -> bytes:
        peppered = hashlib.blake2b(code.encode(), key=self._pepper).digest()
        return hashlib.scrypt(peppered, salt=salt, n=_COST, r=_BLOCK_SIZE, p=1, dklen=32)

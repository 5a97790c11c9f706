"""The public id of a delivery: a UUID computed from its key, so the big table needs no id index.

Layout of the 122 free bits of a UUIDv8 (RFC 9562): 48 bits step run, 26 bits ordinal, 48 bits MAC.
The MAC keeps ids from being guessed or counted through.
"""

import hashlib
import hmac
import struct
import uuid
from typing import Final, NamedTuple

from pidgr.errors import NotFoundError
from pidgr.secrets import MasterKey
from pidgr.validation import require_uuid

_MAC_BYTES: Final = 6
_HIGH_BITS: Final = 12
_LOW_BITS: Final = 14
_VERSION: Final = 8
_VARIANT: Final = 0b10

LARGEST_ORDINAL: Final = (1 << (_HIGH_BITS + _LOW_BITS)) - 1


class DeliveryKey(NamedTuple):
    """Where a delivery lies: the step run that made it and its place in that run."""

    step_run_key: int
    ordinal: int


class DeliveryIds:
    """Writes and reads delivery ids."""

    def __init__(self, master_key: MasterKey) -> None:
        self._key: Final = master_key.derive("delivery-id")

    def encode(self, step_run_key: int, ordinal: int) -> str:
        """Return the id of a delivery."""
        high = step_run_key << 16 | _VERSION << _HIGH_BITS | ordinal >> _LOW_BITS
        low = _VARIANT << 62 | (ordinal & (1 << _LOW_BITS) - 1) << 48
        low |= int.from_bytes(self._mac(step_run_key, ordinal), "big")
        text = f"{high:016x}{low:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def decode(self, path: str, value: str) -> DeliveryKey:
        """Return the key of a delivery id.

        Raises:
            InvalidArgumentError: not a UUID.
            NotFoundError: a UUID that is not an id of ours.
        """
        number = uuid.UUID(require_uuid(path, value)).int
        high, low = number >> 64, number & (1 << 64) - 1
        step_run_key = high >> 16
        ordinal = (high & (1 << _HIGH_BITS) - 1) << _LOW_BITS | low >> 48 & (1 << _LOW_BITS) - 1
        if not hmac.compare_digest(self.encode(step_run_key, ordinal), value.lower()):
            raise unknown_delivery()
        return DeliveryKey(step_run_key, ordinal)

    def _mac(self, step_run_key: int, ordinal: int) -> bytes:
        text = struct.pack(">QI", step_run_key, ordinal)
        return hashlib.blake2b(text, key=self._key, digest_size=_MAC_BYTES).digest()


def unknown_delivery() -> NotFoundError:
    """Return the error for a delivery the caller's organization does not have."""
    return NotFoundError("there is no such delivery")

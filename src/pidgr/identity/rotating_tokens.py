"""Secrets that are good for one use and followed by another of the same handle.

The handle finds the row, the secret behind it proves possession. Whoever shows an old secret under
a known handle has had a copy: that is how reuse is detected.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

_HANDLE_BYTES: Final = 16
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class RotatingToken:
    """A token as its bearer has it, and the handle it shares with those before and after it."""

    text: str
    handle: bytes

    @property
    def digest(self) -> bytes:
        """What is stored. A plain hash suffices: 256 bits cannot be guessed."""
        return hashlib.sha256(self.text.encode()).digest()

    def matches(self, digest: bytes | None) -> bool:
        """Compare with what is stored, in constant time."""
        return digest is not None and hmac.compare_digest(digest, self.digest)


def new_handle() -> bytes:
    """Return a handle for a new row."""
    return secrets.token_bytes(_HANDLE_BYTES)


def new_token(prefix: str, handle: bytes) -> RotatingToken:
    """Return the next token of a handle."""
    return _token(prefix, handle, secrets.token_bytes(_SECRET_BYTES))


def following(prefix: str, token: RotatingToken, key: bytes, attempt: str) -> RotatingToken:
    """Return the token that follows upon another by an attempt: always the same one.

    Only who has the key can tell, so an attempt that is easy to guess gives nothing away.
    """
    secret = hmac.digest(key, token.digest + attempt.encode(), "sha256")
    return _token(prefix, token.handle, secret)


def _token(prefix: str, handle: bytes, secret: bytes) -> RotatingToken:
    return RotatingToken(prefix + base64.urlsafe_b64encode(handle + secret).decode(), handle)


def parse(prefix: str, text: str) -> RotatingToken | None:
    """Return what may be a token of ours; None if it cannot be one."""
    if not text.startswith(prefix):
        return None
    try:
        secret = base64.b64decode(text.removeprefix(prefix), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(secret) != _HANDLE_BYTES + _SECRET_BYTES:
        return None
    return RotatingToken(text, secret[:_HANDLE_BYTES])

"""How this server names itself to push services (VAPID, RFC 8292)."""

import base64
import threading
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from joserfc import jwt
from joserfc.jwk import ECKey

from pidgr.clock import HOUR, SECOND, Clock
from pidgr.outreach.web_push_encryption import public_bytes
from pidgr.secrets import MasterKey

_PURPOSE: Final = "web-push-vapid"
# RFC 8292 allows a day; services compare with clocks of their own.
_LIFETIME: Final = 12 * HOUR
_RENEWED_AFTER: Final = 6 * HOUR
# Origins of push services; there are a handful of them.
_MOST_TOKENS: Final = 1_000
# Of the curve P-256 (FIPS 186-5).
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def base64url(data: bytes) -> str:
    """Return bytes in base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


class Vapid:
    """Signs with a key that follows from the master key. Safe to use from several threads.

    Every process has the same key without asking anybody, and a backup of the master key is one of
    this key too. Browsers bind their subscriptions to it.

    Args:
        master_key: of the installation.
        contact: ``mailto:`` or ``https:`` URL of the operator; empty for none.
        clock: tells the time.
    """

    def __init__(self, master_key: MasterKey, contact: str, clock: Clock) -> None:
        number = int.from_bytes(master_key.derive(_PURPOSE)) % (_ORDER - 1) + 1
        key = ec.derive_private_key(number, ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.public_key: Final = base64url(public_bytes(key.public_key()))
        """What a page gives to ``pushManager.subscribe()`` as ``applicationServerKey``."""
        self._key = ECKey.import_key(pem)
        self._contact = contact
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, int]] = {}

    def authorization(self, origin: str) -> str:
        """Return the Authorization header for the push service of an origin."""
        now = self._clock.now()
        with self._lock:
            token, issued_at = self._tokens.get(origin, ("", 0))
            if not token or now - issued_at >= _RENEWED_AFTER:
                token = self._token(origin, now)
                if len(self._tokens) >= _MOST_TOKENS:
                    self._tokens.clear()
                self._tokens[origin] = (token, now)
        return f"vapid t={token}, k={self.public_key}"

    def _token(self, origin: str, now: int) -> str:
        claims: dict[str, str | int] = {"aud": origin, "exp": (now + _LIFETIME) // SECOND}
        if self._contact:
            claims["sub"] = self._contact
        return jwt.encode({"alg": "ES256", "typ": "JWT"}, claims, self._key)

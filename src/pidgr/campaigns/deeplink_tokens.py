"""Tokens in the links of nudges (SEMANTICS 10): what they hold, and what they are signed with.

Layout: format, key version, step kind, campaign, recipient, expiry in microseconds, then the first
16 bytes of an HMAC-SHA256 over all of it; base64url without padding. An organization's keys are
derived from the master key by its id and a version, so there is nothing to keep secret at rest.
"""

import base64
import binascii
import hashlib
import hmac
import struct
import uuid
from typing import Final, NamedTuple

from pidgr.campaigns.link_store import LinkKey
from pidgr.clock import DAY
from pidgr.secrets import MasterKey

OVERLAP: Final = 7 * DAY
"""How long the key before the present one is still good."""

_FORMAT: Final = 1
_LAYOUT: Final = struct.Struct(">BIB16s16sQ")
_MAC_BYTES: Final = 16


class DeeplinkToken(NamedTuple):
    """What a token says, and how it is signed."""

    campaign_id: str
    recipient_id: str
    step_kind: int
    expires_at: int
    key_version: int
    signed: bytes
    mac: bytes


class DeeplinkTokens:
    """Signs and reads tokens."""

    def __init__(self, master_key: MasterKey) -> None:
        self._root = master_key.derive("deeplink-token")

    def sign(
        self,
        organization_id: str,
        key: LinkKey,
        *,
        campaign_id: str,
        recipient_id: str,
        step_kind: int,
        expires_at: int,
    ) -> str:
        """Return a token."""
        signed = _LAYOUT.pack(
            _FORMAT,
            key.version,
            step_kind,
            uuid.UUID(campaign_id).bytes,
            uuid.UUID(recipient_id).bytes,
            expires_at,
        )
        return _encode(signed + self._mac(organization_id, key.version, signed))

    def is_genuine(self, organization_id: str, token: DeeplinkToken) -> bool:
        """Tell whether an organization's key of the token's version has signed it."""
        mac = self._mac(organization_id, token.key_version, token.signed)
        return hmac.compare_digest(mac, token.mac)

    def _mac(self, organization_id: str, version: int, signed: bytes) -> bytes:
        purpose = f"{organization_id}:{version}".encode()
        key = hmac.digest(self._root, purpose, hashlib.sha256)
        return hmac.digest(key, signed, hashlib.sha256)[:_MAC_BYTES]


def read_token(text: str) -> DeeplinkToken | None:
    """Return what a token says, whoever has written it; None if it does not look like one."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    # One spelling for each token: the last character has bits to spare.
    if len(raw) != _LAYOUT.size + _MAC_BYTES or _encode(raw) != text:
        return None
    signed, mac = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
    layout, version, kind, campaign, recipient, expires_at = _LAYOUT.unpack(signed)
    if layout != _FORMAT:
        return None
    return DeeplinkToken(
        str(uuid.UUID(bytes=campaign)),
        str(uuid.UUID(bytes=recipient)),
        kind,
        expires_at,
        version,
        signed,
        mac,
    )


def is_retired(version: int, present: LinkKey, now: int) -> bool:
    """Tell whether a key signs no more, and long enough that what it signed is not good either."""
    if version == present.version:
        return False
    return version != present.version - 1 or now >= present.rotated_at + OVERLAP


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

"""API keys: opaque secrets shown once, stored as SHA-256 (SEMANTICS 2.2)."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from pidgr.audit.trail import Event, Fact
from pidgr.clock import to_datetime
from pidgr.contract.v1.api_key_pb import KeyType
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.identity.api_key_store import StoredApiKey

API_KEY_PREFIX: Final = "pidgr_k_"
SCIM_TOKEN_PREFIX: Final = "pidgr_scim_"  # noqa: S105 - a prefix, not a token
# Keys of either kind, and the old spelling ``pidgr_<key>``, all begin like this.
COMMON_PREFIX: Final = "pidgr_"
_SECRET_BYTES: Final = 32
_SHOWN_CHARACTERS: Final = 8


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the only moment its secret is known."""

    secret: str
    digest: bytes
    shown_prefix: str


def new_key(prefix: str) -> NewKey:
    """Return a key with 256 bits of secret, base64url, after its prefix."""
    secret = prefix + secrets.token_urlsafe(_SECRET_BYTES)
    return NewKey(secret, digest(secret), secret[: len(prefix) + _SHOWN_CHARACTERS])


def digest(secret: str) -> bytes:
    """Return what is stored of a key. A plain hash suffices: the secret cannot be guessed."""
    return hashlib.sha256(secret.encode()).digest()


def creation(key: StoredApiKey) -> Event:
    """Return what the audit trail tells of a new key."""
    told: dict[str, Fact] = {
        "name": key.name,
        "key_type": KeyType(key.key_type).name,
        "permissions": key.permissions.split(),
    }
    if key.expires_at is not None:
        told["expires_at"] = to_datetime(key.expires_at).isoformat()
    return Event(AuditEventType.API_KEY_CREATED, "api_key", key.id, told)

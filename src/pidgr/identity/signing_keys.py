"""The keys that sign access tokens, and how one follows another.

A rotation decides three moments at once: the new key is published now, signs ten minutes from now,
and the old one counts until the longest token it may have signed has expired. Every process
reads the keys at least once a minute, so none has to be told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from joserfc.jwk import RSAKey

from pidgr.clock import DAY, MINUTE
from pidgr.identity import store
from pidgr.identity.store import StoredSigningKey
from pidgr.secrets import MasterKey
from pidgr.storage.transaction import Reader, Transaction

ALGORITHM: Final = "RS256"
LONGEST_LIFETIME: Final = DAY
"""No token of ours lives longer, in microseconds."""
JWKS_MAX_AGE_SECONDS: Final = 300
"""How long others may keep our public keys; well below the time a key is published before it
signs."""
PUBLISHED_FOR: Final = 10 * MINUTE
"""How long a new key is public before it signs, in microseconds."""

_KEY_BITS: Final = 2048
_PURPOSE: Final = "signing-key"
# Servers' clocks differ a little, and a token may be signed in the key's last moment.
_MARGIN: Final = MINUTE


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair and when it is in force; times in microseconds."""

    kid: str
    pair: RSAKey
    signs_from: int
    retired_at: int | None

    def counts(self, now: int) -> bool:
        """Tell whether its signatures are accepted."""
        return self.retired_at is None or now < self.retired_at


class KeyRing:
    """The keys of an installation as they were when it was read."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._keys = tuple(sorted(keys, key=lambda key: (key.signs_from, key.kid)))
        self._by_kid = {key.kid: key for key in keys}

    def __contains__(self, kid: str) -> bool:
        return kid in self._by_kid

    def __bool__(self) -> bool:
        return bool(self._keys)

    def pair(self, kid: str) -> RSAKey | None:
        """Return the pair of a key, whether or not it counts."""
        key = self._by_kid.get(kid)
        return None if key is None else key.pair

    def counts(self, kid: str, now: int) -> bool:
        """Tell whether there is such a key and its signatures are accepted."""
        key = self._by_kid.get(kid)
        return key is not None and key.counts(now)

    def signing(self, now: int) -> RSAKey:
        """Return the key to sign with: the newest that signs already.

        Raises:
            LookupError: there is none.
        """
        for key in reversed(self._keys):
            if key.signs_from <= now:
                return key.pair
        raise LookupError("this installation has no signing key")

    def verifying(self, kid: object, now: int) -> RSAKey:
        """Return the key a token names.

        Raises:
            LookupError: no such key, or one that counts no more.
        """
        key = self._by_kid.get(kid) if isinstance(kid, str) else None
        if key is None or not key.counts(now):
            raise LookupError(kid)
        return key.pair

    def public(self, now: int) -> dict[str, object]:
        """Return the JWKS document (RFC 7517)."""
        return {"keys": [key.pair.as_dict(private=False) for key in self._keys if key.counts(now)]}


def read(reader: Reader, master_key: MasterKey, known: KeyRing) -> KeyRing:
    """Return the stored keys; pairs that are known already are not opened again.

    A key's id is its thumbprint (RFC 7638), so a pair never changes, and to open one takes 50 to
    100 ms, which on SQLite every caller waits for.

    Raises:
        MasterKeyError: they were sealed with another master key.
    """
    return KeyRing(
        [
            SigningKey(
                stored.kid,
                known.pair(stored.kid) or _opened(stored, master_key),
                stored.signs_from,
                stored.retired_at,
            )
            for stored in store.signing_keys(reader)
        ]
    )


def _opened(stored: StoredSigningKey, master_key: MasterKey) -> RSAKey:
    return RSAKey.import_key(
        master_key.unseal(_PURPOSE, stored.sealed_private_key),
        {"kid": stored.kid, "use": "sig", "alg": ALGORITHM},
    )


def new_pair() -> RSAKey:
    """Make a key pair; takes up to a second, so not inside a unit of work."""
    return RSAKey.generate_key(_KEY_BITS, {"use": "sig", "alg": ALGORITHM})


def insert_first(transaction: Transaction, master_key: MasterKey, pair: RSAKey, now: int) -> None:
    """Store an installation's first key, which signs at once, unless it has one."""
    if not store.signing_keys(transaction):
        _insert(transaction, master_key, pair, now, signs_from=now)


def rotate(transaction: Transaction, master_key: MasterKey, pair: RSAKey, now: int) -> int:
    """Let a new key follow the present one; return when it signs, in microseconds."""
    signs_from = now + PUBLISHED_FOR
    store.delete_retired_keys(transaction, now)
    store.retire_signing_keys(transaction, signs_from + LONGEST_LIFETIME + _MARGIN)
    _insert(transaction, master_key, pair, now, signs_from=signs_from)
    return signs_from


def _insert(
    transaction: Transaction, master_key: MasterKey, pair: RSAKey, now: int, *, signs_from: int
) -> None:
    sealed = master_key.seal(_PURPOSE, pair.as_pem(private=True))
    store.insert_signing_key(transaction, pair.thumbprint(), sealed, now, signs_from)

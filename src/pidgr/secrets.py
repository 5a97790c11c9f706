"""The master key and what is derived from it.

One secret protects everything that must outlive the process: private signing keys at rest, page
tokens and delivery ids. Losing it makes issued tokens and cursors invalid, never data unreadable
beyond the signing keys, which can be made anew.
"""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pidgr.errors import SetupError
from pidgr.settings import Settings

_MINIMUM_LENGTH: Final = 32
_NONCE_BYTES: Final = 12


class MasterKeyError(SetupError):
    """The master key is missing, too short or not the one this database was set up with."""


class MasterKey:
    """Derives one independent 32-byte key per purpose."""

    def __init__(self, material: str) -> None:
        if len(material) < _MINIMUM_LENGTH:
            message = f"PIDGR_MASTER_KEY needs at least {_MINIMUM_LENGTH} characters"
            raise MasterKeyError(message)
        self._root: Final = hashlib.sha256(material.encode()).digest()

    def derive(self, purpose: str) -> bytes:
        """Return the key of a purpose: BLAKE2b of the purpose, keyed with the root."""
        return hashlib.blake2b(purpose.encode(), key=self._root, digest_size=32).digest()

    def seal(self, purpose: str, plain: bytes) -> bytes:
        """Encrypt and authenticate (AES-256-GCM, random nonce in front)."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self.derive(purpose)).encrypt(nonce, plain, purpose.encode())

    def unseal(self, purpose: str, sealed: bytes) -> bytes:
        """Return what was sealed for the same purpose.

        Raises:
            MasterKeyError: sealed with another key, or altered.
        """
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return AESGCM(self.derive(purpose)).decrypt(nonce, text, purpose.encode())
        except InvalidTag as error:
            message = "this database was set up with another master key: set PIDGR_MASTER_KEY"
            raise MasterKeyError(message) from error


def master_key_file(settings: Settings) -> Path:
    """Return where the master key is kept when it is not given as a setting."""
    return settings.data_dir / "master.key"


def find_master_key(settings: Settings) -> MasterKey | None:
    """Return the configured master key, or the one kept in the data directory, or None.

    Raises:
        MasterKeyError: it is too short.
    """
    if settings.master_key is not None:
        return MasterKey(settings.master_key.get_secret_value())
    path = master_key_file(settings)
    return MasterKey(path.read_text(encoding="utf-8").strip()) if path.exists() else None


def load_master_key(settings: Settings) -> MasterKey:
    """Return the master key, made and kept in the data directory if there is none.

    Raises:
        MasterKeyError: it is too short.
    """
    found = find_master_key(settings)
    if found is not None:
        return found
    path = master_key_file(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(f".{os.getpid()}")
    # Written aside and linked into place: of two processes that start at once, one wins and
    # both read a whole key.
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(_MINIMUM_LENGTH))
    try:
        os.link(scratch, path)
    except FileExistsError:
        pass
    finally:
        scratch.unlink()
    return MasterKey(path.read_text(encoding="utf-8").strip())

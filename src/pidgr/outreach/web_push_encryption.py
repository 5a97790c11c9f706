"""Message encryption for Web Push (RFC 8291, with the aes128gcm coding of RFC 8188)."""

import os
import struct
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_RECORD_BYTES: Final = 4_096
_SALT_BYTES: Final = 16
_LAST_RECORD: Final = b"\x02"


def public_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as browsers give and take it: an uncompressed point."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encrypt(
    message: bytes,
    public_key: ec.EllipticCurvePublicKey,
    secret: bytes,
    *,
    own_key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """Return the body of a request to a push service.

    Args:
        message: at most 3,993 bytes, which makes one record.
        public_key: the browser's (``p256dh``).
        secret: the browser's (``auth``), 16 bytes.
        own_key: used for this message alone; a new one unless given.
        salt: likewise.
    """
    own_key = own_key or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(_SALT_BYTES)
    own = public_bytes(own_key.public_key())
    shared = own_key.exchange(ec.ECDH(), public_key)
    both = b"WebPush: info\0" + public_bytes(public_key) + own
    material = _derive(shared, secret, both, 32)
    key = _derive(material, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(material, salt, b"Content-Encoding: nonce\0", 12)
    header = salt + struct.pack(">IB", _RECORD_BYTES, len(own)) + own
    return header + AESGCM(key).encrypt(nonce, message + _LAST_RECORD, None)


def _derive(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(material)

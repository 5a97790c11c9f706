"""A browser that subscribes to pushes, and the push service that brings them to it."""

import base64
import json
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from pidgr.outreach.vapid import base64url
from support.http_peer import HttpPeer, Received, Scripted, http_peer


class Browser:
    """The receiving side of RFC 8291."""

    def __init__(self, endpoint: str, key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self.endpoint = endpoint
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.secret = os.urandom(16)
        self.public = _point(self.key.public_key())

    @property
    def subscription(self) -> dict[str, Any]:
        """What its ``PushSubscription.toJSON()`` gives."""
        keys = {"p256dh": base64url(self.public), "auth": base64url(self.secret)}
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": keys}

    def read(self, body: bytes) -> bytes:
        """Decrypt a push; raises InvalidTag for what is not for this browser."""
        salt, (size, length) = body[:16], struct.unpack(">IB", body[16:21])
        sender, text = body[21 : 21 + length], body[21 + length :]
        assert len(text) <= size
        their_key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.key.exchange(ec.ECDH(), their_key)
        material = _derive(shared, self.secret, b"WebPush: info\0" + self.public + sender, 32)
        key = _derive(material, salt, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _derive(material, salt, b"Content-Encoding: nonce\0", 12)
        padded = AESGCM(key).decrypt(nonce, text, None).rstrip(b"\0")
        assert padded.endswith(b"\x02")
        return padded[:-1]


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derive(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(material)


class PushService:
    """Takes pushes for browsers as RFC 8030 has it, and checks who sends them (RFC 8292)."""

    def __init__(self, peer: HttpPeer) -> None:
        self.origin = f"http://127.0.0.1:{peer.port}"
        self.requests: list[Received] = []
        self.answers: list[Scripted] = []
        """Instead of 201, for the next requests."""
        self.gone: set[str] = set()
        self._lock = threading.Lock()
        peer.answer = self._answer

    def browser(self, name: str) -> Browser:
        return Browser(f"{self.origin}/push/{name}")

    def pushes(self, browser: Browser) -> list[dict[str, Any]]:
        """Return what came for a browser, decrypted."""
        with self._lock:
            mine = [one for one in self.requests if browser.endpoint.endswith(one.path)]
        return [json.loads(browser.read(one.body)) for one in mine]

    def _answer(self, request: Received) -> Scripted:
        with self._lock:
            self.requests.append(request)
            if self.answers:
                return self.answers.pop(0)
        if request.path in self.gone:
            return Scripted(410)
        return Scripted(201, {"location": f"{self.origin}/message/1"})


def vapid_claims(request: Received) -> tuple[dict[str, Any], str]:
    """Return what a push's sender claims, checked against its key, and the key."""
    scheme, _, rest = request.headers["authorization"].partition(" ")
    assert scheme == "vapid"
    fields = dict(part.strip().split("=", 1) for part in rest.split(","))
    public = _decoded(fields["k"])
    assert len(public) == 65
    key: dict[str, str | list[str]] = {
        "kty": "EC",
        "crv": "P-256",
        "x": base64url(public[1:33]),
        "y": base64url(public[33:]),
    }
    token = jwt.decode(fields["t"], ECKey.import_key(key), ["ES256"])
    return dict(token.claims), fields["k"]


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextmanager
def push_service() -> Iterator[PushService]:
    with http_peer() as peer:
        yield PushService(peer)

"""A software authenticator: what a device and a browser do together, with every fault one can ask.

It follows WebAuthn Level 3 (5.1, 6 and 7) and shares no code with the server.
"""

import base64
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

_PRESENT, _VERIFIED, _MAY_SYNC, _ATTESTED = 0x01, 0x04, 0x08, 0x40
_ALGORITHMS = {"ES256": -7, "EdDSA": -8, "RS256": -257}


def encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Credential:
    """A discoverable key pair, bound to a site and a person."""

    id: bytes
    rp_id: str
    user_handle: bytes
    private_key: Any
    sign_count: int = 0

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.private_key, ec.EllipticCurvePrivateKey):
            return self.private_key.sign(data, ec.ECDSA(hashes.SHA256()))
        if isinstance(self.private_key, rsa.RSAPrivateKey):
            return self.private_key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        signature: bytes = self.private_key.sign(data)
        return signature

    def cose(self) -> bytes:
        public = self.private_key.public_key()
        if isinstance(public, ec.EllipticCurvePublicKey):
            point = public.public_numbers()
            x, y = point.x.to_bytes(32, "big"), point.y.to_bytes(32, "big")
            return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            n, e = numbers.n.to_bytes(256, "big"), numbers.e.to_bytes(3, "big")
            return cbor2.dumps({1: 3, 3: -257, -1: n, -2: e})
        return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()})


@dataclass
class Authenticator:
    """Keeps credentials, in a browser that shows a page of ``origin``.

    ``step`` is how far its counter moves with each signature; synced ones stay at zero.
    """

    origin: str
    algorithm: str = "ES256"
    step: int = 1
    verifies: bool = True
    present: bool = True
    synced: bool = False
    rp_id: str | None = None
    """Set, it is told another site than the page asked for."""
    credentials: list[Credential] = field(default_factory=list)

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Do what ``navigator.credentials.create()`` does; return the outcome's ``toJSON()``."""
        offered = {one["alg"] for one in options["pubKeyCredParams"]}
        assert _ALGORITHMS[self.algorithm] in offered
        excluded = {decode(one["id"]) for one in options["excludeCredentials"]}
        assert not excluded & {one.id for one in self.credentials}, "InvalidStateError"
        credential = Credential(
            id=secrets.token_bytes(32),
            rp_id=self.rp_id or options["rp"]["id"],
            user_handle=decode(options["user"]["id"]),
            private_key=self._new_key(),
        )
        self.credentials.append(credential)
        data = self._authenticator_data(credential, attested=True)
        return self._outcome(
            credential,
            clientDataJSON=encode(self._client_data("webauthn.create", options["challenge"])),
            attestationObject=encode(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
            transports=["internal", "hybrid", "telepathy"],
        )

    def get(
        self, options: dict[str, Any], credential: Credential | None = None, **faults: Any
    ) -> dict[str, Any]:
        """Do what ``navigator.credentials.get()`` does; return the outcome's ``toJSON()``.

        ``faults`` take the place of members of the response.
        """
        chosen = credential or self.credentials[-1]
        chosen.sign_count += 0 if self.synced else self.step
        data = self._authenticator_data(chosen, attested=False)
        client_data = self._client_data("webauthn.get", options["challenge"])
        signature = chosen.sign(data + hashlib.sha256(client_data).digest())
        response = {
            "clientDataJSON": encode(client_data),
            "authenticatorData": encode(data),
            "signature": encode(signature),
            "userHandle": encode(chosen.user_handle),
        }
        return self._outcome(chosen, **response | faults)

    def _outcome(self, credential: Credential, **response: Any) -> dict[str, Any]:
        return {
            "id": encode(credential.id),
            "rawId": encode(credential.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }

    def _client_data(self, kind: str, challenge: str) -> bytes:
        content = {"type": kind, "challenge": challenge, "origin": self.origin}
        return json.dumps(content | {"crossOrigin": False}).encode()

    def _authenticator_data(self, credential: Credential, *, attested: bool) -> bytes:
        flags = (_PRESENT * self.present) | (_VERIFIED * self.verifies)
        flags |= (_MAY_SYNC * self.synced) | (_ATTESTED * attested)
        rp_id_hash = hashlib.sha256((self.rp_id or credential.rp_id).encode()).digest()
        data = rp_id_hash + struct.pack(">BI", flags, credential.sign_count)
        if attested:
            length = struct.pack(">H", len(credential.id))
            data += bytes(16) + length + credential.id + credential.cose()
        return data

    def _new_key(self) -> Any:
        if self.algorithm == "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        if self.algorithm == "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

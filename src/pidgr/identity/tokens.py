"""RS256 access tokens and the keys that sign them (SEMANTICS 6.2)."""

import hashlib
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from pidgr.clock import SECOND, Clock
from pidgr.errors import UnauthenticatedError
from pidgr.identity import store
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction

ORGANIZATION_CLAIM: Final = "custom:org_id"
_ALGORITHM: Final = "RS256"
_KEY_BITS: Final = 2048
_PURPOSE: Final = "signing-key"
# Clocks of servers that share a database may differ a little.
_LEEWAY_SECONDS: Final = 5
_REMEMBERED_TOKENS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says about its bearer."""

    subject: str
    email: str
    organization_id: str
    expires_at: int


class TokenSigner:
    """Makes and checks access tokens with the keys in the database.

    Keys are read once and again when an unknown ``kid`` shows up. A token that passed is
    remembered until it expires, because checking RS256 costs more than the rest of a small call.
    """

    def __init__(
        self, database: Database, master_key: MasterKey, clock: Clock, issuer: str, audience: str
    ) -> None:
        self._database = database
        self._master_key = master_key
        self._clock = clock
        self._issuer = issuer
        self._audience = audience
        self._keys = KeySet([])
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()
        self._lock = threading.Lock()

    def ensure_key(self) -> None:
        """Make the first signing key of this database, and load what is there."""
        if not self._database.read_now(store.signing_keys):
            key = RSAKey.generate_key(_KEY_BITS, {"use": "sig", "alg": _ALGORITHM})
            self._database.write_now(lambda transaction: self._insert_first(transaction, key))
        self._database.read_now(self.reload)

    def _insert_first(self, transaction: Transaction, key: RSAKey) -> None:
        if store.signing_keys(transaction):
            return
        sealed = self._master_key.seal(_PURPOSE, key.as_pem(private=True))
        store.insert_signing_key(transaction, key.thumbprint(), sealed, self._clock.now())

    def reload(self, reader: Reader) -> None:
        """Read the keys again.

        Raises:
            MasterKeyError: they were sealed with another master key.
        """
        keys = []
        for stored in store.signing_keys(reader):
            pem = self._master_key.unseal(_PURPOSE, stored.sealed_private_key)
            keys.append(
                RSAKey.import_key(pem, {"kid": stored.kid, "use": "sig", "alg": _ALGORITHM})
            )
        self._keys = KeySet(list(keys))

    def public_keys(self) -> dict[str, object]:
        """Return the JWKS document (RFC 7517)."""
        return dict(self._keys.as_dict(private=False))

    def sign(self, *, subject: str, email: str, organization_id: str, lifetime: int) -> str:
        """Return an access token that lives ``lifetime`` microseconds."""
        issued = self._clock.now() // SECOND
        claims: dict[str, object] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "email": email,
            "iat": issued,
            "exp": issued + lifetime // SECOND,
        }
        if organization_id:
            claims[ORGANIZATION_CLAIM] = organization_id
        key = self._keys.keys[-1]
        header = {"alg": _ALGORITHM, "kid": key.kid, "typ": "JWT"}
        return jwt.encode(header, claims, key, algorithms=[_ALGORITHM])

    def verify(self, token: str) -> Claims:
        """Return the claims of a token of ours that is valid now.

        Raises:
            UnauthenticatedError: anything else; the message does not tell which check failed.
        """
        fingerprint = hashlib.sha256(token.encode()).digest()
        claims = self._verified.get(fingerprint)
        if claims is None:
            claims = self._check(token)
            self._remember(fingerprint, claims)
        if claims.expires_at <= self._clock.now():
            raise _invalid()
        return claims

    def _check(self, token: str) -> Claims:
        try:
            decoded = jwt.decode(token, self._keys, algorithms=[_ALGORITHM])
            now = self._clock.now() // SECOND
            jwt.JWTClaimsRegistry(
                now=now,
                leeway=_LEEWAY_SECONDS,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._audience},
                sub={"essential": True},
                exp={"essential": True},
            ).validate(decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _invalid() from error
        claims = decoded.claims
        return Claims(
            subject=str(claims["sub"]),
            email=str(claims.get("email", "")),
            organization_id=str(claims.get(ORGANIZATION_CLAIM, "")),
            expires_at=int(claims["exp"]) * SECOND,
        )

    def _remember(self, fingerprint: bytes, claims: Claims) -> None:
        with self._lock:
            self._verified[fingerprint] = claims
            if len(self._verified) > _REMEMBERED_TOKENS:
                self._verified.popitem(last=False)


def json_web_key_set(signer: TokenSigner) -> bytes:
    """Return the bytes served at ``/.well-known/jwks.json``."""
    return json.dumps(signer.public_keys()).encode()


def _invalid() -> UnauthenticatedError:
    return UnauthenticatedError("the access token is invalid or expired; sign in again")

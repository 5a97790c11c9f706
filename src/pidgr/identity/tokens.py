"""RS256 access tokens (SEMANTICS 6.2)."""

import asyncio
import base64
import binascii
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import RSAKey

from pidgr.clock import MINUTE, SECOND, Clock
from pidgr.errors import UnauthenticatedError, UnknownCredentialError
from pidgr.identity import signing_keys
from pidgr.identity.signing_keys import ALGORITHM, LONGEST_LIFETIME, KeyRing
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader

ORGANIZATION_CLAIM: Final = "custom:org_id"
# RFC 8176: how the person proved who they are.
METHOD_CLAIM: Final = "amr"
# When they did, in seconds since 1970; carried through every refresh unchanged (RFC 9470).
AUTHENTICATION_TIME_CLAIM: Final = "auth_time"
# What an application may do and who it is (RFC 9068), and by which grant of ours.
SCOPE_CLAIM: Final = "scope"
CLIENT_CLAIM: Final = "client_id"
GRANT_CLAIM: Final = "custom:grant_id"
# Clocks of servers that share a database may differ a little.
LEEWAY_SECONDS: Final = 5
_REMEMBERED_TOKENS: Final = 10_000
_KEYS_ARE_FRESH_FOR: Final = MINUTE
# Tokens that name unknown keys cost anyone nothing to make.
_UNKNOWN_KEY_PAUSE: Final = 5 * SECOND


@dataclass(frozen=True, slots=True)
class Delegation:
    """What a token of an application says beyond its person."""

    client_id: str
    grant_id: str
    scope: str
    """Names separated by spaces."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says about its bearer; times are in microseconds."""

    subject: str
    email: str
    organization_id: str
    expires_at: int
    methods: frozenset[str] = frozenset()
    authenticated_at: int | None = None
    delegation: Delegation | None = None
    """None for a token the person holds themselves."""


class TokenSigner:
    """Makes and checks access tokens with the keys in the database.

    A token that passed is remembered while it and its key count, because checking RS256 costs more
    than the rest of a small call.
    """

    def __init__(
        self, database: Database, master_key: MasterKey, clock: Clock, issuer: str, audience: str
    ) -> None:
        self.issuer: Final = issuer
        self._database = database
        self._master_key = master_key
        self._clock = clock
        self._audience = audience
        self._keys = KeyRing([])
        self._stale_at = 0
        self._unknown_key_at = 0
        self._reading = asyncio.Lock()
        # With the id of the key: who has stolen one may have signed for years.
        self._verified: OrderedDict[bytes, tuple[str, Claims]] = OrderedDict()
        self._lock = threading.Lock()

    def ensure_key(self) -> None:
        """Make the first signing key of this database, and load what is there."""
        self._database.read_now(self.reload)
        if self._keys:
            return
        pair, now = signing_keys.new_pair(), self._clock.now()
        self._database.write_now(
            lambda transaction: signing_keys.insert_first(transaction, self._master_key, pair, now)
        )
        self._database.read_now(self.reload)

    def rotate_keys(self) -> int:
        """Let a new key follow the present one; return when it signs, in microseconds."""
        pair, now = signing_keys.new_pair(), self._clock.now()
        return self._database.write_now(
            lambda transaction: signing_keys.rotate(transaction, self._master_key, pair, now)
        )

    def reload(self, reader: Reader) -> None:
        """Read the keys again.

        Raises:
            MasterKeyError: they were sealed with another master key.
        """
        self._keys = signing_keys.read(reader, self._master_key, self._keys)
        self._stale_at = self._clock.now() + _KEYS_ARE_FRESH_FOR

    async def refresh_keys(self, token: str = "") -> None:
        """Read the keys again if they are a minute old, or if a token names one we do not know.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        kid = key_id(token)
        is_known = not kid or kid in self._keys
        if is_known and (self._clock.now() < self._stale_at or self._reading.locked()):
            return
        # One reads for all. Who brings a key that nobody here has seen waits for it: a process that
        # has had no calls since a rotation may get many such tokens at once.
        async with self._reading:
            now = self._clock.now()
            is_fresh = now < self._stale_at
            if is_fresh and (not kid or kid in self._keys or now < self._unknown_key_at):
                return
            await self._database.read(self.reload)
            if is_fresh:
                self._unknown_key_at = now + _UNKNOWN_KEY_PAUSE

    def public_keys(self) -> dict[str, object]:
        """Return the JWKS document (RFC 7517)."""
        return self._keys.public(self._clock.now())

    def sign(
        self,
        *,
        subject: str,
        email: str,
        organization_id: str,
        lifetime: int,
        method: str = "",
        authenticated_at: int | None = None,
        delegation: Delegation | None = None,
    ) -> str:
        """Return an access token that lives ``lifetime`` microseconds.

        Raises:
            ValueError: longer than keys are kept after their last signature.
        """
        if lifetime > LONGEST_LIFETIME:
            message = f"a token lives at most {LONGEST_LIFETIME // SECOND:,} seconds"
            raise ValueError(message)
        now = self._clock.now()
        issued = now // SECOND
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": self._audience,
            "sub": subject,
            "email": email,
            "iat": issued,
            "exp": issued + lifetime // SECOND,
        }
        if organization_id:
            claims[ORGANIZATION_CLAIM] = organization_id
        if method:
            claims[METHOD_CLAIM] = method.split()
        if authenticated_at:
            claims[AUTHENTICATION_TIME_CLAIM] = authenticated_at // SECOND
        if delegation is not None:
            claims[CLIENT_CLAIM] = delegation.client_id
            claims[GRANT_CLAIM] = delegation.grant_id
            claims[SCOPE_CLAIM] = delegation.scope
        key = self._keys.signing(now)
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": "JWT"}
        return jwt.encode(header, claims, key, algorithms=[ALGORITHM])

    async def authenticate(self, token: str) -> Claims:
        """Do what :meth:`verify` does, with keys that are up to date."""
        remembered = self._verified.get(_fingerprint(token))
        await self.refresh_keys("" if remembered else token)
        return self.verify(token)

    def verify(self, token: str) -> Claims:
        """Return the claims of a token of ours that is valid now.

        Raises:
            UnauthenticatedError: anything else; the message does not tell which check failed.
        """
        fingerprint = _fingerprint(token)
        now = self._clock.now()
        kid, claims = self._verified.get(fingerprint, ("", None))
        if claims is None or not self._keys.counts(kid, now):
            claims = self._check(token)
            self._remember(fingerprint, key_id(token), claims)
        if claims.expires_at <= now:
            raise invalid_token(ours=True)
        return claims

    def _check(self, token: str) -> Claims:
        now = self._clock.now()

        def key(guest: object) -> RSAKey:
            return self._keys.verifying(guest.headers().get("kid"), now)  # type: ignore[attr-defined]

        try:
            decoded = jwt.decode(token, key, algorithms=[ALGORITHM])
            jwt.JWTClaimsRegistry(
                now=now // SECOND,
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self._audience},
                sub={"essential": True},
                exp={"essential": True},
            ).validate(decoded.claims)
        except (JoseError, ValueError, TypeError, LookupError, RecursionError) as error:
            raise invalid_token(ours=isinstance(error, ExpiredTokenError)) from error
        claims = decoded.claims
        methods = claims.get(METHOD_CLAIM)
        return Claims(
            subject=str(claims["sub"]),
            email=str(claims.get("email", "")),
            organization_id=str(claims.get(ORGANIZATION_CLAIM, "")),
            expires_at=int(claims["exp"]) * SECOND,
            methods=frozenset(map(str, methods)) if isinstance(methods, list) else frozenset(),
            authenticated_at=authentication_time(claims),
            delegation=_delegation(claims),
        )

    def _remember(self, fingerprint: bytes, kid: str, claims: Claims) -> None:
        with self._lock:
            self._verified[fingerprint] = (kid, claims)
            if len(self._verified) > _REMEMBERED_TOKENS:
                self._verified.popitem(last=False)


def json_web_key_set(signer: TokenSigner) -> bytes:
    """Return the bytes served at ``/.well-known/jwks.json``."""
    return json.dumps(signer.public_keys()).encode()


def authentication_time(claims: Mapping[str, object]) -> int | None:
    """Return when a token's person proved who they are, in microseconds, if it tells."""
    seconds = claims.get(AUTHENTICATION_TIME_CLAIM)
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        return None
    return seconds * SECOND


def _delegation(claims: Mapping[str, object]) -> Delegation | None:
    """Return what limits a token: any of the claims makes it an application's."""
    names = (CLIENT_CLAIM, GRANT_CLAIM, SCOPE_CLAIM)
    if not any(name in claims for name in names):
        return None
    return Delegation(*(str(claims.get(name, "")) for name in names))


def invalid_token(*, ours: bool) -> UnauthenticatedError:
    """Return the one answer to every bad token; ``ours`` has been good once."""
    kind = UnauthenticatedError if ours else UnknownCredentialError
    return kind("the access token is invalid or expired; sign in again")


def unverified_part(token: str, number: int) -> dict[str, object]:
    """Return the header (0) or the claims (1) of a token nobody has checked; empty if unreadable.

    Only good for choosing which key to check the token with.
    """
    parts = token.split(".")
    try:
        padded = parts[number] + "=" * (-len(parts[number]) % 4)
        decoded = json.loads(base64.urlsafe_b64decode(padded))
    except (IndexError, binascii.Error, ValueError, RecursionError):
        return {}
    return decoded if isinstance(decoded, dict) else {}


def key_id(token: str) -> str:
    """Return the ``kid`` a token, not checked yet, names; empty if it names none."""
    return str(unverified_part(token, 0).get("kid", ""))


def _fingerprint(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()

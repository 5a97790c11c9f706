"""Checking what an OpenID provider says of a person (OpenID Connect Core 1.0, 3.1.3.7)."""

import asyncio
import json
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pidgr.clock import HOUR, SECOND, Clock
from pidgr.identity.sso.oidc_metadata import OidcProvider
from pidgr.identity.tokens import LEEWAY_SECONDS, unverified_part
from pidgr.outreach.fetching import Fetcher, FetchError

_FRESH_FOR: Final = HOUR
# Between two requests to a provider, whatever tokens arrive.
_PAUSE: Final = 30 * SECOND
_MOST_SETS: Final = 1_000


class BadIdTokenError(Exception):
    """Not an ID token of this provider for us and this sign-in; the sentence is for the log."""


class _Set:
    def __init__(self) -> None:
        self.keys: KeySet | None = None
        self.kids: frozenset[str] = frozenset()
        self.stale_at = 0
        self.next_fetch = 0
        self.fetching = asyncio.Lock()


class IdTokens:
    """Verifies ID tokens; keeps providers' keys for an hour, and looks again for an unknown one."""

    def __init__(self, fetcher: Fetcher, clock: Clock) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._sets: dict[str, _Set] = {}

    async def verify(
        self, token: str, provider: OidcProvider, client_id: str, nonce: str
    ) -> dict[str, Any]:
        """Return the claims of a token.

        Raises:
            BadIdTokenError: any reason to refuse it.
            FetchError: the provider's keys cannot be had.
        """
        header = unverified_part(token, 0)
        # Which keys to try is the token's to say, which algorithms are ours.
        if header.get("alg") not in provider.algorithms:
            raise BadIdTokenError("an algorithm the provider does not sign by")
        keys = await self._keys(provider.jwks_uri, str(header.get("kid", "")))
        try:
            decoded = jwt.decode(token, keys, algorithms=list(provider.algorithms))
            jwt.JWTClaimsRegistry(
                now=self._clock.now() // SECOND,
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": provider.issuer},
                aud={"essential": True, "value": client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(decoded.claims)
        except (JoseError, ValueError, TypeError, LookupError, OverflowError) as error:
            raise BadIdTokenError(type(error).__name__) from error
        claims = dict(decoded.claims)
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if (several or "azp" in claims) and claims.get("azp") != client_id:
            raise BadIdTokenError("it was made for another client")
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise BadIdTokenError("it names nobody")
        return claims

    async def _keys(self, url: str, kid: str) -> KeySet:
        found = self._sets.get(url)
        if found is None:
            if len(self._sets) >= _MOST_SETS:
                self._sets.pop(next(iter(self._sets)))
            found = self._sets[url] = _Set()
        async with found.fetching:
            now = self._clock.now()
            unknown = bool(kid) and kid not in found.kids
            if (found.keys is None or unknown or now >= found.stale_at) and (
                found.keys is None or now >= found.next_fetch
            ):
                found.next_fetch = now + _PAUSE
                await self._fetch(found, url, now)
            if found.keys is None:
                raise FetchError("the provider publishes no keys")
            return found.keys

    async def _fetch(self, found: _Set, url: str, now: int) -> None:
        try:
            document = json.loads(await self._fetcher.get(url))
            found.keys = KeySet.import_key_set(document)
        except FetchError:
            if found.keys is None:
                raise
            return
        except (JoseError, ValueError, TypeError, LookupError, RecursionError) as error:
            raise FetchError("the provider's keys cannot be read") from error
        found.kids = frozenset(str(key.kid) for key in found.keys.keys if key.kid)
        found.stale_at = now + _FRESH_FOR

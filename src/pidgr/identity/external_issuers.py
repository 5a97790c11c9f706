"""Access tokens of other issuers the operator trusts (``PIDGR_TRUSTED_ISSUERS``).

Such a token says who its bearer is; what they may do stays ours to say: they must be known here,
by an earlier token of the same issuer and subject or by an address the issuer has verified.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import structlog
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import RSAKey

from pidgr.clock import HOUR, SECOND, Clock
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.errors import UnauthenticatedError
from pidgr.identity import identity_store
from pidgr.identity.signing_keys import ALGORITHM
from pidgr.identity.tokens import (
    LEEWAY_SECONDS,
    ORGANIZATION_CLAIM,
    Claims,
    authentication_time,
    invalid_token,
    key_id,
    unverified_part,
)
from pidgr.settings import TrustedIssuer
from pidgr.storage.database import Database
from pidgr.validation import fold_address

_KEYS_ARE_FRESH_FOR: Final = HOUR
# Between two requests to an issuer, whatever tokens arrive.
_FETCH_PAUSE: Final = 30 * SECOND
_TIMEOUT_SECONDS: Final = 5.0
_LARGEST_KEY_SET: Final = 1 << 20

log = structlog.get_logger("pidgr.identity")


class _Keys:
    """The public keys of one issuer, kept for an hour and longer if they cannot be had anew."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._keys: dict[str, RSAKey] = {}
        self._stale_at = 0
        self._next_fetch = 0
        self._fetching = asyncio.Lock()

    async def find(self, kid: str) -> RSAKey:
        """Return the key a token names.

        Raises:
            LookupError: the issuer publishes no such key, or cannot be reached for it.
        """
        if kid not in self._keys or self._clock.now() >= self._stale_at:
            async with self._fetching:
                await self._fetch_if_due(kid)
        return self._keys[kid]

    async def _fetch_if_due(self, kid: str) -> None:
        now = self._clock.now()
        wanted = kid not in self._keys or now >= self._stale_at
        if not wanted or now < self._next_fetch:
            return
        self._next_fetch = now + _FETCH_PAUSE
        try:
            self._keys = await _fetch(self._url)
        except (httpx.HTTPError, ValueError, TypeError, JoseError) as error:
            log.warning("the keys of an issuer cannot be had", url=self._url, problem=str(error))
            return
        self._stale_at = now + _KEYS_ARE_FRESH_FOR


async def _fetch(url: str) -> dict[str, RSAKey]:
    async with (
        httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client,
        client.stream("GET", url) as response,
    ):
        # A redirect is an error too: keys come from where the operator said.
        if not response.is_success:
            raise ValueError(f"the issuer answered {response.status_code}")
        body = b""
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _LARGEST_KEY_SET:
                raise ValueError("the issuer's keys do not end")
    return _signing_keys(json.loads(body))


def _signing_keys(document: Any) -> dict[str, RSAKey]:  # noqa: ANN401 - JSON of others
    """Return the usable keys of a JWKS document; keys of other kinds are none of our business."""
    found = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise TypeError("the issuer's answer is no JWKS document")
    return {
        str(key["kid"]): RSAKey.import_key(key)
        for key in found
        if isinstance(key, dict)
        and key.get("kty") == "RSA"
        and key.get("use", "sig") == "sig"
        and key.get("alg", ALGORITHM) == ALGORITHM
        and key.get("kid")
    }


class ExternalIssuers:
    """Checks the tokens of every trusted issuer and finds out whose they are here."""

    def __init__(self, database: Database, clock: Clock, trusted: Sequence[TrustedIssuer]) -> None:
        self._database = database
        self._clock = clock
        self._issuers = {issuer.issuer: issuer for issuer in trusted}
        self._keys = {issuer.issuer: _Keys(issuer.jwks_url, clock) for issuer in trusted}

    def issued(self, token: str) -> bool:
        """Tell whether a token, not checked yet, claims to be a trusted issuer's."""
        return bool(self._issuers) and _issuer(token) in self._issuers

    async def authenticate(self, token: str) -> Claims:
        """Return the claims of a trusted issuer's token in our terms.

        The organization is the one it names in our claim, or the one the person joined first.

        Raises:
            UnauthenticatedError: the token is not valid now, or nobody here is known by it.
        """
        issuer = self._issuers[_issuer(token)]
        claims = await self._check(token, issuer)
        external_subject = str(claims["sub"])
        email = str(claims.get("email", ""))
        verified = fold_address(email) if claims.get("email_verified") is True else ""
        subject = await self._database.read(
            lambda reader: identity_store.external_subject(reader, issuer.issuer, external_subject)
        )
        if subject is None:
            now = self._clock.now()
            subject = await self._database.write(
                lambda transaction: identity_store.link_external_subject(
                    transaction, issuer.issuer, external_subject, verified, now
                )
            )
        if subject is None:
            raise UnauthenticatedError("nobody here is known by this access token")
        return Claims(
            subject=subject,
            email=email,
            organization_id=claims[ORGANIZATION_CLAIM] or await self._first_organization(subject),
            expires_at=claims["exp"] * SECOND,
            authenticated_at=authentication_time(claims),
        )

    async def _check(self, token: str, issuer: TrustedIssuer) -> dict[str, Any]:
        try:
            key = await self._keys[issuer.issuer].find(key_id(token))
            decoded = jwt.decode(token, key, algorithms=[ALGORITHM])
            jwt.JWTClaimsRegistry(
                now=self._clock.now() // SECOND,
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": issuer.issuer},
                aud={"essential": True, "value": issuer.audience},
                sub={"essential": True},
                exp={"essential": True},
            ).validate(decoded.claims)
            return {
                **decoded.claims,
                "exp": int(decoded.claims["exp"]),
                ORGANIZATION_CLAIM: _claimed_organization(decoded.claims),
            }
        except (
            JoseError,
            ValueError,
            TypeError,
            LookupError,
            OverflowError,
            RecursionError,
        ) as error:
            raise invalid_token(ours=isinstance(error, ExpiredTokenError)) from error

    async def _first_organization(self, subject: str) -> str:
        now = self._clock.now()
        joined = await self._database.read(
            lambda reader: identity_store.memberships(reader, subject, now)
        )
        active = (one for one in joined if one.status == UserStatus.ACTIVE)
        return next((one.organization_id for one in active), "")


def _claimed_organization(claims: Mapping[str, object]) -> str:
    """Return the organization a token names; empty if it names none.

    Raises:
        TypeError: what it names is no text. It meant one, and the first of the person's is another.
    """
    claimed = claims.get(ORGANIZATION_CLAIM)
    if claimed is not None and not isinstance(claimed, str):
        raise TypeError(claimed)
    return claimed or ""


def _issuer(token: str) -> str:
    return str(unverified_part(token, 1).get("iss", ""))

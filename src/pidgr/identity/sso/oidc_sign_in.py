"""Signing in by an organization's OpenID provider.

The client sends the browser here with the challenge of a secret it keeps (as in RFC 7636), we send
it to the provider and take it back, and the client exchanges the code we give it for tokens with
that secret. What ties the way there to the way back is the state, in a row that is used once, and a
cookie of the browser, so that nobody is signed in as somebody else by a link (RFC 9700, 4.7).
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import structlog

from pidgr.clock import MINUTE, Clock
from pidgr.contract.v1.sso_pb import SSOProviderType
from pidgr.errors import (
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
    Violations,
    invalid_field,
)
from pidgr.identity.sessions import Sessions, Tokens
from pidgr.identity.sign_in_method import SSO
from pidgr.identity.sso import admission, oidc_attempt_store
from pidgr.identity.sso.id_tokens import BadIdTokenError, IdTokens
from pidgr.identity.sso.oidc_attempt_store import Arrival, Attempt
from pidgr.identity.sso.oidc_metadata import OidcProvider
from pidgr.identity.sso.provider_store import StoredProvider
from pidgr.identity.sso.service import usable_provider
from pidgr.outreach.fetching import Fetcher, FetchError
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import check_email

ATTEMPT_LIFETIME: Final = 10 * MINUTE
"""How long a person may take at the provider, in microseconds."""
ARRIVAL_LIFETIME: Final = MINUTE
"""How long a client may take to ask for tokens."""
CALLBACK: Final = "/auth/sso/callback"

_SECRET_BYTES: Final = 32
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_PURPOSE: Final = "sso-attempt"
CLIENT_SECRET_PURPOSE: Final = "sso-client-secret"  # noqa: S105 - names what is sealed
_OK: Final = 200

log = structlog.get_logger("pidgr.identity")


@dataclass(frozen=True, slots=True)
class Departure:
    """Where to send the browser, and the cookie that recognises it when it comes back."""

    url: str
    browser: str


class BrokenSignInError(Exception):
    """An answer that follows from no sign-in of this browser, or that is not to be believed."""


class OidcSignIn:
    """Sends people to their provider and takes them back."""

    def __init__(
        self,
        database: Database,
        fetcher: Fetcher,
        sessions: Sessions,
        master_key: MasterKey,
        issuer: str,
        clock: Clock,
    ) -> None:
        self._database = database
        self._fetcher = fetcher
        self._sessions = sessions
        self._master_key = master_key
        self._clock = clock
        self._id_tokens = IdTokens(fetcher, clock)
        self.redirect_uri: Final = issuer.rstrip("/") + CALLBACK
        """What a provider must know as the address to send people back to."""

    async def depart(self, email: str, challenge: str, browser: str) -> Departure:
        """Begin a sign-in.

        Args:
            email: of who wants to sign in; its domain tells the provider.
            challenge: SHA-256 of the client's verifier, base64url.
            browser: the cookie it has from an earlier sign-in, or nothing.

        Raises:
            InvalidArgumentError: a malformed address or challenge.
            NotFoundError: people of this domain do not sign in by a provider.
        """
        violations = Violations()
        check_email(violations, "email", email)
        if _CHALLENGE.fullmatch(challenge) is None:
            violations.add("code_challenge", "must be a SHA-256 in base64url, 43 characters")
        violations.raise_if_any()
        if _CHALLENGE.fullmatch(browser) is None:
            browser = _new_secret()
        state, nonce, verifier = _new_secret(), _new_secret(), _new_secret()
        sealed = self._master_key.seal(
            _PURPOSE, json.dumps({"nonce": nonce, "verifier": verifier}).encode()
        )

        def work(transaction: Transaction) -> StoredProvider:
            now = self._clock.now()
            provider = usable_provider(transaction, email, now)
            if provider is None:
                raise NotFoundError("people of this domain do not sign in by a provider")
            oidc_attempt_store.sweep(transaction, now)
            attempt = Attempt(provider.key, _digest(browser), sealed, challenge)
            oidc_attempt_store.insert(transaction, _digest(state), attempt, now + ATTEMPT_LIFETIME)
            return provider

        provider = await self._database.write(work)
        known = _oidc(provider)
        glue = "&" if "?" in known.authorization_endpoint else "?"
        query = urlencode(
            {
                "response_type": "code",
                "client_id": provider.client_id,
                "redirect_uri": self.redirect_uri,
                "scope": "openid email profile",
                "state": state,
                "nonce": nonce,
                "code_challenge": _challenge_of(verifier),
                "code_challenge_method": "S256",
                "login_hint": email,
            }
        )
        return Departure(f"{known.authorization_endpoint}{glue}{query}", browser)

    async def arrive(self, answer: Mapping[str, str], browser: str) -> str:
        """Take a person back from their provider; return the code their client exchanges.

        Args:
            answer: the query the provider has sent them back with.
            browser: the cookie.

        Raises:
            BrokenSignInError: no sign-in of this browser, an answer of somebody else, or one that
                cannot be believed.
            NotAdmittedError: the provider knows them, and the organization does not let them in.
            UnavailableError: the provider does not answer.
        """
        attempt, provider = await self._claim(answer.get("state", ""), browser)
        known = _oidc(provider)
        named = answer.get("iss", "")
        # Else one provider's answer could be taken for another's (RFC 9207).
        if (named or known.names_itself) and named != known.issuer:
            raise BrokenSignInError("the answer is another provider's")
        if "error" in answer or not answer.get("code"):
            raise BrokenSignInError("the provider said no")
        kept = json.loads(self._master_key.unseal(_PURPOSE, attempt.sealed))
        try:
            claims = await self._claims(provider, answer["code"], kept)
        except FetchError as error:
            log.warning("a provider does not answer", provider_id=provider.id, problem=str(error))
            message = "the identity provider does not answer; try again in a few minutes"
            raise UnavailableError(message) from error
        except BadIdTokenError as error:
            log.warning("an ID token was refused", provider_id=provider.id, problem=str(error))
            raise BrokenSignInError("the provider's word cannot be believed") from error
        code = _new_secret()

        def work(transaction: Transaction) -> None:
            now = self._clock.now()
            subject = admission.admit(transaction, provider, claims, now)
            arrival = Arrival(subject, provider.organization_key, attempt.challenge)
            expires_at = now + ARRIVAL_LIFETIME
            oidc_attempt_store.arrive(transaction, _digest(code), arrival, expires_at)

        await self._database.write(work)
        return code

    async def tokens(self, code: str, verifier: str) -> Tokens:
        """Open the session of a person who has come back.

        Raises:
            InvalidArgumentError: no verifier can be like this one.
            UnauthenticatedError: the code is unknown, used or expired, or the verifier is not its.
        """
        if _VERIFIER.fullmatch(verifier) is None:
            raise invalid_field("code_verifier", "must be 43 to 128 unreserved characters")
        now = self._clock.now()
        # By itself: a code that is shown with a wrong verifier is used up.
        arrival = await self._database.write(
            lambda transaction: oidc_attempt_store.welcome(transaction, _digest(code), now)
        )
        if arrival is None or not hmac.compare_digest(_challenge_of(verifier), arrival.challenge):
            raise UnauthenticatedError("the code is wrong or no longer valid; sign in again")
        grant = await self._database.write(
            lambda transaction: self._sessions.open_bound(
                transaction, arrival.subject, SSO, arrival.organization_key
            )
        )
        return await self._sessions.tokens(grant)

    async def _claim(self, state: str, browser: str) -> tuple[Attempt, StoredProvider]:
        now = self._clock.now()
        attempt = await self._database.write(
            lambda transaction: oidc_attempt_store.claim(transaction, _digest(state), now)
        )
        if attempt is None or not hmac.compare_digest(
            _digest(browser), bytes(attempt.browser_digest)
        ):
            raise BrokenSignInError("no sign-in of this browser")
        provider = await self._database.read(
            lambda reader: oidc_attempt_store.provider(reader, attempt.sso_provider_key, now)
        )
        if provider is None or provider.type != SSOProviderType.OIDC or not provider.client_id:
            raise BrokenSignInError("the provider is gone")
        return attempt, provider

    async def _claims(
        self, provider: StoredProvider, code: str, kept: Mapping[str, str]
    ) -> dict[str, Any]:
        known = _oidc(provider)
        answer = await self._exchange(provider, known, code, kept["verifier"])
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise BadIdTokenError("there is none")
        claims = await self._id_tokens.verify(token, known, provider.client_id, kept["nonce"])
        access_token = answer.get("access_token")
        if provider.email_attribute in claims or not known.userinfo_endpoint:
            return claims
        if not isinstance(access_token, str):
            return claims
        body = await self._fetcher.get(
            known.userinfo_endpoint, {"authorization": f"Bearer {access_token}"}
        )
        more = _object(body)
        # Else the answer could be about somebody else (Core 5.3.2).
        if more.get("sub") != claims["sub"]:
            raise BadIdTokenError("the user info is another person's")
        return {**more, **claims}

    async def _exchange(
        self, provider: StoredProvider, known: OidcProvider, code: str, verifier: str
    ) -> dict[str, Any]:
        def sealed(reader: Reader) -> bytes | None:
            return oidc_attempt_store.sealed_secret(reader, provider.key)

        stored = await self._database.read(sealed)
        secret = ""
        if stored is not None:
            plain = await asyncio.to_thread(self._master_key.unseal, CLIENT_SECRET_PURPOSE, stored)
            secret = plain.decode()
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }
        headers: dict[str, str] = {"accept": "application/json"}
        if secret and "client_secret_basic" in known.authentication_methods:
            pair = f"{quote_plus(provider.client_id)}:{quote_plus(secret)}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            fields["client_id"] = provider.client_id
            if secret:
                fields["client_secret"] = secret
        reply = await self._fetcher.post_form(known.token_endpoint, fields, headers)
        if reply.status != _OK:
            raise BadIdTokenError(f"the token endpoint answered {reply.status}")
        return _object(reply.body)


def _oidc(provider: StoredProvider) -> OidcProvider:
    return OidcProvider.restored(json.loads(provider.configuration))


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadIdTokenError("an answer is not JSON") from error
    if not isinstance(found, dict):
        raise BadIdTokenError("an answer is not a JSON object")
    return found


def _new_secret() -> str:
    return secrets.token_urlsafe(_SECRET_BYTES)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="replace")).digest()


def _challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

"""Signing in by OpenID Connect: the authorization code flow with PKCE (OpenID Connect Core 1.0)."""

import asyncio
import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import structlog

from pidgr.clock import Clock
from pidgr.errors import UnavailableError
from pidgr.identity.challenges import challenge_of
from pidgr.identity.sso import attempt_store
from pidgr.identity.sso.id_tokens import BadIdTokenError, IdTokens
from pidgr.identity.sso.oidc_metadata import OidcProvider
from pidgr.identity.sso.provider_store import StoredProvider
from pidgr.identity.sso.ways import BrokenSignInError, Question, Word
from pidgr.identity.tokens import authentication_time
from pidgr.outreach.fetching import Fetcher, FetchError
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader

CALLBACK: Final = "/auth/sso/callback"
CLIENT_SECRET_PURPOSE: Final = "sso-client-secret"  # noqa: S105 - names what is sealed

_SECRET_BYTES: Final = 32
_OK: Final = 200

log = structlog.get_logger("pidgr.identity")


def redirect_uri(issuer: str) -> str:
    """Return what a provider must know as the address to send people back to."""
    return issuer.rstrip("/") + CALLBACK


class OidcSignIn:
    """Asks OpenID providers, and exchanges the code they answer with."""

    def __init__(
        self,
        database: Database,
        fetcher: Fetcher,
        master_key: MasterKey,
        issuer: str,
        clock: Clock,
    ) -> None:
        self._database = database
        self._fetcher = fetcher
        self._master_key = master_key
        self._id_tokens = IdTokens(fetcher, clock)
        self._redirect_uri = redirect_uri(issuer)

    def ask(
        self, provider: StoredProvider, email: str, state: str, max_age: int | None
    ) -> Question:
        """Return the authorization request; see ``Way``."""
        nonce, verifier = _new_secret(), _new_secret()
        known = _oidc(provider)
        glue = "&" if "?" in known.authorization_endpoint else "?"
        query = urlencode(
            {
                "response_type": "code",
                "client_id": provider.client_id,
                "redirect_uri": self._redirect_uri,
                "scope": "openid email profile",
                "state": state,
                "nonce": nonce,
                "code_challenge": challenge_of(verifier),
                "code_challenge_method": "S256",
                "login_hint": email,
                **_freshness(max_age),
            }
        )
        return Question(
            f"{known.authorization_endpoint}{glue}{query}",
            remembered={"nonce": nonce, "verifier": verifier},
        )

    async def believe(
        self, provider: StoredProvider, answer: Mapping[str, str], remembered: Mapping[str, str]
    ) -> Word:
        """Return the claims that the code in an answer stands for; see ``Way``."""
        known = _oidc(provider)
        named = answer.get("iss", "")
        # Else one provider's answer could be taken for another's (RFC 9207).
        if (named or known.names_itself) and named != known.issuer:
            raise BrokenSignInError("the answer is another provider's")
        if "error" in answer or not answer.get("code"):
            raise BrokenSignInError("the provider said no")
        try:
            claims = await self._claims(provider, answer["code"], remembered)
        except FetchError as error:
            log.warning("a provider does not answer", provider_id=provider.id, problem=str(error))
            message = "the identity provider does not answer; try again in a few minutes"
            raise UnavailableError(message) from error
        except BadIdTokenError as error:
            log.warning("an ID token was refused", provider_id=provider.id, problem=str(error))
            raise BrokenSignInError("the provider's word cannot be believed") from error
        return Word(claims, authentication_time(claims))

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
            return attempt_store.sealed_secret(reader, provider.key)

        stored = await self._database.read(sealed)
        secret = ""
        if stored is not None:
            plain = await asyncio.to_thread(self._master_key.unseal, CLIENT_SECRET_PURPOSE, stored)
            secret = plain.decode()
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
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


def _freshness(max_age: int | None) -> dict[str, str]:
    """Return what asks for a recent sign-in, and for the ID token to tell of it (Core 3.1.2.1)."""
    if max_age is None:
        return {}
    # Some know only the one, and 0 means the same as the other.
    return {"max_age": str(max_age), **({} if max_age else {"prompt": "login"})}


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

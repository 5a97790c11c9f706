"""Codes, the tokens they are exchanged for, and how both end (OAuth 2.1, RFC 7009, RFC 9700)."""

import base64
import hashlib
import hmac
import re
import uuid
from dataclasses import dataclass
from typing import Final

import structlog

from pidgr.audit import incident_store
from pidgr.audit.incident_store import IncidentKind
from pidgr.clock import MINUTE, Clock
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.errors import UnauthenticatedError
from pidgr.identity import people, rotating_tokens, store
from pidgr.identity.oauth import client_store, consent_store, grant_store, scopes
from pidgr.identity.oauth.errors import (
    OAuthError,
    invalid_client,
    invalid_grant,
    invalid_scope,
)
from pidgr.identity.oauth.grant_store import StoredGrant
from pidgr.identity.oauth.request import AuthorizationRequest
from pidgr.identity.proof import Proof
from pidgr.identity.sessions import ACCESS_LIFETIME, SESSION_LIFETIME
from pidgr.identity.tokens import Delegation, TokenSigner
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction

CODE_LIFETIME: Final = MINUTE
_CODE_PREFIX: Final = "pidgr_c_"
_REFRESH_PREFIX: Final = "pidgr_a_"
# RFC 7636 4.1.
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")

log = structlog.get_logger("pidgr.identity")


@dataclass(frozen=True, slots=True)
class ApplicationTokens:
    """The answer of the token endpoint; the lifetime is in microseconds."""

    access_token: str
    lifetime: int
    refresh_token: str
    scope: str
    organization_id: str


@dataclass(frozen=True, slots=True)
class _Issued:
    """What has been decided inside a transaction; the access token is signed after it."""

    grant: StoredGrant
    email: str
    scope: str
    refresh_token: str


class Grants:
    """Gives applications what people allow them, and takes it back."""

    def __init__(self, database: Database, signer: TokenSigner, clock: Clock) -> None:
        self._database = database
        self._signer = signer
        self._clock = clock

    def allow(
        self,
        transaction: Transaction,
        proof: Proof,
        organization_id: str,
        request: AuthorizationRequest,
    ) -> str:
        """Remember a person's consent and return the code for the application.

        Raises:
            OAuthError: access_denied: the person may not act in this organization.
        """
        now = self._clock.now()
        member = _member(transaction, proof.subject, organization_id, proof.method, now)
        bound = proof.organization_key
        if member is None or bound not in {None, member.organization_key}:
            raise OAuthError("access_denied", "the person may not act in this organization")
        asked = scopes.render(request.scopes)
        before = consent_store.scopes(
            transaction, proof.subject, member.organization_key, request.client.id
        )
        consent_store.put(
            transaction,
            proof.subject,
            member.organization_key,
            request.client.id,
            scopes.render(scopes.parse(before) | request.scopes),
            now,
        )
        code = rotating_tokens.new_token(_CODE_PREFIX, rotating_tokens.new_handle())
        grant_store.sweep(transaction, now)
        grant_store.insert(
            transaction,
            id=str(uuid.uuid4()),
            handle=code.handle,
            client_id=request.client.id,
            subject=proof.subject,
            organization_key=member.organization_key,
            scopes=asked,
            redirect_uri=request.redirect_uri,
            challenge=request.challenge,
            method=proof.method,
            authenticated_at=proof.authenticated_at,
            code_digest=code.digest,
            code_expires_at=now + CODE_LIFETIME,
            now=now,
        )
        return code.text

    async def exchange(
        self, client_id: str, code: str, redirect_uri: str, verifier: str
    ) -> ApplicationTokens:
        """Exchange a code for the first tokens of its grant.

        Raises:
            OAuthError: invalid_client, or invalid_grant: the code is not good for this; one that
                was used before ends all that came of it.
        """
        token = rotating_tokens.parse(_CODE_PREFIX, code)

        def work(transaction: Transaction) -> _Issued | None:
            _require_client(transaction, client_id)
            grant = grant_store.lock(transaction, token.handle) if token else None
            if grant is None or token is None or not token.matches(grant.code_digest):
                return None
            now = self._clock.now()
            if grant.code_used_at is not None:
                if grant.revoked_at is None:
                    _note(transaction, IncidentKind.APPLICATION_CODE_REUSED, grant, now)
                grant_store.revoke(transaction, grant.key, now)
                log.warning("a code was used twice; its grant ends", client_id=grant.client_id)
                return None
            fits = (
                grant.revoked_at is None
                and now < grant.code_expires_at
                and grant.client_id == client_id
                and grant.redirect_uri == redirect_uri
                and _answers(verifier, grant.challenge)
            )
            member = _member_of(transaction, grant, now) if fits else None
            if member is None:
                return None
            refresh = rotating_tokens.new_token(_REFRESH_PREFIX, token.handle)
            expires_at = now + SESSION_LIFETIME
            grant_store.use_code(transaction, grant.key, refresh.digest, now, expires_at)
            return _Issued(grant, member.email, grant.scopes, refresh.text)

        return await self._tokens(await self._database.write(work))

    async def refresh(
        self, client_id: str, refresh_token: str, wanted: frozenset[str]
    ) -> ApplicationTokens:
        """Exchange a refresh token for new tokens, of fewer scopes if fewer are named.

        Raises:
            OAuthError: invalid_client; invalid_scope: more than was allowed, the token stays good;
                invalid_grant: one that was used before ends its grant.
        """
        token = rotating_tokens.parse(_REFRESH_PREFIX, refresh_token)

        def work(transaction: Transaction) -> _Issued | None:
            _require_client(transaction, client_id)
            grant = grant_store.lock(transaction, token.handle) if token else None
            now = self._clock.now()
            if grant is None or token is None or grant.client_id != client_id:
                return None
            if grant.revoked_at is not None or grant.expires_at <= now:
                return None
            if not token.matches(grant.refresh_digest):
                grant_store.revoke(transaction, grant.key, now)
                _note(transaction, IncidentKind.APPLICATION_TOKEN_REUSED, grant, now)
                log.warning("a refresh token was used twice; its grant ends", client_id=client_id)
                return None
            allowed = scopes.parse(grant.scopes)
            if not wanted <= allowed:
                raise invalid_scope()
            member = _member_of(transaction, grant, now)
            if member is None:
                return None
            following = rotating_tokens.new_token(_REFRESH_PREFIX, token.handle)
            grant_store.rotate(transaction, grant.key, following.digest, now)
            return _Issued(grant, member.email, scopes.render(wanted or allowed), following.text)

        return await self._tokens(await self._database.write(work))

    async def _tokens(self, issued: _Issued | None) -> ApplicationTokens:
        if issued is None:
            raise invalid_grant()
        await self._signer.refresh_keys()
        grant = issued.grant
        access_token = self._signer.sign(
            subject=grant.subject,
            email=issued.email,
            organization_id=grant.organization_id,
            lifetime=ACCESS_LIFETIME,
            method=grant.method,
            authenticated_at=grant.authenticated_at,
            delegation=Delegation(grant.client_id, grant.id, issued.scope),
        )
        return ApplicationTokens(
            access_token,
            ACCESS_LIFETIME,
            issued.refresh_token,
            issued.scope,
            grant.organization_id,
        )

    async def revoke(self, client_id: str, token: str) -> None:
        """End the grant a refresh or an access token belongs to (RFC 7009).

        An unknown token is no error: there is nothing left to end.

        Raises:
            OAuthError: invalid_client.
        """
        refresh = rotating_tokens.parse(_REFRESH_PREFIX, token)
        delegation = None
        if refresh is None:
            try:
                delegation = (await self._signer.authenticate(token)).delegation
            except UnauthenticatedError:
                delegation = None

        def work(transaction: Transaction) -> None:
            _require_client(transaction, client_id)
            now = self._clock.now()
            if delegation is not None and delegation.client_id == client_id:
                grant_store.revoke_id(transaction, delegation.grant_id, client_id, now)
            grant = grant_store.lock(transaction, refresh.handle) if refresh else None
            if grant is not None and grant.client_id == client_id:
                grant_store.revoke(transaction, grant.key, now)

        await self._database.write(work)


def withdraw(
    transaction: Transaction, subject: str, organization_id: str, client_id: str, now: int
) -> None:
    """Take back what a person allowed an application; its tokens end with the next call."""
    consent_store.delete(transaction, subject, organization_id, client_id)
    grant_store.revoke_of(transaction, subject, organization_id, client_id, now)


def remove_client(transaction: Transaction, client_id: str, now: int) -> bool:
    """Forget an application; its tokens end with the next call. False if nobody registered it."""
    if not client_store.delete(transaction, client_id):
        return False
    consent_store.delete_client(transaction, client_id)
    grant_store.revoke_client(transaction, client_id, now)
    return True


def _note(transaction: Transaction, kind: IncidentKind, grant: StoredGrant, now: int) -> None:
    incident_store.record(transaction, kind, grant.subject, grant.organization_key, now)


def _require_client(reader: Reader, client_id: str) -> None:
    if client_store.find(reader, client_id) is None:
        raise invalid_client()


def _member(
    reader: Reader, subject: str, organization_id: str, method: str, now: int
) -> store.Membership | None:
    found = store.membership(reader, subject, organization_id, now)
    if found is None or found.status != UserStatus.ACTIVE or found.suspended:
        return None
    return None if people.refuses(found, method) else found


def _member_of(reader: Reader, grant: StoredGrant, now: int) -> store.Membership | None:
    return _member(reader, grant.subject, grant.organization_id, grant.method, now)


def _answers(verifier: str, challenge: str) -> bool:
    """Tell whether a verifier is the one whose SHA-256 the request showed (RFC 7636 4.6)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)

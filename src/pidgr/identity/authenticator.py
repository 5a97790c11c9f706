"""From an ``Authorization`` header to a caller."""

from typing import Final

from pidgr.clock import Clock
from pidgr.contract.v1.api_key_pb import KeyType
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.errors import PermissionDeniedError, UnauthenticatedError, UnknownCredentialError
from pidgr.identity import api_keys, people, permissions, store
from pidgr.identity.api_key_use import LastUse
from pidgr.identity.caller import Caller, Organization, Person
from pidgr.identity.external_issuers import ExternalIssuers
from pidgr.identity.oauth import grant_store, scopes
from pidgr.identity.sign_in_method import OTP, SSO
from pidgr.identity.store import Membership
from pidgr.identity.tokens import Claims, Delegation, TokenSigner
from pidgr.storage.database import Database
from pidgr.validation import is_uuid

_SCHEME: Final = "bearer"
# Longer headers are refused before anything is hashed or parsed.
_LONGEST_CREDENTIAL: Final = 8_192
_NO_SUCH_KEY: Final = "the API key is unknown or revoked"
_NO_SCIM: Final = "a SCIM token provisions members and opens no other door"
_SCIM_ONLY: Final = "this door opens to SCIM tokens only; make one by ApiKeyService"


class Authenticator:
    """Recognises API keys and access tokens.

    Rights are read from the database on every call, so that a revoked key, a changed role or a
    deactivated member counts from the next request on, in every process.
    """

    def __init__(
        self, database: Database, signer: TokenSigner, issuers: ExternalIssuers, clock: Clock
    ) -> None:
        self._database = database
        self._signer = signer
        self._issuers = issuers
        self._clock = clock
        self._last_use = LastUse(database, clock)

    async def authenticate(
        self,
        authorization: str | None,
        organization_id: str = "",
        *,
        while_suspended: bool = False,
        applications: bool = False,
        provisioning: bool = False,
    ) -> Caller:
        """Return the caller behind a header value.

        Args:
            authorization: the header.
            organization_id: the organization a person wants to act in instead of their token's;
                an API key has one organization only and takes no notice (SEMANTICS 6.4).
            while_suspended: whether the call is open to a suspended organization.
            applications: whether an application that acts for a person may come this way.
            provisioning: whether a directory comes this way, by its SCIM token, and nobody else.

        Raises:
            UnauthenticatedError: no credential, or one that is not valid now.
            PermissionDeniedError: the organization is suspended, or the person is no member of the
                one they want to act in, or an application comes where none may.
        """
        credential = _bearer(authorization)
        if credential.startswith(api_keys.COMMON_PREFIX):
            wanted = KeyType.SCIM_TOKEN if provisioning else KeyType.API_KEY
            caller = await self._by_api_key(credential, wanted)
        elif provisioning:
            raise UnauthenticatedError(_SCIM_ONLY)
        else:
            caller = await self._by_token(credential, organization_id.lower())
        if caller.client_id and not applications:
            raise PermissionDeniedError("applications may not do this; sign in yourself")
        suspended = caller.organization is not None and caller.organization.suspended
        if suspended and not while_suspended:
            raise PermissionDeniedError("this organization is suspended; ask its administrator")
        return caller

    async def _by_token(self, token: str, organization_id: str) -> Caller:
        if self._issuers.issued(token):
            claims = await self._issuers.authenticate(token)
        else:
            claims = await self._signer.authenticate(token)
        return await self._by_claims(claims, organization_id)

    async def _by_api_key(self, credential: str, wanted: KeyType) -> Caller:
        digest = api_keys.digest(credential)
        now = self._clock.now()
        grant = await self._database.read(lambda reader: store.api_key_grant(reader, digest, now))
        if grant is None:
            raise UnknownCredentialError(_NO_SUCH_KEY)
        if grant.revoked_at is not None:
            raise UnauthenticatedError(_NO_SUCH_KEY)
        if grant.expires_at is not None and grant.expires_at <= now:
            raise UnauthenticatedError("the API key has expired")
        if grant.key_type != wanted:
            raise UnauthenticatedError(_NO_SCIM if wanted is KeyType.API_KEY else _SCIM_ONLY)
        self._last_use.note(grant.id, grant.last_used_at)
        return Caller(
            organization=Organization(
                grant.organization_key, grant.organization_id, suspended=bool(grant.suspended)
            ),
            permissions=permissions.from_names(grant.permissions),
            api_key_id=grant.id,
            api_key_expires_at=grant.expires_at,
        )

    async def _by_claims(self, claims: Claims, chosen_id: str) -> Caller:
        delegation = claims.delegation
        if delegation is not None:
            await self._require_grant(claims, delegation)
            if chosen_id not in {"", claims.organization_id}:
                raise PermissionDeniedError("this application may act in one organization only")
        organization_id = chosen_id or claims.organization_id
        if not organization_id:
            return Caller(
                subject=claims.subject,
                email=claims.email,
                methods=claims.methods,
                authenticated_at=claims.authenticated_at,
                client_id=delegation.client_id if delegation else "",
            )
        found = None
        if is_uuid(organization_id):
            now = self._clock.now()
            found = await self._database.read(
                lambda reader: store.membership(reader, claims.subject, organization_id, now)
            )
        if organization_id != claims.organization_id:
            found = _may_choose(claims, found)
        if found is None or found.status != UserStatus.ACTIVE:
            raise UnauthenticatedError("the access token's member is unknown or deactivated")
        granted = permissions.from_names(found.permissions)
        if delegation is not None:
            granted &= scopes.permissions(scopes.parse(delegation.scope))
        return Caller(
            organization=Organization(
                found.organization_key, found.organization_id, suspended=bool(found.suspended)
            ),
            person=Person(found.key, found.id, found.email, found.role_id),
            permissions=granted,
            subject=claims.subject,
            email=claims.email,
            methods=claims.methods,
            authenticated_at=claims.authenticated_at,
            client_id=delegation.client_id if delegation else "",
        )

    async def _require_grant(self, claims: Claims, delegation: Delegation) -> None:
        now = self._clock.now()
        counts = await self._database.read(
            lambda reader: grant_store.counts(
                reader, delegation.grant_id, claims.subject, delegation.client_id, now
            )
        )
        if not counts:
            raise UnauthenticatedError("what this application was allowed has been taken back")


def _may_choose(claims: Claims, found: Membership | None) -> Membership:
    if found is None or found.status != UserStatus.ACTIVE:
        raise PermissionDeniedError("you are not a member of the organization you chose")
    if found.otp_disabled and OTP in claims.methods:
        raise PermissionDeniedError(
            "the organization you chose does not accept sign-in by e-mail code"
        )
    if SSO in claims.methods:
        raise PermissionDeniedError(
            "you have signed in by the provider of another organization; sign in again"
        )
    if people.needs_sso(found.email, found.sso_domain) and not found.is_super_admin:
        raise PermissionDeniedError(
            "the organization you chose accepts sign-in by its own provider only"
        )
    return found


def _bearer(authorization: str | None) -> str:
    scheme, _, credential = (authorization or "").partition(" ")
    credential = credential.strip()
    if scheme.lower() != _SCHEME or not credential:
        raise UnauthenticatedError(
            "send an API key or an access token as 'Authorization: Bearer ...'"
        )
    if len(credential) > _LONGEST_CREDENTIAL:
        raise UnauthenticatedError("the credential is too long")
    return credential

"""Who this server is to an organization's OpenID provider, as its administrator registered it."""

from dataclasses import dataclass
from typing import Final

from pidgr.audit import trail
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.sso_pb import SSOProviderType
from pidgr.errors import FailedPreconditionError, NotFoundError, Violations
from pidgr.identity.caller import Caller
from pidgr.identity.sso import attempt_store
from pidgr.identity.sso.oidc_sign_in import CLIENT_SECRET_PURPOSE
from pidgr.identity.sso.ownership import existing
from pidgr.identity.sso.provider_store import StoredProvider
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction
from pidgr.validation import check_text

_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class Registration:
    """What a provider knows us as; the secret is shown to nobody."""

    client_id: str
    has_secret: bool


class ClientRegistration:
    """Shows and changes it."""

    def __init__(self, database: Database, master_key: MasterKey, clock: Clock) -> None:
        self._database = database
        self._master_key = master_key
        self._clock = clock

    async def show(self, caller: Caller) -> Registration:
        """Return the registration of the caller's organization.

        Raises:
            PermissionDeniedError: without ORG_READ.
            NotFoundError: it has no identity provider.
        """
        caller.require(Permission.ORG_READ)
        provider = await self._database.read(lambda reader: existing(reader, caller))
        secret = await self._database.read(
            lambda reader: attempt_store.sealed_secret(reader, provider.key)
        )
        return Registration(provider.client_id, secret is not None)

    async def change(self, caller: Caller, client_id: str, secret: str) -> Registration:
        """Note what the administrator has registered at the provider.

        Args:
            caller: the administrator.
            client_id: what the provider calls us; empty to stop sending people there.
            secret: what we prove it with; empty for a public client.

        Raises:
            PermissionDeniedError: without ORG_WRITE.
            InvalidArgumentError: too long, or not text.
            NotFoundError: the organization has no identity provider.
            FailedPreconditionError: it is one by SAML.
        """
        caller.require(Permission.ORG_WRITE)
        violations = Violations()
        check_text(violations, "client_id", client_id, _LONGEST)
        check_text(violations, "client_secret", secret, _LONGEST)
        violations.raise_if_any()
        provider = await self._database.read(lambda reader: existing(reader, caller))
        if provider.type != SSOProviderType.OIDC:
            raise FailedPreconditionError("a SAML provider knows this server by its metadata")
        sealed = None
        if secret and client_id:
            sealed = self._master_key.seal(CLIENT_SECRET_PURPOSE, secret.encode())
        await self._database.write(
            lambda transaction: self._store(transaction, caller, provider, client_id, sealed)
        )
        return Registration(client_id, sealed is not None)

    def _store(
        self,
        transaction: Transaction,
        caller: Caller,
        provider: StoredProvider,
        client_id: str,
        sealed: bytes | None,
    ) -> None:
        now = self._clock.now()
        if not attempt_store.set_client(
            transaction, caller.organization_key, provider.id, client_id, sealed, now
        ):
            raise NotFoundError("the identity provider has been disconnected")
        trail.record(
            transaction,
            caller,
            AuditEventType.SSO_CONFIGURED,
            "sso_provider",
            provider.id,
            now=now,
            domain=provider.domain,
            client_id=client_id,
        )

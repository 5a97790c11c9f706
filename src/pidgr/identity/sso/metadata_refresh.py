"""Reading a provider's metadata again: its certificates and addresses change over the years."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pidgr.audit import trail
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.sso_pb import SSOProviderType
from pidgr.errors import NotFoundError
from pidgr.identity.caller import Caller
from pidgr.identity.sso import provider_store
from pidgr.identity.sso.metadata import Configuration, MetadataReader
from pidgr.identity.sso.ownership import existing
from pidgr.identity.sso.provider_store import StoredProvider
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a provider, and when."""

    read_at: int
    """In microseconds."""
    name: str
    """Its entity ID or its issuer."""
    certificates: tuple[str, ...]
    """SHA-256 of each in hexadecimal, as providers show them; none with OpenID Connect."""


class MetadataRefresh:
    """Shows what is known of a provider, and asks it again."""

    def __init__(self, database: Database, metadata: MetadataReader, clock: Clock) -> None:
        self._database = database
        self._metadata = metadata
        self._clock = clock

    async def show(self, caller: Caller) -> Reading:
        """Return what was read last.

        Raises:
            PermissionDeniedError: without ORG_READ.
            NotFoundError: the organization has no identity provider.
        """
        caller.require(Permission.ORG_READ)
        provider = await self._database.read(lambda reader: existing(reader, caller))
        return _reading(json.loads(provider.configuration), provider.configured_at)

    async def refresh(self, caller: Caller) -> Reading:
        """Read the metadata at its address now. What is not fit for use changes nothing.

        Raises:
            PermissionDeniedError: without ORG_WRITE.
            NotFoundError: the organization has no identity provider.
            InvalidArgumentError: the metadata cannot be had, or cannot be used.
        """
        caller.require(Permission.ORG_WRITE)
        provider = await self._database.read(lambda reader: existing(reader, caller))
        found = await self._metadata.read(SSOProviderType(provider.type), provider.metadata_url)
        now = self._clock.now()
        await self._database.write(
            lambda transaction: _store(transaction, caller, provider, found, now)
        )
        return _reading(found.values, now)


def _store(
    transaction: Transaction,
    caller: Caller,
    provider: StoredProvider,
    found: Configuration,
    now: int,
) -> None:
    if not provider_store.configure(
        transaction, caller.organization_key, provider.id, found.stored(), now
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
        certificates=list(_reading(found.values, now).certificates),
    )


def _reading(values: Mapping[str, Any], read_at: int) -> Reading:
    return Reading(
        read_at=read_at,
        name=values.get("entity_id") or values["issuer"],
        certificates=tuple(
            hashlib.sha256(base64.b64decode(one)).hexdigest()
            for one in values.get("certificates", ())
        ),
    )

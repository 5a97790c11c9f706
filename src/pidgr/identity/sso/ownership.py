"""Whose a domain is: a TXT record in its zone proves it, or the operator vouches for it.

Until then a provider is a wish: nobody is sent to it and nobody admitted by it. The proof is kept,
not asked for again; the operator can withdraw it.
"""

from dataclasses import dataclass

from pidgr.audit import trail
from pidgr.audit.trail import Actor
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    NotFoundError,
    UnavailableError,
)
from pidgr.identity.caller import Caller
from pidgr.identity.sso import domains, provider_store
from pidgr.identity.sso.provider_store import StoredProvider
from pidgr.outreach.txt_records import LookupFailedError, TxtRecords
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError


@dataclass(frozen=True, slots=True)
class Claim:
    """An organization's claim to a domain, and the record that proves it."""

    domain: str
    verified: bool
    record_name: str
    record_value: str


class DomainOwnership:
    """Shows and proves the claims of organizations."""

    def __init__(self, database: Database, records: TxtRecords, clock: Clock) -> None:
        self._database = database
        self._records = records
        self._clock = clock

    async def claim(self, caller: Caller) -> Claim:
        """Return the claim of the caller's organization.

        Raises:
            PermissionDeniedError: without ORG_READ.
            NotFoundError: it has no identity provider.
        """
        caller.require(Permission.ORG_READ)
        return claim_of(await self._database.read(lambda reader: existing(reader, caller)))

    async def prove(self, caller: Caller) -> Claim:
        """Look for the record now; a claim that is proved already stays so.

        Raises:
            PermissionDeniedError: without ORG_WRITE.
            NotFoundError: there is no identity provider.
            FailedPreconditionError: the record is not there.
            AlreadyExistsError: another organization has proved that the domain is its own.
            UnavailableError: no name server answers.
        """
        caller.require(Permission.ORG_WRITE)
        provider = await self._database.read(lambda reader: existing(reader, caller))
        if provider.verified_at is not None:
            return claim_of(provider)
        wanted = claim_of(provider)
        try:
            found = await self._records.find(wanted.record_name)
        except LookupFailedError as error:
            message = f"{error} now; try again in a few minutes"
            raise UnavailableError(message) from error
        if wanted.record_value not in found:
            raise FailedPreconditionError(
                f"there is no TXT record {wanted.record_name} that says {wanted.record_value} yet; "
                "add it to the domain's zone and try again, which can take until its caches expire"
            )
        actor = trail.actor_of(caller)
        return await self._database.write(
            lambda transaction: accept(transaction, provider, actor, self._clock.now())
        )


def existing(reader: Reader, caller: Caller) -> StoredProvider:
    """Return the provider of the caller's organization.

    Raises:
        NotFoundError: it has none.
    """
    found = provider_store.of_organization(reader, caller.organization_key)
    if found is None:
        raise NotFoundError("this organization has no identity provider; connect one first")
    return found


def claim_of(provider: StoredProvider) -> Claim:
    """Return the claim that goes with a provider."""
    return Claim(
        domain=provider.domain,
        verified=provider.verified_at is not None,
        record_name=domains.record_name(provider.domain),
        record_value=domains.record_value(provider.domain_token),
    )


def accept(transaction: Transaction, provider: StoredProvider, by: Actor, now: int) -> Claim:
    """Let a provider's domain be its organization's from now on.

    Raises:
        AlreadyExistsError: it is another organization's.
        NotFoundError: the provider has been disconnected meanwhile.
    """
    return _change(transaction, provider, by, now, verified_at=now)


def withdraw(transaction: Transaction, provider: StoredProvider, by: Actor, now: int) -> Claim:
    """Let a claim be unproved again: nobody comes in by the provider from now on.

    Raises:
        NotFoundError: the provider has been disconnected meanwhile.
    """
    return _change(transaction, provider, by, now, verified_at=None)


def _change(
    transaction: Transaction,
    provider: StoredProvider,
    by: Actor,
    now: int,
    *,
    verified_at: int | None,
) -> Claim:
    try:
        known = provider_store.set_verified(transaction, provider, verified_at, now)
    except UniqueViolationError as error:
        raise taken(provider.domain) from error
    if not known:
        raise NotFoundError("the identity provider has been disconnected")
    trail.record(
        transaction,
        by,
        AuditEventType.SSO_CONFIGURED,
        "sso_provider",
        provider.id,
        now=now,
        domain=provider.domain,
        domain_verified=verified_at is not None,
    )
    claim = claim_of(provider)
    return Claim(claim.domain, verified_at is not None, claim.record_name, claim.record_value)


def taken(domain: str) -> AlreadyExistsError:
    """Return the error for a domain that is another organization's."""
    return AlreadyExistsError(
        f"another organization here has proved that {domain} is its own; ask the operator of this "
        "server if that is wrong"
    )

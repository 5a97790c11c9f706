"""SSOService: an organization's identity provider (SEMANTICS 2.13)."""

import uuid
from typing import Final

from pidgr.audit import trail
from pidgr.clock import Clock, to_timestamp
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.sso_pb import (
    CheckSSOByDomainRequest,
    CheckSSOByDomainResponse,
    CreateSSOProviderRequest,
    CreateSSOProviderResponse,
    DeleteSSOProviderRequest,
    DeleteSSOProviderResponse,
    GetSSOProviderRequest,
    GetSSOProviderResponse,
    SamlAttributeNames,
    SSOProvider,
    SSOProviderType,
)
from pidgr.errors import AlreadyExistsError, NotFoundError, Violations
from pidgr.identity.caller import Caller
from pidgr.identity.sso import domains, known_providers, ownership, provider_store
from pidgr.identity.sso.metadata import Configuration, MetadataReader
from pidgr.identity.sso.provider_store import StoredProvider
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError
from pidgr.validation import check_email, check_enum, check_text, require_uuid

_URL_LENGTH: Final = 2_048
_ATTRIBUTE_LENGTH: Final = 500
_ATTRIBUTES: Final = ("email", "given_name", "family_name")


class SSOService:
    """Connects, shows and disconnects the provider."""

    def __init__(self, metadata: MetadataReader, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock

    def check_sso_by_domain(
        self, request: CheckSSOByDomainRequest, caller: Caller, reader: Reader
    ) -> CheckSSOByDomainResponse:
        """Tell whether people of an address's domain sign in by single sign-on.

        They do once the domain is known to be the organization's and the provider, by OpenID
        Connect, knows us.

        Raises:
            InvalidArgumentError: no such address can exist.
        """
        del caller
        violations = Violations()
        check_email(violations, "email", request.email)
        violations.raise_if_any()
        provider = usable_provider(reader, request.email, self._clock.now())
        if provider is None:
            return CheckSSOByDomainResponse(sso_enabled=False)
        return CheckSSOByDomainResponse(sso_enabled=True, provider_name=provider.name)

    async def prepare_create_sso_provider(
        self, request: CreateSSOProviderRequest, caller: Caller
    ) -> Configuration:
        """Fetch the provider's metadata, which no transaction may wait for.

        Raises:
            InvalidArgumentError: a malformed field, or metadata that cannot be had or used.
        """
        del caller
        _validate(request)
        return await self._metadata.read(request.type, request.metadata_url)

    def create_sso_provider(
        self,
        request: CreateSSOProviderRequest,
        caller: Caller,
        transaction: Transaction,
        configuration: Configuration,
    ) -> CreateSSOProviderResponse:
        """Connect a provider. Nobody comes in by it before the domain is proved (ownership).

        Raises:
            AlreadyExistsError: the organization has a provider, or the domain is another's.
        """
        now = self._clock.now()
        provider = _new(request, caller.organization_key, configuration, now)
        if provider_store.domain_taken(transaction, provider.organization_key, provider.domain):
            raise ownership.taken(provider.domain)
        try:
            provider_store.insert(transaction, provider)
        except UniqueViolationError as error:
            message = "this organization has an identity provider; disconnect that one first"
            raise AlreadyExistsError(message) from error
        for event in (AuditEventType.SSO_PROVIDER_CREATED, AuditEventType.SSO_CONFIGURED):
            trail.record(
                transaction,
                caller,
                event,
                "sso_provider",
                provider.id,
                now=now,
                domain=provider.domain,
                type=SSOProviderType(provider.type).name,
            )
        return CreateSSOProviderResponse(provider=_message(provider))

    def get_sso_provider(
        self, request: GetSSOProviderRequest, caller: Caller, reader: Reader
    ) -> GetSSOProviderResponse:
        """Return the organization's provider, or nothing."""
        del request
        found = provider_store.of_organization(reader, caller.organization_key)
        return GetSSOProviderResponse(provider=_message(found) if found else None)

    def delete_sso_provider(
        self, request: DeleteSSOProviderRequest, caller: Caller, transaction: Transaction
    ) -> DeleteSSOProviderResponse:
        """Disconnect the named provider, or with an empty id the organization's.

        Raises:
            InvalidArgumentError: the id is neither empty nor a UUID.
            NotFoundError: the organization has no such provider.
        """
        named = request.provider_id and require_uuid("provider_id", request.provider_id)
        provider = provider_store.of_organization(transaction, caller.organization_key)
        if provider is None or named not in {"", provider.id}:
            raise NotFoundError("there is no such identity provider")
        if not provider_store.delete(transaction, caller.organization_key, provider.id):
            raise NotFoundError("there is no such identity provider")
        trail.record(
            transaction,
            caller,
            AuditEventType.SSO_PROVIDER_DELETED,
            "sso_provider",
            provider.id,
            now=self._clock.now(),
            domain=provider.domain,
        )
        return DeleteSSOProviderResponse()


def usable_provider(reader: Reader, email: str, now: int) -> StoredProvider | None:
    """Return the provider that the people of an address's domain sign in with, if there is one."""
    domain = domains.of_address(email)
    return provider_store.of_domain(reader, domain, now) if domain else None


def _validate(request: CreateSSOProviderRequest) -> None:
    violations = Violations()
    check_text(violations, "domain", request.domain, domains.DOMAIN_LENGTH, required=True)
    if not violations.found and domains.normalise(request.domain) is None:
        violations.add("domain", "must be a domain such as example.com")
    check_enum(violations, "type", request.type, required=True)
    check_text(violations, "metadata_url", request.metadata_url, _URL_LENGTH, required=True)
    names = request.attribute_mapping or SamlAttributeNames()
    for name in _ATTRIBUTES:
        path = f"attribute_mapping.{name}"
        check_text(violations, path, getattr(names, name), _ATTRIBUTE_LENGTH)
    violations.raise_if_any()


def _new(
    request: CreateSSOProviderRequest,
    organization_key: int,
    configuration: Configuration,
    now: int,
) -> StoredProvider:
    name, detected = known_providers.detect(request.metadata_url, request.type)
    given = request.attribute_mapping or SamlAttributeNames()
    return StoredProvider(
        key=0,
        id=str(uuid.uuid4()),
        organization_key=organization_key,
        domain=domains.normalise(request.domain) or "",
        type=request.type,
        metadata_url=request.metadata_url,
        name=name,
        email_attribute=given.email or detected.email,
        given_name_attribute=given.given_name or detected.given_name,
        family_name_attribute=given.family_name or detected.family_name,
        configuration=configuration.stored(),
        configured_at=now,
        domain_token=domains.new_token(),
        verified_at=None,
        client_id="",
        created_at=now,
        updated_at=now,
    )


def _message(stored: StoredProvider) -> SSOProvider:
    return SSOProvider(
        id=stored.id,
        domain=stored.domain,
        type=SSOProviderType(stored.type),
        metadata_url=stored.metadata_url,
        idp_provider_name=stored.name,
        created_at=to_timestamp(stored.created_at),
        updated_at=to_timestamp(stored.updated_at),
        attribute_mapping=SamlAttributeNames(
            email=stored.email_attribute,
            given_name=stored.given_name_attribute,
            family_name=stored.family_name_attribute,
        ),
    )

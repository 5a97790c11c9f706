"""SQL of identity providers."""

from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.sso_pb import SSOProviderType
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredProvider:
    """An organization's identity provider."""

    key: int
    id: str
    organization_key: int
    domain: str
    type: int
    metadata_url: str
    name: str
    email_attribute: str
    given_name_attribute: str
    family_name_attribute: str
    configuration: str
    configured_at: int
    domain_token: str
    verified_at: int | None
    client_id: str
    created_at: int
    updated_at: int


_COLUMNS: Final = ", ".join(StoredProvider.__dataclass_fields__)
NAMED_COLUMNS: Final = ", ".join(f"p.{name}" for name in StoredProvider.__dataclass_fields__)
"""Its columns, of ``sso_provider p``."""
IN_USE: Final = (
    f"p.verified_at is not null and (p.type <> {int(SSOProviderType.OIDC)} or p.client_id <> '')"
)
"""Whether people sign in by it: the domain is proved, and an OpenID provider knows us."""
_NEW: Final = tuple(name for name in StoredProvider.__dataclass_fields__ if name != "key")
_INSERT: Final = Statement(
    f"insert into sso_provider ({', '.join(_NEW)}) values ({', '.join(f':{n}' for n in _NEW)})"
)
_OF_ORGANIZATION: Final = Statement(
    f"select {_COLUMNS} from sso_provider where organization_key = :organization_key"
)
# Nobody is in an expired sandbox.
_OF_DOMAIN: Final = Statement(f"""
    select {NAMED_COLUMNS} from sso_provider p join organization o on o.key = p.organization_key
    where p.domain = :domain and {IN_USE} and (o.expires_at is null or o.expires_at > :now)
""")
_TAKEN: Final = Statement("""
    select 1 from sso_provider
    where domain = :domain and verified_at is not null and organization_key <> :organization_key
""")
_VERIFY: Final = Statement("""
    update sso_provider set verified_at = :verified_at, updated_at = :now
    where organization_key = :organization_key and id = :id
""")
_CONFIGURE: Final = Statement("""
    update sso_provider
    set configuration = :configuration, configured_at = :now, updated_at = :now
    where organization_key = :organization_key and id = :id
""")
_DELETE: Final = Statement("""
    delete from sso_provider where organization_key = :organization_key and id = :id
""")


def insert(transaction: Transaction, provider: StoredProvider) -> None:
    """Store a new provider; its key is given by the database.

    Raises:
        UniqueViolationError: the organization has one.
    """
    transaction.execute(_INSERT, {name: getattr(provider, name) for name in _NEW})


def of_organization(reader: Reader, organization_key: int) -> StoredProvider | None:
    """Return an organization's provider."""
    parameters = {"organization_key": organization_key}
    return reader.record(StoredProvider, _OF_ORGANIZATION, parameters)


def of_domain(reader: Reader, domain: str, now: int) -> StoredProvider | None:
    """Return the provider that the people of a domain sign in by."""
    return reader.record(StoredProvider, _OF_DOMAIN, {"domain": domain, "now": now})


def domain_taken(reader: Reader, organization_key: int, domain: str) -> bool:
    """Tell whether another organization has proved that a domain is its own."""
    parameters = {"organization_key": organization_key, "domain": domain}
    return reader.value(_TAKEN, parameters) is not None


def set_verified(
    transaction: Transaction, provider: StoredProvider, verified_at: int | None, now: int
) -> bool:
    """Note that a provider's domain is its organization's, or with None that it no longer is.

    Returns:
        Whether the provider still exists.

    Raises:
        UniqueViolationError: it is another organization's.
    """
    parameters = {
        "organization_key": provider.organization_key,
        "id": provider.id,
        "verified_at": verified_at,
        "now": now,
    }
    return transaction.execute(_VERIFY, parameters) == 1


def configure(
    transaction: Transaction, organization_key: int, provider_id: str, configuration: str, now: int
) -> bool:
    """Note what a provider's metadata says now; False when there is no such provider any more."""
    parameters = {
        "organization_key": organization_key,
        "id": provider_id,
        "configuration": configuration,
        "now": now,
    }
    return transaction.execute(_CONFIGURE, parameters) == 1


def delete(transaction: Transaction, organization_key: int, provider_id: str) -> bool:
    """Delete a provider; False when the organization has no such one."""
    parameters = {"organization_key": organization_key, "id": provider_id}
    return transaction.execute(_DELETE, parameters) == 1

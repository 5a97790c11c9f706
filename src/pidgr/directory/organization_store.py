"""SQL of organizations."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredOrganization:
    """An organization as it lies in the database; ``default_workflow`` is JSON of the contract."""

    key: int
    id: str
    name: str
    org_type: int
    industry: int
    company_size: int
    default_locale: str
    default_workflow: str
    data_governance_region: str
    created_at: int
    expires_at: int | None


_BY_KEY: Final = Statement("""
    select key, id, name, org_type, industry, company_size, default_locale, default_workflow,
           data_governance_region, created_at, expires_at
    from organization where key = :organization_key
""")
_KEY_OF_ID: Final = Statement("select key from organization where id = :id")
_DEFAULT_LOCALE: Final = Statement(
    "select default_locale from organization where key = :organization_key"
)
# References to the organization, which every insert takes, need not wait for this lock.
_LOCK: Final = Statement(
    "select key from organization where key = :organization_key",
    postgresql="select key from organization where key = :organization_key for no key update",
)
_INSERT: Final = Statement("""
    insert into organization
      (id, name, name_folded, org_type, industry, company_size, default_workflow,
       data_governance_region, analytics_salt, created_at)
    values
      (:id, :name, :name_folded, :org_type, :industry, :company_size, :default_workflow,
       :data_governance_region, :analytics_salt, :now)
    returning key
""")


def organization(reader: Reader, organization_key: int) -> StoredOrganization:
    """Return the organization of a caller, who could not be one without it.

    Raises:
        LookupError: there is none; a defect of the caller of this function.
    """
    found = reader.record(StoredOrganization, _BY_KEY, {"organization_key": organization_key})
    if found is None:
        raise LookupError(organization_key)
    return found


def organization_key(reader: Reader, organization_id: str) -> int | None:
    """Find the key of an organization by its id, for operators, who name it themselves."""
    key: int | None = reader.value(_KEY_OF_ID, {"id": organization_id})
    return key


def default_locale(reader: Reader, organization_key: int) -> str:
    """Return the organization's locale, empty when it has none."""
    locale: str = reader.value(_DEFAULT_LOCALE, {"organization_key": organization_key})
    return locale


def lock_organization(transaction: Transaction, organization_key: int) -> None:
    """Make changes that no single row can guard come one after another in an organization.

    Two calls that each take the role from one of the last two super admins, or that make two people
    each other's manager, are both right when looked at alone.
    """
    transaction.value(_LOCK, {"organization_key": organization_key})


def insert_organization(
    transaction: Transaction,
    *,
    organization_id: str,
    name: str,
    name_folded: str,
    org_type: int,
    industry: int,
    company_size: int,
    default_workflow: str,
    data_governance_region: str,
    analytics_salt: bytes,
    now: int,
) -> int:
    """Store a new organization and return its key.

    Raises:
        UniqueViolationError: the folded name is taken.
    """
    key: int = transaction.value(
        _INSERT,
        {
            "id": organization_id,
            "name": name,
            "name_folded": name_folded,
            "org_type": org_type,
            "industry": industry,
            "company_size": company_size,
            "default_workflow": default_workflow,
            "data_governance_region": data_governance_region,
            "analytics_salt": analytics_salt,
            "now": now,
        },
    )
    return key

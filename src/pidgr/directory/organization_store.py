"""SQL of organizations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.common_pb import CampaignStatus
from pidgr.contract.v1.organization_pb import OrgType
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.identity.caller import Organization
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredOrganization:
    """An organization as it lies in the database.

    ``default_workflow`` is JSON of the contract, ``sso_attribute_mappings`` a JSON array of
    (claim, profile field).
    """

    key: int
    id: str
    name: str
    org_type: int
    industry: int
    company_size: int
    default_locale: str
    default_workflow: str
    data_governance_region: str
    sso_attribute_mappings: str
    ml_retrain_cold_threshold: int
    ml_cancelled_counts: bool
    ml_manual_limit_monthly: int
    include_synthetic_in_aggregates: bool | None
    provisional_archetypes_enabled: bool
    default_verification_unit_level: int
    created_at: int
    expires_at: int | None
    completed_campaigns: int
    cancelled_campaigns: int


# Whether made-up data counts in totals: unless told otherwise, in sandboxes only.
_COUNTS_SYNTHETIC: Final = f"""
    coalesce(o.include_synthetic_in_aggregates, o.org_type = {int(OrgType.SANDBOX)})
"""


def _count(status: CampaignStatus) -> str:
    return f"""
        (select count(*) from campaign c
         where c.organization_key = o.key and c.status = {int(status)}
           and (not c.synthetic or {_COUNTS_SYNTHETIC}))
    """


_SELECT: Final = f"""
    select o.key, o.id, o.name, o.org_type, o.industry, o.company_size, o.default_locale,
           o.default_workflow, o.data_governance_region, o.sso_attribute_mappings,
           o.ml_retrain_cold_threshold, o.ml_cancelled_counts, o.ml_manual_limit_monthly,
           o.include_synthetic_in_aggregates, o.provisional_archetypes_enabled,
           o.default_verification_unit_level, o.created_at, o.expires_at,
           {_count(CampaignStatus.COMPLETED)}, {_count(CampaignStatus.CANCELLED)}
    from organization o
"""
_BY_KEY: Final = Statement(f"{_SELECT} where o.key = :organization_key")
_OF_SUBJECT: Final = Statement(f"""
    {_SELECT} join member m on m.organization_key = o.key
    where m.subject = :subject and m.status = :active
      and (o.expires_at is null or o.expires_at > :now)
    order by o.created_at, o.key
""")
_OF_CREATOR: Final = Statement(f"""
    {_SELECT} where o.creator_subject = :subject and o.expires_at > :now
    order by o.expires_at, o.key
""")
_COUNT_SYNTHETIC: Final = Statement(
    f"select {_COUNTS_SYNTHETIC} from organization o where o.key = :organization_key"
)
_UPDATE: Final = Statement("""
    update organization
    set name = :name, name_folded = :name_folded, industry = :industry,
        company_size = :company_size, default_locale = :default_locale,
        default_workflow = :default_workflow,
        ml_retrain_cold_threshold = :ml_retrain_cold_threshold,
        ml_cancelled_counts = :ml_cancelled_counts,
        ml_manual_limit_monthly = :ml_manual_limit_monthly,
        include_synthetic_in_aggregates = :include_synthetic_in_aggregates,
        provisional_archetypes_enabled = :provisional_archetypes_enabled,
        default_verification_unit_level = :default_verification_unit_level
    where key = :organization_key
""")
_SET_MAPPINGS: Final = Statement("""
    update organization set sso_attribute_mappings = :mappings where key = :organization_key
""")
_TENANT: Final = Statement("select key, id, suspended from organization where id = :id")
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
       data_governance_region, analytics_salt, created_at, expires_at, creator_subject)
    values
      (:id, :name, :name_folded, :org_type, :industry, :company_size, :default_workflow,
       :data_governance_region, :analytics_salt, :now, :expires_at, :creator_subject)
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


def organizations_of(reader: Reader, subject: str, now: int) -> list[StoredOrganization]:
    """Return where a person can act, oldest first, without what has expired."""
    parameters = {"subject": subject, "active": UserStatus.ACTIVE, "now": now}
    return reader.records(StoredOrganization, _OF_SUBJECT, parameters)


def sandboxes_of(reader: Reader, subject: str, now: int) -> list[StoredOrganization]:
    """Return the sandboxes a person has made, the next to expire first, without expired ones."""
    return reader.records(StoredOrganization, _OF_CREATOR, {"subject": subject, "now": now})


def counts_synthetic(reader: Reader, organization_key: int) -> bool:
    """Tell whether an organization's totals include made-up data."""
    return bool(reader.value(_COUNT_SYNTHETIC, {"organization_key": organization_key}))


def tenant(reader: Reader, organization_id: str) -> Organization | None:
    """Find an organization that services of this installation may act for."""
    return reader.record(Organization, _TENANT, {"id": organization_id})


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

    Two calls that each take the role from one of the last two super admins, that make two people
    each other's manager, or that ask for the last export of five, are both right when looked at
    alone.
    """
    transaction.value(_LOCK, {"organization_key": organization_key})


def update_organization(
    transaction: Transaction, organization_key: int, values: Mapping[str, object]
) -> None:
    """Replace everything of an organization that UpdateOrganization may change, by column.

    Raises:
        UniqueViolationError: the folded name is taken.
    """
    transaction.execute(_UPDATE, {**values, "organization_key": organization_key})


def set_sso_attribute_mappings(
    transaction: Transaction, organization_key: int, mappings: str
) -> None:
    """Replace how claims of the identity provider fill profiles."""
    parameters = {"organization_key": organization_key, "mappings": mappings}
    transaction.execute(_SET_MAPPINGS, parameters)


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
    expires_at: int | None,
    creator_subject: str | None,
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
            "expires_at": expires_at,
            "creator_subject": creator_subject,
        },
    )
    return key

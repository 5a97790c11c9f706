"""Founding an organization, for the RPC and for the operator's command line."""

import secrets
import uuid
from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.organization_pb import CompanySize, Industry, OrgType
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory import member_store, organization_store, role_store
from pidgr.directory.collective_store import GROUPS, TEAMS
from pidgr.directory.default_workflow import DEFAULT_WORKFLOW
from pidgr.directory.member_store import NewMember
from pidgr.directory.privacy import new_salt
from pidgr.errors import AlreadyExistsError, Violations
from pidgr.identity import permissions
from pidgr.identity import store as identity_store
from pidgr.storage.transaction import Transaction, UniqueViolationError
from pidgr.validation import (
    NAME_LENGTH,
    REGIONS,
    check_choice,
    check_email,
    check_enum,
    check_text,
    fold,
    fold_address,
)

DEFAULT_REGION: Final = "US"
_DEFAULT_GROUP: Final = "Everyone"


@dataclass(frozen=True, slots=True)
class NewOrganization:
    """What the founder says of an organization."""

    name: str
    industry: Industry = Industry.UNSPECIFIED
    company_size: CompanySize = CompanySize.UNSPECIFIED
    data_governance_region: str = ""
    org_type: OrgType = OrgType.STANDARD
    # When a sandbox is gone, in microseconds.
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Founding:
    """The ids of a new organization and its first member."""

    organization_key: int
    organization_id: str
    admin_id: str


def create_organization(
    transaction: Transaction,
    new: NewOrganization,
    *,
    admin_email: str,
    now: int,
    subject: str = "",
) -> Founding:
    """Store an organization with its roles, default group, default team and default workflow.

    The first member is ACTIVE with the role super_admin: either they signed in to call this, or the
    operator vouches for them. The default team has the organization's name, because campaigns are
    sent under a team's.

    Args:
        transaction: the unit of work.
        new: the organization.
        admin_email: the first member's address.
        now: time of founding, in microseconds.
        subject: the first member's identity, if they have signed in. One that is new here gives
            way to the one the address has already.

    Raises:
        InvalidArgumentError: a malformed field.
        AlreadyExistsError: the name is taken, letter case aside.
    """
    _check(new, admin_email)
    organization_id = str(uuid.uuid4())
    subject = founder(transaction, admin_email, subject, now)
    try:
        organization_key = organization_store.insert_organization(
            transaction,
            organization_id=organization_id,
            name=new.name,
            name_folded=fold(new.name),
            org_type=new.org_type,
            industry=new.industry,
            company_size=new.company_size,
            default_workflow=DEFAULT_WORKFLOW.to_json(),
            data_governance_region=new.data_governance_region or DEFAULT_REGION,
            analytics_salt=new_salt(),
            now=now,
            expires_at=new.expires_at,
            creator_subject=subject if new.org_type == OrgType.SANDBOX else None,
        )
    except UniqueViolationError as error:
        message = f"an organization named {new.name!r} exists already; choose another name"
        raise AlreadyExistsError(message) from error
    _seed_roles(transaction, organization_key, now)
    _seed_collectives(transaction, organization_key, new.name, now)
    admin = NewMember(
        email=admin_email,
        name="",
        status=UserStatus.ACTIVE,
        role_key=role_store.roles_by_slug(transaction, organization_key)[
            permissions.SUPER_ADMIN
        ].key,
        subject=subject,
    )
    member_store.insert_members(transaction, organization_key, [admin], now)
    return Founding(organization_key, organization_id, admin.id)


def founder(transaction: Transaction, admin_email: str, subject: str, now: int) -> str:
    """Return whose identity the first member has; see ``create_organization``.

    A person may be known here by another address than the one they come with today.
    """
    return identity_store.ensure_identity(
        transaction, fold_address(admin_email), subject or secrets.token_hex(16), now
    )


def _check(new: NewOrganization, admin_email: str) -> None:
    violations = Violations()
    check_text(violations, "name", new.name, NAME_LENGTH, required=True)
    check_enum(violations, "industry", new.industry)
    check_enum(violations, "company_size", new.company_size)
    check_choice(violations, "data_governance_region", new.data_governance_region, REGIONS)
    check_email(violations, "admin_email", admin_email)
    violations.raise_if_any()


def _seed_roles(transaction: Transaction, organization_key: int, now: int) -> None:
    for role in permissions.DEFAULT_ROLES:
        role_store.insert_role(
            transaction,
            organization_key,
            role_id=str(uuid.uuid4()),
            slug=role.slug,
            name=role.name,
            is_default=True,
            is_system=role.is_system,
            permissions=permissions.to_names(role.permissions),
            now=now,
        )


def _seed_collectives(
    transaction: Transaction, organization_key: int, organization_name: str, now: int
) -> None:
    for store, name in ((GROUPS, _DEFAULT_GROUP), (TEAMS, organization_name)):
        store.insert(
            transaction,
            organization_key,
            collective_id=str(uuid.uuid4()),
            name=name,
            name_folded=fold(name),
            description="",
            created_by="",
            is_default=True,
            now=now,
        )

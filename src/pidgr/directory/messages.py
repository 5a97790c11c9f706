"""From stored records to the contract's messages."""

from pidgr.clock import to_timestamp
from pidgr.contract.v1.common_pb import Role, VerificationUnitLevel, WorkflowDefinition
from pidgr.contract.v1.group_pb import Group
from pidgr.contract.v1.organization_pb import CompanySize, Industry, Organization, OrgType
from pidgr.contract.v1.team_pb import Team
from pidgr.contract.v1.user_pb import User, UserProfile, UserStatus
from pidgr.directory.collective_store import StoredCollective
from pidgr.directory.member_store import StoredMember
from pidgr.directory.organization_store import StoredOrganization
from pidgr.directory.profile import attributes_from_json
from pidgr.directory.role_store import StoredRole
from pidgr.directory.sso_mappings import mappings_from_json
from pidgr.identity import permissions


def organization_message(stored: StoredOrganization) -> Organization:
    """Return an organization with its default workflow and SSO mappings."""
    synthetic = stored.include_synthetic_in_aggregates
    return Organization(
        id=stored.id,
        name=stored.name,
        default_workflow=WorkflowDefinition.from_json(stored.default_workflow),
        created_at=to_timestamp(stored.created_at),
        industry=Industry(stored.industry),
        company_size=CompanySize(stored.company_size),
        default_locale=stored.default_locale,
        org_type=OrgType(stored.org_type),
        expires_at=None if stored.expires_at is None else to_timestamp(stored.expires_at),
        data_governance_region=stored.data_governance_region,
        # An installation keeps content where it keeps everything else.
        data_content_region=stored.data_governance_region,
        sso_attribute_mappings=mappings_from_json(stored.sso_attribute_mappings),
        ml_retrain_cold_threshold=stored.ml_retrain_cold_threshold,
        ml_cancelled_counts=bool(stored.ml_cancelled_counts),
        ml_manual_limit_monthly=stored.ml_manual_limit_monthly,
        # Nothing has ever been trained here, so every campaign came since the last training.
        campaigns_since_last_training=stored.completed_campaigns
        + (stored.cancelled_campaigns if stored.ml_cancelled_counts else 0),
        total_completed_campaigns=stored.completed_campaigns,
        include_synthetic_in_aggregates=None if synthetic is None else bool(synthetic),
        provisional_archetypes_enabled=bool(stored.provisional_archetypes_enabled),
        default_verification_unit_level=VerificationUnitLevel(
            stored.default_verification_unit_level
        ),
    )


def role_message(stored: StoredRole) -> Role:
    """Return a role with its permissions in wire order."""
    return Role(
        id=stored.id,
        slug=stored.slug,
        name=stored.name,
        is_default=bool(stored.is_default),
        permissions=sorted(permissions.from_names(stored.permissions)),
        is_system=bool(stored.is_system),
    )


def user_message(stored: StoredMember) -> User:
    """Return a member with role and profile."""
    profile = UserProfile(
        first_name=stored.first_name,
        last_name=stored.last_name,
        department=stored.department,
        title=stored.title,
        phone=stored.phone,
        location=stored.location,
        employee_id=stored.employee_id,
        manager_name=stored.manager_name,
        start_date=stored.start_date,
        custom_attributes=attributes_from_json(stored.custom_attributes),
        manager_id=stored.manager_id,
    )
    return User(
        id=stored.id,
        email=stored.email,
        name=stored.name,
        status=UserStatus(stored.status),
        created_at=to_timestamp(stored.created_at),
        role=role_message(stored.role),
        role_id=stored.role.id,
        profile=profile,
        processing_restricted=bool(stored.processing_restricted),
        data_governance_region=stored.data_governance_region,
    )


def team_message(stored: StoredCollective) -> Team:
    """Return a team."""
    return Team(
        id=stored.id,
        name=stored.name,
        description=stored.description,
        member_count=stored.member_count,
        created_at=to_timestamp(stored.created_at),
        updated_at=to_timestamp(stored.updated_at),
        is_default=bool(stored.is_default),
        created_by=stored.created_by,
    )


def group_message(stored: StoredCollective) -> Group:
    """Return a group."""
    return Group(
        id=stored.id,
        name=stored.name,
        description=stored.description,
        member_count=stored.member_count,
        created_at=to_timestamp(stored.created_at),
        updated_at=to_timestamp(stored.updated_at),
        is_default=bool(stored.is_default),
        created_by=stored.created_by,
    )

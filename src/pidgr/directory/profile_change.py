"""Changing what is known of a person (SEMANTICS 2.8; section 11, decision 15)."""

from collections.abc import Mapping

from pidgr.audit import trail
from pidgr.contract.v1.user_pb import UserProfile
from pidgr.directory import member_store, organization_store, person_store
from pidgr.directory.member_store import StoredMember, existing_member
from pidgr.directory.profile import (
    PROFILE_FIELDS,
    attributes_from_json,
    attributes_to_json,
    check_attributes,
    check_profile,
)
from pidgr.errors import Violations, invalid_field
from pidgr.storage.transaction import Transaction


def change_profile(
    transaction: Transaction, organization_key: int, member_id: str, profile: UserProfile
) -> tuple[StoredMember, list[str]]:
    """Merge a profile into a member's: empty texts stay, empty attributes go.

    Returns:
        The member, and the names of the fields that have changed.

    Raises:
        InvalidArgumentError: a malformed field, limits exceeded after merging, or a manager who is
            not a member, or who reports to this one.
        NotFoundError: no such member.
    """
    violations = Violations()
    check_profile(violations, "profile", profile)
    violations.raise_if_any()
    # Two changes at once could each add attributes up to the limit, or close a circle of managers.
    organization_store.lock_organization(transaction, organization_key)
    member = existing_member(transaction, organization_key, member_id)
    merged = {**attributes_from_json(member.custom_attributes), **profile.custom_attributes}
    attributes = {name: value for name, value in merged.items() if value}
    check_attributes(violations, "profile.custom_attributes", attributes)
    violations.raise_if_any()
    manager_id = profile.manager_id.lower()
    if manager_id:
        check_manager(transaction, organization_key, member_id, manager_id)
    values = {field: getattr(profile, field) or getattr(member, field) for field in PROFILE_FIELDS}
    values["manager_id"] = manager_id or member.manager_id
    values["custom_attributes"] = attributes_to_json(attributes)
    changed = trail.changed_fields(_profile_of(member), values)
    person_store.update_profile(transaction, organization_key, member.key, values)
    return existing_member(transaction, organization_key, member_id), changed


def _profile_of(member: StoredMember) -> Mapping[str, object]:
    attributes = attributes_to_json(attributes_from_json(member.custom_attributes))
    texts = {field: getattr(member, field) for field in (*PROFILE_FIELDS, "manager_id")}
    return {**texts, "custom_attributes": attributes}


def check_manager(
    transaction: Transaction, organization_key: int, member_id: str, manager_id: str
) -> None:
    """Refuse a manager who cannot be. The organization must be locked.

    Raises:
        InvalidArgumentError: not a member, or somebody who reports to this one.
    """
    if member_store.member_key(transaction, organization_key, manager_id) is None:
        raise invalid_field("profile.manager_id", "is not a member of this organization")
    if person_store.reports_to(transaction, organization_key, manager_id, member_id):
        description = "is the member themself, or reports to them"
        raise invalid_field("profile.manager_id", description)

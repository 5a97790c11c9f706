"""Between a User of SCIM and a member: rules without I/O."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scim2_models import Meta

from pidgr.clock import to_datetime
from pidgr.contract.v1.user_pb import UserProfile, UserStatus
from pidgr.directory.member_store import StoredMember
from pidgr.directory.profile import check_profile
from pidgr.errors import Violations
from pidgr.scim.resources import (
    Email,
    EnterpriseUser,
    GroupMembership,
    Manager,
    Name,
    PhoneNumber,
    ScimUser,
)
from pidgr.validation import EMAIL_LENGTH, NAME_LENGTH, check_email, check_text, fold_address

LONGEST_USER_NAME: Final = 254
LONGEST_EXTERNAL_ID: Final = 254
MOST_VALUES: Final = 20
"""How many addresses, and how many phone numbers, a person may have."""
_TYPE_LENGTH: Final = 100
_WORK: Final = "work"
_OF_PROFILE: Final = (
    "first_name",
    "last_name",
    "title",
    "phone",
    "employee_id",
    "department",
    "manager_id",
)

Contact = Email | PhoneNumber


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What a directory has said about a member beyond what the member has.

    ``emails`` and ``phone_numbers`` are JSON arrays of [value, type, primary], or empty. All is
    empty for a member that no directory has touched.
    """

    user_name: str = ""
    external_id: str = ""
    emails: str = ""
    phone_numbers: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A member as a directory may change it. ``emails`` and ``phone_numbers`` as stored."""

    user_name: str
    external_id: str
    email: str
    emails: str
    phone_numbers: str
    name: str
    first_name: str
    last_name: str
    title: str
    phone: str
    employee_id: str
    department: str
    manager_id: str
    active: bool

    def profile(self) -> dict[str, str]:
        """Return what the member's profile holds of it, by field."""
        return {name: getattr(self, name) for name in _OF_PROFILE}

    def user_profile(self) -> UserProfile:
        """Return the same as a profile."""
        return UserProfile(**self.profile(), custom_attributes={})


def person_of(user: ScimUser) -> Person:
    """Return what a User says.

    Raises:
        InvalidArgumentError: something malformed, too long or too much.
    """
    name = user.name or Name()
    enterprise = user[EnterpriseUser] or EnterpriseUser()
    manager = enterprise.manager or Manager()
    emails: list[Email] = user.emails or []
    phones: list[PhoneNumber] = user.phone_numbers or []
    person = Person(
        user_name=user.user_name or "",
        external_id=user.external_id or "",
        email=chosen(emails),
        emails=_stored(emails),
        phone_numbers=_stored(phones),
        name=user.display_name or "",
        first_name=name.given_name or "",
        last_name=name.family_name or "",
        title=user.title or "",
        phone=chosen(phones),
        employee_id=enterprise.employee_number or "",
        department=enterprise.department or "",
        manager_id=(manager.value or "").lower(),
        active=user.active is not False,
    )
    _check(person, emails, phones)
    return person


def with_name(person: Person) -> str:
    """Return a person's whole name, put together of its parts where there is none."""
    return person.name or f"{person.first_name} {person.last_name}".strip()


def user_of(
    member: StoredMember,
    provisioned: Provisioned,
    groups: Sequence[tuple[str, str]],
    base: str,
) -> ScimUser:
    """Return a member as a User, without ``meta.version``.

    Args:
        member: the member.
        provisioned: what a directory has said about them.
        groups: id and name of each group that they are in.
        base: URL of the SCIM service.
    """
    user = ScimUser(
        id=member.id,
        external_id=provisioned.external_id or None,
        user_name=provisioned.user_name or member.email,
        display_name=member.name or None,
        title=member.title or None,
        active=member.status != UserStatus.DEACTIVATED,
        emails=[Email(**fields) for fields in _contacts(provisioned.emails, member.email)],
        phone_numbers=[
            PhoneNumber(**fields) for fields in _contacts(provisioned.phone_numbers, member.phone)
        ]
        or None,
        groups=[
            GroupMembership(value=id_, ref=f"{base}/Groups/{id_}", display=name)
            for id_, name in groups
        ]
        or None,
        meta=Meta(
            resource_type="User",
            created=to_datetime(member.created_at),
            location=f"{base}/Users/{member.id}",
        ),
    )
    if member.first_name or member.last_name:
        user.name = Name(given_name=member.first_name or None, family_name=member.last_name or None)
    if member.employee_id or member.department or member.manager_id:
        user[EnterpriseUser] = EnterpriseUser(
            employee_number=member.employee_id or None,
            department=member.department or None,
            manager=Manager(value=member.manager_id, ref=f"{base}/Users/{member.manager_id}")
            if member.manager_id
            else None,
        )
    return user


def chosen(contacts: Sequence[Contact]) -> str:
    """Return the value that counts: the primary one, else one for work, else the first."""
    for contact in contacts:
        if contact.primary:
            return contact.value or ""
    for contact in contacts:
        if (contact.type or "").lower() == _WORK:
            return contact.value or ""
    return (contacts[0].value or "") if contacts else ""


def _stored(contacts: Sequence[Contact]) -> str:
    rows = [(contact.value, contact.type, contact.primary) for contact in contacts]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")) if rows else ""


def _contacts(stored: str, current: str) -> list[Mapping[str, str | bool | None]]:
    """Return what was stored, if the value that counts among it still is the member's."""
    if not current:
        return []
    fields: list[Mapping[str, str | bool | None]] = [
        {"value": value, "type": type_, "primary": primary}
        for value, type_, primary in (json.loads(stored) if stored else [])
    ]
    if fold_address(chosen([Email(**one) for one in fields])) == fold_address(current):
        return fields
    return [{"value": current, "type": _WORK, "primary": True}]


def _check(person: Person, emails: Sequence[Email], phones: Sequence[PhoneNumber]) -> None:
    violations = Violations()
    check_text(violations, "userName", person.user_name, LONGEST_USER_NAME, required=True)
    check_text(violations, "externalId", person.external_id, LONGEST_EXTERNAL_ID)
    check_text(violations, "displayName", person.name, NAME_LENGTH)
    for path, contacts in (("emails", emails), ("phoneNumbers", phones)):
        if len(contacts) > MOST_VALUES:
            violations.add(path, f"must have at most {MOST_VALUES} values")
        for contact in contacts[:MOST_VALUES]:
            check_text(violations, f"{path}.value", contact.value or "", EMAIL_LENGTH)
            check_text(violations, f"{path}.type", contact.type or "", _TYPE_LENGTH)
    check_email(violations, "emails", person.email)
    check_profile(violations, "profile", person.user_profile())
    violations.raise_if_any()

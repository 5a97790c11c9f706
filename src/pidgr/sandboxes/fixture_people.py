"""The made-up people of a fixture: the same ones every time, in a tree of managers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle, islice
from typing import Final

from pidgr.clock import to_datetime
from pidgr.contract.v1.user_pb import UserProfile, UserStatus
from pidgr.directory.member_store import NewMember
from pidgr.directory.role_store import StoredRole
from pidgr.identity.permissions import EMPLOYEE
from pidgr.validation import LOCALES

_MANAGER_ROLE: Final = "manager"
_FIRST_NAMES: Final = (
    *("Amara", "Bruno", "Chiara", "Daniel", "Elif", "Farid", "Grace", "Hiroshi", "Ines", "Jonas"),
    *("Keiko", "Lucia", "Mateus", "Noor", "Olga", "Paulo", "Qing", "Rosa", "Samuel", "Tala"),
    *("Ulrik", "Valeria", "Wei", "Ximena", "Yusuf", "Zofia", "Anouk", "Benoit", "Carmen"),
)
_LAST_NAMES: Final = (
    *("Okafor", "Almeida", "Rossi", "Novak", "Demir", "Haddad", "Mensah", "Tanaka", "Moreno"),
    *("Lindqvist", "Sato", "Vargas", "Ribeiro", "Rahman", "Petrova", "Costa", "Zhang", "Jimenez"),
    *("Adeyemi", "Khoury", "Berg", "Castillo", "Chen", "Flores", "Aydin", "Nowak", "Dubois"),
    *("Martin", "Ortega", "Fischer", "Silva"),
)
_LOCATIONS: Final = (
    "Lisbon",
    "Berlin",
    "Bogota",
    "Sao Paulo",
    "Osaka",
    "Chicago",
    "Nairobi",
)
_DAYS_BETWEEN_STARTS: Final = 23
_NEW_FOR_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class Staff:
    """Who works in an organization: how many, where, as what, and one custom attribute."""

    size: int
    departments: tuple[str, ...]
    title: str
    attribute: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """A member to be, and what groups they are in by."""

    member: NewMember
    leads: bool
    days_employed: int


def people(
    staff: Staff, fixture_id: str, roles: Mapping[str, StoredRole], now: int
) -> list[Person]:
    """Return everybody: a managing director, the heads of departments, and those they lead.

    Args:
        staff: whom to make up.
        fixture_id: part of their addresses.
        roles: of the organization, by slug.
        now: the time, in microseconds; everybody has begun before it.
    """
    made: list[Person] = []
    departments = islice(cycle(staff.departments), staff.size - 1)
    for number, department in enumerate([staff.departments[0], *departments]):
        leads = number <= len(staff.departments)
        manager = _manager(made, number, department)
        days = _NEW_FOR_DAYS // 3 + (staff.size - number) * _DAYS_BETWEEN_STARTS
        made.append(
            Person(
                NewMember(
                    email=_address(number, fixture_id),
                    name=" ".join(_name(number)),
                    status=UserStatus.ACTIVE,
                    role_key=roles[_MANAGER_ROLE if leads else EMPLOYEE].key,
                    profile=_profile(staff, number, department, manager, now, days),
                    # Two in three read what the organization writes in; the others their own.
                    preferred_locale=LOCALES[number // 3 % len(LOCALES)] if number % 3 == 0 else "",
                ),
                leads=leads,
                days_employed=days,
            )
        )
    return made


def groups(people: Sequence[Person]) -> dict[str, list[Person]]:
    """Return the groups beside the default one."""
    newest = min(person.days_employed for person in people) + _NEW_FOR_DAYS
    return {
        "People managers": [person for person in people if person.leads],
        "New joiners": [person for person in people if person.days_employed <= newest],
        "Latin America": [
            person for person in people if person.member.profile.location in {"Bogota", "Sao Paulo"}
        ],
    }


def departments(people: Sequence[Person]) -> dict[str, list[Person]]:
    """Return the departments with those who work there."""
    found: dict[str, list[Person]] = {}
    for person in people:
        found.setdefault(person.member.profile.department, []).append(person)
    return found


def _manager(made: Sequence[Person], number: int, department: str) -> NewMember | None:
    """Return the director for heads of departments, and for everybody else the head of theirs."""
    if number == 0:
        return None
    heads = [one for one in made[1:] if one.leads and one.member.profile.department == department]
    return heads[0].member if heads else made[0].member


def _name(number: int) -> tuple[str, str]:
    """Return a name; the two lists' lengths have no common factor, so all pairs come up."""
    return _FIRST_NAMES[number % len(_FIRST_NAMES)], _LAST_NAMES[number % len(_LAST_NAMES)]


def _address(number: int, fixture_id: str) -> str:
    first, last = _name(number)
    return f"{first}.{last}@{fixture_id}.example".lower()


def _profile(
    staff: Staff, number: int, department: str, manager: NewMember | None, now: int, days: int
) -> UserProfile:
    first, last = _name(number)
    title = staff.title
    if number <= len(staff.departments):
        title = "Head of department" if number else "Managing director"
    return UserProfile(
        first_name=first,
        last_name=last,
        department=department,
        title=title,
        location=_LOCATIONS[number % len(_LOCATIONS)],
        employee_id=f"E{1000 + number}",
        manager_name=manager.name if manager else "",
        manager_id=manager.id if manager else "",
        start_date=(to_datetime(now) - timedelta(days=days)).date().isoformat(),
        custom_attributes={staff.attribute: staff.values[number % len(staff.values)]},
    )

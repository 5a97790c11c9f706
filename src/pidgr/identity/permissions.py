"""Permissions and the roles every organization starts with (SEMANTICS 6.6 and 6.7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.common_pb import Permission

# Only organizations of type STAFF may hold these.
PLATFORM: Final = frozenset(p for p in Permission if p.name.startswith("PLATFORM_"))
ASSIGNABLE: Final = frozenset(Permission) - PLATFORM - {Permission.UNSPECIFIED}

_EMPLOYEE: Final = frozenset({Permission.INBOX_READ, Permission.INBOX_ACT})
_MANAGER: Final = _EMPLOYEE | {
    Permission.MEMBERS_READ,
    Permission.CAMPAIGNS_READ,
    Permission.CAMPAIGNS_WRITE,
    Permission.CAMPAIGNS_START,
    Permission.TEMPLATES_READ,
    Permission.TEMPLATES_WRITE,
    Permission.GROUPS_ALL_READ,
    Permission.GROUPS_WRITE,
    Permission.TEAMS_ALL_READ,
}


@dataclass(frozen=True, slots=True)
class DefaultRole:
    """A role seeded into every new organization."""

    slug: str
    name: str
    permissions: frozenset[Permission]
    is_system: bool = False


SUPER_ADMIN: Final = "super_admin"
EMPLOYEE: Final = "employee"
DEFAULT_ROLES: Final = (
    DefaultRole(SUPER_ADMIN, "Super admin", ASSIGNABLE, is_system=True),
    DefaultRole("admin", "Admin", ASSIGNABLE),
    DefaultRole("manager", "Manager", _MANAGER),
    DefaultRole(EMPLOYEE, "Employee", _EMPLOYEE),
)


def to_names(permissions: Iterable[Permission]) -> str:
    """Return the stored form: names in wire order, separated by spaces."""
    return " ".join(p.name for p in sorted(permissions))


def from_names(names: str) -> frozenset[Permission]:
    """Return the permissions of a stored form; a name this version does not know grants nothing."""
    known = Permission.__members__
    return frozenset(known[name] for name in names.split() if name in known)

"""Scopes: what an application can be allowed, in terms of permissions (SEMANTICS 6.3, 11.42).

A scope is an upper limit. What a call may really do is the scope's permissions that the person's
role has at that moment.
"""

from collections.abc import Iterable
from typing import Final

from pidgr.contract.v1.common_pb import Permission

SCOPES: Final[dict[str, frozenset[Permission]]] = {
    "campaigns:read": frozenset({Permission.CAMPAIGNS_READ, Permission.TEMPLATES_READ}),
    "campaigns:write": frozenset({Permission.CAMPAIGNS_WRITE, Permission.CAMPAIGNS_START}),
    "templates:write": frozenset({Permission.TEMPLATES_READ, Permission.TEMPLATES_WRITE}),
    "members:read": frozenset(
        {Permission.MEMBERS_READ, Permission.GROUPS_ALL_READ, Permission.TEAMS_ALL_READ}
    ),
    "channels:dispatch": frozenset({Permission.CHANNELS_DISPATCH}),
    "reachability:write": frozenset({Permission.REACHABILITY_WRITE}),
}


def parse(text: str) -> frozenset[str]:
    """Return the names in a ``scope`` parameter (RFC 6749 3.3), known or not."""
    return frozenset(text.split(" ")) - {""}


def render(names: Iterable[str]) -> str:
    """Return names as one text, in the order of the table; unknown ones are left out."""
    wanted = frozenset(names)
    return " ".join(name for name in SCOPES if name in wanted)


def permissions(names: Iterable[str]) -> frozenset[Permission]:
    """Return everything the scopes stand for; a name this version does not know grants nothing."""
    none: frozenset[Permission] = frozenset()
    return none.union(*(SCOPES.get(name, none) for name in names))

"""Filters: what the database can look up, which the rest of a filter then sifts.

A filter must compare one attribute with an index for equality, alone or joined to others by "and":
what directories ask for before they create or change somebody. Anything else would read the whole
organization for every question, and is refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from scim2_models import InvalidFilterException
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    LogicalExpr,
    LogicalOperator,
    ValuePath,
)

USER_LOOKUPS: Final = {
    "username": "userName",
    "externalid": "externalId",
    "id": "id",
    "emails": "emails",
    "emails.value": "emails",
}
GROUP_LOOKUPS: Final = {
    "displayname": "displayName",
    "externalid": "externalId",
    "id": "id",
}


@dataclass(frozen=True, slots=True)
class Lookup:
    """An attribute and the value that it must have."""

    attribute: str
    value: str


def lookup(node: FilterNode, known: Mapping[str, str]) -> Lookup:
    """Return what to look up for a filter.

    Raises:
        InvalidFilterException: nothing of it can be.
    """
    for path, value in _equalities(node):
        attribute = known.get(path)
        if attribute is not None and isinstance(value, str):
            return Lookup(attribute, value)
    names = ", ".join(dict.fromkeys(known.values()))
    raise InvalidFilterException(
        detail=f"a filter must compare one of {names} by eq, alone or joined to others by and"
    )


def _equalities(node: FilterNode) -> Iterator[tuple[str, object]]:
    """Yield the comparisons that must all hold, as attribute and value."""
    match node:
        case Comparison(attr_path=path, op=CompareOperator.eq, value=value):
            yield _spelt(path), value
        case LogicalExpr(op=LogicalOperator.and_, terms=terms):
            for term in terms:
                yield from _equalities(term)
        case ValuePath(attr_path=path, val_filter=inner):
            for name, value in _equalities(inner):
                yield f"{_spelt(path)}.{name}", value


def _spelt(path: AttrPath) -> str:
    """Return an attribute's path as the tables have it; those of extensions are in none."""
    if path.uri is not None and not path.uri.lower().startswith(
        "urn:ietf:params:scim:schemas:core:2.0:"
    ):
        return ""
    return f"{path.attr}.{path.sub_attr}".lower() if path.sub_attr else path.attr.lower()

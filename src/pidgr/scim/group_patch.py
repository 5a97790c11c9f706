"""What a PATCH of a group comes to, without reading who is in it: a group may have 100,000 members.

The library applies a PATCH to a whole resource. Here its operations become steps instead, which the
database takes one after another.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from scim2_models import InvalidPathException, InvalidValueException, PatchOp, PatchOperation
from scim2_models.path import (
    CompareOperator,
    Comparison,
    FilterNode,
    LogicalExpr,
    LogicalOperator,
    ScimFilter,
)

from pidgr.scim.resources import GROUP_SCHEMA, Group, GroupMember
from pidgr.validation import is_uuid

_PREFIX: Final = f"{GROUP_SCHEMA}:".lower()
_MEMBERS: Final = "members"
Op = PatchOperation.Op


class Membership(Enum):
    """What happens to people."""

    ADD = auto()
    REMOVE = auto()
    SET = auto()


@dataclass(frozen=True, slots=True)
class ChangeText:
    """Another displayName or externalId."""

    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class ChangeMembers:
    """People who come, go, or are all that stays."""

    membership: Membership
    ids: tuple[str, ...]


Step = ChangeText | ChangeMembers


def steps(patch: PatchOp[Group]) -> list[Step]:
    """Return the steps of a PATCH.

    Raises:
        SCIMException: a path or a value that no group can have.
    """
    return [step for operation in patch.operations or [] for step in _steps(operation)]


def member_ids(members: Sequence[GroupMember]) -> tuple[str, ...]:
    """Return the ids of members, each once.

    Raises:
        InvalidValueException: one is not a User's.
    """
    return _ids([{"value": member.value} for member in members])


def _steps(operation: PatchOperation[Group]) -> Iterator[Step]:
    removes = operation.op is Op.remove
    if operation.path is None:
        if not isinstance(operation.value, dict):
            raise InvalidValueException(detail="without a path, the value must be an object")
        for name, value in operation.value.items():
            yield from _change(operation.op, str(name).lower().removeprefix(_PREFIX), value)
        return
    path = str(operation.path).lower().removeprefix(_PREFIX)
    if path.startswith(f"{_MEMBERS}["):
        if not removes or not path.endswith("]"):
            detail = "people in a group do not change; add and remove them"
            raise InvalidPathException(detail=detail)
        selected = str(operation.path).partition("[")[2].removesuffix("]")
        named = _selected(ScimFilter(selected).ast)
        yield ChangeMembers(Membership.REMOVE, _ids([{"value": value} for value in named]))
        return
    yield from _change(operation.op, path, operation.value)


def _change(op: PatchOperation.Op, name: str, value: Any) -> Iterator[Step]:  # noqa: ANN401 - JSON
    if name == _MEMBERS:
        yield _members(op, value)
    elif name in {"displayname", "externalid"}:
        attribute = "displayName" if name == "displayname" else "externalId"
        text = "" if op is Op.remove or value is None else value
        if not isinstance(text, str):
            raise InvalidValueException(detail=f"{attribute} must be a text")
        yield ChangeText(attribute, text)


def _members(op: PatchOperation.Op, value: Any) -> Step:  # noqa: ANN401 - JSON
    if op is Op.remove and value is None:
        return ChangeMembers(Membership.SET, ())
    listed = value if isinstance(value, list) else [] if value is None else [value]
    change = {Op.add: Membership.ADD, Op.remove: Membership.REMOVE}.get(op, Membership.SET)
    return ChangeMembers(change, _ids(listed))


def _ids(members: Sequence[object]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for member in members:
        fields: Mapping[str, object] = (
            {str(name).lower(): value for name, value in member.items()}
            if isinstance(member, dict)
            else {}
        )
        value = fields.get("value")
        if not isinstance(value, str) or not is_uuid(value.lower()):
            raise InvalidValueException(detail="members.value: must be the id of a User")
        found[value.lower()] = None
    return tuple(found)


def _selected(node: FilterNode) -> Iterator[object]:
    match node:
        case Comparison(attr_path=path, op=CompareOperator.eq, value=value) if (
            path.attr.lower() == "value" and path.sub_attr is None
        ):
            yield value
        case LogicalExpr(op=LogicalOperator.or_, terms=terms):
            for term in terms:
                yield from _selected(term)
        case _:
            detail = 'members can be selected by value eq "ID" only'
            raise InvalidPathException(detail=detail)

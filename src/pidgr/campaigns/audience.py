"""Audiences as they are asked for: limits, duplicates, and who is known."""

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from pidgr.campaigns import audience_store, workflow
from pidgr.contract.v1.campaign_pb import AudienceMember
from pidgr.errors import FieldViolation, InvalidArgumentError, Violations
from pidgr.storage.transaction import Reader
from pidgr.validation import is_uuid

LARGEST: Final = 100_000
# Of a hundred thousand bad ids the first ten tell the story.
_NAMED: Final = 10

Members = dict[str, str]
"""The JSON of each recipient's variables (or "") by member id."""


def check_members(violations: Violations, path: str, members: Sequence[AudienceMember]) -> None:
    """Note what is wrong with a list of recipients with variables."""
    _check_size(violations, path, len(members))
    _check_ids(
        violations,
        ((f"{path}[{index}].user_id", member.user_id) for index, member in enumerate(members)),
    )
    for index, member in enumerate(members):
        if member.variables:
            workflow.check_variables(member.variables, f"{path}[{index}].variables", violations)


def check_user_ids(violations: Violations, path: str, user_ids: Sequence[str]) -> None:
    """Note what is wrong with a plain list of recipients."""
    _check_size(violations, path, len(user_ids))
    _check_ids(
        violations, ((f"{path}[{index}]", user_id) for index, user_id in enumerate(user_ids))
    )


def _check_size(violations: Violations, path: str, size: int) -> None:
    if size > LARGEST:
        violations.add(path, f"must be at most {LARGEST:,}, has {size:,}")


def _check_ids(violations: Violations, ids: Iterable[tuple[str, str]]) -> None:
    bad = (path for path, user_id in ids if not is_uuid(user_id.lower()))
    for path in islice(bad, _NAMED):
        violations.add(path, "must be a UUID")


def with_variables(members: Sequence[AudienceMember]) -> Members:
    """Return recipients by id; of several mentions of one the first counts."""
    found: Members = {}
    for member in members:
        variables = json.dumps(member.variables) if member.variables else ""
        found.setdefault(member.user_id.lower(), variables)
    return found


def without_variables(user_ids: Sequence[str]) -> Members:
    """Return recipients by id."""
    return dict.fromkeys((user_id.lower() for user_id in user_ids), "")


def require_known(reader: Reader, organization_key: int, members: Members) -> None:
    """Check that every recipient is a member of the organization.

    Raises:
        InvalidArgumentError: naming up to ten that are not.
    """
    unknown = audience_store.unknown_members(reader, organization_key, list(members))
    if unknown:
        description = f"not members of the organization: {', '.join(unknown)}"
        raise InvalidArgumentError(
            f"audience: {description}", (FieldViolation("audience", description),)
        )

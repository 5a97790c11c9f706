"""What a new campaign must be like: the checks of CreateCampaign, and the frozen audience."""

import json
from typing import Final

from pidgr.campaigns import store, workflow
from pidgr.campaigns.store import PinnedTemplate
from pidgr.contract.v1.campaign_pb import AudienceMember, CreateCampaignRequest
from pidgr.contract.v1.common_pb import SendNotificationConfig, WorkflowDefinition
from pidgr.errors import FieldViolation, InvalidArgumentError, NotFoundError, Violations
from pidgr.storage.transaction import Reader
from pidgr.validation import (
    LOCALES,
    NAME_LENGTH,
    check_choice,
    check_text,
    is_uuid,
    require_uuid,
)

_AUDIENCE: Final = 100_000
_NAMED_IDS: Final = 10


def validate(request: CreateCampaignRequest) -> None:
    """Check everything that needs no database.

    Raises:
        InvalidArgumentError: naming every bad field.
        UnimplementedError: a step that this version cannot run.
    """
    violations = Violations()
    check_text(violations, "name", request.name, NAME_LENGTH, required=True)
    check_text(violations, "title", request.title, NAME_LENGTH)
    check_text(violations, "sender_name", request.sender_name, NAME_LENGTH, required=True)
    check_choice(violations, "default_locale", request.default_locale, LOCALES)
    if not is_uuid(request.template_id.lower()):
        violations.add("template_id", "must be a UUID")
    if request.template_version < 0:
        violations.add("template_version", "must not be negative; 0 is the latest")
    _check_audience(request, violations)
    workflow.validate(request.workflow, "workflow", violations)
    violations.raise_if_any()
    assert request.workflow is not None  # noqa: S101 - validated
    workflow.require_runnable(request.workflow)


def _check_audience(request: CreateCampaignRequest, violations: Violations) -> None:
    for path, members in (("audience", request.audience), ("user_ids", request.user_ids)):
        if len(members) > _AUDIENCE:
            violations.add(path, f"must be at most {_AUDIENCE:,}, has {len(members):,}")
    bad = (
        f"audience[{index}].user_id"
        for index, member in enumerate(request.audience)
        if not is_uuid(member.user_id.lower())
    )
    bad_ids = (
        f"user_ids[{index}]"
        for index, user_id in enumerate(request.user_ids)
        if not is_uuid(user_id.lower())
    )
    for path, _ in zip(bad if request.audience else bad_ids, range(_NAMED_IDS), strict=False):
        violations.add(path, "must be a UUID")
    for index, member in enumerate(request.audience):
        if member.variables:
            workflow.check_variables(member.variables, f"audience[{index}].variables", violations)


def members_of(request: CreateCampaignRequest) -> dict[str, str]:
    """Return the variables' JSON (or "") by member id; the first mention of an id counts."""
    if not request.audience:
        return dict.fromkeys((user_id.lower() for user_id in request.user_ids), "")
    members: dict[str, str] = {}
    for member in request.audience:
        members.setdefault(member.user_id.lower(), _variables_json(member))
    return members


def _variables_json(member: AudienceMember) -> str:
    return json.dumps(member.variables) if member.variables else ""


def pin_template(
    reader: Reader, organization_key: int, template_id: str, version: int
) -> PinnedTemplate:
    """Return the template version to use; version 0 is today's latest.

    Raises:
        NotFoundError: no such template or version in the organization.
    """
    template_id = require_uuid("template_id", template_id)
    pinned = store.pinned_template(reader, organization_key, template_id, version)
    if pinned is None:
        what = "version" if store.template_exists(reader, organization_key, template_id) else ""
        raise NotFoundError(f"there is no such template {what}".rstrip())
    return pinned


def check_references(
    reader: Reader,
    organization_key: int,
    request: CreateCampaignRequest,
    definition: WorkflowDefinition,
) -> None:
    """Check that the sender and the steps' templates exist.

    Raises:
        InvalidArgumentError: no team has the sender's name.
        NotFoundError: a step's template does not exist.
    """
    if not store.team_exists(reader, organization_key, request.sender_name):
        description = "must be exactly the name of a team of the organization"
        raise InvalidArgumentError(
            f"sender_name: {description}", (FieldViolation("sender_name", description),)
        )
    for step in definition.steps:
        config = step.config.value if step.config is not None else None
        if isinstance(config, SendNotificationConfig) and config.template_id:
            pin_template(reader, organization_key, config.template_id, config.template_version)


def check_members(reader: Reader, organization_key: int, members: dict[str, str]) -> None:
    """Check that every recipient is a member of the organization.

    Raises:
        InvalidArgumentError: naming up to ten that are not.
    """
    unknown = store.unknown_members(reader, organization_key, list(members))
    if unknown:
        description = f"not members of the organization: {', '.join(unknown)}"
        raise InvalidArgumentError(
            f"audience: {description}", (FieldViolation("audience", description),)
        )

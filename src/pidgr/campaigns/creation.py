"""What a new campaign must be like: the checks of CreateCampaign, and the frozen audience."""

from pidgr.campaigns import audience, store, workflow
from pidgr.campaigns.audience import Members
from pidgr.campaigns.store import PinnedTemplate
from pidgr.contract.v1.campaign_pb import CreateCampaignRequest
from pidgr.contract.v1.common_pb import SendNotificationConfig, WorkflowDefinition
from pidgr.errors import NotFoundError, PermissionDeniedError, Violations, invalid_field
from pidgr.storage.transaction import Reader
from pidgr.validation import (
    LOCALES,
    NAME_LENGTH,
    check_choice,
    check_text,
    is_uuid,
    require_uuid,
)


def validate(request: CreateCampaignRequest) -> None:
    """Check everything that needs no database.

    Raises:
        InvalidArgumentError: naming every bad field.
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
    audience.check_members(violations, "audience", request.audience)
    audience.check_user_ids(violations, "user_ids", request.user_ids)
    workflow.validate(request.workflow, "workflow", violations)
    violations.raise_if_any()


def members_of(request: CreateCampaignRequest) -> Members:
    """Return the recipients; the list with variables wins over the plain one."""
    if request.audience:
        return audience.with_variables(request.audience)
    return audience.without_variables(request.user_ids)


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


def require_sender(reader: Reader, organization_key: int, name: str) -> None:
    """Check that a team of the organization has exactly the sender's name.

    Raises:
        InvalidArgumentError: none has.
    """
    if not store.team_exists(reader, organization_key, name):
        raise invalid_field("sender_name", "must be exactly the name of a team")


def require_step_templates(
    reader: Reader, organization_key: int, definition: WorkflowDefinition, template_id: str
) -> None:
    """Check that the templates and versions the steps name exist.

    Args:
        reader: the unit of work.
        organization_key: whose templates.
        definition: the steps.
        template_id: the campaign's template, which a step that names only a version means; empty
            while there is no campaign.

    Raises:
        NotFoundError: one does not.
    """
    for step in definition.steps:
        config = step.config.value if step.config is not None else None
        if isinstance(config, SendNotificationConfig):
            named = config.template_id or template_id
            if named:
                pin_template(reader, organization_key, named, config.template_version)


def require_links(reader: Reader, organization_key: int, request: CreateCampaignRequest) -> None:
    """Check the archetype and the objectives a campaign is tied to.

    This server keeps neither, so naming one can only be a mistake; ignoring it would be another.

    Raises:
        PermissionDeniedError: the archetype's group is not the organization's.
        NotFoundError: any archetype label or objective.
    """
    origin = request.originating_archetype
    if origin is not None:
        group_id = require_uuid("originating_archetype.group_id", origin.group_id)
        if not store.group_exists(reader, organization_key, group_id):
            raise PermissionDeniedError("the archetype's group is not one of your organization")
        raise NotFoundError(f"the group has no archetype '{origin.archetype_label}'")
    if request.objective_ids:
        raise NotFoundError(f"there is no objective {request.objective_ids[0]}")

"""UpdateCampaign: what may change before the start, and how (SEMANTICS 2.3)."""

from dataclasses import replace
from typing import Final

from pidgr.audit import trail
from pidgr.campaigns import audience, audience_store, creation, store, workflow
from pidgr.campaigns.advance import definition_of
from pidgr.campaigns.store import CampaignRow
from pidgr.contract.v1.campaign_pb import UpdateCampaignRequest
from pidgr.errors import Violations
from pidgr.storage.transaction import Transaction
from pidgr.validation import NAME_LENGTH, check_text, is_uuid

_FIELDS: Final = ("name", "title", "sender_name", "template_key", "template_version", "workflow")


def validate(request: UpdateCampaignRequest) -> None:
    """Check everything that needs no database.

    Raises:
        InvalidArgumentError: naming every bad field.
    """
    violations = Violations()
    check_text(violations, "name", request.name, NAME_LENGTH)
    check_text(violations, "title", request.title, NAME_LENGTH)
    check_text(violations, "sender_name", request.sender_name, NAME_LENGTH)
    if request.template_id and not is_uuid(request.template_id.lower()):
        violations.add("template_id", "must be a UUID")
    if request.template_version < 0:
        violations.add("template_version", "must not be negative; 0 is unchanged")
    if request.audience_replacement is not None:
        members = request.audience_replacement.members
        audience.check_members(violations, "audience_replacement.members", members)
    if request.workflow is not None:
        workflow.validate(request.workflow, "workflow", violations)
    violations.raise_if_any()


def apply(transaction: Transaction, row: CampaignRow, request: UpdateCampaignRequest) -> list[str]:
    """Store what the request changes, and return the names of those fields.

    Raises:
        InvalidArgumentError: an unknown sender or recipient.
        NotFoundError: an unknown template or version.
    """
    organization_key = row.organization_key
    changed = replace(
        row,
        name=request.name or row.name,
        title=request.title or row.title,
        sender_name=request.sender_name or row.sender_name,
    )
    if request.sender_name:
        creation.require_sender(transaction, organization_key, request.sender_name)
    template_id = request.template_id.lower() or row.template_id
    if template_id != row.template_id or request.template_version:
        # Another template named without a version is pinned at its latest.
        pinned = creation.pin_template(
            transaction, organization_key, template_id, request.template_version
        )
        changed = replace(changed, template_key=pinned.key, template_version=pinned.version)
    if request.workflow is not None:
        changed = replace(changed, workflow=request.workflow.to_json())
    creation.require_step_templates(
        transaction, organization_key, definition_of(changed), template_id
    )
    store.update_campaign(transaction, changed)
    fields = trail.changed_fields(
        {field: getattr(row, field) for field in _FIELDS},
        {field: getattr(changed, field) for field in _FIELDS},
    )
    if request.audience_replacement is not None:
        members = audience.with_variables(request.audience_replacement.members)
        audience.require_known(transaction, organization_key, members)
        audience_store.freeze_audience(
            transaction,
            row.key,
            organization_key,
            members,
            include_restricted=bool(row.include_restricted),
        )
        fields.append("audience")
    return [field.removesuffix("_key") for field in fields]

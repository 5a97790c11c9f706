"""Changing an organization's settings (SEMANTICS 2.9; section 11, decision 16)."""

from collections.abc import Sequence
from typing import Final

from pidgr.audit import trail
from pidgr.campaigns import creation, workflow
from pidgr.contract.v1.organization_pb import (
    OrgType,
    SsoAttributeMapping,
    UpdateOrganizationRequest,
)
from pidgr.directory import organization_store
from pidgr.directory.organization_store import StoredOrganization
from pidgr.directory.sso_mappings import mappings_from_json, mappings_to_json
from pidgr.errors import AlreadyExistsError, FailedPreconditionError, Violations
from pidgr.storage.transaction import Transaction, UniqueViolationError
from pidgr.validation import LOCALES, NAME_LENGTH, check_choice, check_enum, check_text, fold

_MOST_CAMPAIGNS: Final = 100
_MOST_TRAININGS: Final = 10
_OPTIONAL: Final = (
    "ml_cancelled_counts",
    "include_synthetic_in_aggregates",
    "provisional_archetypes_enabled",
)


def change_organization(
    transaction: Transaction, organization_key: int, request: UpdateOrganizationRequest
) -> list[str]:
    """Store what a request changes, and return the names of those fields.

    Raises:
        InvalidArgumentError: a malformed field or an invalid workflow.
        NotFoundError: a step of the workflow names a template or version that there is not.
        FailedPreconditionError: archetypes before their time, in a sandbox.
        AlreadyExistsError: the name is taken.
    """
    check(request)
    organization_store.lock_organization(transaction, organization_key)
    stored = organization_store.organization(transaction, organization_key)
    provisional = request.has_field("provisional_archetypes_enabled")
    if provisional and stored.org_type == OrgType.SANDBOX:
        message = "provisional_archetypes_enabled is not for sandboxes: their data is made up"
        raise FailedPreconditionError(message)
    if request.default_workflow is not None:
        creation.require_step_templates(
            transaction, organization_key, request.default_workflow, template_id=""
        )
    merged = _merged(stored, request)
    try:
        organization_store.update_organization(transaction, organization_key, merged)
    except UniqueViolationError as error:
        message = f"an organization named {request.name!r} exists already; choose another name"
        raise AlreadyExistsError(message) from error
    shown = {field: value for field, value in merged.items() if field != "name_folded"}
    return trail.changed_fields({field: getattr(stored, field) for field in shown}, shown)


def replace_mappings(
    transaction: Transaction, organization_key: int, mappings: Sequence[SsoAttributeMapping]
) -> bool:
    """Store how claims fill profiles instead of what was stored; tell whether that differs."""
    organization_store.lock_organization(transaction, organization_key)
    stored = organization_store.organization(transaction, organization_key)
    if list(mappings) == mappings_from_json(stored.sso_attribute_mappings):
        return False
    organization_store.set_sso_attribute_mappings(
        transaction, organization_key, mappings_to_json(mappings)
    )
    return True


def check(request: UpdateOrganizationRequest) -> None:
    """Check what can be checked without looking anything up.

    Raises:
        InvalidArgumentError: a malformed field.
    """
    violations = Violations()
    if request.name:
        check_text(violations, "name", request.name, NAME_LENGTH, required=True)
    if request.default_workflow is not None:
        workflow.validate(request.default_workflow, "default_workflow", violations)
    check_enum(violations, "industry", request.industry)
    check_enum(violations, "company_size", request.company_size)
    check_choice(violations, "default_locale", request.default_locale, LOCALES)
    if not 0 <= request.ml_retrain_cold_threshold <= _MOST_CAMPAIGNS:
        violations.add("ml_retrain_cold_threshold", f"must be 1 to {_MOST_CAMPAIGNS}")
    if request.ml_manual_limit_monthly > _MOST_TRAININGS:
        violations.add("ml_manual_limit_monthly", f"must be at most {_MOST_TRAININGS}")
    check_enum(
        violations, "default_verification_unit_level", request.default_verification_unit_level
    )
    violations.raise_if_any()


def _merged(stored: StoredOrganization, request: UpdateOrganizationRequest) -> dict[str, object]:
    name = request.name or stored.name
    definition = request.default_workflow
    return {
        "name": name,
        "name_folded": fold(name),
        "industry": int(request.industry) or stored.industry,
        "company_size": int(request.company_size) or stored.company_size,
        "default_locale": request.default_locale or stored.default_locale,
        "default_workflow": stored.default_workflow if definition is None else definition.to_json(),
        "ml_retrain_cold_threshold": request.ml_retrain_cold_threshold
        or stored.ml_retrain_cold_threshold,
        "ml_manual_limit_monthly": _manual_limit(stored, request),
        **{
            field: getattr(request if request.has_field(field) else stored, field)
            for field in _OPTIONAL
        },
        "default_verification_unit_level": int(request.default_verification_unit_level)
        or stored.default_verification_unit_level,
    }


def _manual_limit(stored: StoredOrganization, request: UpdateOrganizationRequest) -> int:
    """Return the limit to store: simple clients send 0 because they cannot leave it out."""
    limit = request.ml_manual_limit_monthly
    others = request.ml_retrain_cold_threshold != 0 or request.has_field("ml_cancelled_counts")
    if limit < 0 or (limit == 0 and not others):
        return stored.ml_manual_limit_monthly
    return limit

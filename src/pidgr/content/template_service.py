"""TemplateService: texts of messages, in versions that never change (SEMANTICS 2.14)."""

import uuid
from typing import Final

from pidgr.audit import trail
from pidgr.clock import Clock, to_timestamp
from pidgr.content import template_store
from pidgr.content.lookup import SOURCE_LENGTH, find_template, unknown_template
from pidgr.content.rendering import TITLE_LENGTH
from pidgr.content.template_store import StoredTemplate
from pidgr.content.translation_rpcs import TranslationRpcs
from pidgr.content.variables import check_variables, variables_from_json, variables_to_json
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.template_pb import (
    CreateTemplateRequest,
    CreateTemplateResponse,
    GetTemplateRequest,
    GetTemplateResponse,
    ListTemplatesRequest,
    ListTemplatesResponse,
    Template,
    TemplateType,
    UpdateTemplateRequest,
    UpdateTemplateResponse,
)
from pidgr.directory import organization_store
from pidgr.errors import Violations
from pidgr.identity.caller import Caller
from pidgr.pagination import PageTokens
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import (
    LOCALES,
    NAME_LENGTH,
    check_choice,
    check_enum,
    check_text,
    require_uuid,
)

_LAST_LOCALE: Final = "en"
# Before the first page; keys are counted up from 1.
_ABOVE_ALL_KEYS: Final = 2**63 - 1


class TemplateService(TranslationRpcs):
    """Keeps templates and their translations."""

    def __init__(self, clock: Clock, page_tokens: PageTokens) -> None:
        super().__init__(clock)
        self._page_tokens = page_tokens

    def create_template(
        self, request: CreateTemplateRequest, caller: Caller, unit: Transaction
    ) -> CreateTemplateResponse:
        """Make a template at version 1.

        Raises:
            InvalidArgumentError: a malformed field.
        """
        violations = Violations()
        check_text(violations, "name", request.name, NAME_LENGTH, required=True)
        check_text(violations, "body", request.body, SOURCE_LENGTH, required=True)
        check_text(violations, "title", request.title, TITLE_LENGTH)
        check_variables(violations, request.variables)
        check_enum(violations, "type", request.type)
        check_choice(violations, "source_locale", request.source_locale, LOCALES)
        violations.raise_if_any()
        organization_key = caller.organization_key
        template_id = str(uuid.uuid4())
        template_store.insert_template(
            unit,
            organization_key,
            template_id=template_id,
            name=request.name,
            template_type=request.type or TemplateType.MARKDOWN,
            source_locale=request.source_locale
            or organization_store.default_locale(unit, organization_key)
            or _LAST_LOCALE,
            title=request.title,
            body=request.body,
            variables=variables_to_json(request.variables),
            now=self._clock.now(),
        )
        stored = find_template(unit, organization_key, template_id, 0)
        self._record(unit, caller, AuditEventType.TEMPLATE_CREATED, stored)
        return CreateTemplateResponse(template=_message(stored))

    def update_template(
        self, request: UpdateTemplateRequest, caller: Caller, unit: Transaction
    ) -> UpdateTemplateResponse:
        """Append a version with a new body and variables; everything else carries over.

        Raises:
            InvalidArgumentError: a malformed field.
            NotFoundError: no such template.
        """
        template_id = require_uuid("template_id", request.template_id)
        violations = Violations()
        check_text(violations, "body", request.body, SOURCE_LENGTH, required=True)
        check_variables(violations, request.variables)
        violations.raise_if_any()
        organization_key = caller.organization_key
        if not template_store.append_version(
            unit,
            organization_key,
            template_id,
            body=request.body,
            variables=variables_to_json(request.variables),
            now=self._clock.now(),
        ):
            raise unknown_template(template_id)
        stored = find_template(unit, organization_key, template_id, 0)
        self._record(unit, caller, AuditEventType.TEMPLATE_UPDATED, stored)
        return UpdateTemplateResponse(template=_message(stored))

    def get_template(
        self, request: GetTemplateRequest, caller: Caller, unit: Reader
    ) -> GetTemplateResponse:
        """Return one version, the latest for version 0.

        Raises:
            InvalidArgumentError: a malformed id or a negative version.
            NotFoundError: no such template or version.
        """
        stored = find_template(unit, caller.organization_key, request.template_id, request.version)
        return GetTemplateResponse(template=_message(stored))

    def list_templates(
        self, request: ListTemplatesRequest, caller: Caller, unit: Reader
    ) -> ListTemplatesResponse:
        """Return a page of templates at their latest version, newest template first.

        Raises:
            InvalidArgumentError: an unknown type, a bad page size or token.
        """
        violations = Violations()
        check_enum(violations, "type", request.type)
        violations.raise_if_any()
        organization_key = caller.organization_key
        scope = f"templates/{organization_key}/{int(request.type)}"
        page = self._page_tokens.read(request.pagination, scope)
        before = page.position[0] if page.position else _ABOVE_ALL_KEYS
        found = template_store.templates_page(
            unit, organization_key, request.type, before, page.size + 1
        )
        total = template_store.count_templates(unit, organization_key, request.type)
        positions = [(stored.key,) for stored in found]
        return ListTemplatesResponse(
            templates=[_message(stored) for stored in found[: page.size]],
            pagination_meta=self._page_tokens.meta(scope, page, positions, total),
        )

    def _record(
        self,
        unit: Transaction,
        caller: Caller,
        event_type: AuditEventType,
        stored: StoredTemplate,
    ) -> None:
        trail.record(
            unit,
            caller,
            event_type,
            "template",
            stored.id,
            now=self._clock.now(),
            name=stored.name,
            version=stored.version,
        )


def _message(stored: StoredTemplate) -> Template:
    return Template(
        id=stored.id,
        name=stored.name,
        body=stored.body,
        variables=variables_from_json(stored.variables),
        version=stored.version,
        created_at=to_timestamp(stored.created_at),
        updated_at=to_timestamp(stored.latest_at),
        title=stored.title,
        type=TemplateType(stored.type),
        source_locale=stored.source_locale,
    )

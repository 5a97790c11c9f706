"""TemplateService's translations: written by people or machines, used once approved."""

import uuid
from dataclasses import replace
from typing import Final

from pidgr.audit import trail
from pidgr.clock import Clock, to_timestamp
from pidgr.content import translation_store
from pidgr.content.lookup import SOURCE_LENGTH, find_template
from pidgr.content.rendering import TITLE_LENGTH
from pidgr.content.translation_store import StoredTranslation
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.template_pb import (
    ApproveTemplateTranslationRequest,
    ApproveTemplateTranslationResponse,
    CreateTemplateTranslationRequest,
    CreateTemplateTranslationResponse,
    ListTemplateTranslationsRequest,
    ListTemplateTranslationsResponse,
    TemplateTranslation,
    TranslationStatus,
    UpdateTemplateTranslationRequest,
    UpdateTemplateTranslationResponse,
)
from pidgr.errors import AlreadyExistsError, NotFoundError, Violations, invalid_field
from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import (
    LOCALES,
    NAME_LENGTH,
    check_choice,
    check_enum,
    check_text,
    require_uuid,
)

# What a translation can begin as; approval is a step of its own.
_FIRST_STATUSES: Final = frozenset(
    {TranslationStatus.UNSPECIFIED, TranslationStatus.DRAFT, TranslationStatus.AI_TRANSLATED}
)


class TranslationRpcs:
    """The four RPCs of TemplateService that concern translations (SEMANTICS 2.14, 3.4)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def create_template_translation(
        self, request: CreateTemplateTranslationRequest, caller: Caller, unit: Transaction
    ) -> CreateTemplateTranslationResponse:
        """Add a translation to a version.

        Raises:
            InvalidArgumentError: a malformed field, the source's own locale, approved from birth.
            NotFoundError: no such template or version.
            AlreadyExistsError: the version has a translation in this locale.
        """
        _validate(request)
        organization_key = caller.organization_key
        template = find_template(unit, organization_key, request.template_id, request.version)
        if request.locale == template.source_locale:
            raise invalid_field("locale", "is the template's own; edit the template instead")
        translation_id = str(uuid.uuid4())
        stored = translation_store.insert_translation(
            unit,
            {
                "id": translation_id,
                "template_key": template.key,
                "version": template.version,
                "locale": request.locale,
                "title": request.title,
                "body": request.body,
                "status": request.status or TranslationStatus.DRAFT,
                "translated_by": request.translated_by,
                "reviewed_by": "",
                "reviewed_at": None,
                "now": self._clock.now(),
            },
        )
        if not stored:
            raise AlreadyExistsError(
                f"version {template.version} has a translation in {request.locale}; update it"
            )
        made = _found(unit, organization_key, translation_id)
        self._record_translation(unit, caller, AuditEventType.TRANSLATION_CREATED, made)
        return CreateTemplateTranslationResponse(translation=_message(made))

    def update_template_translation(
        self, request: UpdateTemplateTranslationRequest, caller: Caller, unit: Transaction
    ) -> UpdateTemplateTranslationResponse:
        """Change a translation; empty fields stay as they are.

        Raises:
            InvalidArgumentError: a malformed field.
            NotFoundError: no such translation.
            PermissionDeniedError: approving without TEMPLATES_REVIEW.
        """
        translation_id = require_uuid("translation_id", request.translation_id)
        violations = Violations()
        check_text(violations, "title", request.title, TITLE_LENGTH)
        check_text(violations, "body", request.body, SOURCE_LENGTH)
        check_enum(violations, "status", request.status)
        violations.raise_if_any()
        if request.status == TranslationStatus.APPROVED:
            caller.require(Permission.TEMPLATES_REVIEW)
        before = _lock(unit, caller.organization_key, translation_id)
        changed = replace(
            before, title=request.title or before.title, body=request.body or before.body
        )
        edited = (changed.title, changed.body) != (before.title, before.body)
        status = TranslationStatus(request.status or before.status)
        if edited and not request.status and status == TranslationStatus.APPROVED:
            # What was approved is not what stands there now.
            status = TranslationStatus.DRAFT
        changed = self._with_status(changed, status, caller, keep_review=not edited)
        self._store(unit, caller, before, changed)
        return UpdateTemplateTranslationResponse(translation=_message(changed))

    def list_template_translations(
        self, request: ListTemplateTranslationsRequest, caller: Caller, unit: Reader
    ) -> ListTemplateTranslationsResponse:
        """Return a version's translations in every status, by locale.

        Raises:
            NotFoundError: no such template or version.
        """
        organization_key = caller.organization_key
        template = find_template(unit, organization_key, request.template_id, request.version)
        found = translation_store.translations(
            unit, organization_key, template.id, template.version
        )
        return ListTemplateTranslationsResponse(translations=[_message(one) for one in found])

    def approve_template_translation(
        self, request: ApproveTemplateTranslationRequest, caller: Caller, unit: Transaction
    ) -> ApproveTemplateTranslationResponse:
        """Approve a translation; of several approvals the first counts.

        Raises:
            NotFoundError: no such translation.
        """
        translation_id = require_uuid("translation_id", request.translation_id)
        before = _lock(unit, caller.organization_key, translation_id)
        changed = self._with_status(before, TranslationStatus.APPROVED, caller, keep_review=True)
        self._store(unit, caller, before, changed)
        return ApproveTemplateTranslationResponse(translation=_message(changed))

    def _store(
        self,
        unit: Transaction,
        caller: Caller,
        before: StoredTranslation,
        changed: StoredTranslation,
    ) -> None:
        """Store a change, if it is one, and record what it comes to."""
        if changed == before:
            return
        translation_store.update_translation(unit, changed)
        event_type = AuditEventType.TEMPLATE_UPDATED
        if changed.status == TranslationStatus.APPROVED:
            event_type = AuditEventType.TRANSLATION_APPROVED
        self._record_translation(unit, caller, event_type, changed)

    def _record_translation(
        self,
        unit: Transaction,
        caller: Caller,
        event_type: AuditEventType,
        stored: StoredTranslation,
    ) -> None:
        trail.record(
            unit,
            caller,
            event_type,
            "translation",
            stored.id,
            now=self._clock.now(),
            template_id=stored.template_id,
            version=stored.version,
            locale=stored.locale,
            status=TranslationStatus(stored.status).name,
        )

    def _with_status(
        self,
        stored: StoredTranslation,
        status: TranslationStatus,
        caller: Caller,
        *,
        keep_review: bool,
    ) -> StoredTranslation:
        """Return a translation in a status, reviewed by the caller if that is what makes it so."""
        if status != TranslationStatus.APPROVED:
            return replace(stored, status=int(status), reviewed_by="", reviewed_at=None)
        if keep_review and stored.status == TranslationStatus.APPROVED:
            return stored
        return replace(
            stored,
            status=int(status),
            reviewed_by=caller.actor_id,
            reviewed_at=self._clock.now(),
        )


def _validate(request: CreateTemplateTranslationRequest) -> None:
    violations = Violations()
    check_text(violations, "locale", request.locale, NAME_LENGTH, required=True)
    check_choice(violations, "locale", request.locale, LOCALES)
    check_text(violations, "title", request.title, TITLE_LENGTH)
    check_text(violations, "body", request.body, SOURCE_LENGTH, required=True)
    check_text(violations, "translated_by", request.translated_by, NAME_LENGTH)
    check_enum(violations, "status", request.status)
    if request.status not in _FIRST_STATUSES:
        violations.add("status", "must be DRAFT or AI_TRANSLATED; approval comes later")
    violations.raise_if_any()


def _found(reader: Reader, organization_key: int, translation_id: str) -> StoredTranslation:
    stored = translation_store.translation(reader, organization_key, translation_id)
    if stored is None:
        raise NotFoundError(f"no translation has the id {translation_id}")
    return stored


def _lock(unit: Transaction, organization_key: int, translation_id: str) -> StoredTranslation:
    stored = translation_store.lock_translation(unit, organization_key, translation_id)
    if stored is None:
        raise NotFoundError(f"no translation has the id {translation_id}")
    return stored


def _message(stored: StoredTranslation) -> TemplateTranslation:
    return TemplateTranslation(
        id=stored.id,
        template_id=stored.template_id,
        version=stored.version,
        locale=stored.locale,
        title=stored.title,
        body=stored.body,
        status=TranslationStatus(stored.status),
        translated_by=stored.translated_by,
        reviewed_by=stored.reviewed_by,
        reviewed_at=to_timestamp(stored.reviewed_at) if stored.reviewed_at else None,
        created_at=to_timestamp(stored.created_at),
    )

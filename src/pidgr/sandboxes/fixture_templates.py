"""A fixture's templates, with translations that somebody has approved or still has to."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from pidgr.content import template_store, translation_store
from pidgr.content.lookup import find_template
from pidgr.content.variables import variables_to_json
from pidgr.contract.v1.template_pb import (
    TemplateType,
    TemplateVariable,
    TranslationStatus,
)
from pidgr.directory.founding import Founding
from pidgr.storage.transaction import Transaction

_SOURCE_LOCALE = "en"


@dataclass(frozen=True, slots=True)
class SampleText:
    """A title and a body of Markdown in one language."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class SampleTemplate:
    """A template in English, and its translations by locale.

    Those in ``drafts`` still wait for somebody to approve them.
    """

    name: str
    source: SampleText
    translations: Mapping[str, SampleText]
    drafts: frozenset[str] = frozenset()
    variables: tuple[TemplateVariable, ...] = field(default=())


def insert(transaction: Transaction, founded: Founding, template: SampleTemplate, now: int) -> str:
    """Store a template with its translations; return its id."""
    template_id = str(uuid.uuid4())
    template_store.insert_template(
        transaction,
        founded.organization_key,
        template_id=template_id,
        name=template.name,
        template_type=TemplateType.MARKDOWN,
        source_locale=_SOURCE_LOCALE,
        title=template.source.title,
        body=template.source.body,
        variables=variables_to_json(template.variables),
        now=now,
    )
    stored = find_template(transaction, founded.organization_key, template_id, version=1)
    for locale, text in template.translations.items():
        approved = locale not in template.drafts
        translation_store.insert_translation(
            transaction,
            {
                "id": str(uuid.uuid4()),
                "template_key": stored.key,
                "version": 1,
                "locale": locale,
                "title": text.title,
                "body": text.body,
                "status": TranslationStatus.APPROVED if approved else TranslationStatus.DRAFT,
                "translated_by": founded.admin_id,
                "reviewed_by": founded.admin_id if approved else "",
                "reviewed_at": now if approved else None,
                "now": now,
            },
        )
    return template_id

"""SQL of translations."""

from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.template_pb import TranslationStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredTranslation:
    """A translation of one template version."""

    id: str
    template_id: str
    version: int
    locale: str
    title: str
    body: str
    status: int
    translated_by: str
    reviewed_by: str
    reviewed_at: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class ApprovedText:
    """What rendering uses of an approved translation."""

    locale: str
    title: str
    body: str


_SELECT: Final = """
    select x.id, t.id, x.version, x.locale, x.title, x.body, x.status, x.translated_by,
           x.reviewed_by, x.reviewed_at, x.created_at
    from template_translation x join template t on t.key = x.template_key
    where t.organization_key = :organization_key
"""
_ONE: Final = Statement(f"{_SELECT} and x.id = :id")
_LOCK: Final = Statement(
    f"{_SELECT} and x.id = :id", postgresql=f"{_SELECT} and x.id = :id for update of x"
)
_OF_VERSION: Final = Statement(
    f"{_SELECT} and t.id = :template_id and x.version = :version order by x.locale"
)
_APPROVED: Final = Statement("""
    select locale, title, body from template_translation
    where template_key = :template_key and version = :version and status = :approved
    order by locale
""")
_INSERT: Final = Statement("""
    insert into template_translation
      (id, template_key, version, locale, title, body, status, translated_by, reviewed_by,
       reviewed_at, created_at)
    values (:id, :template_key, :version, :locale, :title, :body, :status, :translated_by,
            :reviewed_by, :reviewed_at, :now)
    on conflict (template_key, version, locale) do nothing
""")
_UPDATE: Final = Statement("""
    update template_translation
    set title = :title, body = :body, status = :status, reviewed_by = :reviewed_by,
        reviewed_at = :reviewed_at
    where id = :id
""")


def translation(
    reader: Reader, organization_key: int, translation_id: str
) -> StoredTranslation | None:
    """Find a translation."""
    parameters = {"organization_key": organization_key, "id": translation_id}
    return reader.record(StoredTranslation, _ONE, parameters)


def lock_translation(
    transaction: Transaction, organization_key: int, translation_id: str
) -> StoredTranslation | None:
    """Find a translation that nobody else changes until this transaction ends."""
    parameters = {"organization_key": organization_key, "id": translation_id}
    return transaction.record(StoredTranslation, _LOCK, parameters)


def translations(
    reader: Reader, organization_key: int, template_id: str, version: int
) -> list[StoredTranslation]:
    """Return the translations of a version, by locale."""
    parameters = {
        "organization_key": organization_key,
        "template_id": template_id,
        "version": version,
    }
    return reader.records(StoredTranslation, _OF_VERSION, parameters)


def approved_texts(reader: Reader, template_key: int, version: int) -> list[ApprovedText]:
    """Return what campaigns may use, by locale."""
    parameters = {
        "template_key": template_key,
        "version": version,
        "approved": TranslationStatus.APPROVED,
    }
    return reader.records(ApprovedText, _APPROVED, parameters)


def insert_translation(transaction: Transaction, parameters: dict[str, object]) -> bool:
    """Store a new translation; False when the version has one in this locale."""
    return transaction.execute(_INSERT, parameters) == 1


def update_translation(transaction: Transaction, changed: StoredTranslation) -> None:
    """Store a translation's texts, status and reviewer."""
    names = ("id", "title", "body", "status", "reviewed_by", "reviewed_at")
    transaction.execute(_UPDATE, {name: getattr(changed, name) for name in names})

"""SQL of templates and their versions."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """One version of a template as it lies in the database; ``variables`` is a JSON array."""

    key: int
    id: str
    name: str
    type: int
    source_locale: str
    version: int
    title: str
    body: str
    variables: str
    created_at: int
    latest_at: int


_COLUMNS: Final = """
    t.key, t.id, t.name, t.type, t.source_locale, v.version, v.title, v.body, v.variables,
    v.created_at, latest.created_at
"""
_LATEST: Final = """
    join template_version latest
      on latest.template_key = t.key and latest.version = t.latest_version
"""
# Version 0 means the latest.
_VERSION: Final = Statement(f"""
    select {_COLUMNS}
    from template t {_LATEST}
    join template_version v on v.template_key = t.key
      and v.version = case when :version = 0 then t.latest_version else :version end
    where t.organization_key = :organization_key and t.id = :id
""")
_PAGE: Final = Statement(f"""
    select {_COLUMNS}
    from template t {_LATEST}
    join template_version v on v.template_key = t.key and v.version = t.latest_version
    where t.organization_key = :organization_key and t.key < :before
      and (:type = 0 or t.type = :type)
    order by t.key desc limit :limit
""")
_COUNT: Final = Statement("""
    select count(*) from template
    where organization_key = :organization_key and (:type = 0 or type = :type)
""")
_INSERT: Final = Statement("""
    insert into template (id, organization_key, name, type, source_locale, latest_version)
    values (:id, :organization_key, :name, :type, :source_locale, 1)
    returning key
""")
_NEXT_VERSION: Final = Statement("""
    update template set latest_version = latest_version + 1
    where organization_key = :organization_key and id = :id
    returning key, latest_version
""")
_INSERT_VERSION: Final = Statement("""
    insert into template_version (template_key, version, title, body, variables, created_at)
    values (:template_key, :version, :title, :body, :variables, :now)
""")
_COPY_TITLE: Final = Statement("""
    insert into template_version (template_key, version, title, body, variables, created_at)
    select p.template_key, :version, p.title, :body, :variables, :now
    from template_version p join template t on t.key = p.template_key
    where t.organization_key = :organization_key
      and p.template_key = :template_key and p.version = :version - 1
""")


def template(
    reader: Reader, organization_key: int, template_id: str, version: int
) -> StoredTemplate | None:
    """Find a version of a template, the latest for 0."""
    parameters = {"organization_key": organization_key, "id": template_id, "version": version}
    return reader.record(StoredTemplate, _VERSION, parameters)


def templates_page(
    reader: Reader, organization_key: int, template_type: int, before: int, limit: int
) -> list[StoredTemplate]:
    """Return templates at their latest version, newest first, with keys below ``before``.

    Type 0 means every type.
    """
    parameters = {
        "organization_key": organization_key,
        "type": template_type,
        "before": before,
        "limit": limit,
    }
    return reader.records(StoredTemplate, _PAGE, parameters)


def count_templates(reader: Reader, organization_key: int, template_type: int) -> int:
    """Return how many templates ``templates_page`` walks through."""
    parameters = {"organization_key": organization_key, "type": template_type}
    count: int = reader.value(_COUNT, parameters)
    return count


def insert_template(
    transaction: Transaction,
    organization_key: int,
    *,
    template_id: str,
    name: str,
    template_type: int,
    source_locale: str,
    title: str,
    body: str,
    variables: str,
    now: int,
) -> None:
    """Store a template at version 1."""
    key = transaction.value(
        _INSERT,
        {
            "id": template_id,
            "organization_key": organization_key,
            "name": name,
            "type": template_type,
            "source_locale": source_locale,
        },
    )
    transaction.execute(
        _INSERT_VERSION,
        {
            "template_key": key,
            "version": 1,
            "title": title,
            "body": body,
            "variables": variables,
            "now": now,
        },
    )


def append_version(
    transaction: Transaction,
    organization_key: int,
    template_id: str,
    *,
    body: str,
    variables: str,
    now: int,
) -> bool:
    """Store the next version, with the title of the one before; False if there is no template.

    Counting up locks the template's row, so concurrent calls get consecutive numbers.
    """
    counted = transaction.row(
        _NEXT_VERSION, {"organization_key": organization_key, "id": template_id}
    )
    if counted is None:
        return False
    key, version = counted
    transaction.execute(
        _COPY_TITLE,
        {
            "organization_key": organization_key,
            "template_key": key,
            "version": version,
            "body": body,
            "variables": variables,
            "now": now,
        },
    )
    return True

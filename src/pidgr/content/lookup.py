"""Finding a template version, for every RPC that names one."""

from typing import Final

from pidgr.content import template_store
from pidgr.content.template_store import StoredTemplate
from pidgr.errors import NotFoundError, invalid_field
from pidgr.storage.transaction import Reader
from pidgr.validation import require_uuid

# Characters of a body's source, of a template or of a translation.
SOURCE_LENGTH: Final = 50_000


def find_template(
    reader: Reader, organization_key: int, template_id: str, version: int
) -> StoredTemplate:
    """Return one version of a template, the latest for version 0.

    Raises:
        InvalidArgumentError: a malformed id or a negative version.
        NotFoundError: no such template or version.
    """
    template_id = require_uuid("template_id", template_id)
    if version < 0:
        raise invalid_field("version", "must not be negative")
    found = template_store.template(reader, organization_key, template_id, version)
    if found is not None:
        return found
    if version and template_store.template(reader, organization_key, template_id, 0):
        raise NotFoundError(f"template {template_id} has no version {version}")
    raise unknown_template(template_id)


def unknown_template(template_id: str) -> NotFoundError:
    """Return the error for a template the organization does not have."""
    return NotFoundError(f"no template has the id {template_id}")

"""SQL of what rendering needs to know of people."""

from collections.abc import Sequence
from typing import Final

from pidgr.content.rendering import PROFILE_COLUMNS
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Row

_COLUMNS: Final = ", ".join(
    f"m.{name}" for name in ("id", *PROFILE_COLUMNS, "custom_attributes", "preferred_locale")
)
_READERS: Final = Statement(
    f"""
    select {_COLUMNS} from json_each(:ids) w cross join member m
    where m.id = w.value and +m.organization_key = :organization_key
    """,
    postgresql=f"""
    select {_COLUMNS} from member m
    where m.organization_key = :organization_key and m.id = any(:ids)
    """,
)


def readers(reader: Reader, organization_key: int, ids: Sequence[str]) -> dict[str, Row]:
    """Return members by id, each as PROFILE_COLUMNS, custom attributes and preferred locale."""
    parameters = {"organization_key": organization_key, "ids": reader.array(ids)}
    return {row[0]: row[1:] for row in reader.rows(_READERS, parameters)}

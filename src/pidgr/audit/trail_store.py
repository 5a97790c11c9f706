"""SQL that writes the audit trail, and opens the one door through which it can be deleted."""

from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Row, Transaction

COLUMNS: Final = (
    "id",
    "organization_key",
    "event_type",
    "event_class",
    "actor_kind",
    "actor_id",
    "entity_type",
    "entity_id",
    "facts",
    "request_id",
    "synthetic",
    "created_at",
)
"""The columns of an event as it is written."""

_INSERT: Final = Statement(f"""
    insert into audit_event ({", ".join(COLUMNS)})
    values ({", ".join(f":{column}" for column in COLUMNS)})
""")
_OPEN: Final = Statement("""
    insert into audit_door (organization_key) values (:organization_key) on conflict do nothing
""")
_CLOSE: Final = Statement("delete from audit_door where organization_key = :organization_key")


def insert(transaction: Transaction, row: Row) -> None:
    """Write one event, given in the order of ``COLUMNS``."""
    transaction.execute(_INSERT, dict(zip(COLUMNS, row, strict=True)))


def unlock(transaction: Transaction, organization_key: int) -> None:
    """Let an organization's events be deleted, for the end of the organization.

    The only way there is: triggers refuse every other deletion, and every change.
    """
    transaction.execute(_OPEN, {"organization_key": organization_key})


def lock(transaction: Transaction, organization_key: int) -> None:
    """Let an organization's events be deleted no more."""
    transaction.execute(_CLOSE, {"organization_key": organization_key})

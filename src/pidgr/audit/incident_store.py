"""SQL of security incidents: signs that a secret of somebody's is in other hands."""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


class IncidentKind(StrEnum):
    """What was noticed. Each ends what the secret had opened, at that moment."""

    SESSION_TOKEN_REUSED = "session_token_reused"  # noqa: S105 - a kind, not a token
    """A refresh token was used twice: somebody has a copy of it."""
    APPLICATION_CODE_REUSED = "application_code_reused"
    """The same of an application's authorization code."""
    APPLICATION_TOKEN_REUSED = "application_token_reused"  # noqa: S105 - a kind, not a token
    """The same of an application's refresh token."""
    PASSKEY_CLONED = "passkey_cloned"
    """A passkey's counter went back: two devices hold the key."""


@dataclass(frozen=True, slots=True)
class StoredIncident:
    """An incident as it lies in the database."""

    key: int
    id: str
    kind: str
    detected_at: int


_INSERT: Final = Statement("""
    insert into security_incident (id, organization_key, kind, detected_at)
    values (:id, :organization_key, :kind, :now)
""")
_ORGANIZATIONS: Final = Statement(
    "select organization_key from member where subject = :subject order by organization_key"
)
_PAGE: Final = Statement("""
    select key, id, kind, detected_at from security_incident
    where organization_key = :organization_key and key < :before
    order by key desc limit :limit
""")


def record(
    transaction: Transaction,
    kind: IncidentKind,
    subject: str,
    organization_key: int | None,
    now: int,
) -> None:
    """Note an incident in the organization it concerns, or in each of a person's.

    Args:
        transaction: the unit of work that ends what the secret had opened.
        kind: what was noticed.
        subject: whose secret it was.
        organization_key: where it opened something; None: everywhere the person is a member.
        now: when, in microseconds.
    """
    concerned = (
        [organization_key]
        if organization_key is not None
        else [key for (key,) in transaction.rows(_ORGANIZATIONS, {"subject": subject})]
    )
    for key in concerned:
        incident = {"id": str(uuid.uuid4()), "organization_key": key, "kind": kind, "now": now}
        transaction.execute(_INSERT, incident)


def incidents(
    reader: Reader, organization_key: int, before: int, limit: int
) -> list[StoredIncident]:
    """Return incidents with smaller keys than a position, newest first."""
    parameters = {"organization_key": organization_key, "before": before, "limit": limit}
    return reader.records(StoredIncident, _PAGE, parameters)

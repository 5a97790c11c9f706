"""SQL of what people have allowed applications."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredConsent:
    """What a person lets an application do in one organization."""

    client_id: str
    organization_id: str
    organization_name: str
    scopes: str
    granted_at: int


_SCOPES: Final = Statement("""
    select scopes from oauth_consent
    where subject = :subject and organization_key = :organization_key and client_id = :client_id
""")
_PUT: Final = Statement("""
    insert into oauth_consent (subject, organization_key, client_id, scopes, granted_at)
    values (:subject, :organization_key, :client_id, :scopes, :now)
    on conflict (subject, organization_key, client_id)
    do update set scopes = excluded.scopes, granted_at = excluded.granted_at
""")
_OF_SUBJECT: Final = Statement("""
    select c.client_id, o.id, o.name, c.scopes, c.granted_at
    from oauth_consent c join organization o on o.key = c.organization_key
    where c.subject = :subject order by c.granted_at desc, c.client_id, o.id
""")
_DELETE: Final = Statement("""
    delete from oauth_consent
    where subject = :subject and client_id = :client_id and organization_key in
      (select key from organization where id = :organization_id)
""")
_DELETE_CLIENT: Final = Statement("delete from oauth_consent where client_id = :client_id")


def scopes(reader: Reader, subject: str, organization_key: int, client_id: str) -> str:
    """Return the scopes a person has allowed already, empty if none."""
    parameters = {
        "subject": subject,
        "organization_key": organization_key,
        "client_id": client_id,
    }
    return reader.value(_SCOPES, parameters) or ""


def put(
    transaction: Transaction,
    subject: str,
    organization_key: int,
    client_id: str,
    allowed: str,
    now: int,
) -> None:
    """Remember what a person allows, in place of what they allowed before."""
    parameters = {
        "subject": subject,
        "organization_key": organization_key,
        "client_id": client_id,
        "scopes": allowed,
        "now": now,
    }
    transaction.execute(_PUT, parameters)


def of_subject(reader: Reader, subject: str) -> list[StoredConsent]:
    """Return everything a person has allowed, newest first."""
    return reader.records(StoredConsent, _OF_SUBJECT, {"subject": subject})


def delete(transaction: Transaction, subject: str, organization_id: str, client_id: str) -> bool:
    """Forget what a person allowed an application in an organization; False if it was nothing."""
    parameters = {
        "subject": subject,
        "organization_id": organization_id,
        "client_id": client_id,
    }
    return transaction.execute(_DELETE, parameters) == 1


def delete_client(transaction: Transaction, client_id: str) -> None:
    """Forget what anybody allowed an application."""
    transaction.execute(_DELETE_CLIENT, {"client_id": client_id})

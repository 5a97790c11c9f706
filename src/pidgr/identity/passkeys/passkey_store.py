"""SQL of passkeys. They belong to a person, whatever the organizations they are a member of."""

from dataclasses import dataclass
from typing import Final

from pidgr.identity.passkeys.relying_party import KnownCredential, NewCredential
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class Passkey:
    """A key as its owner sees it; times are in microseconds."""

    id: str
    name: str
    synced: bool
    created_at: int
    last_used_at: int | None
    suspected_at: int | None
    """When its counter went back: somebody has a copy, and it opens nothing any more."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What a signature is held against."""

    key: int
    subject: str
    public_key: bytes
    sign_count: int
    suspected_at: int | None


_INSERT: Final = Statement("""
    insert into passkey
      (id, subject, credential_id, public_key, sign_count, aaguid, transports, synced, name,
       created_at)
    values (:id, :subject, :credential_id, :public_key, :sign_count, :aaguid, :transports, :synced,
            :name, :now)
""")
_LOCK_PERSON: Final = Statement("select 1 from identity where subject = :subject {for_update}")
_COUNT: Final = Statement("select count(*) from passkey where subject = :subject")
_NEWEST: Final = Statement("""
    select max(created_at) from passkey where subject = :subject and suspected_at is null
""")
_KNOWN: Final = Statement("""
    select credential_id, transports from passkey where subject = :subject order by key
""")
_LIST: Final = Statement("""
    select id, name, synced, created_at, last_used_at, suspected_at
    from passkey where subject = :subject order by key
""")
_BY_CREDENTIAL: Final = Statement("""
    select key, subject, public_key, sign_count, suspected_at
    from passkey where credential_id = :credential_id
""")
_LOCK: Final = Statement("""
    select key, subject, public_key, sign_count, suspected_at
    from passkey where key = :key {for_update}
""")
_USED: Final = Statement("""
    update passkey set sign_count = :sign_count, last_used_at = :now where key = :key
""")
_SUSPECT: Final = Statement("update passkey set suspected_at = :now where key = :key")
_RENAME: Final = Statement("""
    update passkey set name = :name where subject = :subject and id = :id
    returning id, name, synced, created_at, last_used_at, suspected_at
""")
_DELETE: Final = Statement("delete from passkey where subject = :subject and id = :id")


def insert(
    transaction: Transaction, passkey_id: str, subject: str, new: NewCredential, name: str, now: int
) -> None:
    """Store a person's new key.

    Raises:
        UniqueViolationError: somebody has this key already.
    """
    parameters = {
        "id": passkey_id,
        "subject": subject,
        "credential_id": new.credential_id,
        "public_key": new.public_key,
        "sign_count": new.sign_count,
        "aaguid": new.aaguid,
        "transports": new.transports,
        "synced": new.synced,
        "name": name,
        "now": now,
    }
    transaction.execute(_INSERT, parameters)


def lock_person(transaction: Transaction, subject: str) -> None:
    """Keep others from adding keys of the same person until the transaction ends."""
    transaction.value(_LOCK_PERSON, {"subject": subject})


def count(reader: Reader, subject: str) -> int:
    """Return how many keys a person has, suspected ones included."""
    number: int = reader.value(_COUNT, {"subject": subject})
    return number


def newest(reader: Reader, subject: str) -> int | None:
    """Return when a person's newest key was made, of those that open anything."""
    created_at: int | None = reader.value(_NEWEST, {"subject": subject})
    return created_at


def known(reader: Reader, subject: str) -> list[KnownCredential]:
    """Return a person's keys as options name them."""
    return [
        KnownCredential(bytes(credential_id), transports)
        for credential_id, transports in reader.rows(_KNOWN, {"subject": subject})
    ]


def of_person(reader: Reader, subject: str) -> list[Passkey]:
    """Return a person's keys, oldest first."""
    return reader.records(_passkey, _LIST, {"subject": subject})


def by_credential(reader: Reader, credential_id: bytes) -> SigningKey | None:
    """Find a key by the id its authenticator gave it."""
    return reader.record(SigningKey, _BY_CREDENTIAL, {"credential_id": credential_id})


def lock(transaction: Transaction, key: int) -> SigningKey | None:
    """Read a key again, and keep others from changing it."""
    return transaction.record(SigningKey, _LOCK, {"key": key})


def used(transaction: Transaction, key: int, sign_count: int, now: int) -> None:
    """Note a sign-in by a key."""
    transaction.execute(_USED, {"key": key, "sign_count": sign_count, "now": now})


def suspect(transaction: Transaction, key: int, now: int) -> None:
    """Remember that somebody has a copy of a key."""
    transaction.execute(_SUSPECT, {"key": key, "now": now})


def rename(transaction: Transaction, subject: str, passkey_id: str, name: str) -> Passkey | None:
    """Give a person's key another name; None when they have no such key."""
    parameters = {"subject": subject, "id": passkey_id, "name": name}
    return transaction.record(_passkey, _RENAME, parameters)


def delete(transaction: Transaction, subject: str, passkey_id: str) -> bool:
    """Forget a person's key; False when they have no such key."""
    return transaction.execute(_DELETE, {"subject": subject, "id": passkey_id}) == 1


def _passkey(
    passkey_id: str,
    name: str,
    synced: object,
    created_at: int,
    last_used_at: int | None,
    suspected_at: int | None,
) -> Passkey:
    return Passkey(passkey_id, name, bool(synced), created_at, last_used_at, suspected_at)

"""SQL of identities, API keys and signing keys."""

from dataclasses import dataclass
from typing import Final

from pidgr.identity.permissions import SUPER_ADMIN
from pidgr.identity.sso.provider_store import IN_USE
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class ApiKeyGrant:
    """What an API key stands for."""

    id: str
    organization_key: int
    organization_id: str
    suspended: bool
    permissions: str
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    key_type: int


@dataclass(frozen=True, slots=True)
class Membership:
    """What a person is in one organization."""

    key: int
    id: str
    email: str
    status: int
    role_id: str
    permissions: str
    organization_key: int
    organization_id: str
    suspended: bool
    otp_disabled: bool
    # See identity_store.Membership.
    sso_domain: str | None
    is_super_admin: bool


@dataclass(frozen=True, slots=True)
class StoredSigningKey:
    """A private key as it lies in the database."""

    kid: str
    sealed_private_key: bytes
    signs_from: int
    retired_at: int | None


_API_KEY: Final = Statement("""
    select k.id, k.organization_key, o.id, o.suspended, k.permissions, k.expires_at, k.revoked_at,
           k.last_used_at, k.key_type
    from api_key k join organization o on o.key = k.organization_key
    where k.digest = :digest and (o.expires_at is null or o.expires_at > :now)
""")
_MEMBERSHIP: Final = Statement(f"""
    select m.key, m.id, m.email, m.status, r.id, r.permissions, o.key, o.id, o.suspended,
           o.otp_disabled, p.domain, r.slug = '{SUPER_ADMIN}'
    from member m
    join organization o on o.key = m.organization_key
    join role r on r.key = m.role_key
    left join sso_provider p on p.organization_key = o.key and {IN_USE}
    where m.subject = :subject and o.id = :organization_id
      and (o.expires_at is null or o.expires_at > :now)
""")
_IDENTITY: Final = Statement("""
    select subject from identity
    where subject = :subject or email_folded = :email_folded
    order by case when subject = :subject then 0 else 1 end
    limit 1
""")
_INSERT_IDENTITY: Final = Statement("""
    insert into identity (subject, email_folded, created_at)
    values (:subject, :email_folded, :now)
    on conflict do nothing
""")
_LINK_MEMBER: Final = Statement("""
    update member set subject = :subject, status = :active
    where id = :member_id and status <> :deactivated
""")
_MEMBER_FOR_TOKEN: Final = Statement("""
    select m.email, m.email_folded, o.id
    from member m join organization o on o.key = m.organization_key
    where m.id = :member_id
""")
_SIGNING_KEYS: Final = Statement("""
    select kid, sealed_private_key, signs_from, retired_at from signing_key order by signs_from, kid
""")
_INSERT_SIGNING_KEY: Final = Statement("""
    insert into signing_key (kid, sealed_private_key, created_at, signs_from)
    values (:kid, :sealed, :now, :signs_from)
""")
_RETIRE_SIGNING_KEYS: Final = Statement(
    "update signing_key set retired_at = :retired_at where retired_at is null"
)
_DELETE_RETIRED_KEYS: Final = Statement("delete from signing_key where retired_at <= :now")
_SYSTEM_VALUE: Final = Statement("select value from system_value where name = :name")
_INSERT_SYSTEM_VALUE: Final = Statement("""
    insert into system_value (name, value) values (:name, :value) on conflict (name) do nothing
""")


def api_key_grant(reader: Reader, digest: bytes, now: int) -> ApiKeyGrant | None:
    """Find an API key by the SHA-256 of its secret; there is none of an expired sandbox."""
    return reader.record(ApiKeyGrant, _API_KEY, {"digest": digest, "now": now})


def membership(reader: Reader, subject: str, organization_id: str, now: int) -> Membership | None:
    """Find the member a token's subject is in an organization; nobody is in an expired sandbox."""
    parameters = {"subject": subject, "organization_id": organization_id, "now": now}
    return reader.record(Membership, _MEMBERSHIP, parameters)


def ensure_identity(transaction: Transaction, email_folded: str, subject: str, now: int) -> str:
    """Return who signs in: ``subject`` if that is somebody already, else whoever has the address.

    There is one afterwards: ``subject`` if the address had none. A person known by another
    address than today's keeps theirs. Safe for the same person at once, on both keys.
    """
    parameters = {"subject": subject, "email_folded": email_folded}
    transaction.execute(_INSERT_IDENTITY, {**parameters, "now": now})
    found: str = transaction.value(_IDENTITY, parameters)
    return found


def activate_member(
    transaction: Transaction, member_id: str, subject: str, *, active: int, deactivated: int
) -> bool:
    """Tie a member to the person who signed in; False when the member is deactivated."""
    parameters = {
        "member_id": member_id,
        "subject": subject,
        "active": active,
        "deactivated": deactivated,
    }
    return transaction.execute(_LINK_MEMBER, parameters) == 1


def member_for_token(reader: Reader, member_id: str) -> tuple[str, str, str] | None:
    """Return (email, folded email, organization id) of a member."""
    return reader.row(_MEMBER_FOR_TOKEN, {"member_id": member_id})


def signing_keys(reader: Reader) -> list[StoredSigningKey]:
    """Return every signing key, oldest first."""
    return reader.records(StoredSigningKey, _SIGNING_KEYS)


def insert_signing_key(
    transaction: Transaction, kid: str, sealed: bytes, now: int, signs_from: int
) -> None:
    """Store a new signing key."""
    parameters = {"kid": kid, "sealed": sealed, "now": now, "signs_from": signs_from}
    transaction.execute(_INSERT_SIGNING_KEY, parameters)


def retire_signing_keys(transaction: Transaction, retired_at: int) -> None:
    """Set the time from which the keys that have no successor yet count no more."""
    transaction.execute(_RETIRE_SIGNING_KEYS, {"retired_at": retired_at})


def delete_retired_keys(transaction: Transaction, now: int) -> None:
    """Forget the keys that count no more."""
    transaction.execute(_DELETE_RETIRED_KEYS, {"now": now})


def system_value(reader: Reader, name: str) -> bytes | None:
    """Return one installation-wide value."""
    value: bytes | None = reader.value(_SYSTEM_VALUE, {"name": name})
    return value


def insert_system_value(transaction: Transaction, name: str, value: bytes) -> None:
    """Store an installation-wide value unless it is there."""
    transaction.execute(_INSERT_SYSTEM_VALUE, {"name": name, "value": value})

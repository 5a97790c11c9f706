"""SQL of invite links."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class NewInviteLink:
    """What to store of a new link; its token is sealed and as a digest."""

    id: str
    organization_key: int
    digest: bytes
    sealed_token: bytes
    role_key: int
    max_uses: int
    data_governance_region: str
    created_by: str
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class StoredInviteLink:
    """A link as its organization sees it. The role's columns are None if the role is gone."""

    id: str
    sealed_token: bytes
    role_id: str | None
    role_slug: str | None
    role_permissions: str | None
    max_uses: int
    use_count: int
    expires_at: int
    revoked_at: int | None
    created_by: str
    created_at: int
    data_governance_region: str


@dataclass(frozen=True, slots=True)
class GoodInviteLink:
    """A link that lets people in, with the organization it leads to."""

    key: int
    id: str
    organization_key: int
    organization_name: str
    role_key: int
    role_slug: str
    data_governance_region: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody who wants to join is in the organization already."""

    member_id: str
    status: int
    subject: str | None


_INSERT: Final = Statement(f"""
    insert into invite_link ({", ".join(NewInviteLink.__slots__)})
    values ({", ".join(f":{name}" for name in NewInviteLink.__slots__)})
""")
_COLUMNS: Final = """
    l.id, l.sealed_token, r.id, r.slug, r.permissions, l.max_uses, l.use_count, l.expires_at,
    l.revoked_at, l.created_by, l.created_at, l.data_governance_region
    from invite_link l left join role r on r.key = l.role_key
    where l.organization_key = :organization_key
"""
_LIST: Final = Statement(f"select {_COLUMNS} order by l.key desc limit :limit")
_ONE: Final = Statement(f"select {_COLUMNS} and l.id = :link_id")
_REVOKE: Final = Statement("""
    update invite_link set revoked_at = :now
    where organization_key = :organization_key and id = :link_id and revoked_at is null
""")
_LIVE: Final = """
    l.revoked_at is null and l.expires_at > :now
    and (l.max_uses = 0 or l.use_count < l.max_uses)
"""
# A suspended organization takes nobody in.
_GOOD: Final = f"""
    select l.key, l.id, o.key, o.name, r.key, r.slug, l.data_governance_region
    from invite_link l
    join organization o on o.key = l.organization_key
    join role r on r.key = l.role_key
    where l.digest = :digest and {_LIVE} and not o.suspended
      and (o.expires_at is null or o.expires_at > :now)
"""
_LOOK: Final = Statement(_GOOD)
_HOLD: Final = Statement(_GOOD, postgresql=f"{_GOOD} for no key update of l")
_USE: Final = Statement("update invite_link set use_count = use_count + 1 where key = :key")
_OF_ROLE: Final = Statement(f"""
    select 1 from invite_link l
    where l.organization_key = :organization_key and l.role_key = :role_key and {_LIVE}
    limit 1
""")
_STANDING: Final = Statement("""
    select id, status, subject from member
    where organization_key = :organization_key
      and (subject = :subject or email_folded = :email_folded)
    order by case when subject = :subject then 0 else 1 end limit 1
""")


def insert(transaction: Transaction, link: NewInviteLink) -> None:
    """Store a link."""
    transaction.execute(_INSERT, {name: getattr(link, name) for name in link.__slots__})


def links(reader: Reader, organization_key: int, limit: int) -> list[StoredInviteLink]:
    """Return an organization's links, newest first."""
    parameters = {"organization_key": organization_key, "limit": limit}
    return reader.records(StoredInviteLink, _LIST, parameters)


def link(reader: Reader, organization_key: int, link_id: str) -> StoredInviteLink | None:
    """Return one link, ended or not."""
    parameters = {"organization_key": organization_key, "link_id": link_id}
    return reader.record(StoredInviteLink, _ONE, parameters)


def revoke(transaction: Transaction, organization_key: int, link_id: str, now: int) -> bool:
    """End a link; False when that is done already, or there is none."""
    parameters = {"organization_key": organization_key, "link_id": link_id, "now": now}
    return transaction.execute(_REVOKE, parameters) == 1


def good_link(reader: Reader, digest: bytes, now: int) -> GoodInviteLink | None:
    """Return the link of a token if it lets people in."""
    return reader.record(GoodInviteLink, _LOOK, {"digest": digest, "now": now})


def hold_good_link(transaction: Transaction, digest: bytes, now: int) -> GoodInviteLink | None:
    """Do the same; nobody else joins by the link until the transaction ends."""
    return transaction.record(GoodInviteLink, _HOLD, {"digest": digest, "now": now})


def count_use(transaction: Transaction, key: int) -> None:
    """Count somebody who has joined."""
    transaction.execute(_USE, {"key": key})


def gives_role(reader: Reader, organization_key: int, role_key: int, now: int) -> bool:
    """Tell whether a link that lets people in gives a role."""
    parameters = {"organization_key": organization_key, "role_key": role_key, "now": now}
    return reader.value(_OF_ROLE, parameters) is not None


def standing(
    reader: Reader, organization_key: int, subject: str, email_folded: str
) -> Standing | None:
    """Return what a person or, failing that, their address is in an organization."""
    parameters = {
        "organization_key": organization_key,
        "subject": subject,
        "email_folded": email_folded,
    }
    return reader.record(Standing, _STANDING, parameters)

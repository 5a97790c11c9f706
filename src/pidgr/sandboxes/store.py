"""SQL of who makes sandboxes and who may delete them."""

from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.user_pb import UserStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class FoundOrganization:
    """An organization as somebody sees it: what it is, and what they are in it."""

    key: int
    id: str
    org_type: int
    is_creator: bool
    role_slug: str
    # Empty for a maker who is not a member.
    member_id: str


# References to the identity, which every membership takes, need not wait for this lock.
_LOCK_PERSON: Final = Statement(
    "select subject from identity where subject = :subject",
    postgresql="select subject from identity where subject = :subject for no key update",
)
_COUNT_LIVE: Final = Statement("""
    select count(*) from organization where creator_subject = :subject and expires_at > :now
""")
# What somebody neither made nor belongs to does not exist for them.
_FIND: Final = Statement("""
    select o.key, o.id, o.org_type, coalesce(o.creator_subject = :subject, false),
           coalesce(r.slug, ''), coalesce(m.id, '')
    from organization o
    left join member m on m.organization_key = o.key and m.subject = :subject
     and m.status = :active
    left join role r on r.key = m.role_key
    where o.id = :id and (o.expires_at is null or o.expires_at > :now)
      and (m.key is not null or o.creator_subject = :subject)
""")


def lock_person(transaction: Transaction, subject: str) -> None:
    """Make a person's sandboxes come one after another: each looks at how many there are."""
    transaction.value(_LOCK_PERSON, {"subject": subject})


def count_live(reader: Reader, subject: str, now: int) -> int:
    """Return how many sandboxes a person has made that have not expired."""
    count: int = reader.value(_COUNT_LIVE, {"subject": subject, "now": now})
    return count


def find(reader: Reader, organization_id: str, subject: str, now: int) -> FoundOrganization | None:
    """Find an organization that a person belongs to or has made."""
    parameters = {
        "id": organization_id,
        "subject": subject,
        "now": now,
        "active": UserStatus.ACTIVE,
    }
    return reader.record(FoundOrganization, _FIND, parameters)

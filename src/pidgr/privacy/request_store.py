"""SQL of privacy requests."""

from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.privacy_pb import PrivacyRequestStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

EXPORT: Final = "export"
ORGANIZATION_EXPORT: Final = "organization_export"
DELETION: Final = "deletion"
RECTIFICATION: Final = "rectification"
RESTRICTION: Final = "restriction"
TYPES: Final = (EXPORT, ORGANIZATION_EXPORT, DELETION, RECTIFICATION, RESTRICTION)
EXPORTS: Final = frozenset({EXPORT, ORGANIZATION_EXPORT})
NOBODY: Final = 0
"""The ``member_key`` of a request that is about nobody in particular."""

_PENDING: Final = int(PrivacyRequestStatus.PENDING)
_PROCESSING: Final = int(PrivacyRequestStatus.PROCESSING)


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What to store of a request.

    ``member_key`` is who it is about and ``asker_key`` who asked, None for an API key. ``facts``
    is a JSON object of texts. ``was_restricted`` is what a deletion restores when it is called off.
    """

    id: str
    organization_key: int
    member_key: int
    user_id: str
    request_type: str
    status: int
    anonymize: bool
    was_restricted: bool
    asker_key: int | None
    facts: str
    due_at: int | None
    created_at: int
    completed_at: int | None


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request with the addresses of who it is about and who asked, None where they are gone."""

    key: int
    id: str
    organization_key: int
    member_key: int
    user_id: str
    request_type: str
    status: int
    anonymize: bool
    was_restricted: bool
    facts: str
    due_at: int | None
    created_at: int
    completed_at: int | None
    email: str | None
    asker_email: str | None


_INSERT: Final = Statement(f"""
    insert into privacy_request ({", ".join(NewRequest.__slots__)})
    values ({", ".join(f":{name}" for name in NewRequest.__slots__)})
    returning key
""")
_SELECT: Final = """
    select p.key, p.id, p.organization_key, p.member_key, p.user_id, p.request_type, p.status,
           p.anonymize, p.was_restricted, p.facts, p.due_at, p.created_at, p.completed_at, m.email,
           a.email
    from privacy_request p
    left join member m on m.key = p.member_key
    left join member a on a.key = p.asker_key
"""
_FILTER: Final = """
    and (:request_type = '' or p.request_type = :request_type)
    and (:status = 0 or p.status = :status)
    and p.key < :before
    order by p.key desc limit :limit
"""
_OF_ORGANIZATION: Final = Statement(
    f"{_SELECT} where p.organization_key = :organization_key {_FILTER}"
)
_OF_MEMBER: Final = Statement(f"""
    {_SELECT} where p.organization_key = :organization_key and p.member_key = :member_key {_FILTER}
""")
_BY_ID: Final = Statement(f"{_SELECT} where p.organization_key = :organization_key and p.id = :id")
_BY_KEY: Final = Statement(f"{_SELECT} where p.key = :key")
_WAITING: Final = Statement(f"""
    {_SELECT}
    where p.organization_key = :organization_key and p.member_key = :member_key
      and p.request_type = '{DELETION}' and p.status in ({_PENDING}, {_PROCESSING})
""")
# Every change of a restriction is a request; the newest one made it what it is.
_NEWEST_RESTRICTION: Final = Statement(f"""
    select created_at from privacy_request
    where organization_key = :organization_key and member_key = :member_key
      and request_type = '{RESTRICTION}'
    order by key desc limit 1
""")
_UNFINISHED_EXPORTS: Final = Statement(f"""
    select count(*) from privacy_request
    where organization_key = :organization_key
      and request_type in ('{EXPORT}', '{ORGANIZATION_EXPORT}')
      and status in ({_PENDING}, {_PROCESSING})
""")
_MOVE: Final = Statement("""
    update privacy_request set status = :after
    where key = :key and status = :before
""")
_FINISH: Final = Statement(f"""
    update privacy_request set status = :status, facts = :facts, completed_at = :now
    where key = :key and status in ({_PENDING}, {_PROCESSING})
""")
_LEAVE_RESTRICTED: Final = Statement(
    "update privacy_request set was_restricted = true where key = :key"
)
_DELETE: Final = Statement("delete from privacy_request where key = :key")


def insert(transaction: Transaction, request: NewRequest) -> int:
    """Store a request and return its key."""
    key: int = transaction.value(
        _INSERT, {name: getattr(request, name) for name in NewRequest.__slots__}
    )
    return key


def requests(
    reader: Reader,
    organization_key: int,
    *,
    member_key: int | None,
    request_type: str,
    status: int,
    before: int,
    limit: int,
) -> list[StoredRequest]:
    """Return requests with smaller keys than a position, newest first.

    Of one member, or with None of the whole organization; type "" and status 0 mean all.
    """
    parameters: dict[str, object] = {
        "organization_key": organization_key,
        "request_type": request_type,
        "status": status,
        "before": before,
        "limit": limit,
    }
    if member_key is None:
        return reader.records(StoredRequest, _OF_ORGANIZATION, parameters)
    return reader.records(StoredRequest, _OF_MEMBER, {**parameters, "member_key": member_key})


def request(reader: Reader, organization_key: int, request_id: str) -> StoredRequest | None:
    """Return a request of the organization."""
    parameters = {"organization_key": organization_key, "id": request_id}
    return reader.record(StoredRequest, _BY_ID, parameters)


def request_by_key(reader: Reader, key: int) -> StoredRequest | None:
    """Return a request, for the task that does it."""
    return reader.record(StoredRequest, _BY_KEY, {"key": key})


def last_restriction_at(reader: Reader, organization_key: int, member_key: int) -> int | None:
    """Return when somebody's restriction was last asked for or lifted."""
    parameters = {"organization_key": organization_key, "member_key": member_key}
    at: int | None = reader.value(_NEWEST_RESTRICTION, parameters)
    return at


def waiting_deletion(
    reader: Reader, organization_key: int, member_key: int
) -> StoredRequest | None:
    """Return the deletion that waits for a member, if one does."""
    parameters = {"organization_key": organization_key, "member_key": member_key}
    return reader.record(StoredRequest, _WAITING, parameters)


def unfinished_exports(reader: Reader, organization_key: int) -> int:
    """Return how many of an organization's exports are waiting or being written."""
    count: int = reader.value(_UNFINISHED_EXPORTS, {"organization_key": organization_key})
    return count


def move(
    transaction: Transaction,
    key: int,
    before: PrivacyRequestStatus,
    after: PrivacyRequestStatus,
) -> bool:
    """Change a request's status; False when it had another one already."""
    parameters = {"key": key, "before": int(before), "after": int(after)}
    return transaction.execute(_MOVE, parameters) == 1


def leave_restricted(transaction: Transaction, key: int) -> None:
    """Have a deletion leave the person restricted if it is called off."""
    transaction.execute(_LEAVE_RESTRICTED, {"key": key})


def finish(
    transaction: Transaction, key: int, status: PrivacyRequestStatus, facts: str, now: int
) -> bool:
    """End a request that waits or is worked on; False when it has ended already."""
    parameters = {"key": key, "status": int(status), "facts": facts, "now": now}
    return transaction.execute(_FINISH, parameters) == 1


def delete(transaction: Transaction, key: int) -> None:
    """Forget a request."""
    transaction.execute(_DELETE, {"key": key})

"""SQL of exports of the audit trail."""

from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.privacy_pb import PrivacyRequestStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

_PENDING: Final = int(PrivacyRequestStatus.PENDING)
_PROCESSING: Final = int(PrivacyRequestStatus.PROCESSING)
_COMPLETED: Final = int(PrivacyRequestStatus.COMPLETED)
_FAILED: Final = int(PrivacyRequestStatus.FAILED)


@dataclass(frozen=True, slots=True)
class NewExport:
    """What to store of an export that begins."""

    id: str
    organization_key: int
    format: int
    start_at: int
    end_at: int
    member_key: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class ListedExport:
    """An export as its organization sees it. ``email`` is None if an API key asked, or is gone."""

    id: str
    format: int
    status: int
    error: str
    email: str | None
    created_at: int
    finished_at: int | None


@dataclass(frozen=True, slots=True)
class StartedExport:
    """What the task that writes the file needs."""

    id: str
    organization_key: int
    organization_id: str
    format: int
    start_at: int
    end_at: int


_INSERT: Final = Statement(f"""
    insert into audit_export
      (id, organization_key, format, status, start_at, end_at, member_key, created_at)
    values
      (:id, :organization_key, :format, {_PENDING}, :start_at, :end_at, :member_key, :created_at)
    returning key
""")
_LIST: Final = Statement("""
    select e.id, e.format, e.status, e.error, m.email, e.created_at, e.finished_at
    from audit_export e
    left join member m on m.key = e.member_key
    where e.organization_key = :organization_key
    order by e.key desc
""")
_UNFINISHED: Final = Statement(f"""
    select count(*) from audit_export
    where organization_key = :organization_key and status in ({_PENDING}, {_PROCESSING})
""")
_BEGIN: Final = Statement(f"""
    update audit_export set status = {_PROCESSING}
    where key = :key and status in ({_PENDING}, {_PROCESSING})
""")
_STARTED: Final = Statement("""
    select e.id, e.organization_key, o.id, e.format, e.start_at, e.end_at
    from audit_export e join organization o on o.key = e.organization_key
    where e.key = :key
""")
_FINISH: Final = Statement(f"""
    update audit_export set status = :status, error = :error, finished_at = :now
    where key = :key and status = {_PROCESSING}
""")
_DELETE: Final = Statement("delete from audit_export where key = :key")


def insert(transaction: Transaction, export: NewExport) -> int:
    """Store an export that waits to be written, and return its key."""
    values = {name: getattr(export, name) for name in NewExport.__slots__}
    key: int = transaction.value(_INSERT, values)
    return key


def exports(reader: Reader, organization_key: int) -> list[ListedExport]:
    """Return an organization's exports, newest first."""
    return reader.records(ListedExport, _LIST, {"organization_key": organization_key})


def unfinished(reader: Reader, organization_key: int) -> int:
    """Return how many of an organization's exports are waiting or being written."""
    count: int = reader.value(_UNFINISHED, {"organization_key": organization_key})
    return count


def begin(transaction: Transaction, key: int) -> StartedExport | None:
    """Note that an export is being written, also again; None when there is nothing to write."""
    if transaction.execute(_BEGIN, {"key": key}) == 0:
        return None
    return transaction.record(StartedExport, _STARTED, {"key": key})


def complete(transaction: Transaction, key: int, now: int) -> bool:
    """Note that the file is there; False when the export was called off meanwhile."""
    values = {"key": key, "status": _COMPLETED, "error": "", "now": now}
    return transaction.execute(_FINISH, values) == 1


def fail(transaction: Transaction, key: int, error: str, now: int) -> None:
    """Note why there will be no file."""
    values = {"key": key, "status": _FAILED, "error": error, "now": now}
    transaction.execute(_FINISH, values)


def started(reader: Reader, key: int) -> StartedExport | None:
    """Return an export in whatever state."""
    return reader.record(StartedExport, _STARTED, {"key": key})


def delete(transaction: Transaction, key: int) -> None:
    """Forget an export."""
    transaction.execute(_DELETE, {"key": key})

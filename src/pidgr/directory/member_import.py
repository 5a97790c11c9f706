"""Importing many members from a CSV file, for the operator's command line."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from pidgr.audit import trail
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.directory import member_store, organization_store, role_store
from pidgr.directory.invitation_mail import InvitationMail
from pidgr.directory.member_csv import GoodRow, RowProblem, read_rows
from pidgr.errors import NotFoundError
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError
from pidgr.validation import fold_address

# One transaction each: short enough that requests served meanwhile do not wait long for SQLite's
# one writer.
_CHUNK_ROWS: Final = 2_000
_KEPT_PROBLEMS: Final = 100
# How often one chunk may lose a race for an address to invitations made meanwhile.
_ATTEMPTS: Final = 10


@dataclass(slots=True)
class ImportReport:
    """What became of the rows, or would: each is inserted, skipped (address known) or invalid."""

    inserted: int = 0
    skipped: int = 0
    invalid: int = 0
    # The first hundred rows that were skipped or invalid.
    problems: list[RowProblem] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows read so far."""
        return self.inserted + self.skipped + self.invalid

    def note(self, problems: Iterable[RowProblem]) -> None:
        """Keep problems as long as there is room."""
        self.problems += islice(problems, _KEPT_PROBLEMS - len(self.problems))


def import_members(
    database: Database,
    clock: Clock,
    organization_id: str,
    lines: Iterable[str],
    progress: Callable[[ImportReport], None] | None = None,
    *,
    invitation_mail: InvitationMail | None = None,
    dry_run: bool = False,
) -> ImportReport:
    """Add the people of a CSV file as INVITED members, in the default group and team.

    The file is read as it comes, in chunks that are committed one by one. After an interruption the
    same file can be imported again: who is a member by then is skipped.

    Args:
        database: where to.
        clock: dates the memberships.
        organization_id: whose members they become.
        lines: the file's text, see ``pidgr.directory.member_csv``; open files with ``newline=""``.
        progress: called with the report so far after each chunk.
        invitation_mail: where those who are new get their mail from; None sends none.
        dry_run: only report what would become of the rows, as things are now.

    Raises:
        NotFoundError: no such organization.
        InvalidArgumentError: the file has no usable header, or is not CSV from some line on. The
            chunks before that line are in.
    """
    organization_key, role_keys = database.read_now(
        lambda reader: _organization(reader, organization_id)
    )
    preview = _Preview(database, organization_key)
    report = ImportReport()
    rows = read_rows(lines, role_keys)
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        invalid = [row for row in chunk if isinstance(row, RowProblem)]
        good = [row for row in chunk if isinstance(row, GoodRow)]
        if dry_run:
            skipped = preview.skipped(good)
        else:
            skipped = _store(database, clock, organization_key, good, invitation_mail)
        report.inserted += len(good) - len(skipped)
        report.skipped += len(skipped)
        report.invalid += len(invalid)
        report.note(sorted([*invalid, *skipped], key=lambda problem: problem.line))
        if progress is not None:
            progress(report)
    if report.inserted and not dry_run:
        database.write_now(member_store.refresh_statistics)
    return report


def _organization(reader: Reader, organization_id: str) -> tuple[int, dict[str, int]]:
    key = organization_store.organization_key(reader, organization_id.lower())
    if key is None:
        raise NotFoundError(f"no organization has the id {organization_id}")
    return key, {slug: role.key for slug, role in role_store.roles_by_slug(reader, key).items()}


class _Preview:
    """Finds which rows an import would skip, and stores none.

    It remembers the addresses of the whole file, some ten megabytes for 100,000 people: those that
    stand further up are in no table.
    """

    def __init__(self, database: Database, organization_key: int) -> None:
        self._database = database
        self._organization_key = organization_key
        self._seen: set[str] = set()

    def skipped(self, rows: Sequence[GoodRow]) -> list[RowProblem]:
        """Return the rows of the next chunk whose addresses are taken."""
        known = self._database.read_now(lambda reader: _known(reader, self._organization_key, rows))
        fresh, skipped = _divide(rows, known | self._seen)
        self._seen.update(fold_address(row.member.email) for row in fresh)
        return skipped


def _store(
    database: Database,
    clock: Clock,
    organization_key: int,
    rows: Sequence[GoodRow],
    invitation_mail: InvitationMail | None,
) -> list[RowProblem]:
    """Store one chunk and return the rows whose addresses were taken."""

    def work(transaction: Transaction) -> list[RowProblem]:
        skipped = _insert_unknown(transaction, organization_key, rows, clock.now())
        if invitation_mail is not None:
            taken = {problem.line for problem in skipped}
            fresh = [row.member.id for row in rows if row.line not in taken]
            invitation_mail.enqueue(transaction, organization_key, fresh)
        return skipped

    for _ in range(_ATTEMPTS - 1):
        try:
            return database.write_now(work)
        except UniqueViolationError:
            # Somebody else invited one of them just now; the next attempt sees that.
            continue
    return database.write_now(work)


def _insert_unknown(
    transaction: Transaction, organization_key: int, rows: Sequence[GoodRow], now: int
) -> list[RowProblem]:
    fresh, skipped = _divide(rows, _known(transaction, organization_key, rows))
    if fresh:
        members = [row.member for row in fresh]
        member_store.insert_members(transaction, organization_key, members, now)
        # One event with their number: a company may be imported at once.
        trail.record(
            transaction,
            trail.operator(organization_key),
            AuditEventType.USER_INVITED,
            "user",
            "",
            now=now,
            count=len(members),
            source="import",
        )
    return skipped


def _known(reader: Reader, organization_key: int, rows: Sequence[GoodRow]) -> set[str]:
    addresses = [fold_address(row.member.email) for row in rows]
    return member_store.known_addresses(reader, organization_key, addresses)


def _divide(rows: Sequence[GoodRow], taken: set[str]) -> tuple[list[GoodRow], list[RowProblem]]:
    """Part the rows whose addresses are free from those that are taken, or were by a row before."""
    taken = taken.copy()
    fresh: list[GoodRow] = []
    skipped: list[RowProblem] = []
    for row in rows:
        address = fold_address(row.member.email)
        if address in taken:
            reason = "the address is a member already, or stands further up in the file"
            skipped.append(RowProblem(row.line, row.member.email, reason))
        else:
            taken.add(address)
            fresh.append(row)
    return fresh, skipped

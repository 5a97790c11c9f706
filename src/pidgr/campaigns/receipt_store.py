"""SQL that reads the receipts of recipients by time: when they opened and when they confirmed."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """One receipt. ``member_id`` is None when the recipient has been erased."""

    at: int
    step_run_key: int
    ordinal: int
    member_id: str | None
    campaign_id: str
    synthetic: bool


def _page(moment: str, *, of_member: bool) -> Statement:
    return Statement(f"""
        select d.{moment}, d.step_run_key, d.ordinal, m.id, c.id, c.synthetic
        from delivery d
        join step_run r on r.key = d.step_run_key
        join campaign c on c.key = r.campaign_key
        left join member m on m.key = d.member_key
        where d.organization_key = :organization_key and d.{moment} >= :start
          and (d.{moment}, d.step_run_key, d.ordinal) < (:at, :run, :ordinal)
          {"and d.member_key = :member_key" if of_member else ""}
        order by d.{moment} desc, d.step_run_key desc, d.ordinal desc
        limit :limit
    """)


OPENED: Final = (_page("read_at", of_member=False), _page("read_at", of_member=True))
CONFIRMED: Final = (_page("acted_at", of_member=False), _page("acted_at", of_member=True))


def receipts(
    reader: Reader,
    statements: tuple[Statement, Statement],
    organization_key: int,
    *,
    start: int,
    before: tuple[int, int, int],
    member_key: int | None,
    limit: int,
) -> list[ReceiptRow]:
    """Return receipts at or after a moment and before a position, newest first.

    Args:
        reader: the unit of work.
        statements: ``OPENED`` or ``CONFIRMED``.
        organization_key: whose.
        start: in microseconds.
        before: moment, step run and ordinal; what is returned is smaller.
        member_key: of one recipient only, or None.
        limit: the most rows to return.
    """
    at, run, ordinal = before
    parameters: dict[str, object] = {
        "organization_key": organization_key,
        "start": start,
        "at": at,
        "run": run,
        "ordinal": ordinal,
        "member_key": member_key,
        "limit": limit,
    }
    everybody, of_member = statements
    statement = everybody if member_key is None else of_member
    if member_key is None:
        del parameters["member_key"]
    return reader.records(ReceiptRow, statement, parameters)

"""SQL that lists deliveries. Bulk writing is in ``run_store``, a person's inbox in ``inbox``."""

from dataclasses import dataclass
from typing import Final

from pidgr.campaigns.delivery_status import EFFECTIVE_STATUS, IS_HELD, LANE_OF_DELIVERY
from pidgr.contract.v1.common_pb import DeliveryStatus, StepType
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery of a campaign."""

    step_run_key: int
    ordinal: int
    member_id: str | None
    email: str | None
    status: int
    kind: int
    locale: int
    delivered_at: int | None
    read_at: int | None
    acted_at: int | None
    parent_run_key: int | None
    parent_ordinal: int | None


_PENDING: Final = int(DeliveryStatus.PENDING)
_COLUMNS: Final = f"""
    d.step_run_key, d.ordinal, d.member_key, {EFFECTIVE_STATUS} as status, d.kind, d.locale,
    d.delivered_at, d.read_at, d.acted_at, d.parent_run_key, d.parent_ordinal
"""
_ROW: Final = """
    p.step_run_key, p.ordinal, m.id, m.email, p.status, p.kind, p.locale, p.delivered_at,
    p.read_at, p.acted_at, p.parent_run_key, p.parent_ordinal
"""


def _page(condition: str) -> Statement:
    """Return the statement of a page behind (:after_run, :after_ordinal).

    The rest of one run and the runs behind it are looked up apart, each by the primary key: as one
    comparison of pairs, SQLite would pass over all that is before the page, and PostgreSQL might
    over other campaigns'.
    """
    deliveries = f"""
        select {_COLUMNS} from delivery d {LANE_OF_DELIVERY}
        where d.organization_key = :organization_key {condition}
    """
    # Without "cross" SQLite may begin with the runs, and then sorts all of their deliveries.
    in_order = deliveries.replace(" join ", " cross join ")
    return Statement(
        f"""
        select {_ROW}
        from (
          {in_order} and d.step_run_key = :after_run and d.ordinal > :after_ordinal
          union all
          {in_order} and d.step_run_key in
            (select key from step_run where campaign_key = :campaign_key and key > :after_run)
          order by 1, 2 limit :limit
        ) p
        left join member m on m.key = p.member_key
        order by p.step_run_key, p.ordinal
        """,
        postgresql=f"""
        select {_ROW}
        from (select key from step_run where campaign_key = :campaign_key and key >= :after_run) s
        cross join lateral (
          {deliveries} and d.step_run_key = s.key
            and d.ordinal > case when s.key = :after_run then :after_ordinal else -1 end
          order by d.ordinal limit :limit
        ) p
        left join member m on m.key = p.member_key
        order by p.step_run_key, p.ordinal limit :limit
        """,
    )


_ALL: Final = _page("")
_WITH_STATUS: Final = _page("and d.status = :status")
# Pending and sent are one stored status, told apart by the lane's push cursor.
_NOT_PUSHED: Final = _page(
    f"and d.status = {_PENDING} and (d.ordinal >= l.pushed_upto or {IS_HELD})"
)
_PUSHED: Final = _page(f"and d.status = {_PENDING} and d.ordinal < l.pushed_upto and not {IS_HELD}")
PAGES: Final = (_ALL, _WITH_STATUS, _NOT_PUSHED, _PUSHED)
# Only lanes that make deliveries: those of a send, up to the row cursor, and children's. One lane
# after the other, as PostgreSQL would rather read every partition (docs/decisions/0033).
_COUNT_NOT_PUSHED: Final = Statement(f"""
    select cast(coalesce(sum(
      (select count(*) from delivery d
       where d.step_run_key = r.key and d.status = {_PENDING} and d.ordinal >= l.pushed_upto
         and d.ordinal < case when l.spawns then l.number * r.lane_size + l.spawned
                              else l.written_upto end)), 0) as bigint)
    from step_run r
    join lane l on l.step_run_key = r.key
    where r.campaign_key = :campaign_key
      and (l.spawns or r.step_type = {int(StepType.SEND_NOTIFICATION)})
""")
_COUNT_HELD: Final = Statement(f"""
    select count(*)
    from step_run r
    join held_push h on h.step_run_key = r.key and h.pushing_run_key = r.key
     and h.settled_at is null
    join delivery d on d.step_run_key = h.step_run_key and d.ordinal = h.ordinal
     and d.status = {_PENDING}
    where r.campaign_key = :campaign_key
""")
# A send either shares one content or has a body per recipient.
_ANYTHING_SENT: Final = Statement("""
    select 1 from step_run r
    where r.campaign_key = :campaign_key
      and (r.content_key is not null
        or exists (select 1 from delivery_body b where b.step_run_key = r.key)
        or exists (select 1 from delivery d
                   where d.step_run_key = r.key and d.content_key is not null))
    limit 1
""")


def deliveries_page(
    reader: Reader, status: DeliveryStatus, parameters: dict[str, object]
) -> list[DeliveryRow]:
    """Return deliveries after a position, in one status or (UNSPECIFIED) in any.

    Parameters: organization_key, campaign_key, after_run, after_ordinal, limit.
    """
    match status:
        case DeliveryStatus.UNSPECIFIED:
            statement = _ALL
        case DeliveryStatus.PENDING:
            statement = _NOT_PUSHED
        case DeliveryStatus.SENT:
            statement = _PUSHED
        case _:
            statement = _WITH_STATUS
    return reader.records(DeliveryRow, statement, {**parameters, "status": int(status)})


def count_not_pushed(reader: Reader, campaign_key: int) -> int:
    """Return how many deliveries are written and not yet answered for by a push provider."""
    parameters = {"campaign_key": campaign_key}
    ahead: int = reader.value(_COUNT_NOT_PUSHED, parameters)
    held: int = reader.value(_COUNT_HELD, parameters)
    return ahead + held


def anything_sent(reader: Reader, campaign_key: int) -> bool:
    """Tell whether a message was made for any recipient of the campaign."""
    return reader.value(_ANYTHING_SENT, {"campaign_key": campaign_key}) is not None

"""SQL of quiet hours: an organization's, and the zones of the people they are for."""

from collections.abc import Mapping
from typing import Final

from pidgr.campaigns.quiet_hours import ATTRIBUTE, QuietHours
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

_SELECT: Final = Statement("""
    select start_minute, end_minute, zone from quiet_hours
    where organization_key = :organization_key
""")
_SET: Final = Statement("""
    insert into quiet_hours (organization_key, start_minute, end_minute, zone, changed_at)
    values (:organization_key, :start, :end, :zone, :now)
    on conflict (organization_key) do update set
      start_minute = excluded.start_minute, end_minute = excluded.end_minute,
      zone = excluded.zone, changed_at = excluded.changed_at
""")
_CLEAR: Final = Statement("delete from quiet_hours where organization_key = :organization_key")
# On PostgreSQL members are looked up one by one, as in ``run_store.linear``.
_ZONES: Final = Statement(
    f"""
    select d.ordinal, json_extract(m.custom_attributes, '$.{ATTRIBUTE}')
    from delivery d join member m on m.key = d.member_key
    where d.step_run_key = :run_key and d.ordinal >= :since and d.ordinal < :upto
    """,
    postgresql=f"""
    select d.ordinal, m.custom_attributes::json ->> '{ATTRIBUTE}'
    from delivery d
    cross join lateral
      (select custom_attributes from member where key = d.member_key offset 0) m
    where d.step_run_key = :run_key and d.ordinal >= :since and d.ordinal < :upto
    """,
)


def quiet_hours(reader: Reader, organization_key: int) -> QuietHours | None:
    """Return an organization's quiet hours, if it has any."""
    return reader.record(QuietHours, _SELECT, {"organization_key": organization_key})


def set_quiet_hours(
    transaction: Transaction, organization_key: int, hours: QuietHours | None, now: int
) -> None:
    """Give an organization quiet hours, or none."""
    if hours is None:
        transaction.execute(_CLEAR, {"organization_key": organization_key})
        return
    parameters = {
        "organization_key": organization_key,
        "start": hours.start,
        "end": hours.end,
        "zone": hours.zone,
        "now": now,
    }
    transaction.execute(_SET, parameters)


def zones(reader: Reader, run_key: int, since: int, upto: int) -> Mapping[int, str]:
    """Return what the recipients' profiles name as their zones, by ordinal; "" for none."""
    parameters = {"run_key": run_key, "since": since, "upto": upto}
    return {ordinal: zone or "" for ordinal, zone in reader.rows(_ZONES, parameters)}

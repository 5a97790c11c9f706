"""SQL of what keeps touches in order: what is left to pack, what is too old."""

from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

_EXPIRED_BEFORE: Final = Statement("""
    select expired_before from touch_upkeep where organization_key = :organization_key
""")
_EXPIRE: Final = Statement("""
    insert into touch_upkeep (organization_key, expired_before) values (:organization_key, :day)
    on conflict (organization_key) do update set expired_before =
      case when touch_upkeep.expired_before < excluded.expired_before
           then excluded.expired_before else touch_upkeep.expired_before end
""")
# The last day a row is about.
_LAST_DAYS: Final = {
    "touch_batch": "day",
    "touch_block": "day",
    "touch_grid": "start_day + days - 1",
}
_DELETE_SOME: Final = tuple(
    Statement(f"""
        delete from {table} where key in (
          select key from {table}
          where organization_key = :organization_key and {last_day} < :day limit :most
        )
    """)
    for table, last_day in _LAST_DAYS.items()
)
_ANY_LEFT: Final = Statement(
    " union all ".join(
        f"select 1 where exists (select 1 from {table} where organization_key = :organization_key)"
        for table in _LAST_DAYS
    )
)
_ORGANIZATION_ID: Final = Statement("select id from organization where key = :organization_key")


def expired_before(reader: Reader, organization_key: int) -> int:
    """Return the first day that has not been deleted, counted from 1970."""
    found: int | None = reader.value(_EXPIRED_BEFORE, {"organization_key": organization_key})
    return found or 0


def expire(transaction: Transaction, organization_key: int, day: int) -> None:
    """Let no question see the days before a day any more; an earlier one changes nothing."""
    transaction.execute(_EXPIRE, {"organization_key": organization_key, "day": day})


def delete_some(transaction: Transaction, organization_key: int, day: int, most: int) -> int:
    """Delete some rows that are only about days before a day, and return how many."""
    parameters = {"organization_key": organization_key, "day": day, "most": most}
    return sum(transaction.execute(statement, parameters) for statement in _DELETE_SOME)


def any_left(reader: Reader, organization_key: int) -> bool:
    """Tell whether an organization has touches at all."""
    return reader.row(_ANY_LEFT, {"organization_key": organization_key}) is not None


def organization_id(reader: Reader, organization_key: int) -> str | None:
    """Return an organization's id; None when it is gone."""
    found: str | None = reader.value(_ORGANIZATION_ID, {"organization_key": organization_key})
    return found

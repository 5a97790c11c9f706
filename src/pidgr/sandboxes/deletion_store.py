"""SQL that deletes an organization, some rows at a time.

The statements are made from the tables' own columns (``pidgr.storage.ownership``), so that a table
added later is not forgotten.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from pidgr.contract.v1.common_pb import CampaignStatus
from pidgr.storage.ownership import OwnedTable, owned_tables
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

_LOCK: Final = Statement("""
    select id, org_type, name_folded = 'DELETED ' || id
    from organization where key = :organization_key {for_update}
""")
_EXISTS: Final = Statement("select count(*) from organization where key = :organization_key")
# The name is free for others at once; folded names have no capital letters, so this is nobody's.
_CLOSE: Final = Statement("""
    update organization
    set expires_at = case when expires_at < :now then expires_at else :now end,
        name_folded = 'DELETED ' || id
    where key = :organization_key
""")
_STOP_CAMPAIGNS: Final = Statement("""
    update campaign set status = :cancelled, completed_at = :now
    where organization_key = :organization_key and status in (:created, :running)
    returning key, current_step_id
""")
_STOP_LANES: Final = Statement("""
    update lane set stopped = true
    where not finished and step_run_key in
      (select r.key from step_run r join campaign c on c.key = r.campaign_key
       where c.organization_key = :organization_key)
""")
_ALL_ROWS: Final = 2**31
# Whatever a limit makes of the costs: rows are looked for by an index where there is one.
BY_INDEX: Final = Statement("select 1", postgresql="set local enable_seqscan = off")
_DELETE_ORGANIZATION: Final = Statement("delete from organization where key = :organization_key")


def _some(table: OwnedTable) -> Statement:
    """Return the statement that deletes some of an organization's rows.

    PostgreSQL looks at one owner's rows after the other's: with a limit it thinks that it soon
    comes upon enough of them by reading the whole table.
    """
    columns = ", ".join(table.primary_key)
    wanted = f"({columns})" if len(table.primary_key) > 1 else columns
    delete = f"delete from {table.name} where {wanted} in"
    some = f"select {columns} from {table.name} where"
    found = f"{some} {table.condition}"
    by_owner = found
    if table.owners:
        of_owner = f"{some} {table.column} = o.key limit :rows"
        by_owner = f"select r.* from ({table.owners}) o cross join lateral ({of_owner}) r"
    return Statement(
        f"{delete} ({found} limit :rows)", postgresql=f"{delete} ({by_owner} limit :rows)"
    )


@cache
def some_of_each_table() -> tuple[Statement, ...]:
    """Return what :func:`delete_some` deletes by, table by table."""
    return tuple(_some(table) for table in owned_tables())


@dataclass(frozen=True, slots=True)
class DeletedOrganization:
    """What is to be deleted."""

    id: str
    org_type: int
    is_closed: bool
    """Whether ``close`` was here before."""


def lock_organization(
    transaction: Transaction, organization_key: int
) -> DeletedOrganization | None:
    """Return an organization; no row can come to refer to it until the end."""
    row = transaction.row(_LOCK, {"organization_key": organization_key})
    if row is None:
        return None
    organization_id, org_type, is_closed = row
    return DeletedOrganization(organization_id, org_type, bool(is_closed))


def exists(reader: Reader, organization_key: int) -> bool:
    """Tell whether there is such an organization."""
    return bool(reader.value(_EXISTS, {"organization_key": organization_key}))


def close(transaction: Transaction, organization_key: int, now: int) -> None:
    """Let an organization have expired, and give its name back."""
    transaction.execute(_CLOSE, {"organization_key": organization_key, "now": now})


def stop_campaigns(
    transaction: Transaction, organization_key: int, now: int
) -> list[tuple[int, str]]:
    """Cancel every campaign that is not over; return their keys and the steps they stood at."""
    parameters = {
        "organization_key": organization_key,
        "now": now,
        "created": CampaignStatus.CREATED,
        "running": CampaignStatus.RUNNING,
        "cancelled": CampaignStatus.CANCELLED,
    }
    stopped = transaction.rows(_STOP_CAMPAIGNS, parameters)
    transaction.execute(_STOP_LANES, {"organization_key": organization_key})
    return [(key, step_id) for key, step_id in stopped]


def delete_some(
    transaction: Transaction, statement: Statement, organization_key: int, rows: int
) -> int:
    """Delete up to so many rows of one table and return how many there were."""
    transaction.execute(BY_INDEX)
    parameters = {"organization_key": organization_key, "rows": rows}
    return transaction.execute(statement, parameters)


def delete_rest(transaction: Transaction, organization_key: int) -> None:
    """Delete what is left of an organization, which must be locked, and the organization."""
    for statement in some_of_each_table():
        delete_some(transaction, statement, organization_key, _ALL_ROWS)
    transaction.execute(_DELETE_ORGANIZATION, {"organization_key": organization_key})

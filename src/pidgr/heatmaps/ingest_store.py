"""SQL of touches on their way in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.heatmaps.ingestion import Batch
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class Door:
    """What decides whether a caller's touches come in, and as what.

    ``enabled`` is None where the switch was never turned. ``packing_due`` is None while no task is
    waiting to pack what came in. Days are counted from 1970.
    """

    salt: bytes
    bucket_count: int
    restricted: bool
    enabled: bool | None
    packing_due: int | None
    expired_before: int | None

    @property
    def shut(self) -> bool:
        """Whether nothing may come in; a switch that was never turned is on."""
        return self.restricted or self.enabled not in {None, True}


_DOOR: Final = Statement("""
    select o.analytics_salt, o.analytics_bucket_count, m.processing_restricted, t.enabled,
           u.packing_due, u.expired_before
    from organization o
    join member m on m.key = :member_key and m.organization_key = o.key
    left join privacy_toggle t on t.organization_key = o.key and t.kind = :switch
    left join touch_upkeep u on u.organization_key = o.key
    where o.key = :organization_key
""")
_SCREENS: Final = Statement(
    """
    select name, key from touch_screen
    where organization_key = :organization_key and name in (select value from json_each(:names))
    """,
    postgresql="""
    select name, key from touch_screen
    where organization_key = :organization_key and name = any(:names)
    """,
)
# No more than so many: a program gone wrong would make up names without end.
_ADD_SCREENS: Final = Statement(
    """
    insert into touch_screen (organization_key, name)
    select :organization_key, n.value from json_each(:names) n
    where (select count(*) from touch_screen where organization_key = :organization_key)
          + json_array_length(:names) <= :most
    on conflict (organization_key, name) do nothing
    """,
    postgresql="""
    insert into touch_screen (organization_key, name)
    select :organization_key, n from unnest(:names::text[]) n
    where (select count(*) from touch_screen where organization_key = :organization_key)
          + cardinality(:names::text[]) <= :most
    order by n
    on conflict (organization_key, name) do nothing
    """,
)
_CAMPAIGNS: Final = Statement(
    """
    select id, key from campaign
    where organization_key = :organization_key and id in (select value from json_each(:ids))
    """,
    postgresql="""
    select id, key from campaign where organization_key = :organization_key and id = any(:ids)
    """,
)
_PACKING_DUE: Final = Statement("""
    insert into touch_upkeep (organization_key, packing_due) values (:organization_key, :due)
    on conflict (organization_key) do update set packing_due = excluded.packing_due
""")


def door(reader: Reader, organization_key: int, member_key: int, switch: str) -> Door | None:
    """Return what decides about a member's touches; None when the member is gone."""
    parameters = {
        "organization_key": organization_key,
        "member_key": member_key,
        "switch": switch,
    }
    return reader.record(Door, _DOOR, parameters)


def screen_keys(
    transaction: Transaction, organization_key: int, names: Iterable[str], most: int
) -> dict[str, int]:
    """Return the keys of screens by name, and give new ones a key while there are not too many."""
    wanted = sorted(set(names))
    found = _keys(transaction, _SCREENS, "names", organization_key, wanted)
    missing = [name for name in wanted if name not in found]
    if missing:
        parameters = {
            "organization_key": organization_key,
            "names": transaction.array(missing),
            "most": most,
        }
        transaction.execute(_ADD_SCREENS, parameters)
        found |= _keys(transaction, _SCREENS, "names", organization_key, missing)
    return found


def campaign_keys(reader: Reader, organization_key: int, ids: Iterable[str]) -> dict[str, int]:
    """Return the keys of those campaigns that are the organization's, by id."""
    return _keys(reader, _CAMPAIGNS, "ids", organization_key, sorted(set(ids)))


def _keys(
    reader: Reader, statement: Statement, name: str, organization_key: int, values: Sequence[str]
) -> dict[str, int]:
    if not values:
        return {}
    parameters = {"organization_key": organization_key, name: reader.array(values)}
    return {text: key for text, key in reader.rows(statement, parameters)}  # noqa: C416 - rows are of any type


def insert_batches(transaction: Transaction, organization_key: int, rows: Sequence[Batch]) -> None:
    """Store batches."""
    transaction.bulk_insert(
        "touch_batch",
        ("organization_key", "screen_key", "campaign_key", "day", "events"),
        [
            (organization_key, row.screen_key, row.campaign_key, row.day, row.encoded)
            for row in rows
        ],
    )


def set_packing_due(transaction: Transaction, organization_key: int, due: int | None) -> None:
    """Remember when the waiting batches will be packed; None when no task is waiting to do it."""
    parameters = {"organization_key": organization_key, "due": due}
    transaction.execute(_PACKING_DUE, parameters)

"""SQL that counts whom a campaign will address, before it does; it reads and writes nothing."""

from typing import Final

from pidgr.campaigns.child_store import MANAGER, NAMED, STAYS, Targets
from pidgr.campaigns.simulation import Audience
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader

_REACHABLE: Final = """
    (exists (select 1 from device v where v.member_key = a.member_key and v.active)
     or exists (select 1 from web_push_subscription w where w.member_key = a.member_key))
"""
_AUDIENCE: Final = Statement(f"""
    select count(*), coalesce(sum(case when {_REACHABLE} then 1 else 0 end), 0)
    from audience a where a.campaign_key = :campaign_key
""")
# The pairs that pidgr.campaigns.child_store would make deliveries of.
_PAIRS: Final = f"""
    with base as (
      select a.member_key from audience a {STAYS.format(row="a")}
      where a.campaign_key = :campaign_key and (not :reachable_only or {_REACHABLE})
    ), named as ({NAMED}
    ), managers as (
      select b.member_key, n.key as target_key
      from base b {MANAGER}
    )
    select (select count(*) from base) * (select count(*) from named)
         - (select count(*) from base b join named n on n.key = b.member_key)
         + (select count(*) from managers g
            where g.target_key not in (select key from named))
"""
_LISTS: Final = ("users", "groups", "roles")
_COUNT_PAIRS: Final = Statement(
    _PAIRS.format(**{name: f"select value from json_each(:{name})" for name in _LISTS}),
    postgresql=_PAIRS.format(**{name: f"select unnest(:{name}::text[])" for name in _LISTS}),
)


def audience(reader: Reader, campaign_key: int) -> Audience:
    """Return how many a frozen audience has, and how many of them can be pushed to."""
    row = reader.row(_AUDIENCE, {"campaign_key": campaign_key})
    assert row is not None  # noqa: S101 - an aggregate always has one
    return Audience(int(row[0]), int(row[1]))


def count_pairs(
    reader: Reader,
    campaign_key: int,
    organization_key: int,
    targets: Targets,
    *,
    reachable_only: bool,
) -> int:
    """Return how many times somebody would be told on account of a recipient.

    Nobody is told about themself, nor twice on one account.
    """
    count: int = reader.value(
        _COUNT_PAIRS,
        {
            "campaign_key": campaign_key,
            "organization_key": organization_key,
            **targets.parameters(reader),
            "reachable_only": reachable_only,
        },
    )
    return count

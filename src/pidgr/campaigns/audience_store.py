"""SQL of frozen audiences."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.user_pb import UserStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class AudienceEntry:
    """A frozen recipient; everything but ``variables`` is None once their record is gone."""

    member_id: str | None
    variables: str | None
    email: str | None
    name: str | None
    status: int | None


_UNKNOWN_MEMBERS: Final = Statement(
    """
    select w.value from json_each(:ids) w
    left join member m on m.id = w.value and +m.organization_key = :organization_key
    where m.key is null order by w.key limit 10
    """,
    postgresql="""
    select w.id from unnest(:ids::text[]) with ordinality w(id, place)
    left join member m on m.id = w.id and m.organization_key = :organization_key
    where m.key is null order by w.place limit 10
    """,
)
# SQLite would rather walk the members in key order and search the JSON for each: minutes for
# 50,000. "cross join" keeps the order as written, "+" keeps the organization's index out.
_FREEZE_AUDIENCE: Final = Statement(
    """
    insert into audience (campaign_key, ordinal, member_key, variables)
    select :campaign_key, row_number() over (order by m.key) - 1, m.key,
           nullif(json_extract(w.value, '$[1]'), '')
    from json_each(:pairs) w
    cross join member m
    where m.id = json_extract(w.value, '$[0]') and +m.organization_key = :organization_key
      and m.status <> :deactivated and (not m.processing_restricted or :include_restricted)
    """,
    postgresql="""
    insert into audience (campaign_key, ordinal, member_key, variables)
    select :campaign_key, row_number() over (order by m.key) - 1, m.key, nullif(w.variables, '')
    from unnest(:ids::text[], :variables::text[]) w(id, variables)
    join member m on m.id = w.id and m.organization_key = :organization_key
    where m.status <> :deactivated and (not m.processing_restricted or :include_restricted)
    order by m.key
    """,
)
_ELIGIBLE: Final = Statement("""
    select count(*) from member
    where organization_key = :organization_key and status <> :deactivated
      and not processing_restricted
""")
_SET_AUDIENCE: Final = Statement("""
    update campaign
    set audience_size = :size, audience_is_everyone = :everyone,
        audience_snapshot_ref = :snapshot_ref
    where key = :key
""")
_FORGET_AUDIENCE: Final = Statement("delete from audience where campaign_key = :campaign_key")
_AUDIENCE: Final = Statement("""
    select m.id, a.variables, m.email, m.name, m.status
    from audience a left join member m on m.key = a.member_key
    where a.campaign_key = :campaign_key order by a.ordinal
""")


def unknown_members(reader: Reader, organization_key: int, ids: Sequence[str]) -> list[str]:
    """Return up to ten of the ids that are no members of the organization."""
    parameters = {"organization_key": organization_key, "ids": reader.array(ids)}
    return [row[0] for row in reader.rows(_UNKNOWN_MEMBERS, parameters)]


def freeze_audience(
    transaction: Transaction,
    campaign_key: int,
    organization_key: int,
    members: Mapping[str, str],
    *,
    include_restricted: bool,
) -> None:
    """Store the recipients who are eligible, ordered by member, as a new snapshot.

    Args:
        transaction: the unit of work.
        campaign_key: whose audience.
        organization_key: whose members.
        members: the JSON of each member's variables (or ""), by member id.
        include_restricted: whether members with restricted processing are addressed.
    """
    eligible: dict[str, object] = {
        "organization_key": organization_key,
        "deactivated": UserStatus.DEACTIVATED,
    }
    transaction.execute(_FORGET_AUDIENCE, {"campaign_key": campaign_key})
    size = 0
    if members:
        size = transaction.execute(
            _FREEZE_AUDIENCE,
            {
                **eligible,
                "campaign_key": campaign_key,
                "pairs": transaction.array(list(members.items())),
                "ids": list(members),
                "variables": list(members.values()),
                "include_restricted": include_restricted,
            },
        )
    everyone = size > 0 and size == transaction.value(_ELIGIBLE, eligible)
    transaction.execute(
        _SET_AUDIENCE,
        {
            "key": campaign_key,
            "size": size,
            "everyone": everyone,
            "snapshot_ref": str(uuid.uuid4()),
        },
    )


def audience_entries(reader: Reader, campaign_key: int) -> list[AudienceEntry]:
    """Return the frozen recipients in their order."""
    return reader.records(AudienceEntry, _AUDIENCE, {"campaign_key": campaign_key})


def count_eligible_members(reader: Reader, organization_key: int) -> int:
    """Return how many members a campaign to everyone would reach today."""
    parameters = {"organization_key": organization_key, "deactivated": UserStatus.DEACTIVATED}
    count: int = reader.value(_ELIGIBLE, parameters)
    return count

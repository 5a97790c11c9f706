"""SQL of campaigns and their counters."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

COUNTER_SHARDS: Final = 16


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign as it lies in the database."""

    key: int
    id: str
    name: str
    title: str
    sender_name: str
    template_id: str
    template_key: int
    template_version: int
    workflow: str
    status: int
    audience_snapshot_ref: str
    audience_size: int
    audience_is_everyone: bool
    include_restricted: bool
    critical: bool
    default_locale: str
    wait_for_enrollment: bool
    synthetic: bool
    created_at: int
    started_at: int | None
    completed_at: int | None
    current_step_id: str
    step_entered_at: int | None
    next_wake_at: int | None
    organization_key: int


@dataclass(frozen=True, slots=True)
class Counters:
    """A campaign's primary deliveries by state; ``waiting`` are pending or sent."""

    waiting: int = 0
    delivered: int = 0
    acknowledged: int = 0
    missed: int = 0
    no_device: int = 0
    failed: int = 0

    def __add__(self, other: "Counters") -> "Counters":
        """Return both changes as one."""
        names = self.__slots__
        return Counters(*(getattr(self, name) + getattr(other, name) for name in names))

    @property
    def total(self) -> int:
        """All primary deliveries written so far."""
        return (
            self.waiting
            + self.delivered
            + self.acknowledged
            + self.missed
            + self.no_device
            + self.failed
        )

    def unresolved(self, *, wait_for_enrollment: bool) -> int:
        """Those nobody has settled yet; the ones without a device count only if asked."""
        return self.waiting + self.delivered + (self.no_device if wait_for_enrollment else 0)


class Move(NamedTuple):
    """One delivery that has moved from one state to another."""

    campaign_key: int
    is_primary: bool
    ordinal: int
    changes: Counters


@dataclass(frozen=True, slots=True)
class PinnedTemplate:
    """The template version a campaign is made with."""

    key: int
    version: int


_SELECT: Final = """
    select c.key, c.id, c.name, c.title, c.sender_name, t.id, c.template_key, c.template_version,
           c.workflow, c.status, c.audience_snapshot_ref, c.audience_size, c.audience_is_everyone,
           c.include_restricted,
           c.critical, c.default_locale, c.wait_for_enrollment, c.synthetic, c.created_at,
           c.started_at, c.completed_at, c.current_step_id, c.step_entered_at, c.next_wake_at,
           c.organization_key
    from campaign c join template t on t.key = c.template_key
"""
_BY_ID: Final = Statement(
    f"{_SELECT} where c.id = :campaign_id and c.organization_key = :organization_key"
)
_OF_ID: Final = Statement(f"{_SELECT} where c.id = :campaign_id")
_BY_KEY: Final = Statement(f"{_SELECT} where c.key = :key")
_PAGE: Final = Statement(f"""
    {_SELECT}
    where c.organization_key = :organization_key and c.key < :before
    order by c.key desc limit :limit
""")
_COUNTERS: Final = Statement(
    """
    select campaign_key, sum(waiting), sum(delivered), sum(acknowledged), sum(missed),
           sum(no_device), sum(failed)
    from campaign_counter
    where is_primary and campaign_key in (select value from json_each(:keys))
    group by campaign_key
    """,
    postgresql="""
    select campaign_key, sum(waiting), sum(delivered), sum(acknowledged), sum(missed),
           sum(no_device), sum(failed)
    from campaign_counter where is_primary and campaign_key = any(:keys)
    group by campaign_key
    """,
)
_COUNT: Final = Statement(
    "select count(*) from campaign where organization_key = :organization_key"
)
_LOCK: Final = Statement("""
    select key from campaign where id = :campaign_id and organization_key = :organization_key
    {for_update}
""")
_LOCK_BY_KEY: Final = Statement("select key from campaign where key = :key {for_update}")
_INSERT: Final = Statement("""
    insert into campaign
      (id, organization_key, name, title, sender_name, template_key, template_version, workflow,
       status, include_restricted, critical, default_locale, wait_for_enrollment, created_at)
    values
      (:id, :organization_key, :name, :title, :sender_name, :template_key, :template_version,
       :workflow, :status, :include_restricted, :critical, :default_locale,
       :wait_for_enrollment, :now)
    returning key
""")
_PINNED_TEMPLATE: Final = Statement("""
    select t.key, v.version
    from template t
    join template_version v on v.template_key = t.key
     and v.version = case when :version = 0 then t.latest_version else :version end
    where t.id = :template_id and t.organization_key = :organization_key
""")
_TEMPLATE_EXISTS: Final = Statement("""
    select 1 from template where id = :template_id and organization_key = :organization_key
""")
_GROUP_EXISTS: Final = Statement("""
    select 1 from recipient_group where organization_key = :organization_key and id = :group_id
""")
_TEAM_EXISTS: Final = Statement("""
    select 1 from team where organization_key = :organization_key and name = :name
""")
_UPDATE: Final = Statement("""
    update campaign
    set name = :name, title = :title, sender_name = :sender_name, template_key = :template_key,
        template_version = :template_version, workflow = :workflow
    where key = :key
""")
_START: Final = Statement("""
    update campaign set status = :running, started_at = :now where key = :key
""")
_ADD_COUNTERS: Final = Statement("""
    insert into campaign_counter (campaign_key, is_primary, shard)
    values (:key, :is_primary, :shard)
""")
_FINISH: Final = Statement("""
    update campaign
    set status = :status, completed_at = :now, current_step_id = '', step_entered_at = null,
        next_wake_at = null
    where key = :key
""")
_PROGRESS: Final = Statement("""
    update campaign
    set current_step_id = :step_id, step_entered_at = :now, next_wake_at = :next_wake_at
    where key = :key
""")
_COUNT_DELIVERIES: Final = Statement("""
    update campaign_counter
    set waiting = waiting + :waiting, delivered = delivered + :delivered,
        acknowledged = acknowledged + :acknowledged, missed = missed + :missed,
        no_device = no_device + :no_device, failed = failed + :failed
    where campaign_key = :key and is_primary = :is_primary and shard = :shard
""")
_ALL_KINDS: Final = Statement("""
    select coalesce(sum(waiting), 0), coalesce(sum(delivered), 0), coalesce(sum(acknowledged), 0),
           coalesce(sum(missed), 0), coalesce(sum(no_device), 0), coalesce(sum(failed), 0)
    from campaign_counter where campaign_key = :key
""")


def campaign_by_id(reader: Reader, organization_key: int, campaign_id: str) -> CampaignRow | None:
    """Return a campaign of the organization."""
    parameters = {"organization_key": organization_key, "campaign_id": campaign_id}
    return reader.record(CampaignRow, _BY_ID, parameters)


def campaign_of_id(reader: Reader, campaign_id: str) -> CampaignRow | None:
    """Return a campaign of whatever organization, for operators, who name it themselves."""
    return reader.record(CampaignRow, _OF_ID, {"campaign_id": campaign_id})


def campaign_by_key(reader: Reader, key: int) -> CampaignRow | None:
    """Return a campaign by the key that a task carries."""
    return reader.record(CampaignRow, _BY_KEY, {"key": key})


def lock_campaign(
    transaction: Transaction, organization_key: int, campaign_id: str
) -> CampaignRow | None:
    """Return a campaign that nobody else changes until this transaction ends."""
    parameters = {"organization_key": organization_key, "campaign_id": campaign_id}
    if transaction.value(_LOCK, parameters) is None:
        return None
    return campaign_by_id(transaction, organization_key, campaign_id)


def lock_campaign_by_key(transaction: Transaction, key: int) -> CampaignRow | None:
    """Return a campaign that nobody else changes until this transaction ends."""
    transaction.value(_LOCK_BY_KEY, {"key": key})
    return campaign_by_key(transaction, key)


def campaigns_page(
    reader: Reader, organization_key: int, before: int, limit: int
) -> list[CampaignRow]:
    """Return campaigns, newest first, from below a key."""
    parameters = {"organization_key": organization_key, "before": before, "limit": limit}
    return reader.records(CampaignRow, _PAGE, parameters)


def counters(reader: Reader, keys: Sequence[int]) -> dict[int, Counters]:
    """Return the counters of primary deliveries by campaign; before the start there are none."""
    rows = reader.rows(_COUNTERS, {"keys": reader.array(keys)})
    return {row[0]: Counters(*map(int, row[1:])) for row in rows}


def counters_of_all_kinds(reader: Reader, key: int) -> Counters:
    """Return a campaign's deliveries by state, escalations and copies of reminders included."""
    return reader.record(Counters, _ALL_KINDS, {"key": key}) or Counters()


def count_campaigns(reader: Reader, organization_key: int) -> int:
    """Return how many campaigns the organization has."""
    count: int = reader.value(_COUNT, {"organization_key": organization_key})
    return count


def insert_campaign(transaction: Transaction, values: Mapping[str, object]) -> int:
    """Store a new campaign and return its key."""
    key: int = transaction.value(_INSERT, values)
    return key


def template_exists(reader: Reader, organization_key: int, template_id: str) -> bool:
    """Tell whether the organization has a template."""
    parameters = {"organization_key": organization_key, "template_id": template_id}
    return reader.value(_TEMPLATE_EXISTS, parameters) is not None


def pinned_template(
    reader: Reader, organization_key: int, template_id: str, version: int
) -> PinnedTemplate | None:
    """Return a template's version, the latest for version 0."""
    parameters = {
        "organization_key": organization_key,
        "template_id": template_id,
        "version": version,
    }
    return reader.record(PinnedTemplate, _PINNED_TEMPLATE, parameters)


def group_exists(reader: Reader, organization_key: int, group_id: str) -> bool:
    """Tell whether the organization has a group."""
    parameters = {"organization_key": organization_key, "group_id": group_id}
    return reader.value(_GROUP_EXISTS, parameters) is not None


def team_exists(reader: Reader, organization_key: int, name: str) -> bool:
    """Tell whether a team has exactly this name."""
    parameters = {"organization_key": organization_key, "name": name}
    return reader.value(_TEAM_EXISTS, parameters) is not None


def update_campaign(transaction: Transaction, row: CampaignRow) -> None:
    """Store the editable fields of a campaign."""
    names = (
        "key",
        "name",
        "title",
        "sender_name",
        "template_key",
        "template_version",
        "workflow",
    )
    transaction.execute(_UPDATE, {name: getattr(row, name) for name in names})


def start_campaign(transaction: Transaction, key: int, *, running: int, now: int) -> None:
    """Set a campaign running, with empty counters."""
    transaction.execute(_START, {"key": key, "running": running, "now": now})
    for shard in range(COUNTER_SHARDS):
        for is_primary in (True, False):
            transaction.execute(
                _ADD_COUNTERS, {"key": key, "is_primary": is_primary, "shard": shard}
            )


def finish_campaign(transaction: Transaction, key: int, *, status: int, now: int) -> None:
    """Put a campaign into a terminal status."""
    transaction.execute(_FINISH, {"key": key, "status": status, "now": now})


def set_progress(
    transaction: Transaction, key: int, step_id: str, *, now: int, next_wake_at: int | None
) -> None:
    """Note where the workflow stands."""
    transaction.execute(
        _PROGRESS, {"key": key, "step_id": step_id, "now": now, "next_wake_at": next_wake_at}
    )


def count_deliveries(
    transaction: Transaction, key: int, shard: int, changes: Counters, *, is_primary: bool = True
) -> None:
    """Add changes, which may be negative, to one shard of a campaign's counters."""
    parameters: dict[str, object] = {name: getattr(changes, name) for name in Counters.__slots__}
    parameters |= {"key": key, "shard": shard % COUNTER_SHARDS, "is_primary": is_primary}
    transaction.execute(_COUNT_DELIVERIES, parameters)


def count_moves(transaction: Transaction, moves: Iterable[Move]) -> None:
    """Count deliveries that have moved from one state to another; call it after all of them moved.

    Each counter is changed once, and in one order: units of work that count at the same moment
    would wait for each other in a circle.
    """
    totals: dict[tuple[int, bool, int], Counters] = defaultdict(Counters)
    for campaign_key, is_primary, ordinal, changes in moves:
        totals[campaign_key, is_primary, ordinal % COUNTER_SHARDS] += changes
    for campaign_key, is_primary, shard in sorted(totals):
        changes = totals[campaign_key, is_primary, shard]
        count_deliveries(transaction, campaign_key, shard, changes, is_primary=is_primary)

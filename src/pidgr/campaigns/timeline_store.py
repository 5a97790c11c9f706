"""SQL of one delivery's history; it reads facts and never a text, an address or a push token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.campaigns.delivery_id import DeliveryKey
from pidgr.campaigns.delivery_status import EFFECTIVE_STATUS, LANE_OF_DELIVERY
from pidgr.campaigns.push_store import BROWSER
from pidgr.campaigns.workflow import PUSH
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader


@dataclass(frozen=True, slots=True)
class DeliveryFacts:
    """A delivery with what it was made of; ``member_id`` is None when the recipient is erased."""

    organization_key: int
    status: int
    kind: int
    locale: int
    created_at: int
    delivered_at: int | None
    read_at: int | None
    acted_at: int | None
    member_key: int
    member_id: str | None
    preferred_locale: str | None
    parent_run_key: int | None
    parent_ordinal: int | None
    parent_acted_at: int | None
    campaign_key: int
    campaign_id: str
    campaign_status: int
    campaign_ended_at: int | None
    campaign_locale: str
    organization_locale: str
    step_id: str
    template_id: str | None
    template_version: int
    # Whether the push cursor has come past it.
    passed: bool
    push_moved_at: int
    push_stopped: bool


@dataclass(frozen=True, slots=True)
class Sweep:
    """A later step's pass over the deliveries among which this one is.

    ``spawns``: it makes deliveries on their account. ``done`` tells whether it has come past this
    one, ``moved_at`` when it last moved on.
    """

    step_run_key: int
    step_id: str
    step_type: int
    iteration: int
    started_at: int
    moved_at: int
    spawns: bool
    done: bool
    stopped: bool


@dataclass(frozen=True, slots=True)
class Child:
    """A delivery made on account of this one."""

    step_run_key: int
    ordinal: int
    member_id: str | None
    kind: int
    status: int
    created_at: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """The latest failure of a device, or of rendering (``device_id`` empty)."""

    device_id: str
    error: str
    occurred_at: int


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device of the recipient as it is now."""

    id: str
    platform: int
    active: bool
    last_seen_at: int
    created_at: int


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A push that a step has held back until the end of quiet hours."""

    pushing_run_key: int
    held_at: int
    due_at: int
    settled_at: int | None


@dataclass(frozen=True, slots=True)
class KnownNudge:
    """A nudge of the recipient about this delivery; ``settled_at`` is None while it waits."""

    step_id: str
    channel: int
    status: int
    reason: str
    decided_at: int
    settled_at: int | None


@dataclass(frozen=True, slots=True)
class Alert:
    """A later round of an escalation that told people without making deliveries."""

    step_id: str
    at: int
    people: int


_DELIVERY: Final = Statement(f"""
    select d.organization_key, {EFFECTIVE_STATUS}, d.kind, d.locale, d.created_at, d.delivered_at,
           d.read_at, d.acted_at, d.member_key, m.id, m.preferred_locale, d.parent_run_key,
           d.parent_ordinal, o.acted_at, c.key, c.id, c.status, c.completed_at, c.default_locale,
           g.default_locale, r.step_id, t.id, r.template_version,
           d.ordinal < l.pushed_upto, l.moved_at, l.stopped
    from delivery d
    {LANE_OF_DELIVERY}
    join campaign c on c.key = r.campaign_key
    join organization g on g.key = d.organization_key
    left join template t on t.key = r.template_key
    left join member m on m.key = d.member_key
    left join delivery o on o.step_run_key = d.parent_run_key and o.ordinal = d.parent_ordinal
    where d.step_run_key = :step_run_key and d.ordinal = :ordinal
""")
# A lane that pushes has passed whom its push cursor has passed, any other whom its row cursor has.
_SWEEPS: Final = Statement("""
    select r.key, r.step_id, r.step_type, r.iteration, r.started_at, l.moved_at, l.spawns,
           case when l.spawns or r.step_type = :mark_missed then l.written_upto > :ordinal
                else l.pushed_upto > :ordinal end,
           l.stopped
    from step_run r join lane l on l.step_run_key = r.key
    where r.campaign_key = :campaign_key and r.organization_key = :organization_key
      and l.base_run_key = :step_run_key and l.step_run_key <> :step_run_key
      and l.low <= :ordinal and :ordinal < l.high
    order by r.key, l.number
""")
_CHILDREN: Final = Statement(f"""
    select d.step_run_key, d.ordinal, m.id, d.kind, {EFFECTIVE_STATUS}, d.created_at
    from delivery d
    {LANE_OF_DELIVERY}
    left join member m on m.key = d.member_key
    where d.organization_key = :organization_key
      and d.parent_run_key = :step_run_key and d.parent_ordinal = :ordinal
    order by d.step_run_key, d.ordinal
""")
_REFUSALS: Final = Statement("""
    select e.device_id, e.error, e.occurred_at
    from delivery_error e join step_run r on r.key = e.step_run_key
    where r.organization_key = :organization_key
      and e.step_run_key = :step_run_key and e.ordinal = :ordinal
    order by e.occurred_at, e.device_id
""")
_DEVICES: Final = Statement(f"""
    select id, platform, active, last_seen_at, created_at from device
    where organization_key = :organization_key and member_key = :member_key
    union all
    select id, {BROWSER}, true, last_seen_at, created_at from web_push_subscription
    where organization_key = :organization_key and member_key = :member_key
    order by created_at, id
""")
_HELD: Final = Statement("""
    select pushing_run_key, held_at, due_at, settled_at from held_push
    where organization_key = :organization_key
      and step_run_key = :step_run_key and ordinal = :ordinal
    order by held_at
""")
_TEXTS: Final = Statement("""
    select s.preferred_locale, s.locale
    from step_text s join step_run r on r.key = s.step_run_key
    where r.organization_key = :organization_key and s.step_run_key = :step_run_key
""")
# Somebody's own message is what reminders are about; other deliveries are nudged by their own step.
_NUDGES: Final = Statement("""
    select r.step_id, n.channel, n.status, n.reason, coalesce(r.finished_at, r.started_at),
           n.settled_at
    from nudge n join step_run r on r.key = n.step_run_key
    where n.organization_key = :organization_key and n.member_key = :member_key
      and r.campaign_key = :campaign_key
      and (r.key = :step_run_key or (:is_own and r.step_type = :send_reminder))
    order by r.key, n.channel
""")

# Only alerts are pushed as nudges.
_ALERTS: Final = Statement(f"""
    select r.step_id, coalesce(r.finished_at, r.started_at), count(*)
    from step_run r join nudge n on n.step_run_key = r.key and n.channel = {PUSH}
    where r.campaign_key = :campaign_key and r.organization_key = :organization_key
      and r.key > :step_run_key
    group by r.key, r.step_id, r.started_at, r.finished_at
    order by r.key
""")


def delivery(reader: Reader, key: DeliveryKey) -> DeliveryFacts | None:
    """Return a delivery of whatever organization, for operators, who name it themselves."""
    return reader.record(DeliveryFacts, _DELIVERY, key._asdict())


def sweeps(
    reader: Reader, facts: DeliveryFacts, key: DeliveryKey, mark_missed: int
) -> Sequence[Sweep]:
    """Return what later steps have set out to do about a delivery, in order."""
    parameters = {
        "campaign_key": facts.campaign_key,
        "mark_missed": mark_missed,
        **_of(facts, key),
    }
    return reader.records(Sweep, _SWEEPS, parameters)


def children(reader: Reader, facts: DeliveryFacts, key: DeliveryKey) -> Sequence[Child]:
    """Return the deliveries made on account of one."""
    return reader.records(Child, _CHILDREN, _of(facts, key))


def refusals(reader: Reader, facts: DeliveryFacts, key: DeliveryKey) -> Sequence[Refusal]:
    """Return what failed about a delivery, the latest of each device."""
    return reader.records(Refusal, _REFUSALS, _of(facts, key))


def held_back(reader: Reader, facts: DeliveryFacts, key: DeliveryKey) -> Sequence[HeldBack]:
    """Return the pushes about a delivery that were held back, or still are."""
    return reader.records(HeldBack, _HELD, _of(facts, key))


def devices(reader: Reader, facts: DeliveryFacts) -> Sequence[KnownDevice]:
    """Return the recipient's devices."""
    parameters = {"organization_key": facts.organization_key, "member_key": facts.member_key}
    return reader.records(KnownDevice, _DEVICES, parameters)


def nudges(
    reader: Reader, facts: DeliveryFacts, key: DeliveryKey, send_reminder: int
) -> Sequence[KnownNudge]:
    """Return how the recipient was nudged about a delivery over channels besides push."""
    parameters = {
        "organization_key": facts.organization_key,
        "member_key": facts.member_key,
        "campaign_key": facts.campaign_key,
        "step_run_key": key.step_run_key,
        "is_own": facts.parent_run_key is None,
        "send_reminder": send_reminder,
    }
    return reader.records(KnownNudge, _NUDGES, parameters)


def alerts(reader: Reader, facts: DeliveryFacts, key: DeliveryKey) -> Sequence[Alert]:
    """Return the alerts on account of a campaign's own deliveries, this one among them."""
    parameters = {
        "organization_key": facts.organization_key,
        "campaign_key": facts.campaign_key,
        "step_run_key": key.step_run_key,
    }
    return [] if facts.parent_run_key is not None else reader.records(Alert, _ALERTS, parameters)


def locales_by_preference(reader: Reader, facts: DeliveryFacts, key: DeliveryKey) -> dict[str, int]:
    """Return the number of the locale that a send chose for each preferred one.

    Empty where everybody reads the same.
    """
    parameters = {
        "organization_key": facts.organization_key,
        "step_run_key": key.step_run_key,
    }
    return dict(reader.rows(_TEXTS, parameters))


def _of(facts: DeliveryFacts, key: DeliveryKey) -> dict[str, object]:
    return {"organization_key": facts.organization_key, **key._asdict()}

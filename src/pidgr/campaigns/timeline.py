"""What has become of one delivery, told from what is stored and from nothing else.

A push is a cursor that has come past a delivery, so its moment is known as a span: after the step
began, and not after the cursor last moved. What no row tells is called unknown.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from pidgr.campaigns.held_store import NEVER
from pidgr.campaigns.locale_reason import LocaleChoice, locale_reason
from pidgr.campaigns.nudge_store import NudgeStatus
from pidgr.campaigns.push_store import BROWSER
from pidgr.campaigns.timeline_store import (
    Alert,
    Child,
    DeliveryFacts,
    HeldBack,
    KnownDevice,
    KnownNudge,
    Refusal,
    Sweep,
)
from pidgr.campaigns.workflow import channel_name
from pidgr.clock import to_datetime
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import CampaignStatus, DeliveryStatus, Platform, StepType
from pidgr.outreach.push import NOT_STARTED, WANTED_LATER
from pidgr.validation import LOCALES

_COPY: Final = Delivery.Kind.REMINDER_FYI
_MISSED: Final = "counted as missed before"
_AGAIN: Final = "escalated_again"
_ACKNOWLEDGED: Final = "it was acknowledged before its turn"
_STOPPED: Final = "the campaign was stopped before"
_UNREACHED: Final = "it never reached a device"
_NO_ANSWER: Final = frozenset({NOT_STARTED.reason, WANTED_LATER.reason})


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened, or for a reason did not, at a moment in microseconds.

    Where only a span is known, it begins ``at`` and ends ``until``.
    """

    at: int
    event: str
    detail: str
    until: int | None = None
    step_id: str = ""
    device_id: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """When something happened, as far as it is known, in microseconds."""

    start: int
    end: int

    def has(self, moment: float) -> bool:
        """Tell whether it was then."""
        return self.start <= moment <= self.end


@dataclass(frozen=True, slots=True)
class History:
    """Everything that is stored about a delivery."""

    delivery: DeliveryFacts
    sweeps: Sequence[Sweep] = ()
    children: Sequence[Child] = ()
    refusals: Sequence[Refusal] = ()
    devices: Sequence[KnownDevice] = ()
    nudges: Sequence[KnownNudge] = ()
    locales: dict[str, str] = field(default_factory=dict)
    # The run that made it, and the pushes that runs have held back.
    run_key: int = 0
    held_back: Sequence[HeldBack] = ()
    alerts: Sequence[Alert] = ()
    # Whether repeats of the escalation that made it leave out whose original is confirmed.
    spares_confirmed: bool = False

    def wanted_until(self, event: str) -> float:
        """Return since when a confirmation makes a push pointless: for ever without one."""
        facts = self.delivery
        of_original = facts.parent_acted_at if event == _AGAIN and self.spares_confirmed else None
        return min(facts.acted_at or inf, of_original or inf)


def happenings(history: History, delivery_id: Callable[[int, int], str]) -> list[Happening]:
    """Return the timeline, oldest first; ``delivery_id`` makes the ids of related deliveries."""
    found = [
        *_making(history, delivery_id),
        *_first_push(history),
        *_receipts(history),
        *(_nudge(one) for one in history.nudges),
        *(_alert(one) for one in history.alerts),
        *_end_of_campaign(history),
    ]
    for sweep in history.sweeps:
        if sweep.step_type == StepType.MARK_MISSED:
            found += _missing(history, sweep)
        elif sweep.spawns:
            found += _telling_others(history, sweep, delivery_id)
        else:
            found += _pushing_again(history, sweep)
    return sorted(found, key=lambda one: one.at)


def _making(history: History, delivery_id: Callable[[int, int], str]) -> Iterator[Happening]:
    facts = history.delivery
    detail = f"by step {facts.step_id}"
    if facts.parent_run_key is not None and facts.parent_ordinal is not None:
        parent = delivery_id(facts.parent_run_key, facts.parent_ordinal)
        what = "a copy of the reminder" if facts.kind == _COPY else "escalated"
        detail += f", {what} on account of delivery {parent}, whose message it shows"
    yield Happening(facts.created_at, "created", detail, step_id=facts.step_id)
    failures = [one for one in history.refusals if not one.device_id]
    for failure in failures:
        yield Happening(failure.occurred_at, "render_failed", failure.error, step_id=facts.step_id)
    if facts.parent_run_key is None and not failures:
        yield _rendering(history)


def _rendering(history: History) -> Happening:
    facts = history.delivery
    choice = LocaleChoice(
        chosen=LOCALES[facts.locale],
        campaign=facts.campaign_locale,
        recipient=facts.preferred_locale or "",
        organization=facts.organization_locale,
        by_preference=history.locales,
    )
    return Happening(
        facts.created_at,
        "rendered",
        f"version {facts.template_version} of template {facts.template_id} in {choice.chosen}, "
        f"because {locale_reason(choice)}",
        step_id=facts.step_id,
    )


def _first_push(history: History) -> Iterator[Happening]:
    facts = history.delivery
    if any(not one.device_id for one in history.refusals):
        return
    if facts.passed:
        span = Span(facts.created_at, facts.push_moved_at)
        yield from _push_by(history, history.run_key, span, facts.step_id, "pushed")
        return
    why = "no push provider has answered yet"
    if facts.acted_at is not None:
        why = _ACKNOWLEDGED
    elif facts.push_stopped:
        why = _STOPPED
    yield Happening(facts.created_at, "not_pushed", why, step_id=facts.step_id)


def _push_by(
    history: History, run_key: int, span: Span, step_id: str, event: str
) -> Iterator[Happening]:
    """Tell of a push by a run, which may have held it back until quiet hours were over."""
    held = next((one for one in history.held_back if one.pushing_run_key == run_key), None)
    if held is None:
        yield from _push(history, span, step_id, event)
        return
    if held.due_at == NEVER:
        yield Happening(held.held_at, f"not_{event}", _STOPPED, step_id=step_id)
        return
    if held.due_at == held.held_at:
        # Their devices' tokens were dead and a device has registered meanwhile, or their provider
        # wanted the push later.
        yield from _push(history, Span(span.start, held.held_at), step_id, event)
        start = held.held_at + 1
    else:
        end = f"until {to_datetime(held.due_at):%Y-%m-%d %H:%M} UTC, the end of their quiet hours"
        yield Happening(held.held_at, "held_back", end, step_id=step_id)
        start = min(held.due_at, held.settled_at or held.due_at)
    stopped = _reason_not_to_wake(history, held, event)
    if stopped:
        at = held.settled_at or held.due_at
        yield Happening(at, f"not_{event}", stopped, step_id=step_id)
    elif held.settled_at is not None:
        yield from _push(history, Span(start, held.settled_at), step_id, event)


def _reason_not_to_wake(history: History, held: HeldBack, event: str) -> str:
    """Return why a push that was held back was or will not be sent; empty if nothing kept it."""
    facts = history.delivery
    end = held.settled_at or held.due_at
    if history.wanted_until(event) < end:
        return _ACKNOWLEDGED
    if facts.status == DeliveryStatus.MISSED and any(
        one.step_type == StepType.MARK_MISSED and one.moved_at < end for one in history.sweeps
    ):
        return _MISSED
    stopped = facts.campaign_status in {CampaignStatus.CANCELLED, CampaignStatus.FAILED}
    return _STOPPED if stopped and held.settled_at is None else ""


def _push(history: History, span: Span, step_id: str, event: str) -> Iterator[Happening]:
    """Tell of a cursor's coming past the delivery: to which devices, with which answers."""
    refused = [one for one in history.refusals if one.device_id and span.has(one.occurred_at)]
    taken, unsure = _other_devices(history, span, {one.device_id for one in refused})
    if not refused and not taken and not unsure:
        why = "the recipient had no active device"
        yield Happening(span.start, f"not_{event}", why, span.end, step_id)
        return
    uncertain = span.has(history.wanted_until(event))
    detail = "to every device that was active then"
    if uncertain:
        detail += ", unless it was acknowledged first"
    yield Happening(span.start, event, detail, span.end, step_id)
    for device in taken:
        answer = "answer unknown" if uncertain else "taken by the provider"
        yield Happening(
            span.start, "answer", f"{_named(device)}: {answer}", span.end, step_id, device.id
        )
    for refusal in refused:
        said = "none" if refusal.error in _NO_ANSWER else "refused"
        yield Happening(
            refusal.occurred_at,
            "answer",
            f"device {refusal.device_id} {said}: {refusal.error}",
            step_id=step_id,
            device_id=refusal.device_id,
        )
    for device in unsure:
        answer = "unknown, it has registered or been refused since"
        yield Happening(
            span.start, "answer", f"{_named(device)}: {answer}", span.end, step_id, device.id
        )


def _other_devices(
    history: History, span: Span, refused: set[str]
) -> tuple[list[KnownDevice], list[KnownDevice]]:
    """Return devices that must have been pushed to, and those of which that is not certain.

    A device turns active only by registering, which renews ``last_seen_at``: one that is active
    and has not been seen since the span began was active all the time.
    """
    failed_later = {one.device_id for one in history.refusals if one.occurred_at > span.end}
    taken: list[KnownDevice] = []
    unsure: list[KnownDevice] = []
    for device in history.devices:
        known = device.id not in refused and device.created_at <= span.end
        if not known or _dead_before(history, span, device):
            continue
        certain = (
            device.active and device.last_seen_at < span.start and device.id not in failed_later
        )
        (taken if certain else unsure).append(device)
    return taken, unsure


def _dead_before(history: History, span: Span, device: KnownDevice) -> bool:
    """Tell whether a device was among those that left the recipient without an active one.

    It was silenced before the delivery was made, unless the provider has called one dead since.
    """
    facts = history.delivery
    if facts.status != DeliveryStatus.NO_DEVICE:
        return False
    if not history.refusals:
        return device.last_seen_at < facts.created_at
    return any(
        one.device_id == device.id and device.last_seen_at < one.occurred_at < span.start
        for one in history.refusals
    )


def _named(device: KnownDevice) -> str:
    if device.platform == BROWSER:
        return f"browser {device.id}"
    return f"{Platform(device.platform).name} device {device.id}"


def _receipts(history: History) -> Iterator[Happening]:
    facts = history.delivery
    if facts.delivered_at is not None:
        yield Happening(facts.delivered_at, "delivered", "the recipient's app fetched it")
    if facts.read_at is not None:
        yield Happening(facts.read_at, "read", "the recipient opened it")
    if facts.acted_at is None:
        return
    settled = facts.kind == _COPY and facts.parent_acted_at is not None
    if settled:
        yield Happening(facts.acted_at, "dismissed", "its original was acknowledged")
    else:
        yield Happening(facts.acted_at, "acknowledged", "by the recipient")


def _nudge(nudge: KnownNudge) -> Happening:
    channel = channel_name(nudge.channel)
    at = nudge.settled_at or nudge.decided_at
    match nudge.status:
        case NudgeStatus.SENT:
            return Happening(at, "nudged", f"by {channel}", step_id=nudge.step_id)
        case NudgeStatus.WAITING:
            why = "it waits for its turn, or for the channel"
        case NudgeStatus.REFUSED:
            why = f"refused with {nudge.reason}"
        case _:
            why = nudge.reason
    return Happening(at, "not_nudged", f"by {channel}: {why}", step_id=nudge.step_id)


def _alert(alert: Alert) -> Happening:
    # Who is told is told once of the whole campaign, so not of whom.
    detail = f"people whom the step tells of the campaign, without a delivery: {alert.people}"
    return Happening(alert.at, "alerted", detail, step_id=alert.step_id)


def _end_of_campaign(history: History) -> Iterator[Happening]:
    facts = history.delivery
    if facts.campaign_ended_at is not None:
        name = CampaignStatus(facts.campaign_status).name.lower()
        yield Happening(facts.campaign_ended_at, f"campaign_{name}", "nothing begins after this")


def _reason_to_skip(history: History, sweep: Sweep) -> str:
    """Return why a sweep left the delivery alone; empty if nothing stored kept it from it."""
    facts = history.delivery
    if not sweep.done:
        return _STOPPED if sweep.stopped else "its turn has not come yet"
    if facts.acted_at is not None and facts.acted_at < sweep.started_at:
        return "acknowledged before"
    if facts.status == DeliveryStatus.FAILED:
        return "it had failed"
    return ""


def _reason_not_to_remind(history: History, sweep: Sweep) -> str:
    """Return why nobody was told of a reminder, where it is not for want of others."""
    if history.delivery.status == DeliveryStatus.NO_DEVICE:
        return _UNREACHED
    return _MISSED if _missed_before(history, sweep) else ""


def _missed_before(history: History, sweep: Sweep) -> bool:
    return history.delivery.status == DeliveryStatus.MISSED and any(
        one.step_type == StepType.MARK_MISSED and one.step_run_key < sweep.step_run_key
        for one in history.sweeps
    )


def _pushing_again(history: History, sweep: Sweep) -> Iterator[Happening]:
    event = _AGAIN if sweep.step_type == StepType.ESCALATE else "reminded"
    skipped = _reason_to_skip(history, sweep)
    if not skipped and history.wanted_until(event) < sweep.started_at:
        skipped = "its original was acknowledged before"
    if not skipped and _missed_before(history, sweep):
        skipped = _MISSED
    if not skipped and _is_held_back_by_another(history, sweep):
        skipped = "an earlier push is held back until quiet hours are over, and one push is enough"
    if skipped:
        yield Happening(sweep.started_at, f"not_{event}", skipped, step_id=sweep.step_id)
        return
    span = Span(sweep.started_at, sweep.moved_at)
    yield from _push_by(history, sweep.step_run_key, span, sweep.step_id, event)


def _is_held_back_by_another(history: History, sweep: Sweep) -> bool:
    """Tell whether another step's push was held back all the time that a sweep took."""
    return not any(one.pushing_run_key == sweep.step_run_key for one in history.held_back) and any(
        one.held_at <= sweep.started_at
        and sweep.moved_at < one.due_at
        and (one.settled_at is None or sweep.moved_at < one.settled_at)
        for one in history.held_back
    )


def _telling_others(
    history: History, sweep: Sweep, delivery_id: Callable[[int, int], str]
) -> Iterator[Happening]:
    event = "escalated" if sweep.step_type == StepType.ESCALATE else "reminder_copied"
    made = [child for child in history.children if child.step_run_key == sweep.step_run_key]
    for child in made:
        status = DeliveryStatus(child.status).name
        child_id = delivery_id(child.step_run_key, child.ordinal)
        detail = f"to {child.member_id or 'a person erased since'}: delivery {child_id} ({status})"
        yield Happening(child.created_at, event, detail, step_id=sweep.step_id)
    if made:
        return
    why = _reason_to_skip(history, sweep)
    if not why and sweep.step_type != StepType.ESCALATE:
        why = _reason_not_to_remind(history, sweep)
    why = why or "the recipient had left, or the step's targets were nobody else"
    yield Happening(sweep.started_at, f"not_{event}", why, step_id=sweep.step_id)


def _missing(history: History, sweep: Sweep) -> Iterator[Happening]:
    before = _MISSED if _missed_before(history, sweep) else ""
    if sweep.done and not before and history.delivery.status == DeliveryStatus.MISSED:
        yield Happening(
            sweep.started_at,
            "missed",
            "not acknowledged by then",
            sweep.moved_at,
            sweep.step_id,
        )
        return
    why = _reason_to_skip(history, sweep) or before
    if not why and history.delivery.status == DeliveryStatus.NO_DEVICE:
        why = _UNREACHED
    yield Happening(
        sweep.started_at, "not_missed", why or "acknowledged meanwhile", step_id=sweep.step_id
    )

"""What the audit trail tells of a running campaign: one event for each step, with its numbers.

A campaign to 100,000 people must not write as many events: docs/decisions/0012-audit-trail.md.
"""

from pidgr.audit import trail
from pidgr.audit.trail import Event, Fact
from pidgr.campaigns import run_store
from pidgr.campaigns.run_store import StepRun
from pidgr.campaigns.store import CampaignRow
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import StepType
from pidgr.storage.transaction import Reader, Transaction


def record_end(transaction: Transaction, campaign: CampaignRow, run: StepRun, now: int) -> None:
    """Record that a step, or a round of one, has done its sending; others leave no event."""
    match run.step_type:
        case StepType.SEND_NOTIFICATION | StepType.SEND_REMINDER:
            event_type = AuditEventType.MESSAGE_SENT
        case StepType.ESCALATE:
            event_type = AuditEventType.ESCALATION_EXECUTED
        case _:
            return
    facts: dict[str, Fact] = {
        "step_id": run.step_id,
        "step_type": StepType(run.step_type).name,
        "deliveries": _deliveries(transaction, run),
    }
    if run.step_type == StepType.ESCALATE:
        # The first round makes deliveries; later ones push them once more.
        facts["round"] = run.iteration + 1
    trail.record_event(
        transaction,
        trail.system(campaign.organization_key),
        Event(event_type, "campaign", campaign.id, facts),
        now=now,
        synthetic=bool(campaign.synthetic),
    )


def _deliveries(reader: Reader, run: StepRun) -> int:
    """Return how many deliveries a run has made: its own, and those on account of others."""
    own = run.step_type == StepType.SEND_NOTIFICATION
    return sum(
        lane.spawned if lane.spawns else (lane.high - lane.low) * own
        for lane in run_store.lanes(reader, run.key)
    )

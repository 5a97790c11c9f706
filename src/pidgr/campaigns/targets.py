"""Whom a step addresses besides the recipients: from the workflow's targets to ids."""

from collections.abc import Sequence

from pidgr.campaigns.child_store import Targets
from pidgr.contract.v1.common_pb import EscalationTarget, EscalationTargetType


def targets_of(targets: Sequence[EscalationTarget], *, include_restricted: bool) -> Targets:
    """Return a step's targets by kind; the campaign says whom of them it may address."""

    def ids(kind: EscalationTargetType) -> tuple[str, ...]:
        return tuple(target.target_id.lower() for target in targets if target.type == kind)

    return Targets(
        users=ids(EscalationTargetType.USER),
        groups=ids(EscalationTargetType.GROUP),
        roles=ids(EscalationTargetType.ROLE),
        manager=any(target.type == EscalationTargetType.MANAGER for target in targets),
        include_restricted=include_restricted,
    )

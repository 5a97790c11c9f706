"""What every privacy request begins with: its row, and its event in the audit trail."""

import uuid

from pidgr.audit import trail
from pidgr.audit.trail import Fact
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.privacy_pb import PrivacyRequestStatus
from pidgr.directory.member_store import StoredMember
from pidgr.identity.caller import Caller
from pidgr.privacy.request_store import NewRequest
from pidgr.storage.transaction import Transaction


def new_request(
    caller: Caller,
    member: StoredMember,
    request_type: str,
    status: PrivacyRequestStatus,
    now: int,
    *,
    anonymize: bool = False,
    due_at: int | None = None,
    facts: str = "",
) -> NewRequest:
    """Return a request of the caller about a member; one that is COMPLETED ends as it begins."""
    return NewRequest(
        id=str(uuid.uuid4()),
        organization_key=caller.organization_key,
        member_key=member.key,
        user_id=member.id,
        request_type=request_type,
        status=int(status),
        anonymize=anonymize,
        was_restricted=bool(member.processing_restricted),
        asker_key=caller.person.key if caller.person else None,
        facts=facts,
        due_at=due_at,
        created_at=now,
        completed_at=now if status is PrivacyRequestStatus.COMPLETED else None,
    )


def record(
    transaction: Transaction,
    caller: Caller,
    event_type: AuditEventType,
    user_id: str,
    request_id: str,
    now: int,
    **facts: Fact,
) -> None:
    """Write into the trail what the caller has asked about a person."""
    trail.record(
        transaction,
        caller,
        event_type,
        "user",
        user_id,
        now=now,
        privacy_request_id=request_id,
        **facts,
    )

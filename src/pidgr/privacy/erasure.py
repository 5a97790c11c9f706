"""Erases people when their time has come, as a task of the durable engine.

The request and its timer are made in one transaction; erasing is another one, so it happens whole
or not at all, and a request that was called off in time finds its task with nothing to do.
"""

from functools import partial
from typing import Final

import structlog

from pidgr.audit import trail
from pidgr.campaigns import erasure_store as campaign_erasure
from pidgr.clock import DAY, Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.privacy_pb import PrivacyRequestStatus
from pidgr.directory import member_store, organization_store, standing_store
from pidgr.directory.collective_store import GROUPS, TEAMS
from pidgr.directory.member_store import StoredMember
from pidgr.engine.port import Engine, Queue, Task
from pidgr.errors import FailedPreconditionError
from pidgr.identity.permissions import SUPER_ADMIN
from pidgr.privacy import erasure_store, request_store
from pidgr.privacy.facts import write_facts
from pidgr.privacy.request_store import NewRequest, StoredRequest
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction

GRACE: Final = 30 * DAY
"""Between the request and the deletion, in microseconds (SEMANTICS 3.3)."""

_TASK: Final = "privacy.erase"
S: Final = PrivacyRequestStatus

log = structlog.get_logger("pidgr.privacy")


class Erasure:
    """Plans, hastens, calls off and does deletions."""

    def __init__(self, database: Database, engine: Engine, clock: Clock) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock

    def register(self) -> None:
        """Give the engine its handler."""
        self._engine.register(_TASK, self.run, self._failed)

    def schedule(self, transaction: Transaction, request: NewRequest) -> None:
        """Store a request for a deletion, restrict the person's data and start the timer."""
        key = request_store.insert(transaction, request)
        restrict(transaction, request.organization_key, request.member_key, restricted=True)
        self._engine.enqueue(
            transaction, Task(_TASK, _task_key(request.id), (key,), Queue.LANES, GRACE)
        )

    def hasten(self, transaction: Transaction, request: StoredRequest) -> None:
        """Have a deletion that waits done now."""
        self._engine.move(transaction, _task_key(request.id), 0)

    def call_off(self, transaction: Transaction, request: StoredRequest) -> bool:
        """Keep a deletion from being done and restore what it restricted; False when it is done."""
        facts = write_facts(outcome="cancelled")
        if not request_store.finish(transaction, request.key, S.FAILED, facts, self._clock.now()):
            return False
        self._restore(transaction, request)
        self._engine.cancel(transaction, [_task_key(request.id)])
        return True

    def run(self, key: int) -> None:
        """Erase a person; harmless to repeat."""
        self._database.write_now(lambda transaction: self.erase(transaction, key))

    def erase(self, transaction: Transaction, key: int) -> None:
        """Erase the person of a request, if it still waits."""
        request = request_store.request_by_key(transaction, key)
        if request is None:
            return
        organization_store.lock_organization(transaction, request.organization_key)
        # Only now it stays what it is: it may have been called off while this waited.
        request = request_store.request_by_key(transaction, key)
        if request is None or request.status not in {S.PENDING, S.PROCESSING}:
            return
        standing_store.lock_member(transaction, request.organization_key, request.member_key)
        member = member_store.member(transaction, request.organization_key, request.user_id)
        if member is not None:
            if is_last_super_admin(transaction, request.organization_key, member):
                message = "this is the last super admin; make somebody else one, then ask again"
                self._end(transaction, request, S.FAILED, message)
                self._restore(transaction, request)
                return
            self._erase(transaction, request, member)
        self._end(transaction, request, S.COMPLETED)
        log.info("a person was erased", request_id=request.id)

    def _erase(
        self, transaction: Transaction, request: StoredRequest, member: StoredMember
    ) -> None:
        organization_key = request.organization_key
        found = erasure_store.sign_in_of(transaction, organization_key, member.key)
        for store in (GROUPS, TEAMS):
            store.forget_member(transaction, organization_key, member.key)
        campaign_erasure.forget_member(transaction, organization_key, member.key)
        if request.anonymize:
            erasure_store.anonymise(transaction, organization_key, member.key, member.id)
        else:
            standing_store.delete_member(transaction, organization_key, member.key, member.id)
        subject, email_folded = found if found is not None else (None, "")
        if subject is not None:
            erasure_store.leave(transaction, organization_key, subject)
            erasure_store.forget_identity(transaction, subject, email_folded)
        trail.record(
            transaction,
            trail.system(organization_key),
            AuditEventType.USER_DEACTIVATED,
            "user",
            member.id,
            now=self._clock.now(),
            reason="erased",
            privacy_request_id=request.id,
        )

    def _restore(self, transaction: Transaction, request: StoredRequest) -> None:
        """Restrict a person who will not be erased only as far as they were."""
        restrict(
            transaction,
            request.organization_key,
            request.member_key,
            restricted=bool(request.was_restricted),
        )

    def _end(
        self,
        transaction: Transaction,
        request: StoredRequest,
        status: PrivacyRequestStatus,
        error: str = "",
    ) -> None:
        facts = write_facts(error=error)
        request_store.finish(transaction, request.key, status, facts, self._clock.now())

    def _failed(self, task: Task, error: Exception) -> None:
        del error
        found = self._database.read_now(
            partial(request_store.request_by_key, key=int(task.arguments[0]))
        )
        if found is not None:
            message = "the person could not be erased; tell the operator of this server"
            self._database.write_now(
                partial(self._end, request=found, status=S.FAILED, error=message)
            )


def restrict(
    transaction: Transaction, organization_key: int, member_key: int, *, restricted: bool
) -> None:
    """Leave a person out of campaigns and analytics, or let them in again."""
    standing_store.set_restricted(transaction, organization_key, member_key, restricted=restricted)


def require_not_last(reader: Reader, organization_key: int, member: StoredMember) -> None:
    """Refuse to lose the last super admin. The organization must be locked.

    Raises:
        FailedPreconditionError: it is them.
    """
    if is_last_super_admin(reader, organization_key, member):
        message = "this is the last super admin who can sign in; make somebody else one first"
        raise FailedPreconditionError(message)


def is_last_super_admin(reader: Reader, organization_key: int, member: StoredMember) -> bool:
    """Tell whether nobody else is super admin and has signed in."""
    return member.role_slug == SUPER_ADMIN and not standing_store.has_other_super_admin(
        reader, organization_key, member.key
    )


def _task_key(request_id: str) -> str:
    return f"erase/{request_id}"

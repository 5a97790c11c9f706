"""PrivacyService's RPCs about the erasure of a person."""

from typing import Final

from pidgr.clock import Clock, to_timestamp
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.privacy_pb import (
    CancelDeletionRequest,
    CancelDeletionResponse,
    DeleteUserDataRequest,
    DeleteUserDataResponse,
    ImmediateDeleteRequest,
    ImmediateDeleteResponse,
    PrivacyRequestStatus,
)
from pidgr.directory import organization_store
from pidgr.errors import FailedPreconditionError, NotFoundError, invalid_field
from pidgr.identity.caller import Caller
from pidgr.privacy import request_store
from pidgr.privacy.erasure import GRACE, Erasure, require_not_last
from pidgr.privacy.people import concerned
from pidgr.privacy.request_store import StoredRequest
from pidgr.privacy.requesting import new_request, record
from pidgr.storage.transaction import Transaction
from pidgr.validation import fold_address, require_uuid

S: Final = PrivacyRequestStatus


class DeletionRpcs:
    """Takes deletions, calls them off and hastens them."""

    def __init__(self, erasure: Erasure, clock: Clock) -> None:
        self._erasure = erasure
        self._clock = clock

    def delete_user_data(
        self, request: DeleteUserDataRequest, caller: Caller, transaction: Transaction
    ) -> DeleteUserDataResponse:
        """Have a person erased in 30 days.

        Raises:
            InvalidArgumentError, PermissionDeniedError, NotFoundError: as above.
            FailedPreconditionError: it is the last super admin.
        """
        organization_key = caller.organization_key
        organization_store.lock_organization(transaction, organization_key)
        member = concerned(transaction, caller, request.user_id, Permission.PRIVACY_WRITE)
        waiting = request_store.waiting_deletion(transaction, organization_key, member.key)
        if waiting is None:
            require_not_last(transaction, organization_key, member)
            now = self._clock.now()
            new = new_request(
                caller,
                member,
                request_store.DELETION,
                S.PENDING,
                now,
                anonymize=request.anonymize,
                due_at=now + GRACE,
            )
            self._erasure.schedule(transaction, new)
            record(
                transaction,
                caller,
                AuditEventType.DATA_DELETION_REQUESTED,
                member.id,
                new.id,
                now,
                anonymize=request.anonymize,
            )
            waiting = request_store.request(transaction, organization_key, new.id)
        assert waiting is not None  # noqa: S101 - found or stored a moment ago
        assert waiting.due_at is not None  # noqa: S101 - every deletion has one
        return DeleteUserDataResponse(
            status=S(waiting.status),
            deleted_at=to_timestamp(waiting.due_at),
            request_id=waiting.id,
        )

    def cancel_deletion(
        self, request: CancelDeletionRequest, caller: Caller, transaction: Transaction
    ) -> CancelDeletionResponse:
        """Call a deletion off.

        Raises:
            InvalidArgumentError: a malformed id, or not the person's address.
            PermissionDeniedError: somebody else without PRIVACY_WRITE.
            NotFoundError: no such deletion.
            FailedPreconditionError: it does not wait any more.
        """
        # The person may be erased at this moment.
        organization_store.lock_organization(transaction, caller.organization_key)
        found = _waiting(transaction, caller, request.request_id)
        _confirm(found, request.confirmation_email)
        if not self._erasure.call_off(transaction, found):
            raise _too_late()
        self._record(transaction, caller, AuditEventType.DELETION_CANCELLED, found)
        return CancelDeletionResponse(status=S.FAILED)

    def immediate_delete(
        self, request: ImmediateDeleteRequest, caller: Caller, transaction: Transaction
    ) -> ImmediateDeleteResponse:
        """Have a deletion that waits done now.

        Raises:
            InvalidArgumentError, NotFoundError, FailedPreconditionError: as above.
        """
        found = _waiting(transaction, caller, request.request_id)
        _confirm(found, request.confirmation_email)
        if not request_store.move(transaction, found.key, S.PENDING, S.PROCESSING):
            raise _too_late()
        self._erasure.hasten(transaction, found)
        self._record(transaction, caller, AuditEventType.DELETION_IMMEDIATE, found)
        return ImmediateDeleteResponse(status=S.PROCESSING)

    def _record(
        self,
        transaction: Transaction,
        caller: Caller,
        event_type: AuditEventType,
        request: StoredRequest,
    ) -> None:
        now = self._clock.now()
        record(transaction, caller, event_type, request.user_id, request.id, now)


def _waiting(transaction: Transaction, caller: Caller, request_id: str) -> StoredRequest:
    """Return a deletion that waits, the caller's own or, with the permission, anybody's."""
    request_id = require_uuid("request_id", request_id)
    found = request_store.request(transaction, caller.organization_key, request_id)
    own = found is not None and caller.person is not None and caller.person.id == found.user_id
    if not own:
        caller.require(Permission.PRIVACY_WRITE)
    if found is None or found.request_type != request_store.DELETION:
        raise NotFoundError(f"no deletion has the id {request_id}")
    if found.status != S.PENDING:
        raise _too_late()
    return found


def _confirm(request: StoredRequest, email: str) -> None:
    if request.email is None or fold_address(email) != fold_address(request.email):
        raise invalid_field("confirmation_email", "must be the address of the person")


def _too_late() -> FailedPreconditionError:
    return FailedPreconditionError("the deletion does not wait any more; list the requests")

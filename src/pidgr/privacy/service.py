"""PrivacyService: what people may ask about their own data, and administrators for them."""

import uuid
from collections.abc import Mapping
from typing import Final

from pidgr.audit import trail
from pidgr.audit.trail import Fact
from pidgr.clock import Clock, to_datetime, to_timestamp
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.privacy_pb import (
    CancelDeletionRequest,
    CancelDeletionResponse,
    DeleteUserDataRequest,
    DeleteUserDataResponse,
    ExportUserDataRequest,
    ExportUserDataResponse,
    GetDataExistenceConfirmationRequest,
    GetDataExistenceConfirmationResponse,
    ImmediateDeleteRequest,
    ImmediateDeleteResponse,
    ListMyPrivacyRequestsRequest,
    ListMyPrivacyRequestsResponse,
    ListPrivacyRequestsRequest,
    ListPrivacyRequestsResponse,
    PrivacyRequest,
    PrivacyRequestStatus,
    RectifyUserDataRequest,
    RectifyUserDataResponse,
    RestrictProcessingRequest,
    RestrictProcessingResponse,
)
from pidgr.contract.v1.user_pb import UserProfile
from pidgr.directory import organization_store
from pidgr.directory.member_store import StoredMember
from pidgr.directory.profile import PROFILE_FIELDS
from pidgr.directory.profile_change import change_profile
from pidgr.errors import FailedPreconditionError, NotFoundError, Violations, invalid_field
from pidgr.identity.caller import Caller
from pidgr.pagination import PageTokens
from pidgr.privacy import person_data, request_store
from pidgr.privacy.erasure import GRACE, Erasure, require_not_last, restrict
from pidgr.privacy.exports import DataExports, file_name
from pidgr.privacy.facts import read_facts, write_facts
from pidgr.privacy.organization_rpcs import DEFAULT_PAGE_SIZE, LAST, OrganizationRpcs
from pidgr.privacy.people import concerned, find
from pidgr.privacy.request_store import NewRequest, StoredRequest
from pidgr.storage.blobs.links import LINK_LIFE, BlobLinks
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import check_choice, check_enum, fold_address, require_uuid

_CUSTOM: Final = "custom:"
S: Final = PrivacyRequestStatus

ListRequest = ListPrivacyRequestsRequest | ListMyPrivacyRequestsRequest


class PrivacyService(OrganizationRpcs):
    """Takes requests and lists them; tasks do what takes long."""

    def __init__(
        self,
        exports: DataExports,
        erasure: Erasure,
        links: BlobLinks,
        clock: Clock,
        page_tokens: PageTokens,
    ) -> None:
        super().__init__(exports, clock, page_tokens)
        self._erasure = erasure
        self._links = links

    def export_user_data(
        self, request: ExportUserDataRequest, caller: Caller, transaction: Transaction
    ) -> ExportUserDataResponse:
        """Have a copy of a person's data written.

        Raises:
            InvalidArgumentError: neither a UUID nor an address.
            PermissionDeniedError: somebody else without PRIVACY_WRITE.
            NotFoundError: no such person.
            ResourceExhaustedError: five copies are not finished.
        """
        member = concerned(transaction, caller, request.user_id, Permission.PRIVACY_WRITE)
        new = self._new(caller, member, request_store.EXPORT, S.PENDING)
        self._exports.begin(transaction, new)
        self._record(transaction, caller, AuditEventType.DATA_EXPORT_REQUESTED, member, new.id)
        return ExportUserDataResponse(status=S.PENDING, export_id=new.id)

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
            new = self._new(
                caller,
                member,
                request_store.DELETION,
                S.PENDING,
                anonymize=request.anonymize,
                due_at=self._clock.now() + GRACE,
            )
            self._erasure.schedule(transaction, new)
            self._record(
                transaction,
                caller,
                AuditEventType.DATA_DELETION_REQUESTED,
                member,
                new.id,
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
        found = _waiting(transaction, caller, request.request_id)
        _confirm(found, request.confirmation_email)
        if not self._erasure.call_off(transaction, found):
            raise _too_late()
        self._record_request(transaction, caller, AuditEventType.DELETION_CANCELLED, found)
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
        self._record_request(transaction, caller, AuditEventType.DELETION_IMMEDIATE, found)
        return ImmediateDeleteResponse(status=S.PROCESSING)

    def rectify_user_data(
        self, request: RectifyUserDataRequest, caller: Caller, transaction: Transaction
    ) -> RectifyUserDataResponse:
        """Correct what is known of a person.

        Raises:
            InvalidArgumentError: no corrections, an unknown field or a value it cannot have.
            PermissionDeniedError, NotFoundError: as above.
        """
        member = concerned(transaction, caller, request.user_id, Permission.PRIVACY_WRITE)
        profile = _profile(request.corrections)
        _, changed = change_profile(transaction, caller.organization_key, member.id, profile)
        if changed:
            new = self._new(
                caller,
                member,
                request_store.RECTIFICATION,
                S.COMPLETED,
                facts=write_facts(fields=",".join(changed)),
            )
            request_store.insert(transaction, new)
            self._record(
                transaction,
                caller,
                AuditEventType.DATA_RECTIFIED,
                member,
                new.id,
                fields=changed,
            )
        return RectifyUserDataResponse(rectified_fields=changed)

    def restrict_processing(
        self, request: RestrictProcessingRequest, caller: Caller, transaction: Transaction
    ) -> RestrictProcessingResponse:
        """Leave a person out of campaigns and analytics, or let them in again.

        Raises:
            InvalidArgumentError, PermissionDeniedError, NotFoundError: as above.
            FailedPreconditionError: a deletion waits, which restricts until it is done or off.
        """
        organization_key = caller.organization_key
        organization_store.lock_organization(transaction, organization_key)
        member = concerned(transaction, caller, request.user_id, Permission.PRIVACY_WRITE)
        waits = request_store.waiting_deletion(transaction, organization_key, member.key)
        if waits is not None and not request.restricted:
            message = "a deletion waits, which restricts the data; call it off to lift that"
            raise FailedPreconditionError(message)
        now = self._clock.now()
        if bool(member.processing_restricted) != request.restricted:
            restrict(transaction, organization_key, member.key, restricted=request.restricted)
            new = self._new(
                caller,
                member,
                request_store.RESTRICTION,
                S.COMPLETED,
                facts=write_facts(restricted="true" if request.restricted else "false"),
            )
            request_store.insert(transaction, new)
            self._record(
                transaction,
                caller,
                AuditEventType.PROCESSING_RESTRICTED,
                member,
                new.id,
                restricted=request.restricted,
            )
        return RestrictProcessingResponse(
            restricted=request.restricted,
            restricted_at=to_timestamp(now) if request.restricted else None,
        )

    def get_data_existence_confirmation(
        self, request: GetDataExistenceConfirmationRequest, caller: Caller, reader: Reader
    ) -> GetDataExistenceConfirmationResponse:
        """Tell whether anything is known of somebody, and of what kind.

        Raises:
            InvalidArgumentError: neither a UUID nor an address.
            PermissionDeniedError: somebody else without PRIVACY_READ.
        """
        member = find(reader, caller, request.user_id, Permission.PRIVACY_READ)
        if member is None:
            return GetDataExistenceConfirmationResponse()
        return GetDataExistenceConfirmationResponse(
            exists=True,
            data_categories=person_data.categories(reader, caller.organization_key, member.key),
        )

    def list_privacy_requests(
        self, request: ListPrivacyRequestsRequest, caller: Caller, reader: Reader
    ) -> ListPrivacyRequestsResponse:
        """Return a page of the organization's requests, newest first.

        Raises:
            InvalidArgumentError: an unknown type or status, or a bad page.
        """
        found, token = self._page(request, caller, reader, None)
        return ListPrivacyRequestsResponse(requests=found, next_page_token=token)

    def list_my_privacy_requests(
        self, request: ListMyPrivacyRequestsRequest, caller: Caller, reader: Reader
    ) -> ListMyPrivacyRequestsResponse:
        """Return a page of the requests about the caller, newest first.

        Raises:
            InvalidArgumentError: as above.
        """
        found, token = self._page(request, caller, reader, caller.member().key)
        return ListMyPrivacyRequestsResponse(requests=found, next_page_token=token)

    def _page(
        self, request: ListRequest, caller: Caller, reader: Reader, member_key: int | None
    ) -> tuple[list[PrivacyRequest], str]:
        violations = Violations()
        check_choice(violations, "request_type", request.request_type, request_store.TYPES)
        check_enum(violations, "status", request.status)
        violations.raise_if_any()
        kind = f"{request.request_type}/{int(request.status)}"
        scope = f"privacy/{caller.organization_key}/{member_key}/{kind}"
        page = self._page_tokens.read_fields(
            request.page_size, request.page_token, scope, default=DEFAULT_PAGE_SIZE
        )
        rows = request_store.requests(
            reader,
            caller.organization_key,
            member_key=member_key,
            request_type=request.request_type,
            status=int(request.status),
            before=page.position[0] if page.position else LAST,
            limit=page.size + 1,
        )
        more = len(rows) > page.size
        token = self._page_tokens.write(scope, (rows[page.size - 1].key,)) if more else ""
        return [self._message(row, caller) for row in rows[: page.size]], token

    def _message(self, stored: StoredRequest, caller: Caller) -> PrivacyRequest:
        facts = read_facts(stored.facts)
        if self._exports.is_there(stored) and _may_fetch(stored, caller):
            name = file_name(caller.organization_id, stored.id)
            facts["result_url"] = self._links.write(name, LINK_LIFE)
        if stored.due_at is not None and stored.status == S.PENDING:
            facts["due_at"] = to_datetime(stored.due_at).isoformat()
        return PrivacyRequest(
            id=stored.id,
            user_id=stored.user_id,
            user_email=stored.email or "",
            request_type=stored.request_type,
            status=S(stored.status),
            anonymize=bool(stored.anonymize),
            requested_by_email=stored.asker_email or "",
            created_at=to_timestamp(stored.created_at),
            completed_at=to_timestamp(stored.completed_at) if stored.completed_at else None,
            metadata=facts,
        )

    def _new(
        self,
        caller: Caller,
        member: StoredMember,
        request_type: str,
        status: PrivacyRequestStatus,
        *,
        anonymize: bool = False,
        due_at: int | None = None,
        facts: str = "",
    ) -> NewRequest:
        now = self._clock.now()
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
            completed_at=now if status is S.COMPLETED else None,
        )

    def _record(
        self,
        transaction: Transaction,
        caller: Caller,
        event_type: AuditEventType,
        member: StoredMember,
        request_id: str,
        **facts: Fact,
    ) -> None:
        trail.record(
            transaction,
            caller,
            event_type,
            "user",
            member.id,
            now=self._clock.now(),
            privacy_request_id=request_id,
            **facts,
        )

    def _record_request(
        self,
        transaction: Transaction,
        caller: Caller,
        event_type: AuditEventType,
        request: StoredRequest,
    ) -> None:
        trail.record(
            transaction,
            caller,
            event_type,
            "user",
            request.user_id,
            now=self._clock.now(),
            privacy_request_id=request.id,
        )


def _may_fetch(stored: StoredRequest, caller: Caller) -> bool:
    """Tell whether a caller who sees a request may have its file.

    That of an organization holds more than what PRIVACY_READ shows.
    """
    whole = stored.request_type == request_store.ORGANIZATION_EXPORT
    return not whole or caller.has(Permission.PRIVACY_WRITE)


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


def _profile(corrections: Mapping[str, str]) -> UserProfile:
    """Return corrections as what is merged into a profile."""
    violations = Violations()
    if not corrections:
        violations.add("corrections", "must have at least one entry")
    fields: dict[str, str] = {}
    attributes: dict[str, str] = {}
    for name, value in corrections.items():
        path = f"corrections[{name[:100]}]"
        if name.startswith(_CUSTOM) and name.removeprefix(_CUSTOM).strip():
            attributes[name.removeprefix(_CUSTOM)] = value
        elif name not in (*PROFILE_FIELDS, "manager_id"):
            violations.add(path, "is no field of a profile, and not custom:NAME")
        elif not value.strip():
            violations.add(path, "must not be empty")
        else:
            fields[name] = value
    violations.raise_if_any()
    return UserProfile(**fields, custom_attributes=attributes)

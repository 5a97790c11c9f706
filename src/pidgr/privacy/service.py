"""PrivacyService: what people may ask about their own data, and administrators for them."""

from typing import Final

from pidgr.clock import Clock, to_datetime, to_timestamp
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.privacy_pb import (
    ExportUserDataRequest,
    ExportUserDataResponse,
    GetDataExistenceConfirmationRequest,
    GetDataExistenceConfirmationResponse,
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
from pidgr.directory import organization_store
from pidgr.directory.profile_change import change_profile
from pidgr.errors import FailedPreconditionError, Violations
from pidgr.identity.caller import Caller
from pidgr.pagination import PageTokens
from pidgr.privacy import person_data, request_store
from pidgr.privacy.corrections import profile_of
from pidgr.privacy.deletion_rpcs import DeletionRpcs
from pidgr.privacy.erasure import Erasure, restrict
from pidgr.privacy.exports import DataExports, file_name
from pidgr.privacy.facts import read_facts, write_facts
from pidgr.privacy.organization_rpcs import DEFAULT_PAGE_SIZE, LAST, OrganizationRpcs
from pidgr.privacy.people import concerned, find
from pidgr.privacy.request_store import StoredRequest
from pidgr.privacy.requesting import new_request, record
from pidgr.storage.blobs.links import LINK_LIFE, BlobLinks
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import check_choice, check_enum

S: Final = PrivacyRequestStatus

ListRequest = ListPrivacyRequestsRequest | ListMyPrivacyRequestsRequest


class PrivacyService(OrganizationRpcs, DeletionRpcs):
    """Takes requests and lists them; tasks do what takes long."""

    def __init__(
        self,
        exports: DataExports,
        erasure: Erasure,
        links: BlobLinks,
        clock: Clock,
        page_tokens: PageTokens,
    ) -> None:
        OrganizationRpcs.__init__(self, exports, clock, page_tokens)
        DeletionRpcs.__init__(self, erasure, clock)
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
        now = self._clock.now()
        new = new_request(caller, member, request_store.EXPORT, S.PENDING, now)
        self._exports.begin(transaction, new)
        event_type = AuditEventType.DATA_EXPORT_REQUESTED
        record(transaction, caller, event_type, member.id, new.id, now)
        return ExportUserDataResponse(status=S.PENDING, export_id=new.id)

    def rectify_user_data(
        self, request: RectifyUserDataRequest, caller: Caller, transaction: Transaction
    ) -> RectifyUserDataResponse:
        """Correct what is known of a person.

        Raises:
            InvalidArgumentError: no corrections, an unknown field or a value it cannot have.
            PermissionDeniedError, NotFoundError: as above.
        """
        member = concerned(transaction, caller, request.user_id, Permission.PRIVACY_WRITE)
        profile = profile_of(request.corrections)
        _, changed = change_profile(transaction, caller.organization_key, member.id, profile)
        if changed:
            now = self._clock.now()
            new = new_request(
                caller,
                member,
                request_store.RECTIFICATION,
                S.COMPLETED,
                now,
                facts=write_facts(fields=",".join(changed)),
            )
            request_store.insert(transaction, new)
            event_type = AuditEventType.DATA_RECTIFIED
            record(transaction, caller, event_type, member.id, new.id, now, fields=changed)
        return RectifyUserDataResponse(rectified_fields=changed)

    def restrict_processing(
        self, request: RestrictProcessingRequest, caller: Caller, transaction: Transaction
    ) -> RestrictProcessingResponse:
        """Leave a person out of campaigns and analytics, or let them in again.

        While a deletion waits they are left out anyway; asked for then, it stays if that is off.

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
        was_restricted = member.processing_restricted if waits is None else waits.was_restricted
        if bool(was_restricted) != request.restricted:
            restrict(transaction, organization_key, member.key, restricted=request.restricted)
            if waits is not None:
                request_store.leave_restricted(transaction, waits.key)
            new = new_request(
                caller,
                member,
                request_store.RESTRICTION,
                S.COMPLETED,
                now,
                facts=write_facts(restricted="true" if request.restricted else "false"),
            )
            request_store.insert(transaction, new)
            record(
                transaction,
                caller,
                AuditEventType.PROCESSING_RESTRICTED,
                member.id,
                new.id,
                now,
                restricted=request.restricted,
            )
        since = request_store.last_restriction_at(transaction, organization_key, member.key)
        return RestrictProcessingResponse(
            restricted=request.restricted,
            restricted_at=to_timestamp(since) if request.restricted and since else None,
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


def _may_fetch(stored: StoredRequest, caller: Caller) -> bool:
    """Tell whether a caller who sees a request may have its file.

    That of an organization holds more than what PRIVACY_READ shows.
    """
    whole = stored.request_type == request_store.ORGANIZATION_EXPORT
    return not whole or caller.has(Permission.PRIVACY_WRITE)

"""AuditService: reading and exporting the trail of an organization (SEMANTICS 9)."""

import json
from typing import Final

from pidgr.audit import export_store, trail
from pidgr.audit.export_store import ListedExport
from pidgr.audit.exporting import AuditExports, file_name
from pidgr.audit.formats import WRITERS
from pidgr.audit.reading import LAST_MOMENT, Entry, Question, TrailReader
from pidgr.audit.trail import Actor, ActorKind
from pidgr.clock import Clock, to_timestamp
from pidgr.contract.v1.audit_pb import (
    AppendRequest,
    AppendResponse,
    AuditEvent,
    AuditEventType,
    AuditExport,
    AuditExportFormat,
    ExportAuditTrailRequest,
    ExportAuditTrailResponse,
    ListAuditEventsRequest,
    ListAuditEventsResponse,
    ListAuditExportsRequest,
    ListAuditExportsResponse,
)
from pidgr.contract.v1.privacy_pb import PrivacyRequestStatus
from pidgr.directory import member_store
from pidgr.errors import NotFoundError, Violations, invalid_field
from pidgr.identity import api_key_store
from pidgr.identity.caller import Caller
from pidgr.pagination import PageTokens
from pidgr.storage.blobs.links import LINK_LIFE, BlobLinks
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import check_enum, check_text, require_moment, require_uuid

DEFAULT_PAGE_SIZE: Final = 50

_ACTOR_ID_LENGTH: Final = 200
_LARGEST_DETAILS: Final = 10_000


class AuditService:
    """Reads the trail, has it written into files, and adds to it for other services."""

    def __init__(
        self,
        trail_reader: TrailReader,
        exports: AuditExports,
        links: BlobLinks,
        clock: Clock,
        page_tokens: PageTokens,
    ) -> None:
        self._trail = trail_reader
        self._exports = exports
        self._links = links
        self._clock = clock
        self._page_tokens = page_tokens

    def list_audit_events(
        self, request: ListAuditEventsRequest, caller: Caller, reader: Reader
    ) -> ListAuditEventsResponse:
        """Return a page of events, newest first.

        Raises:
            InvalidArgumentError: an unknown type or class, a start after the end, a bad page.
        """
        violations = Violations()
        check_enum(violations, "event_type", request.event_type)
        for index, event_class in enumerate(request.event_classes):
            check_enum(violations, f"event_classes[{index}]", event_class, required=True)
        check_text(violations, "actor_id", request.actor_id, _ACTOR_ID_LENGTH)
        violations.raise_if_any()
        start, end = _times(request)
        question = Question(
            organization_key=caller.organization_key,
            event_type=request.event_type,
            classes=frozenset(request.event_classes),
            actor_id=request.actor_id,
            start=start,
            end=end,
        )
        scope = f"audit/{question}"
        page = self._page_tokens.read_fields(
            request.page_size, request.page_token, scope, default=DEFAULT_PAGE_SIZE
        )
        found = self._trail.page(reader, question, page.position, page.size + 1)
        more = len(found) > page.size
        token = self._page_tokens.write(scope, found[page.size - 1].position) if more else ""
        return ListAuditEventsResponse(
            events=[_message(entry, caller.organization_id) for entry in found[: page.size]],
            next_page_token=token,
        )

    def export_audit_trail(
        self, request: ExportAuditTrailRequest, caller: Caller, transaction: Transaction
    ) -> ExportAuditTrailResponse:
        """Have events written into a file; ListAuditExports tells when it is ready.

        Raises:
            InvalidArgumentError: no or an unknown format, a start after the end.
            FailedPreconditionError: the server cannot write the format.
            ResourceExhaustedError: five exports are not finished.
        """
        violations = Violations()
        check_enum(violations, "format", request.format, required=True)
        violations.raise_if_any()
        start, end = _times(request)
        export_id = self._exports.begin(transaction, caller, request.format, start, end)
        ending, _ = WRITERS[request.format]
        trail.record(
            transaction,
            caller,
            AuditEventType.DATA_EXPORT_REQUESTED,
            "audit_export",
            export_id,
            now=self._clock.now(),
            format=ending,
        )
        return ExportAuditTrailResponse(status=PrivacyRequestStatus.PENDING)

    def list_audit_exports(
        self, request: ListAuditExportsRequest, caller: Caller, reader: Reader
    ) -> ListAuditExportsResponse:
        """Return the exports that still exist, newest first, with fresh links."""
        del request
        found = export_store.exports(reader, caller.organization_key)
        return ListAuditExportsResponse(
            exports=[self._export(export, caller.organization_id) for export in found]
        )

    def append(
        self, request: AppendRequest, caller: Caller, transaction: Transaction
    ) -> AppendResponse:
        """Add an event for another service of this installation.

        Raises:
            InvalidArgumentError: an unknown type, another organization than the call's, large
                details.
            NotFoundError: the organization has no such member or API key.
        """
        event_type = AuditEventType.__members__.get(request.event_type)
        if not event_type:
            raise invalid_field("event_type", "must be the name of a type, without its prefix")
        if require_uuid("org_id", request.org_id) != caller.organization_id:
            raise invalid_field("org_id", "must be the organization of x-org-id")
        facts = _facts(request)
        subject_id = caller.organization_id
        if request.subject_user_id:
            subject_id = require_uuid("subject_user_id", request.subject_user_id)
            member_store.existing_member(transaction, caller.organization_key, subject_id)
        event_id = trail.record(
            transaction,
            _actor(transaction, caller, request.actor_id),
            event_type,
            "user" if request.subject_user_id else "organization",
            subject_id,
            now=self._clock.now(),
            **facts,
        )
        return AppendResponse(event_id=event_id)

    def _export(self, export: ListedExport, organization_id: str) -> AuditExport:
        ending, _ = WRITERS[AuditExportFormat(export.format)]
        status = PrivacyRequestStatus(export.status)
        url = ""
        if status is PrivacyRequestStatus.COMPLETED:
            url = self._links.write(file_name(organization_id, export.id, export.format), LINK_LIFE)
        return AuditExport(
            id=export.id,
            format=ending,
            status=status,
            result_url=url,
            error_message=export.error,
            requested_by_email=export.email or "",
            created_at=to_timestamp(export.created_at),
            completed_at=to_timestamp(export.finished_at) if export.finished_at else None,
        )


def _times(request: ListAuditEventsRequest | ExportAuditTrailRequest) -> tuple[int, int]:
    start, end = 0, LAST_MOMENT
    if request.start_time is not None:
        start = require_moment("start_time", request.start_time)
    if request.end_time is not None:
        end = require_moment("end_time", request.end_time)
    if start > end:
        raise invalid_field("start_time", "must not be after end_time")
    return start, end


def _message(entry: Entry, organization_id: str) -> AuditEvent:
    return AuditEvent(
        id=entry.id,
        org_id=organization_id,
        actor_id=entry.actor_id,
        event_type=entry.event_type,
        entity_type=entry.entity_type,
        entity_id=entry.entity_id,
        metadata=entry.metadata(),
        synthetic=entry.synthetic,
        created_at=to_timestamp(entry.created_at),
        event_class=entry.event_class,
    )


def _actor(reader: Reader, caller: Caller, actor_id: str) -> Actor:
    key, request_id = caller.organization_key, caller.request_id
    if not actor_id:
        return Actor(key, ActorKind.SYSTEM, request_id=request_id)
    actor_id = require_uuid("actor_id", actor_id)
    if member_store.member_key(reader, key, actor_id) is not None:
        return Actor(key, ActorKind.USER, actor_id, request_id)
    if api_key_store.api_key(reader, key, actor_id) is not None:
        return Actor(key, ActorKind.API_KEY, actor_id, request_id)
    raise NotFoundError(f"no member and no API key has the id {actor_id}")


def _facts(request: AppendRequest) -> dict[str, str]:
    if request.details is None:
        return {}
    facts = {
        name: value if isinstance(value, str) else json.dumps(_whole(value), ensure_ascii=False)
        for name, value in request.details.to_python().items()
    }
    if len(json.dumps(facts, ensure_ascii=False).encode()) > _LARGEST_DETAILS:
        raise invalid_field("details", f"must be at most {_LARGEST_DETAILS:,} bytes as JSON")
    if any("\0" in name or "\0" in value for name, value in facts.items()):
        raise invalid_field("details", "must not contain the NUL character")
    return facts


def _whole(value: object) -> object:
    """Write whole numbers as such: a Struct knows no others than floating ones."""
    return int(value) if isinstance(value, float) and value.is_integer() else value

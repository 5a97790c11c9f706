"""PrivacyService's RPCs about the whole organization: a copy of it, and its incidents."""

import uuid
from typing import Final

from pidgr.audit import incident_store, trail
from pidgr.audit.incident_store import StoredIncident
from pidgr.clock import Clock, to_timestamp
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.privacy_pb import (
    ExportOrgDataRequest,
    ExportOrgDataResponse,
    ListOrgSecurityIncidentsRequest,
    ListOrgSecurityIncidentsResponse,
    OrgSecurityIncident,
    PrivacyRequestStatus,
    SecurityIncidentClassification,
    SecurityIncidentSeverity,
)
from pidgr.identity.caller import Caller
from pidgr.pagination import PageTokens
from pidgr.privacy import request_store
from pidgr.privacy.exports import DataExports
from pidgr.privacy.request_store import NewRequest
from pidgr.storage.transaction import Reader, Transaction

DEFAULT_PAGE_SIZE: Final = 25
LAST: Final = 2**62


class OrganizationRpcs:
    """The two RPCs of PrivacyService that concern the organization and no person in it."""

    def __init__(self, exports: DataExports, clock: Clock, page_tokens: PageTokens) -> None:
        self._exports = exports
        self._clock = clock
        self._page_tokens = page_tokens

    def export_org_data(
        self, request: ExportOrgDataRequest, caller: Caller, transaction: Transaction
    ) -> ExportOrgDataResponse:
        """Have everything of the organization written into a file.

        Raises:
            ResourceExhaustedError: five copies are not finished.
        """
        del request
        now = self._clock.now()
        new = NewRequest(
            id=str(uuid.uuid4()),
            organization_key=caller.organization_key,
            member_key=request_store.NOBODY,
            user_id="",
            request_type=request_store.ORGANIZATION_EXPORT,
            status=int(PrivacyRequestStatus.PENDING),
            anonymize=False,
            was_restricted=False,
            asker_key=caller.person.key if caller.person else None,
            facts="",
            due_at=None,
            created_at=now,
            completed_at=None,
        )
        self._exports.begin(transaction, new)
        trail.record(
            transaction,
            caller,
            AuditEventType.DATA_EXPORT_REQUESTED,
            "organization",
            caller.organization_id,
            now=now,
            privacy_request_id=new.id,
        )
        return ExportOrgDataResponse(status=PrivacyRequestStatus.PENDING, export_id=new.id)

    def list_org_security_incidents(
        self, request: ListOrgSecurityIncidentsRequest, caller: Caller, reader: Reader
    ) -> ListOrgSecurityIncidentsResponse:
        """Return a page of incidents, newest first.

        Raises:
            InvalidArgumentError: a bad page.
        """
        scope = f"incidents/{caller.organization_key}"
        page = self._page_tokens.read_fields(
            request.page_size, request.page_token, scope, default=DEFAULT_PAGE_SIZE
        )
        before = page.position[0] if page.position else LAST
        rows = incident_store.incidents(reader, caller.organization_key, before, page.size + 1)
        more = len(rows) > page.size
        token = self._page_tokens.write(scope, (rows[page.size - 1].key,)) if more else ""
        return ListOrgSecurityIncidentsResponse(
            incidents=[_message(row) for row in rows[: page.size]], next_page_token=token
        )


def _message(stored: StoredIncident) -> OrgSecurityIncident:
    """Return an incident. What it was, people have to find out; that it is over is known."""
    return OrgSecurityIncident(
        id=stored.id,
        detected_at=to_timestamp(stored.detected_at),
        severity=SecurityIncidentSeverity.WARN,
        classification=SecurityIncidentClassification.PENDING,
        resolved_at=to_timestamp(stored.detected_at),
    )

"""CampaignService: create, start, watch and cancel campaigns."""

import uuid
from typing import Final

from pidgr.audit import trail
from pidgr.audit.trail import Event, Fact
from pidgr.campaigns import (
    audience,
    audience_store,
    creation,
    delivery_store,
    editing,
    run_store,
    store,
    webhook_rules,
)
from pidgr.campaigns.advance import definition_of, step_task, wake_key
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.campaigns.delivery_store import DeliveryRow
from pidgr.campaigns.departures import Departures
from pidgr.campaigns.link_rpcs import LinkRpcs
from pidgr.campaigns.messages import audience_entry, campaign_message, delivery_message
from pidgr.campaigns.store import CampaignRow, Counters
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.campaign_pb import (
    Campaign,
    CancelCampaignRequest,
    CancelCampaignResponse,
    CreateCampaignRequest,
    CreateCampaignResponse,
    Delivery,
    GetCampaignArchetypeBreakdownRequest,
    GetCampaignArchetypeBreakdownResponse,
    GetCampaignAudienceRequest,
    GetCampaignAudienceResponse,
    GetCampaignRequest,
    GetCampaignResponse,
    ListCampaignsRequest,
    ListCampaignsResponse,
    ListDeliveriesRequest,
    ListDeliveriesResponse,
    StartCampaignRequest,
    StartCampaignResponse,
    UpdateCampaignRequest,
    UpdateCampaignResponse,
)
from pidgr.contract.v1.common_pb import CampaignStatus, DeliveryStatus
from pidgr.directory import organization_store
from pidgr.engine.port import Engine
from pidgr.errors import FailedPreconditionError, NotFoundError, Violations
from pidgr.identity.caller import Caller
from pidgr.outreach.address_guard import AddressGuard
from pidgr.pagination import PageTokens
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import check_enum, require_uuid

_NEWEST: Final = 2**62


class CampaignService(LinkRpcs):
    """The administrator's side of campaigns."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        page_tokens: PageTokens,
        delivery_ids: DeliveryIds,
        address_guard: AddressGuard,
        departures: Departures,
    ) -> None:
        super().__init__(clock)
        self._departures = departures
        self._engine = engine
        self._page_tokens = page_tokens
        self._delivery_ids = delivery_ids
        self._address_guard = address_guard

    async def prepare_create_campaign(self, request: CreateCampaignRequest, caller: Caller) -> None:
        """Check where the workflow's webhooks lead, which takes name servers.

        Raises:
            InvalidArgumentError: as CreateCampaign does, or a URL that this server does not call.
        """
        del caller
        await webhook_rules.vet(
            request.workflow, "workflow", self._address_guard, lambda: creation.validate(request)
        )

    async def prepare_update_campaign(self, request: UpdateCampaignRequest, caller: Caller) -> None:
        """Do the same for a workflow that replaces another.

        Raises:
            InvalidArgumentError: as UpdateCampaign does, or a URL that this server does not call.
        """
        del caller
        await webhook_rules.vet(
            request.workflow, "workflow", self._address_guard, lambda: editing.validate(request)
        )

    def create_campaign(
        self, request: CreateCampaignRequest, caller: Caller, transaction: Transaction
    ) -> CreateCampaignResponse:
        """Create a campaign with its audience frozen now.

        Raises:
            InvalidArgumentError: a bad field, an unknown sender or recipient.
            NotFoundError: an unknown template or version.
        """
        creation.validate(request)
        definition = request.workflow
        assert definition is not None  # noqa: S101 - validated
        organization_key = caller.organization_key
        template = creation.pin_template(
            transaction, organization_key, request.template_id, request.template_version
        )
        creation.require_sender(transaction, organization_key, request.sender_name)
        creation.require_step_templates(
            transaction, organization_key, definition, request.template_id
        )
        creation.require_links(transaction, organization_key, request)
        members = creation.members_of(request)
        audience.require_known(transaction, organization_key, members)
        campaign_id = str(uuid.uuid4())
        key = store.insert_campaign(
            transaction,
            {
                "id": campaign_id,
                "organization_key": organization_key,
                "name": request.name,
                "title": request.title,
                "sender_name": request.sender_name,
                "template_key": template.key,
                "template_version": template.version,
                "workflow": definition.to_json(),
                "status": CampaignStatus.CREATED,
                "include_restricted": request.include_restricted,
                "critical": request.critical,
                "default_locale": request.default_locale,
                "wait_for_enrollment": request.wait_for_enrollment,
                "now": self._clock.now(),
            },
        )
        audience_store.freeze_audience(
            transaction,
            key,
            organization_key,
            members,
            include_restricted=request.include_restricted,
        )
        campaign = self._read(transaction, caller, campaign_id)
        self._record(
            transaction,
            caller,
            AuditEventType.CAMPAIGN_CREATED,
            campaign_id,
            name=request.name,
            audience=campaign.audience_snapshot_size,
        )
        return CreateCampaignResponse(campaign=campaign)

    def update_campaign(
        self, request: UpdateCampaignRequest, caller: Caller, transaction: Transaction
    ) -> UpdateCampaignResponse:
        """Change a campaign that has not started; empty fields stay as they are.

        Raises:
            InvalidArgumentError: a bad field, an unknown sender or recipient.
            NotFoundError: no such campaign, template or version.
            FailedPreconditionError: it has been started or cancelled.
        """
        editing.validate(request)
        row = self._lock(transaction, caller, request.campaign_id)
        _require_status(row, "changed", CampaignStatus.CREATED)
        fields = editing.apply(transaction, row, request)
        if fields:
            self._record(
                transaction, caller, AuditEventType.CAMPAIGN_UPDATED, row.id, fields=fields
            )
        return UpdateCampaignResponse(campaign=self._read(transaction, caller, row.id))

    def get_campaign_audience(
        self, request: GetCampaignAudienceRequest, caller: Caller, reader: Reader
    ) -> GetCampaignAudienceResponse:
        """Return the frozen recipients, each with what is known of them today.

        Raises:
            NotFoundError: no such campaign.
        """
        campaign_id = require_uuid("campaign_id", request.campaign_id)
        row = _found(store.campaign_by_id(reader, caller.organization_key, campaign_id))
        entries = audience_store.audience_entries(reader, row.key)
        return GetCampaignAudienceResponse(entries=[audience_entry(entry) for entry in entries])

    def get_campaign_archetype_breakdown(
        self, request: GetCampaignArchetypeBreakdownRequest, caller: Caller, reader: Reader
    ) -> GetCampaignArchetypeBreakdownResponse:
        """Say that there is no history: this server builds no archetypes, so there is none.

        Raises:
            NotFoundError: no such campaign.
            FailedPreconditionError: always otherwise, because no campaign can have an archetype.
        """
        campaign_id = require_uuid("campaign_id", request.campaign_id)
        _found(store.campaign_by_id(reader, caller.organization_key, campaign_id))
        raise FailedPreconditionError("the campaign does not originate from an archetype")

    def start_campaign(
        self, request: StartCampaignRequest, caller: Caller, transaction: Transaction
    ) -> StartCampaignResponse:
        """Start a campaign; the first step begins when this transaction commits.

        Raises:
            NotFoundError: no such campaign.
            FailedPreconditionError: it has been started or cancelled before.
        """
        row = self._lock(transaction, caller, request.campaign_id)
        _require_status(row, "started", CampaignStatus.CREATED)
        store.start_campaign(
            transaction, row.key, running=CampaignStatus.RUNNING, now=self._clock.now()
        )
        first = definition_of(row).steps[0]
        store.set_progress(transaction, row.key, first.id, now=self._clock.now(), next_wake_at=None)
        self._engine.enqueue(transaction, step_task(row.key, first.id))
        self._record(
            transaction,
            caller,
            AuditEventType.CAMPAIGN_STARTED,
            row.id,
            audience=row.audience_size,
        )
        return StartCampaignResponse(campaign=self._read(transaction, caller, row.id))

    def cancel_campaign(
        self, request: CancelCampaignRequest, caller: Caller, transaction: Transaction
    ) -> CancelCampaignResponse:
        """Cancel a campaign: no step begins and no batch is written after this commits.

        Raises:
            NotFoundError: no such campaign.
            FailedPreconditionError: it is over already.
        """
        row = self._lock(transaction, caller, request.campaign_id)
        _require_status(row, "cancelled", CampaignStatus.CREATED, CampaignStatus.RUNNING)
        run_store.stop_lanes(transaction, row.key)
        self._engine.cancel(transaction, [wake_key(row.key, row.current_step_id)])
        store.finish_campaign(
            transaction, row.key, status=CampaignStatus.CANCELLED, now=self._clock.now()
        )
        campaign = self._read(transaction, caller, row.id)
        self._record(
            transaction,
            caller,
            AuditEventType.CAMPAIGN_CANCELLED,
            row.id,
            deliveries=campaign.total_recipients,
        )
        return CancelCampaignResponse(campaign=campaign)

    async def conclude_cancel_campaign(self, response: CancelCampaignResponse) -> None:
        """Let no push of the campaign start any more once the caller knows."""
        assert response.campaign is not None  # noqa: S101 - see above
        await self._departures.stop(response.campaign.id)

    def get_campaign(
        self, request: GetCampaignRequest, caller: Caller, reader: Reader
    ) -> GetCampaignResponse:
        """Return a campaign with current counters.

        Raises:
            NotFoundError: no such campaign.
        """
        campaign_id = require_uuid("campaign_id", request.campaign_id)
        return GetCampaignResponse(campaign=self._read(reader, caller, campaign_id))

    def list_campaigns(
        self, request: ListCampaignsRequest, caller: Caller, reader: Reader
    ) -> ListCampaignsResponse:
        """Return the organization's campaigns, newest first."""
        organization_key = caller.organization_key
        scope = f"campaigns:{organization_key}"
        page = self._page_tokens.read(request.pagination, scope)
        before = page.position[0] if page.position else _NEWEST
        rows = store.campaigns_page(reader, organization_key, before, page.size + 1)
        total = store.count_campaigns(reader, organization_key)
        shown = rows[: page.size]
        counters = _counters(reader, shown)
        eligible = _eligible(reader, shown)
        return ListCampaignsResponse(
            campaigns=[
                campaign_message(row, counters.get(row.key, Counters()), eligible) for row in shown
            ],
            pagination_meta=self._page_tokens.meta(
                scope, page, [(row.key,) for row in rows], total
            ),
        )

    def list_deliveries(
        self, request: ListDeliveriesRequest, caller: Caller, reader: Reader
    ) -> ListDeliveriesResponse:
        """Return a campaign's deliveries in the order they were made, all kinds.

        Raises:
            NotFoundError: no such campaign.
        """
        campaign_id = require_uuid("campaign_id", request.campaign_id)
        violations = Violations()
        check_enum(violations, "status_filter", request.status_filter)
        violations.raise_if_any()
        organization_key = caller.organization_key
        row = _found(store.campaign_by_id(reader, organization_key, campaign_id))
        scope = f"deliveries:{organization_key}:{row.key}:{int(request.status_filter)}"
        page = self._page_tokens.read(request.pagination, scope)
        after_run, after_ordinal = page.position or (0, -1)
        parameters: dict[str, object] = {
            "organization_key": organization_key,
            "campaign_key": row.key,
            "after_run": after_run,
            "after_ordinal": after_ordinal,
            "limit": page.size + 1,
        }
        rows = delivery_store.deliveries_page(reader, request.status_filter, parameters)
        return ListDeliveriesResponse(
            deliveries=[self._delivery(row, found) for found in rows[: page.size]],
            pagination_meta=self._page_tokens.meta(
                scope,
                page,
                [(found.step_run_key, found.ordinal) for found in rows],
                _count(reader, row, request.status_filter),
            ),
        )

    def _delivery(self, campaign: CampaignRow, row: DeliveryRow) -> Delivery:
        return delivery_message(campaign, row, self._delivery_ids)

    def _lock(self, transaction: Transaction, caller: Caller, campaign_id: str) -> CampaignRow:
        campaign_id = require_uuid("campaign_id", campaign_id)
        return _found(store.lock_campaign(transaction, caller.organization_key, campaign_id))

    def _record(
        self,
        transaction: Transaction,
        caller: Caller,
        event_type: AuditEventType,
        campaign_id: str,
        **facts: Fact,
    ) -> None:
        event = Event(event_type, "campaign", campaign_id, facts)
        trail.record_event(transaction, caller, event, now=self._clock.now())

    @staticmethod
    def _read(reader: Reader, caller: Caller, campaign_id: str) -> Campaign:
        row = _found(store.campaign_by_id(reader, caller.organization_key, campaign_id))
        counters = _counters(reader, [row]).get(row.key, Counters())
        return campaign_message(row, counters, _eligible(reader, [row]))


def _found(row: CampaignRow | None) -> CampaignRow:
    if row is None:
        raise NotFoundError("there is no such campaign")
    return row


def _counters(reader: Reader, rows: list[CampaignRow]) -> dict[int, Counters]:
    """Return the campaigns' counters; made-up data counts only where the organization wants it."""
    made_up = [row for row in rows if row.synthetic]
    if made_up and not organization_store.counts_synthetic(reader, made_up[0].organization_key):
        rows = [row for row in rows if not row.synthetic]
    return store.counters(reader, [row.key for row in rows])


def _eligible(reader: Reader, rows: list[CampaignRow]) -> int:
    """Return today's eligible members, if any of the campaigns went to everyone."""
    for row in rows:
        if row.audience_is_everyone:
            return audience_store.count_eligible_members(reader, row.organization_key)
    return 0


def _require_status(row: CampaignRow, action: str, *allowed: CampaignStatus) -> None:
    if row.status not in allowed:
        status = CampaignStatus(row.status).name.lower()
        names = " or ".join(wanted.name.lower() for wanted in allowed)
        raise FailedPreconditionError(
            f"the campaign is {status}; only a {names} one can be {action}"
        )


def _count(reader: Reader, row: CampaignRow, status: DeliveryStatus) -> int:
    """Return how many deliveries are in a status, from the counters."""
    counters = store.counters_of_all_kinds(reader, row.key)
    if status == DeliveryStatus.UNSPECIFIED:
        return counters.total
    if status in {DeliveryStatus.PENDING, DeliveryStatus.SENT}:
        pending = delivery_store.count_not_pushed(reader, row.key)
        return pending if status == DeliveryStatus.PENDING else counters.waiting - pending
    counted: int = getattr(counters, status.name.lower())
    return counted

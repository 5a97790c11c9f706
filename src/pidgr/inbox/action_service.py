"""ActionService: a recipient confirms."""

from typing import Final

from pidgr.campaigns import child_store
from pidgr.campaigns.delivery_id import DeliveryIds, unknown_delivery
from pidgr.campaigns.early_wake import wake_if_settled
from pidgr.campaigns.store import Counters, Move, count_moves
from pidgr.clock import Clock
from pidgr.contract.v1.action_pb import SubmitActionRequest, SubmitActionResponse
from pidgr.contract.v1.common_pb import ActionType, CampaignStatus, DeliveryStatus
from pidgr.engine.port import Engine
from pidgr.errors import (
    FailedPreconditionError,
    PermissionDeniedError,
    Violations,
    invalid_field,
)
from pidgr.identity.caller import Caller
from pidgr.inbox import store
from pidgr.inbox.messages import ACKNOWLEDGE_ACTION
from pidgr.inbox.store import DeliveryState
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction
from pidgr.validation import check_text

_ACTION_ID_LENGTH: Final = 100
_PAYLOAD_BYTES: Final = 10_000

# Which counter a delivery leaves when it is acknowledged.
_COUNTER_OF: Final = {
    DeliveryStatus.PENDING: Counters(waiting=-1, acknowledged=1),
    DeliveryStatus.DELIVERED: Counters(delivered=-1, acknowledged=1),
    DeliveryStatus.NO_DEVICE: Counters(no_device=-1, acknowledged=1),
    # Its pushes failed, and the person found it in the inbox all the same.
    DeliveryStatus.FAILED: Counters(failed=-1, acknowledged=1),
    DeliveryStatus.MISSED: Counters(missed=-1, acknowledged=1),
}


class ActionService:
    """Takes acknowledgements."""

    def __init__(
        self, database: Database, engine: Engine, clock: Clock, delivery_ids: DeliveryIds
    ) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock
        self._delivery_ids = delivery_ids

    def submit_action(
        self, request: SubmitActionRequest, caller: Caller, transaction: Transaction
    ) -> SubmitActionResponse:
        """Acknowledge a delivery of the caller's.

        Raises:
            InvalidArgumentError: not a delivery id, an action the message does not have, a payload.
            NotFoundError: no such delivery in the organization.
            PermissionDeniedError: somebody else's delivery.
            FailedPreconditionError: settled before, without a button, or of a stopped campaign.
        """
        _validate(request)
        state = self._acknowledge(transaction, request, caller)
        if state.campaign_status == CampaignStatus.RUNNING:
            transaction.after_commit.append(
                lambda: wake_if_settled(self._database, self._engine, state.campaign_key)
            )
        return SubmitActionResponse(success=True)

    def _acknowledge(
        self, transaction: Transaction, request: SubmitActionRequest, caller: Caller
    ) -> DeliveryState:
        key = self._delivery_ids.decode("delivery_id", request.delivery_id)
        state = store.lock_delivery(transaction, caller.organization_key, key)
        if state is None:
            raise unknown_delivery()
        _check(state, caller.member().key)
        if request.action_id != ACKNOWLEDGE_ACTION:
            raise invalid_field("action_id", "the message has no such action")
        now = self._clock.now()
        moved = [(state.kind == store.PRIMARY, key.ordinal, state.status)]
        if store.acknowledge(transaction, key, now):
            # What others were told while this delivery waited.
            copies = child_store.dismiss_copies(transaction, key.step_run_key, key.ordinal, now)
            moved += [(False, ordinal, status) for ordinal, status in copies]
        count_moves(
            transaction,
            [
                Move(state.campaign_key, is_primary, ordinal, _COUNTER_OF[DeliveryStatus(status)])
                for is_primary, ordinal, status in moved
            ],
        )
        return state


def _validate(request: SubmitActionRequest) -> None:
    violations = Violations()
    check_text(violations, "action_id", request.action_id, _ACTION_ID_LENGTH, required=True)
    if len(request.payload) > _PAYLOAD_BYTES:
        violations.add("payload", f"must be at most {_PAYLOAD_BYTES:,} bytes")
    elif request.payload:
        violations.add("payload", "must be empty for an acknowledgement")
    violations.raise_if_any()


def _check(state: DeliveryState, member_key: int) -> None:
    """Refuse an action that this delivery or its campaign does not allow."""
    if state.member_key != member_key:
        raise PermissionDeniedError("only the recipient can act on a delivery")
    if state.campaign_status in store.STOPPED:
        name = CampaignStatus(state.campaign_status).name.lower()
        raise FailedPreconditionError(f"the campaign is {name}; there is nothing to confirm")
    if not state.has_content:
        raise FailedPreconditionError("the message could not be made; there is nothing to confirm")
    if state.action_type != ActionType.ACK:
        raise FailedPreconditionError("this message does not ask for a confirmation")
    if state.status == DeliveryStatus.ACKNOWLEDGED:
        raise FailedPreconditionError("this delivery is acknowledged already")
    if state.status == DeliveryStatus.MISSED:
        raise FailedPreconditionError("the deadline has passed; this delivery is marked missed")

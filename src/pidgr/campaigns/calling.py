"""CALL_WEBHOOK: three attempts at most, each a durable task, then on by how it went.

Nothing is held while a receiver takes its time: no transaction, and no memory but a page of
deliveries. A crash between the answer and its record repeats the attempt under the same
Idempotency-Key.
"""

import secrets
import uuid
from dataclasses import dataclass
from typing import Final

import structlog

from pidgr.campaigns import run_store, store, webhook_body, webhook_store, workflow
from pidgr.campaigns.advance import CALL, Advance, call_task, definition_of
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.campaigns.run_store import StepRun
from pidgr.campaigns.store import CampaignRow
from pidgr.campaigns.webhook_rules import webhook_config
from pidgr.campaigns.webhook_secrets import WebhookSecrets
from pidgr.clock import MINUTE, SECOND, Clock
from pidgr.contract.v1.common_pb import CampaignStatus, StepType
from pidgr.engine.port import Engine, Task
from pidgr.outreach import webhook
from pidgr.outreach.address_guard import AddressGuard, AddressRefusedError, Target
from pidgr.outreach.vetted_http import VettedHttp
from pidgr.outreach.webhook import Answer, SignedBody
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction

# Between attempts; the contract promises these, and up to a fifth more spreads the repeats.
_PAUSES: Final = (30 * SECOND, 5 * MINUTE)
_JITTER: Final = 5
_ATTEMPTS: Final = len(_PAUSES) + 1

log = structlog.get_logger("pidgr.campaigns")


@dataclass(frozen=True, slots=True)
class _Call:
    """One attempt that is to be made."""

    campaign: CampaignRow
    run: StepRun
    run_keys: list[int]
    """Whose deliveries the receiver is told of."""
    attempt: int


class WebhookCaller:
    """Handles the engine's webhook tasks."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        clock: Clock,
        guard: AddressGuard,
        webhook_secrets: WebhookSecrets,
        delivery_ids: DeliveryIds,
    ) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock
        self._guard = guard
        self._secrets = webhook_secrets
        self._delivery_ids = delivery_ids
        self._http = VettedHttp()
        self._advance = Advance(engine, clock)

    def register(self) -> None:
        """Give the engine its handler."""
        self._engine.register(CALL, self.run, self._fail)

    def run(self, campaign_key: int, step_id: str, attempt: int) -> None:
        """Make an attempt, unless it has been made or the campaign no longer runs."""
        call = self._database.read_now(
            lambda reader: self._find(reader, campaign_key, step_id, attempt)
        )
        if call is None:
            return
        url = webhook_config(workflow.find_step(definition_of(call.campaign), step_id)).url
        try:
            target = self._guard.vet(url)
        except AddressRefusedError as error:
            answer: Answer | None = Answer(error=f"the URL {error}")
        else:
            answer = self._post(call, target)
        if answer is not None:
            ended = answer
            self._database.write_now(lambda transaction: self._end(transaction, call, ended))

    @staticmethod
    def _find(reader: Reader, campaign_key: int, step_id: str, attempt: int) -> _Call | None:
        campaign = store.campaign_by_key(reader, campaign_key)
        run = run_store.run_of_step(reader, campaign_key, step_id)
        if campaign is None or run is None or campaign.status != CampaignStatus.RUNNING:
            return None
        if webhook_store.ended_attempts(reader, run.key) != attempt - 1:
            return None
        run_keys = run_store.primary_runs(reader, campaign_key, StepType.SEND_NOTIFICATION)
        return _Call(campaign, run, run_keys, attempt)

    def _post(self, call: _Call, target: Target) -> Answer | None:
        """Post the document; None when the campaign was cancelled while it was being written."""
        campaign = call.campaign
        step = workflow.find_step(definition_of(campaign), call.run.step_id)
        secret = self._secrets.secret(campaign.organization_key)
        with SignedBody(secret, self._clock.now() // SECOND) as body:
            told = webhook_body.deliveries(self._database, call.run_keys, self._engine.checkpoint)
            webhook_body.write(campaign, told, self._delivery_ids, body.write)
            # As late as can be: what a cancel finds begun is on its way already.
            if not self._database.write_now(lambda transaction: self._begin(transaction, call)):
                return None
            return webhook.post(
                self._http,
                target,
                body,
                idempotency_key=idempotency_key(campaign.id, step.id),
                headers=webhook_config(step).headers,
            )

    def _begin(self, transaction: Transaction, call: _Call) -> bool:
        campaign = store.lock_campaign_by_key(transaction, call.campaign.key)
        if campaign is None or campaign.status != CampaignStatus.RUNNING:
            return False
        return webhook_store.begin_attempt(
            transaction, call.run.key, call.attempt, self._clock.now()
        )

    def _end(
        self, transaction: Transaction, call: _Call, answer: Answer, *, final: bool = False
    ) -> None:
        """Record an attempt once, and end the step or plan the next attempt unless it is final."""
        campaign = store.lock_campaign_by_key(transaction, call.campaign.key)
        if campaign is None or not webhook_store.end_attempt(
            transaction,
            call.run.key,
            call.attempt,
            status_code=answer.status,
            error=answer.error,
            now=self._clock.now(),
        ):
            return
        if answer.accepted:
            self._advance.finish(transaction, campaign, call.run, workflow.COMPLETED)
        elif final or call.attempt == _ATTEMPTS:
            log.warning(
                "webhook failed",
                campaign_id=campaign.id,
                step_id=call.run.step_id,
                error=answer.error,
            )
            self._advance.finish(transaction, campaign, call.run, workflow.FAILED)
        elif campaign.status == CampaignStatus.RUNNING:
            delay = pause(call.attempt, answer)
            step_id = call.run.step_id
            next_call = call_task(campaign.key, step_id, call.attempt + 1, delay)
            self._engine.enqueue(transaction, next_call)
            store.set_progress(
                transaction,
                campaign.key,
                step_id,
                now=campaign.step_entered_at or self._clock.now(),
                next_wake_at=self._clock.now() + delay,
            )

    def _fail(self, task: Task, error: Exception) -> None:
        """End the step of an attempt that cannot be made; a webhook never stops a workflow."""
        campaign_key, step_id, attempt = task.arguments
        log.error("webhook could not be called", task=task.key, error=repr(error))
        last = Answer(error="something went wrong on our side")

        def work(transaction: Transaction) -> None:
            call = self._find(transaction, int(campaign_key), str(step_id), int(attempt))
            if call is not None:
                self._end(transaction, call, last, final=True)

        self._database.write_now(work)


def idempotency_key(campaign_id: str, step_id: str) -> str:
    """Return the same UUID for every attempt at a campaign's step, whatever its id is made of."""
    return str(uuid.uuid5(uuid.UUID(campaign_id), step_id))


def pause(attempt: int, answer: Answer) -> int:
    """Return the microseconds until the next attempt: the plan's with jitter, or as asked."""
    planned = _PAUSES[attempt - 1]
    return max(planned + secrets.randbelow(planned // _JITTER), answer.retry_after)

"""Cancelling a campaign and stopping a server in the middle of a fan-out."""

import random
import threading
import time
from collections.abc import Callable

import pytest
from support.waiting import until

from faults.api import Api
from faults.audit import check_campaign, check_counters, open_tasks
from faults.deployment import (
    PERSONAL,
    SEND_WAIT_MISSED,
    SHARED,
    Deployment,
    Tenant,
    value,
)
from faults.gateway import Batch, Reply

_DELIVERIES = """
    select count(*) from delivery d join step_run r on r.key = d.step_run_key
    where r.campaign_key = :key
"""
# Each of a process's lane slots may have a batch under way.
_SLOTS = 8


def at_leisure(batch: Batch) -> Reply:
    del batch
    time.sleep(0.1)
    return Reply()


def deliveries(deployment: Deployment, campaign_id: str) -> int:
    key = deployment.campaign_key(campaign_id)
    count: int = value(deployment.database, _DELIVERIES, key=key)
    return count


def cancel_when(
    deployment: Deployment,
    tenant: Tenant,
    ripe: Callable[[Api, str], object],
    *,
    personal: bool = False,
    patience: float = 0.1,
) -> str:
    """Start a campaign, cancel it when ``ripe``, check that it has stopped; return its id.

    The gateway answers its first batch at once and every other when the campaign is cancelled,
    or after ``patience`` seconds.
    """
    cancellation = threading.Event()

    def behave(_batch: Batch) -> Reply:
        if deployment.gateway.accepted:
            cancellation.wait(patience)
        return Reply()

    deployment.gateway.behave = behave
    process, url = deployment.serve()
    with Api(url, tenant.api_key) as api:
        campaign_id = deployment.create_campaign(
            api, tenant, workflow=SEND_WAIT_MISSED, template=PERSONAL if personal else SHARED
        )
        api("CampaignService/StartCampaign", campaign_id=campaign_id)
        until(lambda: ripe(api, campaign_id))

        cancelled = api("CampaignService/CancelCampaign", campaign_id=campaign_id)["campaign"]

        cancellation.set()
        written = deliveries(deployment, campaign_id)
        received = len(deployment.gateway.received)
        assert cancelled["status"] == "CAMPAIGN_STATUS_CANCELLED"
        until(lambda: not open_tasks(deployment))
        assert deliveries(deployment, campaign_id) == written
        assert len(deployment.gateway.received) - received <= _SLOTS
        check_counters(deployment, api, campaign_id)
    process.kill()
    received = len(deployment.gateway.received)
    _, url = deployment.serve()
    with Api(url, tenant.api_key) as api:
        # A campaign of another's goes through, so this one has had its chance.
        other = deployment.create_campaign(api, tenant, template=SHARED)
        deployment.gateway.behave = lambda _batch: Reply()
        api("CampaignService/StartCampaign", campaign_id=other)
        until(lambda: api.campaign(other)["status"] == "CAMPAIGN_STATUS_COMPLETED", 60)
        assert api.campaign(campaign_id)["status"] == "CAMPAIGN_STATUS_CANCELLED"
        assert deliveries(deployment, campaign_id) == written
        late = deployment.gateway.received[received:]
        assert {push["campaign_id"] for batch in late for push in batch.pushes} == {other}
        check_counters(deployment, api, campaign_id)
    return campaign_id


@pytest.mark.faults
@pytest.mark.parametrize("personal", [False, True], ids=["shared", "personal"])
def test_a_campaign_cancelled_while_rows_are_written_stops(
    deployment: Deployment, personal: bool
) -> None:
    tenant = deployment.found(40_000)
    campaign_id = cancel_when(
        deployment,
        tenant,
        lambda _api, campaign_id: deliveries(deployment, campaign_id),
        personal=personal,
    )
    assert deliveries(deployment, campaign_id) < 40_000


def test_a_campaign_cancelled_while_pushes_are_sent_stops(deployment: Deployment) -> None:
    tenant = deployment.found(deployment.several_batches)
    campaign_id = cancel_when(
        deployment, tenant, lambda *_: deployment.gateway.accepted, patience=30
    )
    pushes = [push for batch in deployment.gateway.received for push in batch.pushes]
    devices = sum(len(person.devices) for person in tenant.people)
    assert 0 < sum(push["campaign_id"] == campaign_id for push in pushes) < devices


@pytest.mark.faults
def test_a_campaign_cancelled_while_it_waits_leaves_no_timer(deployment: Deployment) -> None:
    def waits(api: Api, campaign_id: str) -> bool:
        progress = api.campaign(campaign_id).get("workflowProgress", {})
        return bool(progress.get("currentStepId") == "wait")

    cancel_when(deployment, deployment.found(50), waits)


def stop_and_resume(deployment: Deployment, people: int, stops: int) -> None:
    dice = random.Random(8)
    tenant = deployment.found(people)
    progress = threading.Event()

    def behave(batch: Batch) -> Reply:
        progress.set()
        return at_leisure(batch)

    deployment.gateway.behave = behave
    process, url = deployment.serve()
    with Api(url, tenant.api_key) as api:
        campaign_id = deployment.create_campaign(api, tenant)
        api("CampaignService/StartCampaign", campaign_id=campaign_id)
    for _ in range(stops):
        progress.clear()
        assert progress.wait(30)
        time.sleep(dice.uniform(0, 0.3))
        seconds = process.terminate()
        assert process.status == 0
        assert seconds < 5
        process, url = deployment.serve()
    with Api(url, tenant.api_key) as api:
        repeated = check_campaign(deployment, api, campaign_id, tenant, interruptions=0)
    assert repeated == 0


def test_a_stopped_server_resumes_without_repeating_a_push(deployment: Deployment) -> None:
    stop_and_resume(deployment, deployment.several_batches, 1)


@pytest.mark.faults
def test_a_server_stopped_again_and_again_never_repeats_a_push(deployment: Deployment) -> None:
    stop_and_resume(deployment, 30_000, 4)

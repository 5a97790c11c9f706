"""No push starts after CancelCampaign has returned, at whatever moment it comes."""

import random
import time
from collections.abc import Iterator

import pytest
from support.arrivals import Arrivals, arrivals
from support.browser import Browser
from support.waiting import until

from faults.api import Api
from faults.audit import check_counters, open_tasks
from faults.deployment import NO_DEVICE_EVERY, SEND_WAIT_MISSED, Deployment, Tenant
from faults.processes import Process
from pidgr.outreach.web_push import Subscription
from pidgr.storage.sql import Statement

_PEOPLE = 400
_REACHABLE = _PEOPLE - _PEOPLE // NO_DEVICE_EVERY
# More than a push to a browser has, less than two.
_REQUEST_BYTES = 1_200
_WAITED = "not everybody has said that they push no more"
# One process serves SQLite.
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
# Everybody reads in a browser instead of on a device.
_BROWSERS = Statement("""
    insert into web_push_subscription
      (id, organization_key, member_key, push_token, last_seen_at, created_at)
    select id, organization_key, member_key, :token, last_seen_at, created_at from device
""")
_NO_DEVICES = Statement("update device set active = false")


@pytest.fixture
def service() -> Iterator[Arrivals]:
    with arrivals() as running:
        yield running


def cancel_midway(
    deployment: Deployment,
    tenant: Tenant,
    api: Api,
    service: Arrivals,
    seconds: float,
    *,
    batches: bool = False,
) -> bool:
    """Cancel a campaign that pushes; tell whether some had left by then and others had not.

    It is cancelled ``seconds`` after the first push has come. Of one whose requests are whole
    ``batches`` it is after the start.
    """
    service.requests = 0
    campaign_id = deployment.create_campaign(api, tenant, workflow=SEND_WAIT_MISSED)
    api("CampaignService/StartCampaign", campaign_id=campaign_id)
    if not batches:
        until(lambda: service.requests)
    time.sleep(seconds)

    cancelled = api("CampaignService/CancelCampaign", campaign_id=campaign_id)["campaign"]
    service.mark()

    assert cancelled["status"] == "CAMPAIGN_STATUS_CANCELLED"
    until(lambda: not open_tasks(deployment))
    assert service.late() == 0
    check_counters(deployment, api, campaign_id)
    # What has left is known, and what has not.
    sent = len(api.deliveries(campaign_id, statusFilter="DELIVERY_STATUS_SENT"))
    assert sent == service.requests * (_REACHABLE if batches else 1)
    return 0 < sent < _REACHABLE


def serve(
    deployment: Deployment, workers: int, **settings: str
) -> tuple[str, Process, list[Process]]:
    """Start a server, which pushes itself where there are no workers, and those."""
    server, url = deployment.serve(**settings, PIDGR_EMBEDDED_ENGINE=str(not workers))
    return url, server, [deployment.worker(**settings) for _ in range(workers)]


def populate(deployment: Deployment, service: Arrivals) -> tuple[Tenant, dict[str, str]]:
    """Store people with browsers; return the settings by which these are pushed to."""
    tenant = deployment.found(_PEOPLE)
    token = Subscription.of(Browser(f"{service.url}/push").subscription).token
    deployment.database.write_now(lambda unit: unit.execute(_BROWSERS, {"token": token}))
    deployment.database.write_now(lambda unit: unit.execute(_NO_DEVICES))
    service.pause = 0.01
    return tenant, {"PIDGR_PUSH_URL": "", "PIDGR_WEB_PUSH_SERVICES": service.url}


def cancel_often(deployment: Deployment, service: Arrivals, times: int, *, workers: int) -> None:
    dice = random.Random(7)
    tenant, settings = populate(deployment, service)
    url, _, _ = serve(deployment, workers, **settings)
    with Api(url, tenant.api_key) as api:
        hits = sum(
            cancel_midway(deployment, tenant, api, service, dice.uniform(0, 0.2))
            for _ in range(times)
        )
    # Else it has not been tried.
    assert hits


def test_no_push_starts_after_a_cancel(deployment: Deployment, service: Arrivals) -> None:
    cancel_often(deployment, service, 3, workers=0)


@on_postgresql
def test_no_push_of_another_process_starts_after_a_cancel(
    deployment: Deployment, service: Arrivals
) -> None:
    cancel_often(deployment, service, 3, workers=2)


@on_postgresql
def test_a_worker_that_is_killed_or_stands_still_does_not_block_a_cancel(
    deployment: Deployment, service: Arrivals
) -> None:
    tenant, settings = populate(deployment, service)
    url, server, (worker,) = serve(deployment, 1, **settings)
    campaign_ids = []
    with Api(url, tenant.api_key) as api:
        for stop in (worker.freeze, worker.kill):
            service.requests = 0
            campaign_ids.append(deployment.create_campaign(api, tenant, workflow=SEND_WAIT_MISSED))
            api("CampaignService/StartCampaign", campaign_id=campaign_ids[-1])
            until(lambda: service.requests)
            stop()
            api("CampaignService/CancelCampaign", campaign_id=campaign_ids[-1])
            service.mark()
            if stop == worker.freeze:
                worker.thaw()
                until(lambda: not open_tasks(deployment))
            # One push at most was frozen while it was leaving.
            assert service.late() <= _REQUEST_BYTES
    waited = [line for line in server.log.read_text().splitlines() if _WAITED in line]
    assert len(waited) == 1
    assert campaign_ids[0] in waited[0]


@pytest.mark.faults
def test_no_push_starts_after_any_of_many_cancels(
    deployment: Deployment, service: Arrivals
) -> None:
    cancel_often(deployment, service, 60, workers=0)


@pytest.mark.faults
@on_postgresql
def test_no_push_of_another_process_starts_after_any_of_many_cancels(
    deployment: Deployment, service: Arrivals
) -> None:
    cancel_often(deployment, service, 60, workers=2)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("database_url", "workers"),
    [("sqlite", 0), ("postgresql", 0), ("postgresql", 2)],
    indirect=["database_url"],
)
def test_no_batch_to_a_gateway_starts_after_any_of_many_cancels(
    deployment: Deployment, service: Arrivals, workers: int
) -> None:
    dice = random.Random(7)
    tenant = deployment.found(_PEOPLE)
    url, _, _ = serve(deployment, workers, PIDGR_PUSH_URL=f"{service.url}/push")
    with Api(url, tenant.api_key) as api:
        for _ in range(100):
            cancel_midway(deployment, tenant, api, service, dice.uniform(0, 0.15), batches=True)

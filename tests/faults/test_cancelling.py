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
from faults.deployment import SEND_ONLY, Deployment, Tenant
from pidgr.outreach.web_push import Subscription
from pidgr.storage.sql import Statement

_PEOPLE = 400
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
    deployment: Deployment, tenant: Tenant, api: Api, service: Arrivals, seconds: float
) -> bool:
    """Cancel a campaign that pushes; tell whether some had left by then and others had not.

    It is cancelled ``seconds`` after the first push has come, or after its start if 0 > seconds.
    """
    service.requests = 0
    campaign_id = deployment.create_campaign(api, tenant, workflow=SEND_ONLY)
    api("CampaignService/StartCampaign", campaign_id=campaign_id)
    if seconds >= 0:
        until(lambda: service.requests)
    time.sleep(abs(seconds))

    cancelled = api("CampaignService/CancelCampaign", campaign_id=campaign_id)["campaign"]
    service.mark()

    assert cancelled["status"] == "CAMPAIGN_STATUS_CANCELLED"
    until(lambda: not open_tasks(deployment))
    assert service.late() == 0
    check_counters(deployment, api, campaign_id)
    return 0 < service.requests < _PEOPLE * 9 // 10


def cancel_often(deployment: Deployment, service: Arrivals, times: int, *, workers: int) -> None:
    dice = random.Random(7)
    tenant = deployment.found(_PEOPLE)
    token = Subscription.of(Browser(f"{service.url}/push").subscription).token
    deployment.database.write_now(lambda unit: unit.execute(_BROWSERS, {"token": token}))
    deployment.database.write_now(lambda unit: unit.execute(_NO_DEVICES))
    service.pause = 0.01
    browsers = {"PIDGR_PUSH_URL": "", "PIDGR_WEB_PUSH_SERVICES": service.url}
    _, url = deployment.serve(**browsers, PIDGR_EMBEDDED_ENGINE=str(not workers))
    for _ in range(workers):
        deployment.worker(**browsers)
    with Api(url, tenant.api_key) as api:
        hits = sum(
            cancel_midway(deployment, tenant, api, service, dice.uniform(0, 0.2))
            for _ in range(times)
        )
    # Else it has not been tried.
    assert hits > times // 2


def test_no_push_starts_after_a_cancel(deployment: Deployment, service: Arrivals) -> None:
    cancel_often(deployment, service, 3, workers=0)


def test_no_push_of_another_process_starts_after_a_cancel(
    deployment: Deployment, service: Arrivals
) -> None:
    if deployment.database.dialect == "sqlite":
        pytest.skip("workers need PostgreSQL")
    cancel_often(deployment, service, 3, workers=2)


@pytest.mark.faults
@pytest.mark.parametrize("workers", [0, 2])
def test_no_push_starts_after_any_of_many_cancels(
    deployment: Deployment, service: Arrivals, workers: int
) -> None:
    if workers and deployment.database.dialect == "sqlite":
        pytest.skip("workers need PostgreSQL")
    cancel_often(deployment, service, 60, workers=workers)


@pytest.mark.faults
@pytest.mark.parametrize("workers", [0, 2])
def test_no_batch_to_a_gateway_starts_after_any_of_many_cancels(
    deployment: Deployment, service: Arrivals, workers: int
) -> None:
    if workers and deployment.database.dialect == "sqlite":
        pytest.skip("workers need PostgreSQL")
    dice = random.Random(7)
    tenant = deployment.found(_PEOPLE)
    gateway = {"PIDGR_PUSH_URL": f"{service.url}/push"}
    _, url = deployment.serve(**gateway, PIDGR_EMBEDDED_ENGINE=str(not workers))
    for _ in range(workers):
        deployment.worker(**gateway)
    with Api(url, tenant.api_key) as api:
        for _ in range(100):
            cancel_midway(deployment, tenant, api, service, -dice.uniform(0, 0.15))

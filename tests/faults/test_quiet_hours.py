"""kill -9 while pushes are held back, and while they are sent in the morning."""

import random
import time

import pytest
from support.held import held_tasks, let_the_night_end, set_quiet, unfinished_tasks
from support.waiting import until

from faults.api import Api
from faults.audit import check_counters, check_pushes, check_statuses, wait_over
from faults.conftest import seeds
from faults.deployment import SEND_ONLY, SHARED, Deployment
from faults.gateway import Batch, Reply


def wait_for_another_batch(deployment: Deployment) -> None:
    before = len(deployment.gateway.received)
    until(
        lambda: (
            len(deployment.gateway.received) > before or not unfinished_tasks(deployment.database)
        )
    )


def run_a_night_with_kills(deployment: Deployment, people: int, kills: int, seed: int) -> None:
    """Hold every push back, let the night end under kills, and audit what came of it."""
    dice = random.Random(seed)
    tenant = deployment.found(people)
    set_quiet(deployment.database, tenant.id)

    def take_a_while(batch: Batch) -> Reply:
        del batch
        time.sleep(0.02)
        return Reply()

    deployment.gateway.behave = take_a_while
    process, url = deployment.serve()
    with Api(url, tenant.api_key) as api:
        campaign_id = deployment.create_campaign(api, tenant, workflow=SEND_ONLY, template=SHARED)
        api("CampaignService/StartCampaign", campaign_id=campaign_id)
    for _ in range(kills):
        # While the lanes hold pushes back.
        time.sleep(dice.uniform(0, 0.3))
        process.kill()
        process, url = deployment.serve()
    with Api(url, tenant.api_key) as api:
        assert wait_over(api, campaign_id) == "CAMPAIGN_STATUS_COMPLETED"
        assert not deployment.gateway.received
        check_statuses(
            api.deliveries(campaign_id), tenant, personal=False, acknowledged={}, last="PENDING"
        )
    assert held_tasks(deployment.database)
    let_the_night_end(deployment.database)
    for _ in range(kills):
        wait_for_another_batch(deployment)
        process.kill()
        process, url = deployment.serve()
    until(lambda: not unfinished_tasks(deployment.database), 120)
    with Api(url, tenant.api_key) as api:
        deliveries = api.deliveries(campaign_id)
        check_statuses(deliveries, tenant, personal=False, acknowledged={}, last="SENT")
        check_counters(deployment, api, campaign_id)
    check_pushes(deployment, deliveries, tenant, repeats_per_lane=kills)


def test_a_night_survives_a_kill_at_each_end(deployment: Deployment) -> None:
    run_a_night_with_kills(deployment, people=6_000, kills=1, seed=1)


@pytest.mark.faults
@pytest.mark.parametrize("seed", seeds())
def test_nights_survive_kills_at_random(deployment: Deployment, seed: int) -> None:
    run_a_night_with_kills(deployment, people=25_000, kills=4, seed=seed)

"""kill -9 in the middle of a campaign, and a start afterwards."""

import random

import pytest
from support.waiting import until

from faults.api import Api
from faults.audit import check_campaign
from faults.conftest import seeds
from faults.deployment import (
    PERSONAL,
    SEND_THEN_MISSED,
    SEND_WAIT_MISSED,
    SHARED,
    Deployment,
    Tenant,
)
from faults.killing import Killer
from faults.recipients import Recipients
from pidgr.campaigns.advance import wake_key
from pidgr.storage.sql import Statement

_LEFT = Statement(
    "select count(*) from workflow_status where workflow_uuid like '%pushes'",
    postgresql="select count(*) from dbos.workflow_status where workflow_uuid like '%pushes'",
)


def fire_deadline(deployment: Deployment, api: Api, campaign_id: str) -> None:
    """Wait until the campaign waits for its deadline, and let it pass."""

    def waiting() -> bool:
        progress = api.campaign(campaign_id).get("workflowProgress", {})
        return bool(progress.get("currentStepId") == "wait")

    until(waiting, 120)
    deployment.fire_timer(wake_key(deployment.campaign_key(campaign_id), "wait"))


def run_with_kills(
    deployment: Deployment,
    tenant: Tenant,
    seed: int,
    kills: int,
    *,
    personal: bool,
    deadline: bool,
    recipients: Recipients | None = None,
    answer_seconds: float = 0.02,
) -> int:
    """Start a campaign, kill and restart the server, audit; return how many pushes repeated."""
    killer = Killer(deployment, random.Random(seed))
    killer.answer_seconds = answer_seconds
    process, url = deployment.serve()
    with Api(url, tenant.api_key) as api:
        campaign_id = deployment.create_campaign(
            api,
            tenant,
            workflow=SEND_WAIT_MISSED if deadline else SEND_THEN_MISSED,
            template=PERSONAL if personal else SHARED,
        )
        api("CampaignService/StartCampaign", campaign_id=campaign_id)
    if recipients is not None:
        recipients.start(url)
    for _ in range(kills):
        killer.strike(process)
        process, url = deployment.serve()
        if recipients is not None:
            recipients.url = url
    with Api(url, tenant.api_key) as api:
        if deadline:
            fire_deadline(deployment, api, campaign_id)
        if recipients is not None:
            recipients.finish()
        repeated = check_campaign(
            deployment,
            api,
            campaign_id,
            tenant,
            interruptions=killer.kills,
            personal=personal,
            acknowledged=recipients.answers if recipients is not None else None,
        )
    assert process.running
    return repeated


def test_a_campaign_survives_a_kill(deployment: Deployment) -> None:
    tenant = deployment.found(deployment.several_batches)
    run_with_kills(deployment, tenant, 3, 1, personal=True, deadline=False)


@pytest.mark.faults
@pytest.mark.parametrize("deadline", [False, True], ids=["no-deadline", "deadline"])
def test_fifty_thousand_recipients_survive_a_kill(deployment: Deployment, deadline: bool) -> None:
    tenant = deployment.found(50_000)
    run_with_kills(deployment, tenant, 50, 1, personal=False, deadline=deadline)


@pytest.mark.faults
@pytest.mark.parametrize("seed", list(seeds())[:2])
def test_pushes_that_go_slowly_survive_kills(deployment: Deployment, seed: int) -> None:
    """Each lane leaves them to another task after its first batch."""
    tenant = deployment.found(25_000)
    run_with_kills(deployment, tenant, seed, 3, personal=False, deadline=False, answer_seconds=1.1)
    assert deployment.database.read_now(lambda reader: reader.value(_LEFT))


@pytest.mark.faults
@pytest.mark.parametrize("seed", seeds())
def test_acknowledgements_and_deliveries_survive_kills_at_random(
    deployment: Deployment, seed: int
) -> None:
    dice = random.Random(seed)
    tenant = deployment.found(dice.choice([3_000, 12_000, 25_000]), dice.choice([1, 1, 2]))
    recipients = Recipients(deployment, dice.sample(tenant.ids, 300), random.Random(seed))
    run_with_kills(
        deployment,
        tenant,
        seed,
        dice.randint(1, 6),
        personal=dice.random() < 0.5,
        deadline=dice.random() < 0.5,
        recipients=recipients,
    )

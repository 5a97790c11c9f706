"""A push gateway that fails, refuses, stalls, vanishes and talks nonsense."""

import random
import threading
import time
from collections import Counter
from functools import partial

import pytest
from support.waiting import until

from faults.api import Api
from faults.audit import check_campaign, check_counters, open_tasks, wait_over
from faults.deployment import SEND_ONLY, Deployment, Tenant, value
from faults.gateway import Batch, Reply
from pidgr.campaigns.lanes import PUSHES_PER_BATCH
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction


def run(deployment: Deployment, tenant: Tenant, api: Api) -> str:
    """Start a campaign that only sends."""
    campaign_id = deployment.create_campaign(api, tenant, workflow=SEND_ONLY)
    api("CampaignService/StartCampaign", campaign_id=campaign_id)
    return campaign_id


def status_by_user(deployment: Deployment, api: Api, campaign_id: str) -> dict[str, str]:
    assert wait_over(api, campaign_id) == "CAMPAIGN_STATUS_COMPLETED"
    until(lambda: not open_tasks(deployment))
    check_counters(deployment, api, campaign_id)
    return {
        delivery["userId"]: delivery["status"].removeprefix("DELIVERY_STATUS_")
        for delivery in api.deliveries(campaign_id)
    }


def is_active(deployment: Deployment, device: str) -> bool:
    return bool(value(deployment.database, "select active from device where id = :id", id=device))


@pytest.mark.faults
def test_errors_stalls_and_absence_lose_nothing(deployment: Deployment) -> None:
    tenant = deployment.found(24_000)
    dice = random.Random(1)
    troubles: Counter[str] = Counter()

    def behave(batch: Batch) -> Reply:
        # No batch fails more than three times: the fourth pause would be two seconds long.
        if troubles[batch.key] >= 3 or dice.random() < 0.4:
            time.sleep(0.05)
            return Reply()
        troubles[batch.key] += 1
        if dice.random() < 0.3:
            time.sleep(1)
            return Reply()
        return Reply(dice.choice([429, 500, 502, 503]))

    deployment.gateway.behave = behave
    process, url = deployment.serve()
    with Api(url, tenant.api_key) as api:
        campaign_id = run(deployment, tenant, api)
        until(lambda: len(deployment.gateway.accepted) >= 2)
        with deployment.gateway.unreachable():
            until(lambda: "cannot be reached" in process.tail())
        repeated = check_campaign(
            deployment, api, campaign_id, tenant, interruptions=1, last="SENT"
        )
    # Only the batches that were in flight when it hung up.
    assert repeated <= 2 * PUSHES_PER_BATCH[deployment.database.dialect]
    assert sum(troubles.values()) > 5


def test_what_the_gateway_says_of_a_token_decides_the_status(deployment: Deployment) -> None:
    tenant = deployment.found(60, devices_each=2)
    kinds = ("accepted", "dead_token", "refused")
    verdicts: dict[str, str] = {}
    for number, person in enumerate(tenant.people):
        for place, device in enumerate(person.devices):
            verdicts[device] = kinds[number // 3**place % 3]

    def behave(batch: Batch) -> Reply:
        return Reply(
            results=[
                {"device_id": device, "status": verdicts[device], "reason": "because"}
                for device in (push["device_id"] for push in batch.pushes)
                if verdicts[device] != "accepted"
            ]
        )

    deployment.gateway.behave = behave
    _, url = deployment.serve()
    with Api(url, tenant.api_key) as api:
        shown = status_by_user(deployment, api, run(deployment, tenant, api))
    wanted: dict[str, str] = {}
    for person in tenant.people:
        heard = {verdicts[device] for device in person.devices}
        if "accepted" in heard:
            wanted[person.id] = "SENT"
        else:
            wanted[person.id] = "FAILED" if "refused" in heard else "NO_DEVICE"
    assert shown == wanted
    assert Counter(wanted.values()).keys() == {"SENT", "FAILED", "NO_DEVICE"}
    for device, verdict in verdicts.items():
        assert is_active(deployment, device) == (verdict != "dead_token")


@pytest.mark.faults
def test_a_refused_batch_is_a_failure_of_all_its_deliveries(deployment: Deployment) -> None:
    tenant = deployment.found(30)
    deployment.gateway.behave = lambda _batch: Reply(403)
    _, url = deployment.serve()
    with Api(url, tenant.api_key) as api:
        shown = status_by_user(deployment, api, run(deployment, tenant, api))
    for person in tenant.people:
        assert shown[person.id] == ("FAILED" if person.devices else "NO_DEVICE")
    assert len(deployment.gateway.received) == 1


@pytest.mark.faults
@pytest.mark.parametrize(
    "nonsense",
    [
        b"{",
        b"[]",
        b'"ok"',
        b'{"results": 7}',
        b'{"results": [7]}',
        b'{"results": [{"status": "dead_token"}]}',
        b'{"results": [{"device_id": [], "status": ["dead_token"]}]}',
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_accepting_answer_that_makes_no_sense_accepts(
    deployment: Deployment, nonsense: bytes
) -> None:
    tenant = deployment.found(10)
    deployment.gateway.behave = lambda _batch: Reply(raw=nonsense)
    _, url = deployment.serve()
    with Api(url, tenant.api_key) as api:
        shown = status_by_user(deployment, api, run(deployment, tenant, api))
    assert Counter(shown.values()) == {"SENT": 9, "NO_DEVICE": 1}
    assert len(deployment.gateway.received) == 1


_RETIRE = Statement("update device set active = false where id = :id")


def retire_device(unit: Transaction, device_id: str) -> None:
    unit.execute(_RETIRE, {"id": device_id})


def test_who_lost_the_last_device_before_the_push_has_no_device(deployment: Deployment) -> None:
    batch_size = PUSHES_PER_BATCH[deployment.database.dialect]
    tenant = deployment.found(batch_size + 500)
    # Lanes follow the members' order, so these are not in the first batch.
    leavers = [person for person in tenant.people[batch_size + 200 :] if person.devices]
    first = threading.Lock()

    def behave(batch: Batch) -> Reply:
        del batch
        if first.acquire(blocking=False):
            for person in leavers:
                retire = partial(retire_device, device_id=person.devices[0])
                deployment.database.write_now(retire)
        return Reply()

    deployment.gateway.behave = behave
    _, url = deployment.serve()
    with Api(url, tenant.api_key) as api:
        shown = status_by_user(deployment, api, run(deployment, tenant, api))
    assert {shown[person.id] for person in leavers} == {"NO_DEVICE"}
    reached = {person.id for person in tenant.people if person.devices} - {
        person.id for person in leavers
    }
    assert {shown[user_id] for user_id in reached} == {"SENT"}

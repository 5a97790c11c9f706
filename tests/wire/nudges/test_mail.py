"""Reminders and escalations by e-mail: who gets one, what it says, and what keeps it back."""

import hmac
import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from support.http_peer import HttpPeer
from support.nudges import NO_IDENTIFIER, NOT_NEEDED, SENT
from support.nudging_office import MEMBER_KEYS, Office
from support.push_gateway import PushGateway
from support.waiting import until

from pidgr import reports
from pidgr.campaigns.nudge_store import NudgeStatus
from pidgr.campaigns.workflow import PUSH
from pidgr.contract.v1.channel_events_pb import ChannelName
from pidgr.storage.sql import Statement

SET = Statement("""
    update member set first_name = :first_name, preferred_locale = :locale where id = :id
""")
MANAGE = Statement("update member set manager_id = :manager_id where id = :id")


def test_whoever_waits_is_reminded_by_mail_with_a_link_and_nothing_of_the_message(
    office: Office,
) -> None:
    office.change(SET, first_name="Ada", locale="es", id=office.ada)
    campaign = office.start(title="First", workflow=office.remind())
    office.acknowledge(campaign.id, office.bob)
    office.pass_deadline(campaign.id)
    # Cleo has no first name, Dan no device; Bob has confirmed.
    found = office.settled(campaign.id, "person0", "person2", "dan")
    assert set(found.values()) == {SENT}
    mails = office.mails("First")
    assert mails.keys() == {"person0", "person2", "dan"}
    ada, dan = mails["person0"], mails["dan"]
    assert ada["Subject"] == "Recordatorio: First"
    assert str(ada["Message-ID"]).startswith("<nudge-")
    assert ada["Message-ID"] != dan["Message-ID"]
    text = ada.get_content()
    assert text.startswith("Hola, Ada:")
    assert dan.get_content().startswith("Hello,")
    assert "read" not in text
    (url,) = re.findall(r"https://\S+", text)
    link = urlsplit(url)
    assert (link.scheme, link.netloc) == ("https", "pidgr.example")
    answer = httpx.get(f"{office.installation.url}{link.path}?{link.query}", timeout=60)
    assert answer.status_code == 303
    onward = urlsplit(answer.headers["location"])
    query = parse_qs(onward.query)
    assert (onward.netloc, onward.path, query["a"]) == ("app.example", "/inbox", ["1"])
    shown = office.client("CampaignService/GetCampaignByShortCode", short_code=query["c"][0])
    assert shown.campaign_id == campaign.id
    told = office.client(
        "TokenService/ValidateDeeplinkToken", token=query["t"][0], campaign_id=campaign.id
    )
    assert told.valid
    assert told.payload.recipient_user_id == office.ada
    assert told.payload.step_kind == office.stubs.CHANNEL_STEP_KIND_REMINDER


def test_no_mail_starts_after_a_cancel_has_returned(office: Office) -> None:
    campaign = office.start(title="Stop", workflow=office.remind())
    office.peer.may_go.clear()
    office.pass_deadline(campaign.id)
    until(lambda: office.peer.in_hand)
    with ThreadPoolExecutor(1) as pool:
        cancel = pool.submit(office.cancel, campaign.id)
        cancelled = office.stubs.CAMPAIGN_STATUS_CANCELLED
        until(lambda: office.get(campaign.id).status == cancelled)
        # It waits for the one that is leaving.
        assert not cancel.done()
        office.peer.may_go.set()
        cancel.result()
    assert len(office.mails("Stop")) == 1
    found = office.settled(campaign.id, "person0", "person1", "person2", "dan")
    assert Counter(found.values()) == {SENT: 1, NOT_NEEDED: 3}
    assert len(office.mails("Stop")) == 1


def test_who_gets_a_copy_of_a_reminder_is_mailed_once_whatever_the_number_of_copies(
    office: Office,
) -> None:
    boss = office.invite("boss@example.com", name="Boss")
    for user_id in (office.ada, office.bob):
        office.change(MANAGE, manager_id=boss, id=user_id)
    workflow = office.remind(notify_targets=[office.steps.target("MANAGER")])
    people = [office.ada, office.bob]
    campaign = office.start(title="Copies", workflow=workflow, user_ids=people)
    office.pass_deadline(campaign.id)
    office.settled(campaign.id, "person0", "person1", "boss")
    mails = office.mails("Copies")
    assert mails.keys() == {"person0", "person1", "boss"}
    assert "Somebody has not confirmed" in mails["boss"].get_content()
    assert "Somebody" not in mails["person1"].get_content()


def test_the_target_of_an_escalation_is_mailed_once_in_all_its_rounds(office: Office) -> None:
    target = office.steps.target("USER", office.dan)
    workflow = office.escalate(targets=[target], repeat_count=2, repeat_interval_minutes=30)
    campaign = office.start(title="Upwards", workflow=workflow, user_ids=[office.ada, office.bob])
    office.pass_deadline(campaign.id)
    assert office.settled(campaign.id, "dan") == {"dan": SENT}
    office.next_round(campaign.id, 1)
    office.reach(campaign.id, "late")
    assert office.settled(campaign.id, "dan") == {"dan": SENT}
    assert "Somebody" in office.mails("Upwards")["dan"].get_content()
    made = office.deliveries(campaign.id).deliveries
    for one in made:
        told = reports.explain_in(office.installation.system, one.id).happenings
        nudged = [happening for happening in told if happening.event == "nudged"]
        # Dan was nudged once about all of his deliveries, Ada and Bob not at all.
        assert len(nudged) == (one.user_id == office.dan)


def test_an_alert_is_pushed_in_each_round_mailed_in_the_first_and_delivered_to_nobody(
    office: Office, gateway: PushGateway
) -> None:
    watch = office.invite("watch@example.com", name="Watch")
    office.register(watch)
    away = office.invite("away@example.com", name="Away")
    office.client("PrivacyService/RestrictProcessing", office.key, user_id=away, restricted=True)
    office.change(MANAGE, manager_id=office.dan, id=office.ada)
    steps, stubs = office.steps, office.stubs
    workflow = office.escalate(
        # Ada has not confirmed: her manager and Watch are told, and she is not told of herself.
        # Away has asked to be left out.
        targets=[
            steps.target("MANAGER"),
            *(steps.target("USER", user_id) for user_id in (watch, office.ada, away)),
        ],
        mode=stubs.ESCALATE_MODE_ALERT_ONLY,
        repeat_count=3,
        repeat_interval_minutes=30,
    )
    left = office.invite("left@example.com", name="Left")
    office.change(MANAGE, manager_id=office.cleo, id=left)
    people = [office.ada, office.bob, left]
    campaign = office.start(title="Alert", workflow=workflow, user_ids=people)
    office.acknowledge(campaign.id, office.bob)
    # Cleo is not told of who is no longer there.
    office.client("MemberService/DeactivateUser", office.key, user_id=left)
    first = len(gateway.of(campaign.id))
    office.pass_deadline(campaign.id)

    def pushes() -> list[Any]:
        return list(gateway.of(campaign.id)[first:])

    until(lambda: len(office.by_channel(campaign.id)) == 4)
    office.settled(campaign.id, "watch", "dan")
    (alert,) = pushes()
    assert alert["push_token"] == f"token-{watch}"
    assert (alert["delivery_id"], alert["title"]) == ("", "Reminder: Alert")
    assert alert["summary"].startswith("Somebody has not confirmed")
    assert "https" not in alert["summary"]
    assert office.mails("Alert").keys() == {"watch", "dan"}
    # Dan has no device.
    email = int(ChannelName.EMAIL)
    assert office.by_channel(campaign.id) == {
        ("watch", PUSH): SENT,
        ("watch", email): SENT,
        ("dan", PUSH): NO_IDENTIFIER,
        ("dan", email): SENT,
    }

    office.next_round(campaign.id, 1)
    until(lambda: len(pushes()) == 2)
    assert office.mails("Alert").keys() == {"watch", "dan"}
    # Nobody is left on whose account to alert.
    office.acknowledge(campaign.id, office.ada)
    office.next_round(campaign.id, 2)
    office.complete(campaign.id)
    assert len(pushes()) == 2
    kinds = {one.kind for one in office.deliveries(campaign.id).deliveries}
    assert kinds == {stubs.Delivery.KIND_PRIMARY}
    assert not office.client("InboxService/Sync", office.tokens[watch]).entries


def test_a_webhook_tells_the_operators_own_endpoint_of_each_nudge(
    office: Office, endpoint: HttpPeer
) -> None:
    steps, stubs = office.steps, office.stubs
    remind = steps.remind(third_party_channels=[stubs.CHANNEL_NAME_WEBHOOK])
    workflow = steps(steps.send(), steps.wait(), remind, steps.wait("late"), steps.missed())
    campaign = office.start(title="Post", workflow=workflow, user_ids=[office.ada, office.bob])
    office.pass_deadline(campaign.id)
    office.settled(campaign.id, "person0", "person1")
    told = [json.loads(request.body) for request in endpoint.received]
    assert {one["user_id"] for one in told} == {office.ada, office.bob}
    assert {one["campaign_id"] for one in told} == {campaign.id}
    assert all(one["deeplink_url"].startswith("https://pidgr.example/c/") for one in told)
    system = office.installation.system
    ((_, organization_key),) = system.database.read_now(
        lambda reader: reader.rows(MEMBER_KEYS, {"id": office.ada})
    )
    secret = system.webhook_secrets.secret(organization_key).encode()
    for request in endpoint.received:
        expected = hmac.new(secret, request.body, "sha256").hexdigest()
        assert request.headers["x-pidgr-signature"] == expected
    endpoint.received.clear()


def test_an_organization_that_lets_nothing_out_nudges_nobody(office: Office) -> None:
    def allow(allowed: bool) -> None:
        office.client(
            "OrganizationService/UpdateOrgPrivacySettings",
            office.key,
            third_party_channels_enabled=allowed,
        )

    allow(False)
    campaign = office.start(title="Closed", workflow=office.remind(), user_ids=[office.ada])
    office.pass_deadline(campaign.id)
    assert office.settled(campaign.id, "person0") == {"person0": (NudgeStatus.SKIPPED, "OPTED_OUT")}
    allow(True)
    assert office.mails("Closed") == {}


def test_a_mailbox_that_is_gone_keeps_back_nobody_else(office: Office) -> None:
    office.peer.answers["person0@example.com"] = "550 5.1.1 no person0@example.com here"
    people = [office.ada, office.bob]
    campaign = office.start(title="Gone", workflow=office.remind(), user_ids=people)
    office.pass_deadline(campaign.id)
    found = office.settled(campaign.id, "person0", "person1")
    assert found == {"person0": (NudgeStatus.REFUSED, "550 5.1.1"), "person1": SENT}

"""When steps fire and for how many, by rule alone."""

import json
from typing import Any

from pidgr.campaigns.simulation import Audience, Firing, simulate
from pidgr.clock import HOUR, MINUTE
from pidgr.contract.v1.common_pb import StepType, WorkflowDefinition, WorkflowStep

MANAGER = {"type": "ESCALATION_TARGET_TYPE_MANAGER"}

ESCALATE = {
    "escalateConfig": {
        "condition": "ESCALATION_CONDITION_IF_NOT_ACKED",
        "targets": [MANAGER],
        "thirdPartyChannels": ["CHANNEL_NAME_EMAIL"],
        "repeatCount": 3,
        "repeatIntervalMinutes": 30,
    }
}


def chain(*steps: tuple[str, str, dict[str, Any]]) -> WorkflowDefinition:
    """Return steps one after the other; each is (id, type, config)."""
    following = [*(step[0] for step in steps[1:]), "end"]
    return WorkflowDefinition.from_json(
        json.dumps(
            {
                "steps": [
                    {"id": name, "type": f"STEP_TYPE_{kind}", "transitions": {"completed": after}}
                    | config
                    for (name, kind, config), after in zip(steps, following, strict=True)
                ]
            }
        )
    )


WHOLE = chain(
    ("send", "SEND_NOTIFICATION", {}),
    ("wait", "DEADLINE_CHECK", {"deadlineCheck": {"delay": "24h"}}),
    ("remind", "SEND_REMINDER", {"sendReminder": {"notifyTargets": [MANAGER]}}),
    ("wait again", "DEADLINE_CHECK", {"deadlineCheck": {"delay": "90m"}}),
    ("escalate", "ESCALATE", ESCALATE),
    ("miss", "MARK_MISSED", {}),
    ("tell", "CALL_WEBHOOK", {"callWebhook": {"url": "https://example.com"}}),
)


def told(
    definition: WorkflowDefinition, members: int, reachable: int, *, patient: bool = False
) -> list[Firing]:
    def count(step: WorkflowStep, reachable_only: bool) -> int:
        assert step.id in {"remind", "escalate"}
        return 100 if reachable_only else 1_000

    audience = Audience(members, reachable)
    return simulate(definition, audience, count, wait_for_enrollment=patient)


def test_every_step_fires_when_those_before_it_are_over() -> None:
    firings = told(WHOLE, 10, 7)
    assert [(one.step_id, one.round, one.after) for one in firings] == [
        ("send", 1, 0),
        ("wait", 1, 0),
        ("remind", 1, 24 * HOUR),
        ("wait again", 1, 24 * HOUR),
        ("escalate", 1, 25 * HOUR + 30 * MINUTE),
        ("escalate", 2, 26 * HOUR),
        ("escalate", 3, 26 * HOUR + 30 * MINUTE),
        ("miss", 1, 26 * HOUR + 30 * MINUTE),
        ("tell", 1, 26 * HOUR + 30 * MINUTE),
    ]
    channels = {(one.step_id, one.round): one.channels for one in firings if one.channels}
    assert channels == {("escalate", 1): ("EMAIL",)}
    counts = {one.step_id: (one.recipients, one.others) for one in firings}
    assert counts == {
        "send": (10, 0),
        "wait": (7, 0),
        "remind": (7, 100),
        "wait again": (7, 0),
        "escalate": (10, 1_000),
        "miss": (7, 0),
        "tell": (10, 0),
    }


def test_without_a_device_in_the_audience_no_deadline_waits() -> None:
    firings = told(WHOLE, 10, 0)
    assert {one.step_id: one.after for one in firings if one.round == 1} | {"tell": 0} == (
        dict.fromkeys(("send", "wait", "remind", "wait again", "escalate"), 0)
        | {"miss": HOUR, "tell": 0}
    )
    assert [one.others for one in firings if one.step_id == "remind"] == [0]


def test_a_campaign_that_waits_for_enrolment_waits_for_everybody() -> None:
    firings = told(WHOLE, 10, 0, patient=True)
    assert firings[-1].after == 26 * HOUR + 30 * MINUTE
    (reminder,) = (one for one in firings if one.step_type == StepType.SEND_REMINDER)
    assert (reminder.recipients, reminder.others) == (10, 1_000)
    # Who has no device is not counted as missed, even so.
    assert [one.recipients for one in told(WHOLE, 10, 7, patient=True)][-2:] == [7, 10]


def test_before_the_first_message_a_deadline_waits_and_nothing_else_is_about_anybody() -> None:
    early: list[tuple[str, str, dict[str, Any]]] = [
        ("morning", "DEADLINE_CHECK", {"deadlineCheck": {"delay": "8h"}}),
        ("remind", "SEND_REMINDER", {"sendReminder": {"notifyTargets": [MANAGER]}}),
        ("escalate", "ESCALATE", ESCALATE),
        ("miss", "MARK_MISSED", {}),
    ]
    definition = chain(*early, ("send", "SEND_NOTIFICATION", {}))
    firings = told(definition, 10, 7)
    counts = [(one.step_id, one.after, one.recipients, one.others) for one in firings]
    assert counts == [
        ("morning", 0, 0, 0),
        ("remind", 8 * HOUR, 0, 0),
        ("escalate", 8 * HOUR, 0, 0),
        ("miss", 8 * HOUR, 0, 0),
        ("send", 8 * HOUR, 10, 0),
    ]
    assert told(definition, 0, 0)[-1].after == 0


def test_a_second_message_is_waited_for_and_told_of_like_the_first() -> None:
    definition = chain(
        ("first", "SEND_NOTIFICATION", {}),
        ("miss", "MARK_MISSED", {}),
        ("second", "SEND_NOTIFICATION", {}),
        ("wait", "DEADLINE_CHECK", {"deadlineCheck": {"delay": "24h"}}),
        ("remind", "SEND_REMINDER", {"sendReminder": {"notifyTargets": [MANAGER]}}),
        ("escalate", "ESCALATE", {"escalateConfig": {"targets": [MANAGER]}}),
    )
    counts = [(one.after, one.recipients, one.others) for one in told(definition, 10, 7)][3:]
    assert counts == [(0, 7, 0), (24 * HOUR, 7, 100), (24 * HOUR, 10, 2_000)]
    patient = told(definition, 10, 7, patient=True)[3:]
    assert [(one.recipients, one.others) for one in patient] == [(10, 0), (10, 1_900), (10, 2_000)]


def test_nobody_is_reminded_after_being_marked_missed() -> None:
    firings = told(
        chain(
            ("send", "SEND_NOTIFICATION", {}),
            ("miss", "MARK_MISSED", {}),
            ("wait", "DEADLINE_CHECK", {"deadlineCheck": {"delay": "24h"}}),
            ("remind", "SEND_REMINDER", {"sendReminder": {"notifyTargets": [MANAGER]}}),
        ),
        10,
        10,
    )
    assert [(one.recipients, one.others, one.after) for one in firings[2:]] == [(0, 0, 0)] * 2

"""Workflow definitions against an independent model of what is a valid one."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pidgr.campaigns.workflow import (
    PUSH,
    deadline_delay,
    find_step,
    next_step,
    notification_config,
    nudge_channels,
    parse_duration,
    validate,
)
from pidgr.clock import HOUR, MINUTE, SECOND
from pidgr.contract.v1.channel_events_pb import ChannelName
from pidgr.contract.v1.common_pb import (
    ActionType,
    SendNotificationConfig,
    StepType,
    WorkflowDefinition,
    WorkflowStep,
)
from pidgr.errors import Violations

ID = "5b0f3c52-9d0e-4f4e-8f3f-6f1f6a0d5a10"
UNITS = {
    "ns": Fraction(1, 1000),
    "us": Fraction(1),
    "µs": Fraction(1),
    "μs": Fraction(1),
    "ms": Fraction(1000),
    "s": Fraction(SECOND),
    "m": Fraction(MINUTE),
    "h": Fraction(HOUR),
}


def definition(*steps: dict[str, Any]) -> WorkflowDefinition:
    return WorkflowDefinition(steps=[step(**given) for given in steps])


def step(**fields: Any) -> WorkflowStep:
    import json

    return WorkflowStep.from_json(
        json.dumps({"id": "a", "type": "STEP_TYPE_SEND_NOTIFICATION"} | fields)
    )


def violations(of: WorkflowDefinition | None) -> list[str]:
    found = Violations()
    validate(of, "workflow", found)
    return [violation.field for violation in found.found]


# --- graphs -------------------------------------------------------------------------------------

NAMES = [f"s{number}" for number in range(7)]
GRAPHS = st.integers(1, 7).flatmap(
    lambda size: st.lists(
        st.dictionaries(
            st.sampled_from(["completed", "done", "failed", "x"]),
            st.sampled_from([*NAMES[:size], "end"]) | st.sampled_from([*NAMES, "", "END"]),
            max_size=3,
        ),
        min_size=size,
        max_size=size,
    )
)


def reaches_itself(graph: dict[str, set[str]], start: str) -> bool:
    """Walk everything behind a step, the slow and obvious way."""
    seen: set[str] = set()
    frontier = set(graph[start])
    while frontier:
        if start in frontier:
            return True
        seen |= frontier
        frontier = set().union(*(graph[name] for name in frontier)) - seen
    return False


@given(GRAPHS)
def test_a_graph_is_valid_if_and_only_if_it_leads_somewhere_and_never_back(
    transitions: list[dict[str, str]],
) -> None:
    names = NAMES[: len(transitions)]
    made = definition(
        *(
            {"id": name, "transitions": targets}
            for name, targets in zip(names, transitions, strict=True)
        )
    )
    known = {*names, "end"}
    dangling = any(target not in known for targets in transitions for target in targets.values())
    graph = {
        name: {target for target in targets.values() if target in names}
        for name, targets in zip(names, transitions, strict=True)
    }
    circular = any(reaches_itself(graph, name) for name in names)
    assert bool(violations(made)) is (dangling or circular)


@given(GRAPHS)
def test_a_valid_graph_ends_within_as_many_steps_as_it_has(
    transitions: list[dict[str, str]],
) -> None:
    names = NAMES[: len(transitions)]
    made = definition(
        *(
            {"id": name, "transitions": targets}
            for name, targets in zip(names, transitions, strict=True)
        )
    )
    if violations(made):
        return
    walked = 0
    current: str | None = names[0]
    while current is not None:
        walked += 1
        assert walked <= len(names)
        current = next_step(find_step(made, current), "completed")


def test_a_chain_of_100_steps_is_valid_and_one_of_101_is_not() -> None:
    def chain(length: int) -> WorkflowDefinition:
        return definition(
            *(
                {
                    "id": f"s{n}",
                    "transitions": {"completed": f"s{n + 1}" if n + 1 < length else "end"},
                }
                for n in range(length)
            )
        )

    assert violations(chain(100)) == []
    assert violations(chain(101)) == ["workflow.steps"]


def test_a_cycle_is_named() -> None:
    found = Violations()
    circle = definition(
        {"id": "a", "transitions": {"completed": "b"}},
        {"id": "b", "transitions": {"completed": "c"}},
        {"id": "c", "transitions": {"completed": "b"}},
    )
    validate(circle, "workflow", found)
    (violation,) = found.found
    assert violation.field == "workflow.steps"
    assert "b -> c -> b" in violation.description or "c -> b -> c" in violation.description


# --- fields -------------------------------------------------------------------------------------


def deadline(**config: Any) -> dict[str, Any]:
    return {"type": "STEP_TYPE_DEADLINE_CHECK", "deadlineCheck": config}


def webhook(**config: Any) -> dict[str, Any]:
    return {"type": "STEP_TYPE_CALL_WEBHOOK", "callWebhook": {"url": "https://x.example"} | config}


def reminder(**config: Any) -> dict[str, Any]:
    return {"type": "STEP_TYPE_SEND_REMINDER", "sendReminder": config}


def escalation(**config: Any) -> dict[str, Any]:
    given = {
        "condition": "ESCALATION_CONDITION_IF_NOT_ACKED",
        "targets": [{"type": "ESCALATION_TARGET_TYPE_MANAGER"}],
    }
    return {"type": "STEP_TYPE_ESCALATE", "escalateConfig": given | config}


def notification(**config: Any) -> dict[str, Any]:
    return {"sendNotification": config}


USER = {"type": "ESCALATION_TARGET_TYPE_USER", "targetId": ID}
MANAGER = {"type": "ESCALATION_TARGET_TYPE_MANAGER"}


@pytest.mark.parametrize(
    "good",
    [
        {},
        {"id": "x" * 200},
        {"transitions": {f"label {number}": "end" for number in range(10)}},
        {"transitions": {"x" * 200: "end"}},
        {"type": "STEP_TYPE_MARK_MISSED"},
        {"type": "STEP_TYPE_SEND_REMINDER"},
        reminder(type="push", notifyTargets=[USER] * 4 + [MANAGER]),
        reminder(thirdPartyChannels=["CHANNEL_NAME_EMAIL"]),
        notification(),
        notification(type="push", actionLabel="x" * 50, actionType="ACTION_TYPE_ACK"),
        notification(templateId=ID, templateVersion=2),
        notification(templateId=ID.upper()),
        notification(customVariables={f"name{number}": "x" for number in range(100)}),
        notification(customVariables={"x" * 100: "y" * 10_000}),
        deadline(delay="1m"),
        deadline(delay="60s"),
        deadline(delay="8760h"),
        deadline(delay="1h30m"),
        webhook(name="x" * 200, headers={f"h{number}": "x" for number in range(20)}),
        webhook(headers={"x" * 200: "y" * 2_000}),
        webhook(url="https://x.example/" + "x" * (2_048 - len("https://x.example/"))),
        escalation(),
        escalation(repeatCount=5, repeatIntervalMinutes=1),
        escalation(repeatCount=1),
        escalation(mode="ESCALATE_MODE_ALERT_ONLY", targets=[USER]),
        escalation(targets=[USER | {"targetId": ID.upper()}]),
    ],
)
def test_what_is_within_the_limits_is_valid(good: dict[str, Any]) -> None:
    assert violations(definition(good)) == []


HERE = "workflow.steps[0]"


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        ({"id": ""}, "id"),
        ({"id": "  "}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"id": "a\0"}, "id"),
        ({"id": "end"}, "id"),
        ({"type": 0}, "type"),
        ({"type": 99}, "type"),
        ({"type": 99} | notification(), "type"),
        ({"transitions": {f"label {number}": "end" for number in range(11)}}, "transitions"),
        ({"transitions": {"": "end"}}, "transitions"),
        ({"transitions": {"x" * 201: "end"}}, "transitions"),
        ({"transitions": {"completed": "nowhere"}}, "transitions[completed]"),
        ({"transitions": {"completed": ""}}, "transitions[completed]"),
        ({"type": "STEP_TYPE_MARK_MISSED"} | notification(), "send_notification"),
        ({"type": "STEP_TYPE_SEND_REMINDER"} | notification(), "send_notification"),
        ({"deadlineCheck": {"delay": "1h"}}, "deadline_check"),
        ({"type": "STEP_TYPE_DEADLINE_CHECK"}, "deadline_check"),
        ({"type": "STEP_TYPE_CALL_WEBHOOK"}, "call_webhook"),
        ({"type": "STEP_TYPE_ESCALATE"}, "escalate_config"),
        (notification(type="sms"), "send_notification.type"),
        (notification(type="x" * 51), "send_notification.type"),
        (notification(actionLabel="x" * 51), "send_notification.action_label"),
        (notification(actionType=99), "send_notification.action_type"),
        (notification(templateId="x"), "send_notification.template_id"),
        (notification(templateVersion=-1), "send_notification.template_version"),
        (
            notification(customVariables={f"name{number}": "x" for number in range(101)}),
            "send_notification.custom_variables",
        ),
        (notification(customVariables={"": "x"}), "send_notification.custom_variables"),
        (notification(customVariables={"x" * 101: "x"}), "send_notification.custom_variables"),
        (
            notification(customVariables={"x": "y" * 10_001}),
            "send_notification.custom_variables[x]",
        ),
        (notification(customVariables={"x": "\0"}), "send_notification.custom_variables[x]"),
        (deadline(), "deadline_check.delay"),
        (deadline(delay="59s"), "deadline_check.delay"),
        (deadline(delay="59.9999999s"), "deadline_check.delay"),
        (deadline(delay="8760h0.000001s"), "deadline_check.delay"),
        (deadline(delay="8760h1ns"), "deadline_check.delay"),
        (deadline(delay="-1h"), "deadline_check.delay"),
        (deadline(delay="3 days"), "deadline_check.delay"),
        (deadline(delay="9" * 400 + "h"), "deadline_check.delay"),
        (deadline(delay="1" * 2_000_000 + "h"), "deadline_check.delay"),
        (deadline(delay="٣h"), "deadline_check.delay"),
        (webhook(url=""), "call_webhook.url"),
        (webhook(url="https://" + "x" * 2_041), "call_webhook.url"),
        (webhook(name="x" * 201), "call_webhook.name"),
        (webhook(headers={f"h{number}": "x" for number in range(21)}), "call_webhook.headers"),
        (webhook(headers={"x" * 201: ""}), "call_webhook.headers"),
        (webhook(headers={"x": "y" * 2_001}), "call_webhook.headers[x]"),
        (webhook(headers={"Host": "x"}), "call_webhook.headers[Host]"),
        (webhook(headers={"x": "a\r\nb: c"}), "call_webhook.headers[x]"),
        (webhook(headers={"x": "1", "X": "2"}), "call_webhook.headers[X]"),
        (webhook(url="ftp://x.example"), "call_webhook.url"),
        (webhook(url="https://user:word@x.example"), "call_webhook.url"),
        (webhook(url="https://2130706433/"), "call_webhook.url"),
        (reminder(type="sms"), "send_reminder.type"),
        (reminder(notifyTargets=[MANAGER] * 6), "send_reminder.notify_targets"),
        (reminder(notifyTargets=[{}]), "send_reminder.notify_targets[0].type"),
        (
            reminder(notifyTargets=[MANAGER | {"targetId": ID}]),
            "send_reminder.notify_targets[0].target_id",
        ),
        (
            reminder(notifyTargets=[MANAGER, USER | {"targetId": "x"}]),
            "send_reminder.notify_targets[1].target_id",
        ),
        (reminder(thirdPartyChannels=[0]), "send_reminder.third_party_channels"),
        (escalation(condition=0), "escalate_config.condition"),
        (escalation(mode=9), "escalate_config.mode"),
        (escalation(targets=[]), "escalate_config.targets"),
        (escalation(repeatCount=6, repeatIntervalMinutes=1), "escalate_config.repeat_count"),
        (escalation(repeatCount=-1), "escalate_config.repeat_count"),
        (escalation(repeatCount=2), "escalate_config.repeat_interval_minutes"),
        (escalation(thirdPartyChannels=[99]), "escalate_config.third_party_channels"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(bad: dict[str, Any], path: str) -> None:
    assert f"{HERE}.{path}" in violations(definition(bad))


def test_ids_are_unique() -> None:
    assert violations(definition({"id": "a"}, {"id": "a"})) == ["workflow.steps[1].id"]


@pytest.mark.parametrize("empty", [None, WorkflowDefinition()])
def test_there_is_no_default(empty: WorkflowDefinition | None) -> None:
    assert violations(empty) == ["workflow"]


# --- durations ----------------------------------------------------------------------------------

NUMBERS = st.integers(0, 10**9) | st.integers(1, 10**6).map(
    lambda thousandths: f"{thousandths / 1000:.3f}"
)
PARTS = st.tuples(NUMBERS, st.sampled_from([*UNITS]))


@given(st.lists(PARTS, min_size=1, max_size=5))
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[Any, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    exact = sum((Fraction(number) * UNITS[unit] for number, unit in parts), Fraction(0))
    assert parse_duration(text) == exact


@given(st.text(alphabet="0123456789.hmsnuµ -+eEx٣", max_size=12) | st.text(max_size=8))
@example("")
@example(".")
@example(".h")
@example("1")
@example("0")
@example("1h ")
@example("1h1")
@example("1e3h")
@example("1.2.3h")
def test_no_text_does_more_than_not_parse(text: str) -> None:
    parsed = parse_duration(text)
    if parsed is not None:
        assert text[0] in "0123456789."
        assert text[-1] in "hms"


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("120h", 120 * HOUR),
        ("1h30m", 90 * MINUTE),
        ("1.5h", 90 * MINUTE),
        (".5m", 30 * SECOND),
        ("1.m", MINUTE),
        ("5m", 5 * MINUTE),
        ("30s5m", 5 * MINUTE + 30 * SECOND),
    ],
)
def test_durations_are_written_as_go_writes_them(text: str, microseconds: int) -> None:
    assert parse_duration(text) == microseconds
    waiting = step(**deadline(delay=text))
    assert deadline_delay(waiting) == microseconds


# --- following ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transitions", "following"),
    [
        ({}, None),
        ({"completed": "b"}, "b"),
        ({"completed": "end"}, None),
        ({"done": "b"}, "b"),
        ({"done": "c", "completed": "b"}, "b"),
        ({"anything": "b"}, "b"),
        ({"anything": "end"}, None),
        ({"true": "b", "false": "c"}, None),
        ({"failed": "b", "done": "c"}, "c"),
    ],
)
def test_the_outcomes_own_entry_is_followed_then_its_alias_then_the_only_one(
    transitions: dict[str, str], following: str | None
) -> None:
    assert next_step(step(transitions=transitions), "completed") == following


@pytest.mark.parametrize(
    ("transitions", "following"),
    [
        ({}, None),
        ({"completed": "b", "failed": "c"}, "c"),
        ({"completed": "b", "failed": "end"}, None),
        ({"completed": "b", "x": "c"}, "b"),
        ({"done": "b", "x": "c"}, "b"),
        ({"x": "b", "y": "c"}, None),
    ],
)
def test_a_failure_goes_its_own_way_or_that_of_a_completion(
    transitions: dict[str, str], following: str | None
) -> None:
    assert next_step(step(transitions=transitions), "failed") == following


def test_a_notification_without_a_config_asks_for_an_acknowledgement() -> None:
    assert notification_config(step()).action_type is ActionType.ACK
    explicit = notification_config(step(**notification()))
    assert explicit == SendNotificationConfig()


def test_a_channel_that_is_named_twice_nudges_once() -> None:
    made = step(**escalation(thirdPartyChannels=["CHANNEL_NAME_EMAIL"] * 2))
    assert nudge_channels(made) == [ChannelName.EMAIL]
    assert nudge_channels(step(**reminder())) == nudge_channels(step()) == []


def test_an_alert_is_pushed_in_every_round_and_nudges_otherwise_in_the_first() -> None:
    made = step(
        **escalation(mode="ESCALATE_MODE_ALERT_ONLY", thirdPartyChannels=["CHANNEL_NAME_EMAIL"])
    )
    assert nudge_channels(made) == [PUSH, ChannelName.EMAIL]
    assert nudge_channels(made, iteration=1) == [PUSH]
    delivered = step(**escalation(thirdPartyChannels=["CHANNEL_NAME_EMAIL"]))
    assert nudge_channels(delivered, iteration=1) == []


def test_steps_of_every_type_make_a_workflow() -> None:
    made = definition(
        {"id": "a"},
        {"id": "b"} | deadline(delay="1h"),
        {"id": "c"} | reminder(),
        {"id": "d", "type": "STEP_TYPE_MARK_MISSED"},
        {"id": "e"} | webhook(),
        {"id": "f"} | escalation(),
        {"id": "g"} | reminder(notifyTargets=[MANAGER]),
        {"id": "h"} | reminder(thirdPartyChannels=[one.value for one in ChannelName if one.value]),
        {"id": "i"} | escalation(mode="ESCALATE_MODE_ALERT_ONLY"),
    )
    assert violations(made) == []
    assert {one.type for one in made.steps} == {
        StepType.SEND_NOTIFICATION,
        StepType.DEADLINE_CHECK,
        StepType.SEND_REMINDER,
        StepType.MARK_MISSED,
        StepType.CALL_WEBHOOK,
        StepType.ESCALATE,
    }

"""Workflow definitions: what is a valid one, and which step follows which (SEMANTICS 4.1, 4.2)."""

import re
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter
from typing import Final

from pidgr.campaigns import webhook_rules
from pidgr.clock import HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND
from pidgr.contract.v1.channel_events_pb import ChannelName
from pidgr.contract.v1.common_pb import (
    ActionType,
    CallWebhookConfig,
    DeadlineCheckConfig,
    EscalateConfig,
    EscalateMode,
    EscalationCondition,
    EscalationTarget,
    EscalationTargetType,
    SendNotificationConfig,
    SendReminderConfig,
    StepType,
    WorkflowDefinition,
    WorkflowStep,
)
from pidgr.errors import Violations
from pidgr.validation import check_enum, check_text, is_uuid

END: Final = "end"
COMPLETED: Final = "completed"
FAILED: Final = "failed"
# Where an outcome without a transition of its own leads; older definitions say "done".
_OTHERWISE: Final = (COMPLETED, "done")

_STEPS: Final = 100
_TRANSITIONS: Final = 10
_NAME: Final = 200
_TYPE: Final = 50
_LABEL: Final = 50
_VARIABLES: Final = 100
_VARIABLE_NAME: Final = 100
_VARIABLE_VALUE: Final = 10_000
_NOTIFY_TARGETS: Final = 5

PUSH: Final = int(ChannelName.UNSPECIFIED)
"""Stands for push among channels; the contract's enum has no name for it."""
_REPEATS: Final = 5

SHORTEST_DELAY: Final = MINUTE
LONGEST_DELAY: Final = 8_760 * HOUR

# Go's largest duration has fewer than 20 digits; more than this is not worth adding up.
_DURATION_LENGTH: Final = 100
_DURATION_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS: Final[dict[str, int | Fraction]] = {
    "ns": Fraction(MICROSECOND, 1_000),
    "us": MICROSECOND,
    "µs": MICROSECOND,
    "μs": MICROSECOND,
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
}

_CONFIG_OF: Final = {
    StepType.SEND_NOTIFICATION: "send_notification",
    StepType.DEADLINE_CHECK: "deadline_check",
    StepType.SEND_REMINDER: "send_reminder",
    StepType.CALL_WEBHOOK: "call_webhook",
    StepType.ESCALATE: "escalate_config",
}
# pidgr-mcp 0.4 cannot send a config at all; these two steps mean something without one.
_CONFIG_OPTIONAL: Final = frozenset({StepType.SEND_NOTIFICATION, StepType.SEND_REMINDER})


def parse_duration(text: str) -> Fraction | None:
    """Return a Go-style duration such as ``120h`` or ``1h30m`` in microseconds, or None.

    Exact, so that a nanosecond beyond a limit is beyond it.
    """
    if len(text) > _DURATION_LENGTH:
        return None
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum((Fraction(number) * _UNITS[unit] for number, unit in parts), Fraction(0))


def validate(definition: WorkflowDefinition | None, path: str, violations: Violations) -> None:
    """Note everything that is wrong with a definition."""
    if definition is None or not definition.steps:
        violations.add(path, "must have at least one step; there is no default")
        return
    if len(definition.steps) > _STEPS:
        violations.add(f"{path}.steps", f"must be at most {_STEPS}")
        return
    ids = {step.id for step in definition.steps}
    seen: set[str] = set()
    for index, step in enumerate(definition.steps):
        here = f"{path}.steps[{index}]"
        check_text(violations, f"{here}.id", step.id, _NAME, required=True)
        if step.id == END:
            violations.add(f"{here}.id", f"'{END}' is the reserved name of the end")
        if step.id in seen:
            violations.add(f"{here}.id", f"'{step.id}' is used by an earlier step")
        seen.add(step.id)
        _check_transitions(step, ids, f"{here}.transitions", violations)
        _check_config(step, here, violations)
    if not violations.found:
        _check_acyclic(definition, path, violations)


def _check_transitions(
    step: WorkflowStep, ids: set[str], path: str, violations: Violations
) -> None:
    if len(step.transitions) > _TRANSITIONS:
        violations.add(path, f"must be at most {_TRANSITIONS}")
    for label, target in step.transitions.items():
        check_text(violations, path, label, _NAME, required=True)
        if target != END and target not in ids:
            violations.add(f"{path}[{label}]", f"leads to '{target}', which is no step")


def _check_acyclic(definition: WorkflowDefinition, path: str, violations: Violations) -> None:
    graph = {step.id: set(step.transitions.values()) - {END} for step in definition.steps}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        violations.add(f"{path}.steps", f"must not lead back to an earlier step: {circle}")


def _check_config(step: WorkflowStep, path: str, violations: Violations) -> None:
    check_enum(violations, f"{path}.type", step.type, required=True)
    wanted = _CONFIG_OF.get(step.type)
    given = step.config.field if step.config is not None else None
    if given is not None and given != wanted:
        violations.add(f"{path}.{given}", f"does not belong to a {step.type.name} step")
        return
    if given is None:
        if wanted is not None and step.type not in _CONFIG_OPTIONAL:
            violations.add(f"{path}.{wanted}", "must be given")
        return
    assert step.config is not None  # noqa: S101 - given is its field
    here = f"{path}.{given}"
    match step.config.value:
        case SendNotificationConfig() as config:
            _check_notification(config, here, violations)
        case DeadlineCheckConfig() as config:
            _check_deadline(config, here, violations)
        case SendReminderConfig() as config:
            _check_reminder(config, here, violations)
        case CallWebhookConfig() as config:
            webhook_rules.check(config, here, violations)
        case EscalateConfig() as config:
            _check_escalation(config, here, violations)


def _check_notification(config: SendNotificationConfig, path: str, violations: Violations) -> None:
    _check_push_type(config.type, path, violations)
    check_text(violations, f"{path}.action_label", config.action_label, _LABEL)
    check_enum(violations, f"{path}.action_type", config.action_type)
    if config.template_id and not is_uuid(config.template_id.lower()):
        violations.add(f"{path}.template_id", "must be a UUID")
    if config.template_version < 0:
        violations.add(f"{path}.template_version", "must not be negative")
    check_variables(config.custom_variables, f"{path}.custom_variables", violations)


def check_variables(variables: dict[str, str], path: str, violations: Violations) -> None:
    """Note what is wrong with a map of template variables."""
    if len(variables) > _VARIABLES:
        violations.add(path, f"must be at most {_VARIABLES}")
    for name, value in variables.items():
        check_text(violations, path, name, _VARIABLE_NAME, required=True)
        check_text(violations, f"{path}[{name}]", value, _VARIABLE_VALUE)


def _check_push_type(value: str, path: str, violations: Violations) -> None:
    check_text(violations, f"{path}.type", value, _TYPE)
    if value not in {"", "push"}:
        violations.add(f"{path}.type", "must be 'push' or empty")


def _check_deadline(config: DeadlineCheckConfig, path: str, violations: Violations) -> None:
    delay = parse_duration(config.delay)
    if delay is None:
        violations.add(f"{path}.delay", "must be a duration such as '72h' or '5m'")
    elif not SHORTEST_DELAY <= delay <= LONGEST_DELAY:
        violations.add(f"{path}.delay", "must be between 1m and 8760h")


def _check_reminder(config: SendReminderConfig, path: str, violations: Violations) -> None:
    _check_push_type(config.type, path, violations)
    for channel in config.third_party_channels:
        check_enum(violations, f"{path}.third_party_channels", channel, required=True)
    if len(config.notify_targets) > _NOTIFY_TARGETS:
        violations.add(f"{path}.notify_targets", f"must be at most {_NOTIFY_TARGETS}")
    _check_targets(config.notify_targets, f"{path}.notify_targets", violations)


def _check_targets(targets: list[EscalationTarget], path: str, violations: Violations) -> None:
    for index, target in enumerate(targets):
        here = f"{path}[{index}]"
        check_enum(violations, f"{here}.type", target.type, required=True)
        if target.type == EscalationTargetType.MANAGER:
            if target.target_id:
                violations.add(f"{here}.target_id", "must be empty for a manager")
        elif not is_uuid(target.target_id.lower()):
            violations.add(f"{here}.target_id", "must be a UUID")


def _check_escalation(config: EscalateConfig, path: str, violations: Violations) -> None:
    check_enum(violations, f"{path}.condition", config.condition, required=True)
    check_enum(violations, f"{path}.mode", config.mode)
    if not config.targets:
        violations.add(f"{path}.targets", "must name at least one target")
    _check_targets(config.targets, f"{path}.targets", violations)
    if not 0 <= config.repeat_count <= _REPEATS:
        violations.add(f"{path}.repeat_count", f"must be between 0 and {_REPEATS}")
    if config.repeat_count > 1 and config.repeat_interval_minutes < 1:
        violations.add(f"{path}.repeat_interval_minutes", "must be at least 1 when repeating")
    for channel in config.third_party_channels:
        check_enum(violations, f"{path}.third_party_channels", channel, required=True)


def find_step(definition: WorkflowDefinition, step_id: str) -> WorkflowStep:
    """Return a step of a valid definition."""
    return next(step for step in definition.steps if step.id == step_id)


def next_step(step: WorkflowStep, outcome: str) -> str | None:
    """Return the id of the step that follows an outcome, or None at the end.

    Resolution: the outcome's own label, "completed" or "done", the only transition there is, else
    the end.
    """
    transitions = step.transitions
    for label in (outcome, *_OTHERWISE):
        if label in transitions:
            return _unless_end(transitions[label])
    if len(transitions) == 1:
        return _unless_end(next(iter(transitions.values())))
    return None


def _unless_end(step_id: str) -> str | None:
    return None if step_id == END else step_id


def deadline_delay(step: WorkflowStep) -> int:
    """Return the microseconds a DEADLINE_CHECK waits."""
    assert step.config is not None  # noqa: S101 - validated
    config = step.config.value
    assert isinstance(config, DeadlineCheckConfig)  # noqa: S101
    delay = parse_duration(config.delay)
    assert delay is not None  # noqa: S101
    return round(delay)


def targets(step: WorkflowStep) -> list[EscalationTarget]:
    """Return whom an escalation, or a reminder beside its recipients, addresses."""
    match step.config.value if step.config is not None else None:
        case EscalateConfig() as config:
            return config.targets
        case SendReminderConfig() as config:
            return config.notify_targets
        case _:
            return []


def nudge_channels(step: WorkflowStep, iteration: int = 0) -> list[int]:
    """Return over which channels a round of a step nudges, each once.

    Others than push do in the first round only. Push is among them where there is no delivery that
    is pushed anyway.
    """
    pushed = [PUSH] if is_alert(step) else []
    match step.config.value if step.config is not None else None:
        case SendReminderConfig() | EscalateConfig() as config if iteration == 0:
            return [*pushed, *sorted({int(channel) for channel in config.third_party_channels})]
        case _:
            return pushed


def channel_name(channel: int) -> str:
    """Return what people call a channel, push among them."""
    return "PUSH" if channel == PUSH else ChannelName(channel).name


def spares_confirmed(step: WorkflowStep) -> bool:
    """Tell whether an escalation is on account of those alone who have not confirmed."""
    config = step.config.value if step.config is not None else None
    return isinstance(config, EscalateConfig) and (
        config.condition == EscalationCondition.IF_NOT_ACKED
    )


def is_alert(step: WorkflowStep) -> bool:
    """Tell whether an escalation makes no deliveries and only alerts its targets."""
    config = step.config.value if step.config is not None else None
    return isinstance(config, EscalateConfig) and config.mode == EscalateMode.ALERT_ONLY


def pause_before_repeat(step: WorkflowStep, iteration: int) -> int | None:
    """Return the microseconds until an escalation's next round, or None after its last.

    ``repeat_count`` is the number of rounds; 0 and 1 both mean one.
    """
    config = step.config.value if step.config is not None else None
    if not isinstance(config, EscalateConfig) or iteration + 1 >= config.repeat_count:
        return None
    return config.repeat_interval_minutes * MINUTE


def notification_config(step: WorkflowStep) -> SendNotificationConfig:
    """Return a SEND_NOTIFICATION's config; one that was left out asks for an acknowledgement."""
    config = step.config.value if step.config is not None else None
    if isinstance(config, SendNotificationConfig):
        return config
    return SendNotificationConfig(action_type=ActionType.ACK)

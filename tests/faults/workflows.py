"""Workflows at random: valid ones of every kind of step, each with the people it addresses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from pidgr.contract.v1.common_pb import StepType

END: Final = "end"
# What a webhook's receiver does; it is asked three times at most.
TAKES: Final = "takes"
HESITATES: Final = "hesitates"
REFUSES: Final = "refuses"
TARGETS: Final = ("USER", "GROUP", "MANAGER", "ROLE")

_MOST_STEPS: Final = 8
_SHORTEST_PATH: Final = 3
_TYPES: Final = (
    StepType.SEND_NOTIFICATION,
    StepType.DEADLINE_CHECK,
    StepType.SEND_REMINDER,
    StepType.CALL_WEBHOOK,
    StepType.ESCALATE,
    StepType.MARK_MISSED,
)


@dataclass(frozen=True)
class Step:
    """One step; what another type than its own means is left as it is here."""

    id: str
    type: StepType
    transitions: dict[str, str]
    personal: bool = False
    targets: tuple[str, ...] = ()
    rounds: int = 1
    until_closed: bool = False
    alert: bool = False
    receiver: str = TAKES

    @property
    def outcome(self) -> str:
        return "failed" if self.receiver == REFUSES else "completed"

    @property
    def following(self) -> str:
        """Where the step leads: by its outcome, as completed or done, or by the only way."""
        for label in (self.outcome, "completed", "done"):
            if label in self.transitions:
                return self.transitions[label]
        return next(iter(self.transitions.values())) if len(self.transitions) == 1 else END


@dataclass(frozen=True)
class Scenario:
    """A campaign: its steps, the first of which is the first; and whom of the company it is for."""

    steps: tuple[Step, ...]
    first: int
    people: int
    wait_for_enrollment: bool = False
    cancelled: bool = False

    def path(self) -> Iterator[Step]:
        """The steps in the order in which they run."""
        by_id = {step.id: step for step in self.steps}
        step: Step | None = self.steps[0]
        while step is not None:
            yield step
            step = by_id.get(step.following)


@dataclass(frozen=True)
class Places:
    """What definitions name besides their steps: targets by kind, templates."""

    target_ids: dict[str, str]
    template_ids: dict[bool, str]
    """By whether they are personal."""


def definition(scenario: Scenario, places: Places, webhook_url: str) -> dict[str, Any]:
    """The workflow as it is sent to the API."""
    return {
        "steps": [
            {
                "id": step.id,
                "type": f"STEP_TYPE_{step.type.name}",
                "transitions": step.transitions,
                **_config(step, places, webhook_url),
            }
            for step in scenario.steps
        ]
    }


def _config(step: Step, places: Places, webhook_url: str) -> dict[str, Any]:
    targets = [
        {"type": f"ESCALATION_TARGET_TYPE_{kind}", "target_id": places.target_ids.get(kind, "")}
        for kind in step.targets
    ]
    match step.type:
        case StepType.SEND_NOTIFICATION:
            return {
                "send_notification": {
                    "type": "push",
                    "action_type": "ACTION_TYPE_ACK",
                    "template_id": places.template_ids[step.personal],
                }
            }
        case StepType.DEADLINE_CHECK:
            return {"deadline_check": {"delay": "1m"}}
        case StepType.SEND_REMINDER:
            return {"send_reminder": {"type": "push", "notify_targets": targets}}
        case StepType.CALL_WEBHOOK:
            url = f"{webhook_url}/{step.receiver}/{step.id}"
            return {"call_webhook": {"name": step.id, "url": url}}
        case StepType.ESCALATE:
            condition = "IF_NOT_CLOSED" if step.until_closed else "IF_NOT_ACKED"
            return {
                "escalate_config": {
                    "condition": f"ESCALATION_CONDITION_{condition}",
                    "mode": f"ESCALATE_MODE_{'ALERT_ONLY' if step.alert else 'DELIVER'}",
                    "targets": targets,
                    "repeat_count": step.rounds,
                    "repeat_interval_minutes": 1,
                }
            }
        case _:
            return {}


def _transitions(number: int, ids: list[str], step_type: StepType) -> st.SearchStrategy[Any]:
    """Ways to later steps, mostly to the next: one, the two of a webhook, or none at all."""
    further = [*ids[number + 1 :], END]
    ways = st.sampled_from([further[0]] * 5 + further)
    alone = st.tuples(st.sampled_from(["completed", "done", "onwards"]), ways).map(
        lambda way: dict([way])
    )
    both = st.fixed_dictionaries({"completed": ways, "failed": ways})
    if step_type == StepType.CALL_WEBHOOK:
        return st.one_of(both, both, both, alone)
    return st.one_of(alone, alone, alone, alone, alone, both, st.just({}))


def _details(step_type: StepType) -> dict[str, st.SearchStrategy[Any]]:
    """What a step of a type has besides its ways."""
    targets = st.lists(st.sampled_from(TARGETS), unique=True, max_size=4).map(tuple)
    match step_type:
        case StepType.SEND_NOTIFICATION:
            return {"personal": st.booleans()}
        case StepType.SEND_REMINDER:
            return {"targets": targets}
        case StepType.CALL_WEBHOOK:
            return {"receiver": st.sampled_from([TAKES, HESITATES, REFUSES])}
        case StepType.ESCALATE:
            return {
                "targets": targets.filter(bool),
                "rounds": st.integers(1, 3),
                "until_closed": st.booleans(),
                "alert": st.sampled_from([False, False, True]),
            }
        case _:
            return {}


@st.composite
def _steps(draw: st.DrawFn) -> tuple[Step, ...]:
    ids = [f"s{number}" for number in range(draw(st.integers(3, _MOST_STEPS)))]
    # Most workflows begin by sending: before that the other steps find nobody.
    first = st.sampled_from([StepType.SEND_NOTIFICATION] * 12 + list(_TYPES))
    steps = []
    for number, step_id in enumerate(ids):
        step_type = draw(st.sampled_from(_TYPES) if number else first)
        ways = draw(_transitions(number, ids, step_type))
        details = draw(st.fixed_dictionaries(_details(step_type)))
        steps.append(Step(step_id, step_type, ways, **details))
    # Only the first has a place; steps may be listed before those that lead to them.
    return (steps[0], *draw(st.permutations(steps[1:])))


def scenarios(company_size: int) -> st.SearchStrategy[Scenario]:
    """Campaigns to a few people, to hundreds, or to more than one batch of pushes has room for."""
    people = st.sampled_from([1, 2, 5, 8, 30, 60, 200, 400, company_size])
    return st.builds(
        Scenario,
        steps=_steps(),
        first=st.sampled_from([0, 0, 1, 90, 96]),
        people=people,
        wait_for_enrollment=st.booleans(),
        cancelled=st.sampled_from([False] * 5 + [True]),
    ).filter(_is_long_enough)


def _is_long_enough(scenario: Scenario) -> bool:
    """Tell whether something is sent and something happens afterwards: most graphs end at once."""
    types = [step.type for step in scenario.path()]
    return len(types) >= _SHORTEST_PATH and StepType.SEND_NOTIFICATION in types[:-1]


def drawn(number: int, company_size: int, count: int) -> list[Scenario]:
    """``count`` scenarios, always the same ones for a number.

    Drawn first and run afterwards: what processes do when they are killed is no function of the
    example, so there is nothing that Hypothesis could shrink.
    """
    found: list[Scenario] = []

    # The first example of every run is the simplest there is.
    @seed(number)
    @settings(
        max_examples=count + 1,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(scenarios(company_size))
    def collect(scenario: Scenario) -> None:
        found.append(scenario)

    collect()
    return found[1 : count + 1]

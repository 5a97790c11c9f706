"""Members, roles, managers, groups and teams against a model of sets and dictionaries."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from support.directory_machine import DirectoryMachine
from support.organization import Installation


def test_the_directory_behaves_like_its_model(installation: Installation) -> None:
    """The same few steps each time; ``make faults`` takes more, and other ones."""
    machine = type("Machine", (DirectoryMachine,), {"installation": installation, "founded": 0})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=50,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

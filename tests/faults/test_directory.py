"""The directory against its model for long; the suite takes a few steps of it."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from support.directory_machine import DirectoryMachine
from support.organization import Installation


@pytest.mark.faults
@pytest.mark.timeout(1_800)
def test_the_directory_behaves_like_its_model_for_long(installation: Installation) -> None:
    """Steps are drawn anew each time; a failure prints those that lead to it."""
    machine = type("Machine", (DirectoryMachine,), {"installation": installation, "founded": 0})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=100,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.deployment import Deployment

# What an audit finds is told like what a test finds.
pytest.register_assert_rewrite("faults.audit", "faults.verdict")


@pytest.fixture
def deployment(database_url: str, tmp_path: Path) -> Iterator[Deployment]:
    """An installation on either database, with no process running yet."""
    opened = Deployment(database_url, tmp_path)
    yield opened
    opened.close()


def seeds() -> range:
    """FAULT_SEEDS campaigns of kills (10), counted from FAULT_FIRST_SEED (1)."""
    first = int(os.environ.get("FAULT_FIRST_SEED", "1"))
    return range(first, first + int(os.environ.get("FAULT_SEEDS", "10")))

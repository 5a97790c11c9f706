"""The real command in processes of its own, on a data directory of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PIDGR = (sys.executable, "-m", "pidgr.cli")


class Finished:
    """A command that has ended."""

    def __init__(self, process: "subprocess.CompletedProcess[str]") -> None:
        self.status = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def sentence(self) -> str:
        """Return the one sentence that a command in trouble may say."""
        assert self.status == 1, (self.status, self.out, self.err)
        assert self.out == ""
        (line,) = self.err.splitlines()
        assert line.startswith("pidgr: ")
        return line.removeprefix("pidgr: ")


Command = Callable[..., Finished]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir()
    return path


@pytest.fixture
def environment(data_dir: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PIDGR_")}
    return {**ours, "PIDGR_DATA_DIR": str(data_dir)}


@pytest.fixture
def pidgr(environment: dict[str, str], tmp_path: Path) -> Command:
    def run(*arguments: str, **settings: str) -> Finished:
        given = {f"PIDGR_{name.upper()}": value for name, value in settings.items()}
        return Finished(
            subprocess.run(
                [*PIDGR, *arguments],
                env={**environment, **given},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        )

    return run


@pytest.fixture
def organization_id(pidgr: Command) -> str:
    created = pidgr(
        "admin", "create-org", "--name", "Acme", "--admin-email", "ada@example.com", "--json"
    )
    return str(created.json["organization_id"])

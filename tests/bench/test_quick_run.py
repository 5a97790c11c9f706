"""The benchmark runs and prints every row; its figures are for people to read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES_OF_A_DATABASE = 32


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_quick_run_measures_everything(kind: str, runtime_directory: Path) -> None:
    assert runtime_directory.is_dir()

    run = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--database", kind],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    kept = Path(run.stdout.rpartition("kept in ")[2].strip())
    lines = json.loads(kept.read_text())["lines"]
    kept.unlink()
    assert len(lines) == LINES_OF_A_DATABASE
    assert all(line["floor"] > 0 for line in lines)
    # What waiting campaigns add may be nothing, or less than the noise.
    assert all(line["ratio"] > 0 for line in lines if "waiting" not in line["subject"])
    subjects = [line["subject"].replace(" ", "") for line in lines]
    assert len(set(subjects)) == LINES_OF_A_DATABASE
    table = run.stdout.replace(" ", "")
    assert all(f"x{subject}" in table for subject in subjects)

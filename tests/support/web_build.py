"""Bundles what runs in browsers."""

import fcntl
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def bundle(target: str) -> None:
    """Run a target of the Makefile; one at a time, because all install the same packages."""
    with (ROOT / "web" / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run(
            ["make", "--no-print-directory", target],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert made.returncode == 0, made.stdout + made.stderr

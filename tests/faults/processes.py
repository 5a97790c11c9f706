"""Real Pidgr processes, to be killed, stopped and started again."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

READY_SECONDS = 30.0


class Process:
    """One ``pidgr serve`` or ``pidgr worker``; its log goes to a file."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pidgr.cli", *arguments],
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self) -> str:
        """Return what the process says when it is ready."""
        output = self._process.stdout
        assert output is not None
        ready, _, _ = select.select([output], [], [], READY_SECONDS)
        line = output.readline().decode() if ready else ""
        assert "ready" in line, f"the process did not start: {self.tail()}"
        return line.strip()

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4_000:]

    def kill(self) -> None:
        self._process.kill()
        self._end()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> float:
        """Stop gracefully; return how many seconds it took."""
        started = time.monotonic()
        self._process.terminate()
        self._end()
        return time.monotonic() - started

    def _end(self) -> None:
        self._process.communicate(timeout=60)

    @property
    def status(self) -> int | None:
        return self._process.returncode

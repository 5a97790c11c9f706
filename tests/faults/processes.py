"""Real Pidgr processes, to be killed, stopped and started again."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.waiting import until

READY_SECONDS = 120.0

# Each is forked off one process that has loaded the code: loading it is most of a start.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["pidgr.cli", "pidgr.rpc.app"])


def _run(arguments: Sequence[str], environment: Mapping[str, str], said: Path, log: Path) -> None:
    """Be ``pidgr``."""
    from pidgr.cli import main

    for path, descriptor in ((said, 1), (log, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.update(environment)
    sys.argv = ["pidgr", *arguments]
    main()


class Process:
    """One ``pidgr serve`` or ``pidgr worker``; its log goes to a file."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        self._said = log.with_suffix(".out")
        self._said.touch()
        self._process = _FORKS.Process(
            target=_run, args=(arguments, environment, self._said, log), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    def wait_ready(self) -> str:
        """Return what the process says when it is ready."""

        def has_begun() -> bool:
            return not self.running or self._said.read_text().endswith("\n")

        until(has_begun, READY_SECONDS)
        said = self._said.read_text()
        assert "ready" in said, f"the process did not start: {self.tail()}"
        return said.strip()

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
        self._process.join(60)
        assert not self.running

    @property
    def status(self) -> int | None:
        return self._process.exitcode

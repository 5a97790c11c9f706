"""The demo's server: ``pidgr serve`` in a process of its own."""

import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pidgr.errors import SetupError
from pidgr.settings import PREFIX

USUAL_PORT: Final = 8080
_HOST: Final = "127.0.0.1"
_READY: Final = "Pidgr is ready at "
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 40.0
_LAST_LINES: Final = 5


def choose_port(wanted: int | None) -> int:
    """Return the wanted port; without a wish 8080, or any free one when that is taken.

    Raises:
        SetupError: the wanted port is taken.
    """
    if _is_free(wanted or USUAL_PORT):
        return wanted or USUAL_PORT
    if wanted is not None:
        raise SetupError(f"port {wanted} is taken by another program: give another --port")
    with socket.socket() as free:
        free.bind((_HOST, 0))
        found: int = free.getsockname()[1]
        return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def use_demo_settings(directory: Path, port: int) -> None:
    """Let this process and the server it starts see the demo's settings and no others."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    os.environ.update(
        PIDGR_DATA_DIR=str(directory),
        PIDGR_HOST=_HOST,
        PIDGR_PORT=str(port),
        # What people sign in to, who get their codes on the console.
        PIDGR_ISSUER=f"http://localhost:{port}",
        PIDGR_DEVELOPMENT="true",
        # One organization does in a minute what 5,000 people do in a day.
        PIDGR_RATE_LIMIT_PER_SECOND="10000",
        PIDGR_RATE_LIMIT_BURST="20000",
        # A proxy of the surroundings would not find this machine's loopback.
        NO_PROXY=_HOST,
    )


class DemoServer:
    """Starts the server on entering, and stops it on leaving, whatever happened between.

    Args:
        directory: for its log.
        say: takes each line that the server prints once it is ready: its mail.
    """

    def __init__(self, directory: Path, say: Callable[[str], None]) -> None:
        self._say = say
        self._log = directory / "server.log"
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pidgr.cli", "serve"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # Ctrl-C is for the demo, which stops the server when it is done with it.
                process_group=0,
            )
        try:
            self.url = self._wait_until_ready(self._process)
            threading.Thread(target=self._pass_on, args=(self._process,), daemon=True).start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _wait_until_ready(self, process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        too_long = threading.Timer(_START_SECONDS, process.kill)
        too_long.start()
        try:
            for line in process.stdout:
                if line.startswith(_READY):
                    return line.removeprefix(_READY).strip()
        finally:
            too_long.cancel()
        raise SetupError(f"the demo's server did not start\n{self.last_words()}")

    def _pass_on(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        for line in process.stdout:
            self._say(line.rstrip())

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait(self) -> None:
        """Return when the server has ended by itself."""
        if self._process is not None:
            self._process.wait()

    def last_words(self) -> str:
        """Return the end of the server's log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(["The end of the server's log:", *lines[-_LAST_LINES:]])

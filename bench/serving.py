"""Server processes under measurement, what they cost, and calls to them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 60.0
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_KIB: Final = 1024


class Process:
    """A running process of ours."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def processor_seconds(self) -> float:
        """Return the processor time the process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def reset_peak_memory(self) -> None:
        """Begin to look for the peak anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def memory(self, name: str = "VmRSS") -> int:
        """Return resident memory in bytes: now (VmRSS) or at its peak (VmHWM)."""
        found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        if found is None:
            raise LookupError(name)
        return int(found[1]) * _KIB


class Server(Process):
    """A running server process."""

    def __init__(self, pid: int, url: str) -> None:
        super().__init__(pid)
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=120.0)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    def call(self, rpc: str, credential: str, request: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Make a Connect call in JSON and return the answer."""
        response = self._client.post(
            f"/pidgr.v1.{rpc}", json=request, headers={"authorization": f"Bearer {credential}"}
        )
        if not response.is_success:
            message = f"{rpc} answered {response.status_code}: {response.text}"
            raise RuntimeError(message)
        return response.json()

    def call_binary(self, rpc: str, credential: str, request: bytes) -> bytes:
        """Make a Connect call in protobuf's binary form and return the answer's bytes."""
        headers = {"authorization": f"Bearer {credential}", "content-type": "application/proto"}
        # Not compressed, so that the bytes are the message.
        headers["accept-encoding"] = "identity"
        response = self._client.post(f"/pidgr.v1.{rpc}", content=request, headers=headers)
        response.raise_for_status()
        return response.content

    def close(self) -> None:
        """Close the connections to it."""
        self._client.close()


@contextmanager
def serving(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[Server]:
    """Run a server that prints ``... at URL`` when it is ready, for the length of a block."""
    with _running(command, environment, log, " at http") as (pid, ready):
        server = Server(pid, ready.split()[-1])
        try:
            yield server
        finally:
            server.close()


@contextmanager
def working(environment: Mapping[str, str], log: Path) -> Iterator[Process]:
    """Run `pidgr worker` for the length of a block."""
    with _running(["-m", "pidgr.cli", "worker"], environment, log, "is ready") as (pid, _):
        yield Process(pid)


@contextmanager
def _running(
    command: list[str], environment: Mapping[str, str], log: Path, says: str
) -> Iterator[tuple[int, str]]:
    """Run a process for the length of a block; yields its id and what it said when it was ready."""
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        ready = process.stdout.readline()
        if says not in ready:
            message = f"{command} did not start: {log.read_text()[-2000:]}"
            raise RuntimeError(message)
        yield process.pid, ready
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

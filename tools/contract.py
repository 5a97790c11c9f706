"""Generate the Python contract from ``proto/``, check it, or publish it as the new baseline.

Usage: contract.py generate | check | publish

``publish`` is for releases: it makes the present contract the one that ``check`` compares later
changes with (docs/decisions/0001-contract-baseline.md).
"""

import filecmp
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
CONTRACT = ROOT / "src" / "pidgr" / "contract"
BASELINE = PROTO / "published.binpb"
# google.rpc error details travel in every error; their protos ship in googleapis-common-protos.
GOOGLE_RPC = "google/rpc/error_details.proto"
# Where protoc puts a package, and where it lives in ours.
PLACES = {"pidgr/v1": "v1", "google/rpc": "rpc", "grpc/health/v1": "health"}


def buf(*arguments: str) -> None:
    """Run buf with the plugins of this environment on its PATH; its failure ends the process."""
    scripts = sysconfig.get_path("scripts")
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}"}
    run = subprocess.run([f"{scripts}/buf", *arguments], cwd=ROOT, env=environment, check=False)
    if run.returncode:
        sys.exit(f"buf {arguments[0]} failed, see above")


def generate(target: Path) -> None:
    """Write the generated packages below ``target``."""
    site = Path(sysconfig.get_path("purelib"))
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "proto")
        shutil.copytree(PROTO, source)
        google = source / GOOGLE_RPC
        google.parent.mkdir(parents=True)
        shutil.copy(site / GOOGLE_RPC, google)
        out = Path(scratch, "out")
        buf("generate", str(source), "--template", "buf.gen.yaml", "--output", str(out))
        target.mkdir(parents=True, exist_ok=True)
        for produced, place in PLACES.items():
            replace(target / place, out / produced)


def replace(place: Path, produced: Path) -> None:
    """Make ``place`` hold what ``produced`` holds, never leaving a module missing meanwhile."""
    shutil.copytree(produced, place, dirs_exist_ok=True)
    for stale in place.glob("*.py"):
        if not (produced / stale.name).exists():
            stale.unlink()


def differences(have: Path, want: Path) -> list[str]:
    """Name every file below ``want`` that ``have`` lacks or holds differently, and the reverse."""
    files = {path.relative_to(base) for base in (have, want) for path in base.rglob("*.py")}
    return sorted(
        str(file)
        for file in files
        if not (have / file).exists()
        or not (want / file).exists()
        or not filecmp.cmp(have / file, want / file, shallow=False)
    )


def check() -> None:
    """Fail unless the protos lint, are formatted, keep the published contract and made our code."""
    buf("lint")
    buf("format", "--diff", "--exit-code")
    buf("breaking", "--against", str(BASELINE))
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        shutil.copy(CONTRACT / "__init__.py", Path(scratch, "__init__.py"))
        stale = differences(CONTRACT, Path(scratch))
    if stale:
        sys.exit(f"generated code is stale, run 'make generate': {', '.join(stale)}")


def publish() -> None:
    """Make the present contract the baseline, unless it breaks the one before."""
    buf("breaking", "--against", str(BASELINE))
    buf("build", "--exclude-source-info", "--output", str(BASELINE))


def main(arguments: list[str]) -> None:
    """Run the command named on the command line."""
    match arguments:
        case ["generate"]:
            generate(CONTRACT)
        case ["check"]:
            check()
        case ["publish"]:
            publish()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])

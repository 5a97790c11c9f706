"""The contract check itself: it passes now, and it fails for what it is there to find."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def run(root: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "tools" / "contract.py"), command],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A copy of everything that the check looks at, free to be spoilt."""
    for name in ("proto", "tools", "src/pidgr/contract"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("buf.yaml", "buf.gen.yaml"):
        shutil.copy(root / name, tmp_path)
    return tmp_path


def spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_the_committed_contract_passes_and_its_code_is_current(root: Path) -> None:
    done = run(root, "check")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("string push_token = 3;", "string push_token = 7;"),
        ("string push_token = 3;", "bytes push_token = 3;"),
        ("string push_token = 3;", "string token = 3;"),
        ("repeated DeviceSummary devices = 1;", "DeviceSummary devices = 1;"),
        ("rpc Deactivate(", "rpc Disable("),
        ("    option idempotency_level = NO_SIDE_EFFECTS;\n", ""),
    ],
)
def test_a_change_that_breaks_clients_fails(checkout: Path, old: str, new: str) -> None:
    spoil(checkout / "buf.yaml", "    - STANDARD\n    - COMMENTS\n", "    - PACKAGE_DEFINED\n")
    spoil(checkout / "proto/pidgr/v1/device.proto", old, new)
    buf = shutil.which("buf", path=str(Path(sys.executable).parent))
    assert buf
    subprocess.run([buf, "format", "--write"], cwd=checkout, check=True)
    done = run(checkout, "check")
    assert done.returncode == 1
    assert "buf breaking failed" in done.stderr


def test_an_addition_breaks_nobody_but_makes_the_generated_code_stale(checkout: Path) -> None:
    spoil(
        checkout / "proto/pidgr/v1/device.proto",
        "string push_token = 3;",
        "string push_token = 3;\n  // Version of the app, at most 50 characters.\n"
        "  string app_version = 4;",
    )
    done = run(checkout, "check")
    assert done.returncode == 1
    assert "generated code is stale" in done.stderr
    assert "v1/device_pb.py" in done.stderr


def test_a_generated_module_without_a_proto_is_stale(checkout: Path) -> None:
    (checkout / "src/pidgr/contract/v1/forgotten_pb.py").write_text("")
    done = run(checkout, "check")
    assert done.returncode == 1
    assert "v1/forgotten_pb.py" in done.stderr


def test_a_field_without_a_comment_fails(checkout: Path) -> None:
    device = checkout / "proto/pidgr/v1/device.proto"
    spoil(device, "  // Last Register call.\n", "")
    done = run(checkout, "check")
    assert done.returncode == 1
    assert "buf lint failed" in done.stderr


def test_publishing_holds_what_was_added_and_refuses_a_break(checkout: Path) -> None:
    device = checkout / "proto/pidgr/v1/device.proto"
    image = checkout / "proto/published.binpb"
    field = "\n  // Version of the app, at most 50 characters.\n  string app_version = 4;"
    spoil(device, "string push_token = 3;", "string push_token = 3;" + field)
    assert run(checkout, "publish").returncode == 0
    published = image.read_bytes()
    assert b"app_version" in published

    spoil(device, field, "")
    done = run(checkout, "publish")
    assert done.returncode == 1
    assert "app_version" in done.stdout
    assert image.read_bytes() == published

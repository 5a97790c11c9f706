"""What the pages say is held against the code, and the tutorial is followed to its end."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import typer.main
from support.waiting import until
from typer.core import TyperCommand, TyperGroup

from pidgr import cli
from pidgr.rpc.app import CONTRACT, implementations
from pidgr.rpc.binding import snake_case
from pidgr.settings import Settings
from pidgr.system import build_system

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]


def test_the_readme_lists_exactly_the_rpcs_that_are_missing(tmp_path: Path) -> None:
    system = build_system(Settings(data_dir=tmp_path), run_handlers=False)
    ours = implementations(system)
    system.close()
    missing = {
        (service, method.name)
        for description in CONTRACT
        for service in [description.type_name.rpartition(".")[2]]
        for method in description.methods
        if not hasattr(ours.get(service), snake_case(method.name))
    }
    text = (ROOT / "README.md").read_text()
    listed = {
        (service, name)
        for service, names in re.findall(r"^  - (\w+Service): (.+)$", text, re.MULTILINE)
        for name in names.split(", ")
    }
    assert listed == missing


def test_every_test_that_the_table_of_requirements_names_is_there() -> None:
    text = (ROOT / "docs" / "reference" / "sign-in.md").read_text()
    table = text.partition("## OWASP ASVS")[2]
    named = re.findall(r"`([\w/.]+\.py)`: ([\w, ]+)", table)
    assert len(named) > 10
    for file, names in named:
        code = (ROOT / "tests" / "identity" / file).read_text()
        for name in names.split(", "):
            assert f"def test_{name.strip()}(" in code, (file, name)


def test_the_table_of_settings_is_the_code_s() -> None:
    tool = [sys.executable, "tools/configuration.py", "check"]
    subprocess.run(tool, cwd=ROOT, check=True)


def test_the_page_of_commands_names_every_command_and_option() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text()
    for name, command in _commands(typer.main.get_command(cli.app), "pidgr"):
        assert f"`{name}" in text, name
        for parameter in command.params:
            for option in parameter.opts:
                assert option in text or option in {"--help", parameter.name}, (name, option)


def _commands(group: object, name: str) -> list[tuple[str, TyperCommand]]:
    if not isinstance(group, TyperGroup):
        assert isinstance(group, TyperCommand)
        return [(name, group)]
    return [
        found
        for word, command in group.commands.items()
        for found in _commands(command, f"{name} {word}")
    ]


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), (page, target)


def test_the_tutorial_can_be_followed(environment: dict[str, str], tmp_path: Path) -> None:
    text = (ROOT / "docs" / "tutorial" / "first-campaign.md").read_text()
    # The blocks marked "bash" start what this test starts itself.
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = "set -euo pipefail\n" + "\n".join(blocks).replace("8080", str(port))
    tools = Path(sys.executable).parent
    settings = {**environment, "PATH": f"{tools}{os.pathsep}{environment['PATH']}"}
    with (tmp_path / "serve.log").open("w") as log:
        server = subprocess.Popen(
            ["pidgr", "serve", "--port", str(port)], env=settings, stdout=log, stderr=log
        )
    try:
        until(lambda: "is ready" in (tmp_path / "serve.log").read_text(), seconds=60)
        followed = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=settings,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        server.terminate()
        server.wait()
    assert followed.returncode == 0, followed.stderr
    assert "DELIVERY_STATUS_SENT" in followed.stdout
    assert "DELIVERY_STATUS_NO_DEVICE" in followed.stdout
    assert followed.stdout.endswith("CAMPAIGN_STATUS_COMPLETED\n1\n")

"""What the commands share: settings from options, and the ways to print."""

import json
import os
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from pidgr.settings import PREFIX, Settings

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DatabaseUrl = Annotated[str | None, typer.Option(help="sqlite:///FILE or postgresql://...")]


def override(**values: object) -> Settings:
    """Put command-line values over the environment, where every process of the server looks."""
    for name, value in values.items():
        if value is not None:
            os.environ[f"{PREFIX}{name.upper()}"] = str(value)
    return Settings()


def say(line: str) -> None:
    """Print a line at once and as it is, for programs and people alike."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def print_json(value: dict[str, Any]) -> None:
    """Print a value as one line of JSON."""
    say(json.dumps(value))

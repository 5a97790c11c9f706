"""The ``pidgr`` command.

Exit status: 0 done; 1 not done, or not all of it, with one sentence on standard error; 2 the
command line itself is wrong; 3 the server did not start, for the reason in its log.
"""

import dataclasses
from importlib.metadata import version
from typing import Annotated, Final, NoReturn

import typer

from pidgr.cli.admin import admin
from pidgr.cli.campaigns import campaigns
from pidgr.cli.deliveries import explain
from pidgr.cli.heatmaps import heatmap
from pidgr.cli.members import members
from pidgr.cli.serving import migrate, serve, worker
from pidgr.cli.terminal import Json, console, errors, print_json, say
from pidgr.trouble import sentence

# Release of the published contract whose clients this server understands.
CONTRACT_VERSION: Final = "0.101.0"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Internal communication that every employee confirms. Settings are PIDGR_* variables: "
    "docs/reference/configuration.md",
)
for command in (serve, worker, migrate):
    app.command()(command)
app.add_typer(admin, name="admin")
app.add_typer(members, name="members")
app.add_typer(campaigns, name="campaigns")
app.add_typer(heatmap, name="heatmap")
app.command()(explain)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"pidgr {version('pidgr')} (contract pidgr.v1 {CONTRACT_VERSION})")
        raise typer.Exit


@app.callback()
def options(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print versions."),
    ] = False,
) -> None:
    """Take the options that come before a command."""


@app.command()
def doctor(*, as_json: Json = False) -> None:
    """Check this installation and say what to do about what is wrong."""
    from pidgr import diagnosis  # noqa: PLC0415

    findings = diagnosis.examine()
    healthy = diagnosis.is_healthy(findings)
    if as_json:
        print_json({"healthy": healthy, "findings": [dataclasses.asdict(one) for one in findings]})
    else:
        diagnosis.show(findings, console)
    if not healthy:
        raise typer.Exit(1)


@app.command()
def demo(
    *,
    stop: Annotated[bool, typer.Option("--exit", help="End after the story.")] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to serve on [8080, or a free one].")
    ] = None,
    people: Annotated[
        int, typer.Option(min=1, max=100_000, help="Recipients of the campaign.")
    ] = 5_000,
) -> None:
    """Tell the story of one campaign, then keep serving."""
    from pidgr.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(port=port, people=people, keep_serving=not stop))


def _fail(message: str) -> NoReturn:
    errors.print(f"pidgr: {message}", style="red", soft_wrap=True, markup=False)
    raise SystemExit(1)


def main() -> None:
    """Run the command line; trouble that is to be expected ends with its sentence and status 1."""
    try:
        app()
    except Exception as error:
        told = sentence(error)
        if told is None:
            raise
        _fail(told)

"""The ``pidgr`` command.

Exit status: 0 done; 1 not done, or not all of it, with one sentence on standard error; 2 the
command line itself is wrong; 3 the server did not start, for the reason in its log.
"""

import dataclasses
import errno
import json
import os
import signal
import socket
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pidgr.clock import SECOND, to_datetime
from pidgr.errors import SetupError
from pidgr.logs import configure_logging
from pidgr.settings import PREFIX, Settings
from pidgr.trouble import sentence

if TYPE_CHECKING:
    from pidgr.directory.member_import import ImportReport

# Release of the published contract whose clients this server understands.
CONTRACT_VERSION: Final = "0.101.0"

_SHOWN_PROBLEMS: Final = 20

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Internal communication that every employee confirms.",
    epilog="Settings are PIDGR_* variables: docs/reference/configuration.md",
)
admin = typer.Typer(no_args_is_help=True, help="What an operator may do without signing in.")
members = typer.Typer(no_args_is_help=True, help="Work on an organization's members.")
app.add_typer(admin, name="admin")
app.add_typer(members, name="members")

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DatabaseUrl = Annotated[str | None, typer.Option(help="sqlite:///FILE or postgresql://...")]


def _override(**values: object) -> Settings:
    """Put command-line values over the environment, where every process of the server looks."""
    for name, value in values.items():
        if value is not None:
            os.environ[f"{PREFIX}{name.upper()}"] = str(value)
    return Settings()


def _say(line: str) -> None:
    """Print a line at once and as it is, for programs and people alike."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _print_json(value: dict[str, Any]) -> None:
    _say(json.dumps(value))


def _print_version(wanted: bool) -> None:
    if wanted:
        _say(f"pidgr {version('pidgr')} (contract pidgr.v1 {CONTRACT_VERSION})")
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
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks one.")
    ] = None,
    database_url: DatabaseUrl = None,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM certificate chain.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM private key.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes, with PostgreSQL.")
    ] = None,
) -> None:
    """Serve the API, and run campaigns."""
    settings = _override(
        host=host,
        port=port,
        database_url=database_url,
        tls_cert=tls_cert,
        tls_key=tls_key,
        workers=workers,
    )
    from pidgr import operations  # noqa: PLC0415 - other commands start without it
    from pidgr.rpc.server import ServerOptions  # noqa: PLC0415
    from pidgr.rpc.server import serve as serve_app  # noqa: PLC0415

    configure_logging(settings.log_level)
    operations.check_before_serving(settings)
    options = ServerOptions(
        host=settings.host,
        port=settings.port,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
        workers=settings.workers,
        drain_seconds=settings.drain_seconds,
    )
    try:
        serve_app(
            "pidgr.rpc.app:create_app",
            options,
            on_ready=lambda url: _say(f"Pidgr is ready at {url}"),
        )
    except OSError as error:
        raise _not_listening(error, settings) from error


def _not_listening(error: OSError, settings: Settings) -> SetupError:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return SetupError(f"{where} is taken by another program: stop it or give another --port")
    if error.errno == errno.EACCES and error.filename is None:
        return SetupError(f"{where} is not ours to use: give a --port above 1023")
    if isinstance(error, socket.gaierror):
        return SetupError(f"there is no address {settings.host!r} to listen on: {error.strerror}")
    return SetupError(f"cannot serve on {where}: {error}")


@app.command()
def worker(database_url: DatabaseUrl = None) -> None:
    """Run campaigns beside API processes, on PostgreSQL."""
    from pidgr.system import build_system  # noqa: PLC0415

    settings = _override(database_url=database_url)
    if settings.resolved_database_url().startswith("sqlite"):
        raise SetupError(
            "a worker needs PostgreSQL: on SQLite `pidgr serve` is the one process and runs "
            "campaigns itself; give --database-url postgresql://..."
        )
    configure_logging(settings.log_level)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    system = build_system(settings, run_handlers=True)
    system.engine.start()
    _say("Pidgr worker is ready")
    stopping.wait()
    system.close()


@app.command()
def migrate(database_url: DatabaseUrl = None) -> None:
    """Bring the database schema to this version's."""
    from pidgr import operations  # noqa: PLC0415

    operations.migrate(_override(database_url=database_url))
    console.print("The schema is up to date.")


@admin.command("create-org")
def create_org(
    name: Annotated[str, typer.Option(help="Name of the organization.")],
    admin_email: Annotated[str, typer.Option(help="E-mail of its first super admin.")],
    *,
    as_json: Json = False,
) -> None:
    """Create an organization, its first member, and an API key with every permission."""
    from pidgr import operations  # noqa: PLC0415

    created = operations.create_organization(Settings(), name, admin_email)
    if as_json:
        _print_json(created)
        return
    _say(f"Organization  {created['organization_id']}")
    _say(f"Admin         {created['admin_user_id']}  ({admin_email})")
    _say(f"API key       {created['api_key']}  (shown only now)")


@admin.command("token")
def token(
    user_id: Annotated[str, typer.Option(help="Whose token.")],
    ttl: Annotated[
        int, typer.Option(min=1, max=86_400, help="Seconds the token lives, a day at most.")
    ] = 3600,
) -> None:
    """Print an access token for a member; the operator vouches for who they are."""
    from pidgr import operations  # noqa: PLC0415

    _say(operations.mint_token(Settings(), user_id, ttl * SECOND))


@admin.command("rotate-keys")
def rotate_keys() -> None:
    """Let a new key sign access tokens.

    It is published now and signs in ten minutes; the old one counts until the last token it signed
    has expired. Servers take up both without a restart.
    """
    from pidgr import operations  # noqa: PLC0415

    moment = to_datetime(operations.rotate_keys(Settings()))
    _say(f"The new key signs from {moment:%Y-%m-%d %H:%M:%S} UTC on.")


@admin.command("webhook-secret")
def webhook_secret(
    organization_id: Annotated[str, typer.Option(help="Whose webhooks.")],
    *,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Replace it; the old one signs nothing more.")
    ] = False,
) -> None:
    """Print the secret that an organization's webhooks are signed with."""
    from pidgr import operations  # noqa: PLC0415

    _say(operations.webhook_secret(Settings(), organization_id, rotate=rotate))


@members.command("import")
def import_members(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="UTF-8 CSV.")
    ],
    organization_id: Annotated[str, typer.Option(help="Whose members they become.")],
    *,
    as_json: Json = False,
) -> None:
    """Invite everyone in a CSV file.

    The first line names the columns: email, name, first_name, last_name, department, title, phone,
    location, employee_id, manager_name, start_date, preferred_locale, role; any other column is a
    custom attribute. Who is a member already is skipped, so the same file can be imported again.
    The exit status is 1 if any row was invalid; the others are in.
    """
    report = _import(file, organization_id)
    if as_json:
        _print_json({"rows": report.rows, **dataclasses.asdict(report)})
    else:
        _say(f"{report.inserted:,} invited, {report.skipped:,} skipped, {report.invalid:,} invalid")
        shown = report.problems[:_SHOWN_PROBLEMS]
        for problem in shown:
            _say(f"  line {problem.line}: {problem.email or '(no address)'}: {problem.reason}")
        if len(shown) < report.skipped + report.invalid:
            _say(f"  and {report.skipped + report.invalid - len(shown):,} more")
    if report.invalid:
        raise typer.Exit(1)


def _import(file: Path, organization_id: str) -> "ImportReport":
    from pidgr import operations  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    # A bar of bytes: counting the rows first would read the file twice.
    with (
        Progress(*columns, console=errors, disable=not errors.is_terminal) as bar,
        bar.open(file, "r", encoding="utf-8", newline="", description="Reading") as lines,
    ):

        def show(report: "ImportReport") -> None:
            bar.update(bar.task_ids[0], description=f"{report.rows:,} rows")

        return operations.import_members(Settings(), lines, organization_id, show)


@app.command()
def doctor(*, as_json: Json = False) -> None:
    """Check this installation and say what to do about what is wrong."""
    from pidgr import diagnosis  # noqa: PLC0415

    findings = diagnosis.examine()
    healthy = diagnosis.is_healthy(findings)
    if as_json:
        _print_json({"healthy": healthy, "findings": [dataclasses.asdict(one) for one in findings]})
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
    """Tell the story of one campaign to 5,000 people, then keep serving."""
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


if __name__ == "__main__":
    main()

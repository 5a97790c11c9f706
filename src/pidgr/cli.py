"""The ``pidgr`` command."""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from pidgr.clock import SECOND
from pidgr.errors import PidgrError
from pidgr.logs import configure_logging
from pidgr.secrets import MasterKeyError
from pidgr.settings import PREFIX, Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Internal communication that every employee confirms. Settings: PIDGR_* variables.",
)
admin = typer.Typer(no_args_is_help=True, help="What an operator may do without signing in.")
members = typer.Typer(no_args_is_help=True, help="Work on an organization's members.")
app.add_typer(admin, name="admin")
app.add_typer(members, name="members")

console = Console()
errors = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _override(**values: object) -> Settings:
    """Put command-line values over the environment, where every process of the server looks."""
    for name, value in values.items():
        if value is not None:
            os.environ[f"{PREFIX}{name.upper()}"] = str(value)
    return Settings()


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks one.")] = None,
    database_url: Annotated[str | None, typer.Option(help="sqlite:/// or postgresql://")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM certificate chain.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM private key.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes, with PostgreSQL.")] = None,
) -> None:
    """Serve the API, and run campaigns unless PIDGR_EMBEDDED_ENGINE=false."""
    from pidgr.rpc.server import ServerOptions  # noqa: PLC0415 - other commands start without it
    from pidgr.rpc.server import serve as serve_app  # noqa: PLC0415

    settings = _override(
        host=host,
        port=port,
        database_url=database_url,
        tls_cert=tls_cert,
        tls_key=tls_key,
        workers=workers,
    )
    if settings.workers > 1 and settings.resolved_database_url().startswith("sqlite"):
        _fail("several workers need PostgreSQL: give --database-url postgresql://...")
    configure_logging(settings.log_level)
    options = ServerOptions(
        host=settings.host,
        port=settings.port,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
        workers=settings.workers,
        drain_seconds=settings.drain_seconds,
    )
    serve_app("pidgr.rpc.app:create_app", options, on_ready=_announce)


def _announce(url: str) -> None:
    sys.stdout.write(f"Pidgr is ready at {url}\n")
    sys.stdout.flush()


@app.command()
def worker(
    database_url: Annotated[str | None, typer.Option(help="postgresql://...")] = None,
) -> None:
    """Run campaigns beside API processes that share the PostgreSQL database."""
    from pidgr.system import build_system  # noqa: PLC0415

    settings = _override(database_url=database_url)
    configure_logging(settings.log_level)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    system = build_system(settings, run_handlers=True)
    system.engine.start()
    sys.stdout.write("Pidgr worker is ready\n")
    sys.stdout.flush()
    stopping.wait()
    system.close()


@app.command()
def migrate(
    database_url: Annotated[str | None, typer.Option(help="sqlite:/// or postgresql://")] = None,
) -> None:
    """Bring the database schema to this version's. Safe to repeat."""
    from pidgr import system  # noqa: PLC0415
    from pidgr.storage.database import Database  # noqa: PLC0415

    settings = _override(database_url=database_url)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.resolved_database_url())
    system.migrate(database)
    database.close()
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
    console.print(f"Organization  {created['organization_id']}")
    console.print(f"Admin         {created['admin_user_id']}  ({admin_email})")
    console.print(f"API key       {created['api_key']}  (shown only now)", soft_wrap=True)


@admin.command("token")
def token(
    user_id: Annotated[str, typer.Option(help="Whose token.")],
    ttl: Annotated[int, typer.Option(min=1, help="Seconds the token lives.")] = 3600,
) -> None:
    """Print an access token for a member; the operator vouches for who they are."""
    from pidgr import operations  # noqa: PLC0415

    sys.stdout.write(operations.mint_token(Settings(), user_id, ttl * SECOND) + "\n")


@members.command("import")
def import_members(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV with a header.")],
    organization_id: Annotated[str, typer.Option(help="Whose members they become.")],
    *,
    as_json: Json = False,
) -> None:
    """Invite everyone in a CSV file: email, name, first_name, last_name, department, ..."""
    from pidgr import operations  # noqa: PLC0415

    report = operations.import_members(Settings(), file, organization_id, show_progress=not as_json)
    if as_json:
        _print_json(report)
        return
    console.print(
        f"{report['inserted']:,} invited, {report['skipped']:,} known before, "
        f"{report['invalid']:,} invalid"
    )
    for problem in report["problems"]:
        console.print(f"  line {problem['line']}: {problem['reason']}")


@app.command()
def doctor(*, as_json: Json = False) -> None:
    """Check database, migrations, clock, keys and engine, and say what to do."""
    from pidgr import diagnosis  # noqa: PLC0415

    findings = diagnosis.examine(Settings())
    if as_json:
        _print_json({"findings": [finding.as_dict() for finding in findings]})
    else:
        diagnosis.show(findings, console)
    if not all(finding.healthy for finding in findings):
        raise typer.Exit(1)


@app.command()
def demo(
    *,
    stop: Annotated[bool, typer.Option("--exit", help="End after the story.")] = False,
    port: Annotated[int, typer.Option(help="Port to serve on.")] = 8080,
) -> None:
    """Tell the story of one campaign to 5,000 people, then keep serving."""
    from pidgr.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(port=port, keep_serving=not stop))


def _fail(message: str) -> NoReturn:
    errors.print(f"pidgr: {message}", style="red", soft_wrap=True, highlight=False)
    raise SystemExit(1)


def main() -> None:
    """Run the command line; errors of ours end with their sentence and status 1."""
    try:
        app()
    except (PidgrError, MasterKeyError, ValueError) as error:
        _fail(str(error))


if __name__ == "__main__":
    main()

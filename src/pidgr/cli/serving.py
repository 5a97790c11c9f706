"""Commands that run a part of the server, and the one that prepares its database."""

import errno
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pidgr import interpreter
from pidgr.cli.terminal import DatabaseUrl, console, override, say
from pidgr.errors import SetupError
from pidgr.logs import configure_logging
from pidgr.settings import Settings

if TYPE_CHECKING:
    from pidgr.rpc.server import AddressError


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
    settings = override(
        host=host,
        port=port,
        database_url=database_url,
        tls_cert=tls_cert,
        tls_key=tls_key,
        workers=workers,
    )
    from pidgr import operations  # noqa: PLC0415 - other commands start without it
    from pidgr.rpc.server import AddressError, ServerOptions  # noqa: PLC0415
    from pidgr.rpc.server import serve as serve_app  # noqa: PLC0415

    configure_logging(settings.log_level)
    operations.check_before_serving(settings)
    options = ServerOptions(
        host=settings.host,
        port=settings.port,
        internal_host=settings.internal_host,
        internal_port=settings.internal_port,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
        workers=settings.workers,
        drain_seconds=settings.drain_seconds,
    )
    try:
        serve_app(
            "pidgr.rpc.app:create_app",
            options,
            on_ready=lambda url: say(f"Pidgr is ready at {url}"),
        )
    except AddressError as error:
        raise _not_listening(error, settings) from error
    except OSError as error:
        raise SetupError(f"cannot serve: {error}") from error


def _not_listening(error: "AddressError", settings: Settings) -> SetupError:
    where = f"{error.host}:{error.port}"
    is_internal = (error.host, error.port) == (settings.internal_host, settings.internal_port)
    port = "PIDGR_INTERNAL_PORT" if is_internal else "--port"
    if error.errno == errno.EADDRINUSE:
        return SetupError(f"{where} is taken by another program: stop it or give another {port}")
    if error.errno == errno.EACCES:
        return SetupError(f"{where} is not ours to use: give a {port} above 1023")
    if isinstance(error.__cause__, socket.gaierror):
        return SetupError(f"there is no address {error.host!r} to listen on: {error.strerror}")
    return SetupError(f"cannot serve on {where}: {error}")


def worker(database_url: DatabaseUrl = None) -> None:
    """Run campaigns beside API processes, on PostgreSQL."""
    from pidgr.system import build_system  # noqa: PLC0415

    settings = override(database_url=database_url)
    if settings.resolved_database_url().startswith("sqlite"):
        raise SetupError(
            "a worker needs PostgreSQL: on SQLite `pidgr serve` is the one process and runs "
            "campaigns itself; give --database-url postgresql://..."
        )
    configure_logging(settings.log_level)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    interpreter.share_one_heap()
    interpreter.take_short_turns()
    system = build_system(settings, run_handlers=True)
    system.engine.start()
    interpreter.tune_garbage_collector()
    say("Pidgr worker is ready")
    stopping.wait()
    system.close()


def migrate(database_url: DatabaseUrl = None) -> None:
    """Bring the database schema to this version's."""
    from pidgr import operations  # noqa: PLC0415

    operations.migrate(override(database_url=database_url))
    console.print("The schema is up to date.")

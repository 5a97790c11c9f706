"""Serve in this process or in several, until told to stop."""

import logging
from collections.abc import Callable

from pidgr.rpc.server.config import ServerConfig
from pidgr.rpc.server.lifecycle import run_process
from pidgr.rpc.server.listening import listen
from pidgr.rpc.server.options import AppFactory, ServerOptions
from pidgr.rpc.server.workers import Supervisor

logger = logging.getLogger("pidgr.rpc.server")


def serve(
    app_factory: AppFactory,
    options: ServerOptions,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return; must run in the main thread.

    ``on_ready`` gets the base URL once connections are accepted (by every worker); it must not
    block. Workers are fresh interpreters: the app factory also has to set up logging. At the first
    signal the port is closed at once, clients are told to go elsewhere, and open calls have
    ``options.drain_seconds``; a second signal does not wait for them.

    Raises OSError if the port cannot be had or a TLS file cannot be read, and SystemExit with
    status 3 if the app does not start.
    """
    listening = listen(options)

    def ready() -> None:
        logger.info("serving on %s", listening.url)
        if listening.internal:
            logger.info("serving internal calls on %s", listening.internal_url)
        if on_ready is not None:
            on_ready(listening.url)

    if options.workers == 1:
        run_process(ServerConfig(app_factory, listening.options), listening.sockets, ready)
    else:
        Supervisor(app_factory, listening.options, listening.sockets, ready).run()

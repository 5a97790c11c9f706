"""The uvicorn configuration of one process, and what its connections have to share."""

from typing import Any

import uvicorn

from pidgr.rpc.server.options import INTERNAL, AppFactory, ServerOptions
from pidgr.rpc.server.watch import RefusalLog

FIRST_REQUEST_SECONDS = 10
"""How long a new connection may take to say what it wants: the first bytes, a whole request head,
the HTTP/2 preface. Longer is a slow-loris."""


class ServerConfig(uvicorn.Config):
    """Uvicorn's configuration plus the options, the refusal log and the drain flag.

    Every connection holds the configuration, so ``draining`` is how one that arrives late, for
    instance after a slow TLS handshake, learns that the server is on its way out.
    """

    def __init__(self, app_factory: AppFactory, options: ServerOptions) -> None:
        super().__init__(
            app_factory,
            factory=True,
            http="pidgr.rpc.server.negotiation:NegotiatingProtocol",
            ws="none",
            loop="uvloop",
            interface="asgi3",
            # "auto" takes an app that fails to start for one that has no start-up.
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            workers=1,
            timeout_keep_alive=FIRST_REQUEST_SECONDS,
            ssl_certfile=options.tls_cert,
            ssl_keyfile=options.tls_key,
        )
        self.options = options
        self.refusals = RefusalLog()
        self.draining = False

    def extensions(self, server: tuple[str, int | None] | None) -> dict[str, dict[str, Any]]:
        """Return what the scopes of a connection to an address of ours say beside the request."""
        extensions: dict[str, dict[str, Any]] = {"http.response.trailers": {}}
        port = self.options.internal_port
        if port is not None and server is not None and server[1] == port:
            extensions[INTERNAL] = {}
        return extensions

"""The uvicorn configuration of one process, and what its connections have to share."""

import uvicorn

from pidgr.rpc.server.options import AppFactory, ServerOptions
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

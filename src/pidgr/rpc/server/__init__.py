"""The HTTP server: one port for HTTP/1.1, HTTP/2 with prior knowledge, and both over TLS.

It serves any ASGI app and is the only package that knows which server software does the work.
"""

from pidgr.rpc.server.background import BackgroundServer
from pidgr.rpc.server.lifecycle import ON_DRAIN
from pidgr.rpc.server.listening import AddressError
from pidgr.rpc.server.options import INTERNAL, AppFactory, ServerOptions
from pidgr.rpc.server.serving import serve

__all__ = [
    "INTERNAL",
    "ON_DRAIN",
    "AddressError",
    "AppFactory",
    "BackgroundServer",
    "ServerOptions",
    "serve",
]

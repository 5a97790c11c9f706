"""What an operator may decide about the port, and how the app is handed over."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

INTERNAL = "pidgr.internal"
"""The extension in the scope of a request that came to the internal address."""

AppFactory = str | Callable[[], ASGIApp]
"""``"package.module:function"`` or a callable without arguments. Each process calls it once, so
with more than one worker it must be an import string or picklable (a module-level function)."""


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Where to listen and how long things may last.

    ``port`` 0 asks the system for a free one; so does ``internal_port``. A request that comes to
    the internal address, which there is only if that port is given, carries INTERNAL among the
    extensions of its scope. ``tls_cert`` and ``tls_key`` are PEM files and come
    as a pair; with them HTTP/2 or HTTP/1.1 is agreed by ALPN, without them an HTTP/2 client speaks
    with prior knowledge. After ``max_connection_age_seconds`` (give or take a tenth, so that
    clients do not all come back at once) an HTTP/2 client is asked to open a new connection; calls
    that are still open on the old one then have ``connection_grace_seconds``. On shutdown all open
    calls together have ``drain_seconds``.

    Raises ValueError for values that cannot work.
    """

    host: str = "127.0.0.1"
    port: int = 50051
    internal_host: str = "127.0.0.1"
    internal_port: int | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    workers: int = 1
    drain_seconds: float = 30.0
    max_connection_age_seconds: float = 1800.0
    connection_grace_seconds: float = 600.0

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("TLS needs both a certificate file and a key file")
        if self.workers < 1:
            raise ValueError("workers must be at least 1")
        if not 0 <= self.port < 1 << 16 or not 0 <= (self.internal_port or 0) < 1 << 16:
            raise ValueError("a port must be between 0 and 65535")
        if self.port and self.port == self.internal_port:
            raise ValueError("the internal port must be another than the public one")
        if self.drain_seconds < 0 or self.connection_grace_seconds < 0:
            raise ValueError("drain_seconds and connection_grace_seconds must not be negative")
        if self.max_connection_age_seconds <= 0:
            raise ValueError("max_connection_age_seconds must be positive")

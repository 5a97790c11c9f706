"""The sockets a server listens on and the URL it is reached by."""

import contextlib
import errno
import socket
from dataclasses import dataclass, replace

from pidgr.rpc.server.options import ServerOptions

_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class AddressError(OSError):
    """An address cannot be listened on, as the error that is the cause says."""

    def __init__(self, host: str, port: int, cause: OSError) -> None:
        super().__init__(cause.errno, cause.strerror)
        self.host = host
        self.port = port


@dataclass(frozen=True, slots=True)
class Listening:
    """Bound sockets; ``options`` has the internal port that was got."""

    public: list[socket.socket]
    internal: list[socket.socket]
    options: ServerOptions

    @property
    def sockets(self) -> list[socket.socket]:
        """All of them."""
        return self.public + self.internal

    @property
    def url(self) -> str:
        """The base URL of the public port."""
        return self._url(self.public)

    @property
    def internal_url(self) -> str:
        """The base URL of the internal port; empty without one."""
        return self._url(self.internal) if self.internal else ""

    def _url(self, sockets: list[socket.socket]) -> str:
        return url_of(sockets, tls=self.options.tls_cert is not None)


def listen(options: ServerOptions) -> Listening:
    """Bind the public and the internal address. Raises AddressError as ``bind`` does."""
    public = bind(options.host, options.port)
    if options.internal_port is None:
        return Listening(public, [], options)
    try:
        internal = bind(options.internal_host, options.internal_port)
    except OSError:
        for bound in public:
            bound.close()
        raise
    port = internal[0].getsockname()[1]
    return Listening(public, internal, replace(options, internal_port=port))


def bind(host: str, port: int) -> list[socket.socket]:
    """Bind one socket for each address of a host, all on the same port.

    Addresses this machine does not have (IPv6 of "localhost" in many containers) are left out
    while there are others. Raises AddressError if the port is taken or the host unknown.
    """
    try:
        return _bind_each(host, port)
    except OSError as error:
        raise AddressError(host, port, error) from error


def _bind_each(host: str, port: int) -> list[socket.socket]:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with contextlib.ExitStack() as on_failure:
        bound: list[socket.socket] = []
        skipped: OSError | None = None
        for family, _, _, _, address in infos:
            port = bound[0].getsockname()[1] if bound else port
            try:
                listening = on_failure.enter_context(socket.socket(family))
                _bind_one(listening, (address[0], port, *address[2:]))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                skipped = error
                continue
            bound.append(listening)
        if not bound:
            raise skipped or OSError(f"host {host!r} has no address to listen on")
        on_failure.pop_all()
    return bound


def url_of(sockets: list[socket.socket], *, tls: bool) -> str:
    """Return the base URL by which a client on this machine reaches the server."""
    host, port = sockets[0].getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    if ":" in host:
        host = f"[{host}]"
    return f"{'https' if tls else 'http'}://{host}:{port}"


def _bind_one(listening: socket.socket, address: tuple[object, ...]) -> None:
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listening.family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listening.bind(address)

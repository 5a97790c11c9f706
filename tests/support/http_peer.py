"""A small HTTP or HTTPS server in threads, standing in for somebody else's."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    server_name: str | None


@dataclass(frozen=True)
class Scripted:
    """An answer; ``hold`` is waited for before it is sent."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hold: threading.Event | None = None


class HttpPeer:
    """Notes every request and answers it as the test says; 200 unless it says otherwise."""

    def __init__(self, certificates: ssl.SSLContext | None) -> None:
        self.received: list[Received] = []
        self.answers: list[Scripted] = []
        self.answer: Callable[[Received], Scripted] = lambda _request: Scripted()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def do_POST(self) -> None:
                peer._serve(self)

            def do_GET(self) -> None:
                peer._serve(self)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=True)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.scheme = "https" if certificates else "http"
        if certificates is not None:
            self._names: list[str | None] = []
            certificates.sni_callback = lambda _socket, name, _context: self._names.append(name)
            self._server.socket = certificates.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def url(self, host: str = "127.0.0.1", path: str = "/hook") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        name = self._names[-1] if self.scheme == "https" else None
        request = Received(
            handler.command,
            handler.path,
            {key.lower(): value for key, value in handler.headers.items()},
            body,
            name,
        )
        self.received.append(request)
        answer = self.answers.pop(0) if self.answers else self.answer(request)
        if answer.hold is not None:
            answer.hold.wait(60)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            handler.send_response(answer.status)
            for header, value in answer.headers.items():
                handler.send_header(header, value)
            handler.send_header("content-length", str(len(answer.body)))
            handler.end_headers()
            handler.wfile.write(answer.body)
            handler.wfile.flush()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextlib.contextmanager
def http_peer(certificates: ssl.SSLContext | None = None) -> Iterator[HttpPeer]:
    peer = HttpPeer(certificates)
    try:
        yield peer
    finally:
        peer.stop()


@contextlib.contextmanager
def raw_peer(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept one connection after the other on a port and hand each to ``serve``."""
    listener = socket.create_server(("127.0.0.1", 0))

    def loop() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                serve(connection)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        # Closing alone does not wake the thread that waits in accept.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)

"""An HTTP/2 server with TLS on plain sockets and ``h2``, standing in for a push provider."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import trustme


@dataclass(frozen=True)
class Asked:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Told:
    """An answer; or the connection ends without one."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


class Http2Peer:
    """Notes every request and answers it as the test says.

    After so many requests a connection is ended by GOAWAY, whatever else is in flight on it.
    """

    def __init__(self, tls: ssl.SSLContext, answer: Callable[[Asked], Told], most: int) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.connections = 0
        self._most = most
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with (
            contextlib.suppress(OSError, h2.exceptions.ProtocolError),
            plain,
            self._tls.wrap_socket(plain, server_side=True) as connection,
        ):
            # The wrapped socket owns the descriptor: this is the one to shut down at the end.
            self._sockets.append(connection)
            self._talk(connection)

    def _talk(self, connection: ssl.SSLSocket) -> None:
        assert connection.selected_alpn_protocol() == "h2"
        state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        state.initiate_connection()
        connection.sendall(state.data_to_send())
        headers: dict[int, dict[str, str]] = {}
        bodies: dict[int, bytes] = {}
        served = 0
        while data := connection.recv(65_536):
            for event in state.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    pairs = ((bytes(name), bytes(value)) for name, value in event.headers)
                    headers[event.stream_id] = {
                        name.decode(): value.decode() for name, value in pairs
                    }
                    bodies[event.stream_id] = b""
                elif isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] += event.data
                    state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    stream = event.stream_id
                    asked = Asked(headers[stream][":path"], headers.pop(stream), bodies.pop(stream))
                    self.asked.append(asked)
                    told = self.answer(asked)
                    if told.hang_up:
                        return
                    state.send_headers(
                        stream, [(":status", str(told.status)), *told.headers.items()]
                    )
                    state.send_data(stream, json.dumps(told.body).encode(), end_stream=True)
                    served += 1
                    if served == self._most:
                        state.close_connection(last_stream_id=stream)
                        connection.sendall(state.data_to_send())
                        return
            connection.sendall(state.data_to_send())

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(10)
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)


@contextlib.contextmanager
def http2_peer(
    directory: Path, answer: Callable[[Asked], Told], requests_per_connection: int = 1_000_000
) -> Iterator[Http2Peer]:
    """Serve on 127.0.0.1; the authority's certificate is ``directory/authority.pem``."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "authority.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    tls.set_alpn_protocols(["h2"])
    peer = Http2Peer(tls, answer, requests_per_connection)
    try:
        yield peer
    finally:
        peer.stop()

"""A push service on plain sockets that knows exactly what had arrived at a moment."""

import array
import contextlib
import fcntl
import socket
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
_ACCEPT_SECONDS = 0.02


class _Connection:
    def __init__(self, plain: socket.socket) -> None:
        self.plain = plain
        self.lock = threading.Lock()
        self.received = 0
        self.mark = 0

    def set_mark(self) -> None:
        with self.lock:
            waiting = array.array("i", [0])
            if self.plain.fileno() >= 0:
                fcntl.ioctl(self.plain.fileno(), termios.FIONREAD, waiting)
            self.mark = self.received + waiting[0]

    def close(self) -> None:
        with self.lock:
            self.plain.close()

    def read(self) -> bytes:
        self.plain.recv(1, socket.MSG_PEEK)
        with self.lock:
            data = self.plain.recv(65_536)
            self.received += len(data)
        return data


class Arrivals:
    """Accepts every request over HTTP/1.1, ``pause`` seconds after it has come.

    While ``hold`` is an event, answers wait for it.

    What has arrived is told by the operating system, however busy this process is.
    """

    def __init__(self) -> None:
        self.pause = 0.0
        self.hold: threading.Event | None = None
        self.requests = 0
        self._lock = threading.Lock()
        self._connections: list[_Connection] = []
        self._threads: list[threading.Thread] = []
        self._is_over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.settimeout(0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._keep_accepting)
        self._accepting.start()

    def mark(self) -> None:
        """Remember what has arrived by now."""
        self._accept()
        for connection in list(self._connections):
            connection.set_mark()

    def late(self) -> int:
        """Return how many bytes have arrived since the mark."""
        return sum(max(0, one.received - one.mark) for one in list(self._connections))

    def _keep_accepting(self) -> None:
        while not self._is_over.wait(_ACCEPT_SECONDS):
            self._accept()

    def _accept(self) -> None:
        with self._lock:
            while True:
                try:
                    plain, _ = self._listener.accept()
                except BlockingIOError:
                    return
                plain.settimeout(None)
                connection = _Connection(plain)
                self._connections.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: _Connection) -> None:
        buffer = b""
        with contextlib.closing(connection), contextlib.suppress(OSError):
            while data := connection.read():
                buffer += data
                head, blank, rest = buffer.partition(b"\r\n\r\n")
                length = _content_length(head) if blank else 0
                if not blank or len(rest) < length:
                    continue
                buffer = rest[length:]
                self.requests += 1
                time.sleep(self.pause)
                if self.hold is not None:
                    self.hold.wait(60)
                connection.plain.sendall(_ANSWER)

    def stop(self) -> None:
        self._is_over.set()
        self._accepting.join()
        self._listener.close()
        for one in self._connections:
            with contextlib.suppress(OSError):
                one.plain.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0


@contextmanager
def arrivals() -> Iterator[Arrivals]:
    service = Arrivals()
    try:
        yield service
    finally:
        service.stop()

"""An HTTP/2 client that writes single frames, also such as a well-behaved one would not."""

import socket
import struct
from typing import NamedTuple, Self

from hpack import Decoder, Encoder

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
INITIAL_WINDOW_SIZE = 4


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, stream: int = 0, payload: bytes = b"", flags: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


class FrameClient:
    def __init__(self, port: int, *, window: int = 65535) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        self._buffer = b""
        self._encoder = Encoder()
        self._decoder = Decoder()
        self.send(
            PREFACE + frame(SETTINGS, payload=struct.pack(">HI", INITIAL_WINDOW_SIZE, window))
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(self, stream: int, path: str, body: bytes | None = None, **extra: str) -> None:
        """Open a stream; without a body it stays open until ``end``. ``extra`` are headers."""
        self.send(self.headers(stream, path, **extra))
        if body is not None:
            self.end(stream, body)

    def headers(self, stream: int, path: str, **extra: str) -> bytes:
        """Return the frame that opens a stream."""
        pseudo = {":method": "POST", ":scheme": "http", ":authority": "a", ":path": path}
        fields = [*pseudo.items(), *((k.replace("_", "-"), v) for k, v in extra.items())]
        return frame(HEADERS, stream, self._encoder.encode(fields), END_HEADERS)

    def end(self, stream: int, body: bytes = b"") -> None:
        self.send(frame(DATA, stream, body, END_STREAM))

    def next(self) -> Frame | None:
        """Read one frame, or None at the end of the connection."""
        while len(self._buffer) < 9 or len(self._buffer) < 9 + self._length():
            data = self.socket.recv(65536)
            if not data:
                return None
            self._buffer += data
        size = 9 + self._length()
        kind, flags, stream = struct.unpack(">BBI", self._buffer[3:9])
        found = Frame(kind, flags, stream, self._buffer[9:size])
        self._buffer = self._buffer[size:]
        if kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, flags=ACK))
        return found

    def until(self, kind: int) -> Frame:
        """Read until a frame of that kind."""
        while found := self.next():
            if found.kind == kind:
                return found
        raise AssertionError("the connection ended before that frame")

    def body(self) -> bytes:
        """Read until a part of a response body."""
        while not (found := self.until(DATA)).payload:
            pass
        return found.payload

    def to_end(self) -> list[Frame]:
        """Read until the server closes."""
        return list(iter(self.next, None))

    def fields(self, headers: Frame) -> dict[str, str]:
        return {str(name): str(value) for name, value in self._decoder.decode(headers.payload)}

    def _length(self) -> int:
        return int.from_bytes(self._buffer[:3], "big")

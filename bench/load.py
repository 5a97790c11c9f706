"""A load generator in a process of its own: ``python -m bench.load JOB.json SAMPLES.json``.

It says when it begins, and ends early when it is told to (SIGTERM).

It prepares every byte beforehand and looks at answers only as far as it must (a frame's header, a
status line), so that the server is what is measured. A failed answer ends the run.
"""

import asyncio
import json
import signal
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Final, Literal

import uvloop

Protocol = Literal["grpc", "connect"]

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME: Final = struct.Struct(">HBBBI")
_HEAD_BYTES: Final = 9
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_LARGEST_WINDOW: Final = 2**31 - 1
_DEFAULT_WINDOW: Final = 65_535
_INITIAL_WINDOW_SETTING: Final = 4


@dataclass(frozen=True)
class Job:
    """What to send.

    ``requests`` are pairs of a credential and a body in hexadecimal: JSON for Connect, binary
    protobuf for gRPC. They go round and round, or with ``once`` the run ends when they are used up.
    ``pause`` are seconds between an answer and the next request of the same stream. With
    ``refused``, of Connect only, each must be refused for its credential.
    """

    protocol: Protocol
    port: int
    path: str
    requests: list[tuple[str, str]]
    seconds: float
    connections: int = 8
    streams: int = 2
    pause: float = 0.0
    once: bool = False
    refused: bool = False


class Source:
    """Hands out prepared requests and collects how long their answers took."""

    def __init__(self, job: Job) -> None:
        prepare = _grpc_request if job.protocol == "grpc" else _connect_request
        prepared = [prepare(job, token, bytes.fromhex(body)) for token, body in job.requests]
        self._requests: Iterator[Any] = iter(prepared) if job.once else cycle(prepared)
        self.job = job
        self.samples: list[tuple[float, float]] = []
        self.failure = ""
        self.open = 0
        self.ended = asyncio.Event()
        self._until = 0.0

    def begin(self) -> None:
        """Start the clock."""
        self._until = time.perf_counter() + self.job.seconds

    def stop(self) -> None:
        """Send nothing more."""
        self._until = 0.0

    def take(self) -> Any:  # noqa: ANN401 - bytes or a pair of them
        """Return the next request, or None when the run is over."""
        request = None
        if time.perf_counter() < self._until and not self.failure:
            request = next(self._requests, None)
        if request is not None:
            self.open += 1
        elif not self.open:
            self.ended.set()
        return request

    def answered(self, started: float, failure: str = "") -> None:
        """Note an answer."""
        self.open -= 1
        self.samples.append((started, time.perf_counter() - started))
        self.failure = self.failure or failure

    def again(self, step: Any) -> None:  # noqa: ANN401 - a callback
        """Call what sends the next request, after the job's pause."""
        if self.job.pause:
            asyncio.get_running_loop().call_later(self.job.pause, step)
        else:
            step()


class Http1(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, source: Source) -> None:
        self._source = source
        refusals = (b"HTTP/1.1 401", b"HTTP/1.1 429")
        self._right = refusals if source.job.refused else (b"HTTP/1.1 200",)
        self._buffer = b""
        self._missing = -1
        self._started = 0.0

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvloop has its own type
        """Keep the transport."""
        self._transport = transport

    def go(self) -> None:
        """Send the next request."""
        request = self._source.take()
        if request is not None:
            self._started = time.perf_counter()
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Look for the end of the answer."""
        self._buffer += data
        if self._missing < 0:
            head, end, _ = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            self._missing = len(head) + len(end) + int(length)
        if len(self._buffer) >= self._missing:
            answer, self._buffer, self._missing = self._buffer, b"", -1
            failure = "" if answer.startswith(self._right) else answer.decode(errors="replace")
            self._source.answered(self._started, failure)
            self._source.again(self.go)


class Http2(asyncio.Protocol):
    """One connection with several requests at a time; follows a GOAWAY to a new connection."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._buffer = bytearray()
        self._next = 1
        self._open: dict[int, float] = {}
        self._with_body: set[int] = set()
        self._moved = False

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvloop has its own type
        """Send the preface, with windows that never close."""
        self._transport = transport
        settings = struct.pack(">HI", _INITIAL_WINDOW_SETTING, _LARGEST_WINDOW)
        window = struct.pack(">I", _LARGEST_WINDOW - _DEFAULT_WINDOW)
        transport.write(_PREFACE + _frame(_SETTINGS, 0, 0, settings) + _frame(8, 0, 0, window))

    def go(self) -> None:
        """Send the next request, here or on the connection that took over."""
        if self._moved:
            self._successor.go()
            return
        request = self._source.take()
        if request is None:
            return
        headers, body = request
        number, self._next = self._next, self._next + 2
        self._open[number] = time.perf_counter()
        self._transport.write(
            _frame(_HEADERS, _END_HEADERS, number, headers)
            + _frame(_DATA, _END_STREAM, number, body)
        )

    def data_received(self, data: bytes) -> None:
        """Handle every complete frame."""
        self._buffer += data
        while len(self._buffer) >= _HEAD_BYTES:
            high, low, kind, flags, number = _FRAME.unpack_from(self._buffer)
            end = _HEAD_BYTES + (high << 8 | low)
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEAD_BYTES:end])
            del self._buffer[:end]
            self._frame(kind, flags, number, payload)

    def _frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == _DATA:
            self._with_body.add(number)
        if kind == _RST or (kind in {_DATA, _HEADERS} and flags & _END_STREAM):
            # An error has no message, only trailers.
            failure = "" if number in self._with_body else f"stream {number}: {payload!r}"
            self._with_body.discard(number)
            self._source.answered(self._open.pop(number), failure)
            self._source.again(self.go)
        elif kind == _SETTINGS and not flags & _ACK:
            self._transport.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._transport.write(_frame(_PING, _ACK, 0, payload))
        elif kind == _GOAWAY and not self._moved:
            self._moving = asyncio.get_running_loop().create_task(self._move())

    async def _move(self) -> None:
        _, successor = await asyncio.get_running_loop().create_connection(
            lambda: Http2(self._source), "127.0.0.1", self._source.job.port
        )
        self._successor = successor
        self._moved = True


def _frame(kind: int, flags: int, number: int, payload: bytes) -> bytes:
    length = len(payload)
    return _FRAME.pack(length >> 8, length & 255, kind, flags, number) + payload


def _connect_request(job: Job, token: str, body: bytes) -> bytes:
    head = (
        f"POST {job.path} HTTP/1.1\r\nhost: 127.0.0.1:{job.port}\r\n"
        "content-type: application/json\r\nconnect-protocol-version: 1\r\n"
        f"authorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _grpc_request(job: Job, token: str, body: bytes) -> tuple[bytes, bytes]:
    headers = b"\x83\x86" + b"".join(
        (
            _literal(":path", job.path),
            _literal(":authority", f"127.0.0.1:{job.port}"),
            _literal("content-type", "application/grpc"),
            _literal("te", "trailers"),
            _literal("authorization", f"Bearer {token}"),
        )
    )
    return headers, struct.pack(">BI", 0, len(body)) + body


def _literal(name: str, value: str) -> bytes:
    """Return an HPACK literal without indexing (RFC 7541, 6.2.2)."""
    return b"\x00" + _hpack_string(name) + _hpack_string(value)


def _hpack_string(text: str) -> bytes:
    raw = text.encode()
    prefix = 127
    if len(raw) < prefix:
        return bytes([len(raw)]) + raw
    length, encoded = len(raw) - prefix, bytearray([prefix])
    while length >= 128:  # noqa: PLR2004 - seven bits at a time
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded) + raw


async def run(job: Job) -> Source:
    """Do the job and return its samples, pairs of start and duration by ``time.perf_counter``.

    Raises:
        RuntimeError: an answer was an error.
    """
    loop = asyncio.get_running_loop()
    source = Source(job)
    protocol = Http2 if job.protocol == "grpc" else Http1
    connections = [
        (await loop.create_connection(lambda: protocol(source), "127.0.0.1", job.port))[1]
        for _ in range(job.connections)
    ]
    source.begin()
    loop.add_signal_handler(signal.SIGTERM, source.stop)
    print("begun", flush=True)
    for connection in connections:
        for _ in range(job.streams if job.protocol == "grpc" else 1):
            connection.go()
    await source.ended.wait()
    if source.failure:
        raise RuntimeError(source.failure)
    return source


if __name__ == "__main__":
    description = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    finished = uvloop.run(run(Job(**description)))
    Path(sys.argv[2]).write_text(json.dumps(finished.samples), encoding="utf-8")

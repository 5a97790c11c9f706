"""A grpcio client on the project's own messages, and a raw socket that speaks HTTP/1.1."""

from __future__ import annotations  # the stubs make generic what is not at run time

import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Self

import grpc
import grpc.aio

from pidgr.contract.v1.action_pb import SubmitActionRequest, SubmitActionResponse
from pidgr.contract.v1.render_pb import RenderBatchRequest, RenderBatchResponse
from rpc.server.apps import RENDER, SUBMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from pidgr.rpc.server import BackgroundServer


UNTIL_OPEN = RenderBatchRequest(version=0)
OPEN = SubmitActionRequest(action_id="open")
QUICK = SubmitActionRequest(delivery_id="d", action_id="quick")
SLOW = SubmitActionRequest(action_id="slow")
WAIT = SubmitActionRequest(action_id="wait")


def submitter(
    channel: grpc.Channel,
) -> grpc.UnaryUnaryMultiCallable[SubmitActionRequest, SubmitActionResponse]:
    return channel.unary_unary(
        SUBMIT,
        request_serializer=SubmitActionRequest.to_binary,
        response_deserializer=SubmitActionResponse.from_binary,
    )


def renderer(
    channel: grpc.Channel,
) -> grpc.UnaryStreamMultiCallable[RenderBatchRequest, RenderBatchResponse]:
    return channel.unary_stream(
        RENDER,
        request_serializer=RenderBatchRequest.to_binary,
        response_deserializer=RenderBatchResponse.from_binary,
    )


def async_submitter(
    channel: grpc.aio.Channel,
) -> grpc.aio.UnaryUnaryMultiCallable[SubmitActionRequest, SubmitActionResponse]:
    return channel.unary_unary(
        SUBMIT,
        request_serializer=SubmitActionRequest.to_binary,
        response_deserializer=SubmitActionResponse.from_binary,
    )


def async_renderer(
    channel: grpc.aio.Channel,
) -> grpc.aio.UnaryStreamMultiCallable[RenderBatchRequest, RenderBatchResponse]:
    return channel.unary_stream(
        RENDER,
        request_serializer=RenderBatchRequest.to_binary,
        response_deserializer=RenderBatchResponse.from_binary,
    )


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come true in time")
        time.sleep(0.01)


class OpenStream:
    """A server stream that a thread reads for as long as the test runs."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.ids: list[str] = []
        self.failure: grpc.RpcError | None = None
        self._call = renderer(channel)(UNTIL_OPEN)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        eventually(lambda: len(self.ids) > 1 or self.failure is not None)

    def finish(self) -> None:
        self._thread.join(10)
        assert self.failure is None, self.failure
        assert self.ids[-1] == "last"
        assert self.ids[:-1] == [str(n) for n in range(len(self.ids) - 1)]

    def _read(self) -> None:
        try:
            for result in self._call:
                self.ids.append(result.user_id)
        except grpc.RpcError as error:
            self.failure = error


def connections_seen(server: BackgroundServer) -> int:
    with RawClient(server.port) as client:
        client.post("/peers")
        return int(client.response()[2])


def curl(*arguments: str) -> str:
    command = ["curl", "--silent", "--show-error", "--fail", "--max-time", "30", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def framed(message: bytes) -> bytes:
    """One gRPC message: no compression, length, bytes."""
    return b"\x00" + len(message).to_bytes(4, "big") + message


class RawClient:
    """A TCP connection on which a test writes what it likes."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def post(self, path: str, body: bytes = b"", *headers: str, version: str = "1.1") -> None:
        lines = [f"POST {path} HTTP/{version}", "Host: localhost", f"Content-Length: {len(body)}"]
        self.send("\r\n".join([*lines, *headers, "", ""]).encode() + body)

    def read_until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            data = self.socket.recv(65536)
            if not data:
                raise AssertionError(f"connection closed after {self._buffer!r}")
            self._buffer += data
        end = self._buffer.index(mark) + len(mark)
        part, self._buffer = self._buffer[:end], self._buffer[end:]
        return part

    def read_to_end(self) -> bytes:
        while data := self.socket.recv(65536):
            self._buffer += data
        part, self._buffer = self._buffer, b""
        return part

    def response(self) -> tuple[int, dict[str, str], bytes, dict[str, str]]:
        """Read one response by its framing: status, headers, body, trailers."""
        head = self.read_until(b"\r\n\r\n").decode().split("\r\n")
        headers = fields(head[1:])
        body, trailers = b"", {}
        if headers.get("transfer-encoding") == "chunked":
            while size := int(self.read_until(b"\r\n"), 16):
                body += self.exactly(size)
                self.read_until(b"\r\n")
            lines = []
            while (line := self.read_until(b"\r\n")) != b"\r\n":
                lines.append(line.decode().strip())
            trailers = fields(lines)
        elif "content-length" in headers:
            body = self.exactly(int(headers["content-length"]))
        else:
            body = self.read_to_end()
        return int(head[0].split()[1]), headers, body, trailers

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self.socket.recv(65536)
            assert data, "connection closed in the middle of a body"
            self._buffer += data
        part, self._buffer = self._buffer[:size], self._buffer[size:]
        return part


def fields(lines: list[str]) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in lines if line)
    return {name.lower(): value.strip() for name, value in pairs}

"""A raw socket that speaks HTTP/1.1, framing and all."""

import socket
from typing import Self


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
    """Map each name to its value; a repeated field's values are joined as RFC 9110, 5.3 says."""
    found: dict[str, str] = {}
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        known = found.get(name.lower())
        found[name.lower()] = value.strip() if known is None else f"{known}, {value.strip()}"
    return found

"""Calls without a client library: bytes in each protocol over HTTP/1.1, and what came of them."""

import json
from dataclasses import dataclass, field

from support.raw_http import RawClient, framed

GRPC_CODES = {
    "0": "ok",
    "1": "canceled",
    "2": "unknown",
    "3": "invalid_argument",
    "4": "deadline_exceeded",
    "5": "not_found",
    "6": "already_exists",
    "7": "permission_denied",
    "8": "resource_exhausted",
    "9": "failed_precondition",
    "12": "unimplemented",
    "13": "internal",
    "14": "unavailable",
    "16": "unauthenticated",
}
END_OF_STREAM = 0x02
WEB_TRAILERS = 0x80


@dataclass(frozen=True)
class Protocol:
    """How a protocol names its content and where it puts messages and compression."""

    content_type: str
    enveloped: bool = True
    encoding_header: str = "grpc-encoding"

    def body(self, message: bytes, *, compressed: bool = False) -> bytes:
        if not self.enveloped:
            return message
        return bytes([compressed]) + framed(message)[1:]


PROTOCOLS = {
    "connect json": Protocol("application/json", False, "content-encoding"),
    "connect proto": Protocol("application/proto", False, "content-encoding"),
    "grpc": Protocol("application/grpc"),
    "grpc-web": Protocol("application/grpc-web+proto"),
}
CONNECT_STREAM = Protocol("application/connect+proto", encoding_header="connect-content-encoding")


@dataclass(frozen=True)
class Outcome:
    """The status of a call by its contract name (``ok`` included) and the bytes of its answer."""

    http_status: int
    code: str
    message: str = ""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)


def call(
    address: str,
    path: str,
    protocol: Protocol,
    body: bytes,
    *headers: str,
    credential: str | None = None,
) -> Outcome:
    """POST a body as it is and read the status where the protocol puts it."""
    lines = [f"Content-Type: {protocol.content_type}", "Te: trailers", *headers]
    if credential:
        lines.append(f"Authorization: Bearer {credential}")
    with RawClient(int(address.rpartition(":")[2])) as client:
        client.post(path, body, *lines)
        return _outcome(*client.response())


def _outcome(
    status: int, headers: dict[str, str], body: bytes, trailers: dict[str, str]
) -> Outcome:
    told = {**headers, **trailers}
    content_type = headers.get("content-type", "")
    if content_type.startswith("application/grpc-web") and "grpc-status" not in told:
        told |= _web_trailers(body)
    if "grpc-status" in told:
        code = GRPC_CODES[told["grpc-status"]]
        message = told.get("grpc-message", "")
        ended = {name: value for name, value in told.items() if name not in headers}
        return Outcome(status, code, message, body, headers, ended)
    if content_type.startswith("application/connect+"):
        error = json.loads(_last_envelope(body, END_OF_STREAM)).get("error", {"code": "ok"})
        return Outcome(status, error["code"], error.get("message", ""), body, headers)
    if status == 200:
        return Outcome(status, "ok", "", body, headers)
    if content_type == "application/json":
        error = json.loads(body)
        return Outcome(status, error["code"], error.get("message", ""), body, headers)
    return Outcome(status, f"http {status}", "", body, headers)


def _web_trailers(body: bytes) -> dict[str, str]:
    lines = _last_envelope(body, WEB_TRAILERS).decode().split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return {name: value.strip() for name, _, value in pairs}


def _last_envelope(body: bytes, flag: int) -> bytes:
    while body:
        length = int.from_bytes(body[1:5], "big")
        if body[0] & flag:
            return body[5 : 5 + length]
        body = body[5 + length :]
    raise AssertionError("the answer has no end")

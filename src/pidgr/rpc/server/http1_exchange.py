"""One request on an HTTP/1 connection, and how its response is framed."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.types import Scope

from pidgr.rpc.server.exchange import Exchange, Headers

if TYPE_CHECKING:
    from pidgr.rpc.server.http1 import Http1Protocol

_CLOSE = (b"connection", b"close")
_CHUNKED = (b"transfer-encoding", b"chunked")
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Http1Exchange(Exchange):
    """A request on an HTTP/1 connection.

    The head waits for the first part of the body: a response that is complete by then gets a
    Content-Length instead of chunks, and everything leaves in one write.
    """

    def __init__(self, protocol: "Http1Protocol", scope: Scope, *, expects: bool) -> None:
        super().__init__(scope, protocol.flow)
        self.protocol = protocol
        self.conn = protocol.conn
        self.transport = protocol.transport
        self.close_after = False
        self._http10 = scope["http_version"] == "1.0"
        self._client_waits_for_continue = expects
        self._head: tuple[int, Headers] | None = None
        self._chunked = False
        self._until_close = False

    def before_receive(self) -> None:
        """Read on, and let a client that asked first (Expect: 100-continue) send its body."""
        if self._client_waits_for_continue:
            self._client_waits_for_continue = False
            self.conn.send_informational(100)
            self.transport.write(self.conn.data_to_send())
        self.flow.resume_reading()

    def send_head(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep the head until it is known how the body will be framed."""
        self._head = (status, list(headers))

    async def send_body(self, data: bytes, *, more_body: bool) -> None:
        """Frame a part of the body as the head says."""
        if self._head is not None:
            self._write_head(*self._head, length=None if more_body else len(data))
            self._head = None
        if data and not self.bodyless:
            if self._until_close:
                self.transport.write(data)
                return
            self.conn.send_data(data)
        if more_body:
            self.transport.write(self.conn.data_to_send())

    def send_end(self, trailers: Headers) -> None:
        """End the response and hand the connection to the next request."""
        if not self._until_close:
            self.conn.end_message(trailers if self._chunked and not self.bodyless else None)
            self.transport.write(self.conn.data_to_send())
        self.protocol.response_complete(self)

    def abort(self) -> None:
        """Close: a missing last chunk or missing bytes are how HTTP/1 says "broken off"."""
        self.transport.close()

    def _write_head(self, status: int, headers: Headers, *, length: int | None) -> None:
        names = {name.lower() for name, _ in headers}
        if self._must_close():
            self.close_after = True
            if b"connection" not in names:
                headers.append(_CLOSE)
        if status != HTTPStatus.NO_CONTENT and (
            self.trailers_announced or b"content-length" not in names
        ):
            headers = [h for h in headers if h[0].lower() not in _FRAMING]
            if self._http10 and (self.trailers_announced or length is None):
                # HTTP/1.0 has neither chunks nor trailers: the end of the connection is the
                # end of the body. The serializer refuses to write such a head.
                self._until_close = self.close_after = True
                self.transport.write(_plain_head(status, headers))
                return
            if not self.trailers_announced and length is not None and not self.bodyless:
                headers.append((b"content-length", b"%d" % length))
            elif not self.bodyless:
                self._chunked = True
                headers.append(_CHUNKED)
        self.conn.send_response(status, headers)

    def _must_close(self) -> bool:
        # A client still waiting for "100 Continue" may or may not send the body after a final
        # status, so what follows on the connection cannot be told apart (RFC 9110, 10.1.1).
        unsent_body = self._client_waits_for_continue and self.more_body
        return self._http10 or unsent_body or self.protocol.config.draining


def _plain_head(status: int, headers: Headers) -> bytes:
    lines = [b"HTTP/1.1 %d " % status]
    for name, value in headers:
        if b"\r" in value or b"\n" in value:
            raise ValueError(f"header {name!r} has a line break in its value")
        lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])

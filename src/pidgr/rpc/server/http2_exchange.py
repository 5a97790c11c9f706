"""One request on an HTTP/2 stream."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import zttp
from starlette.types import Scope
from uvicorn.protocols.http.zttp_h2_impl import FORBIDDEN_HEADERS

from pidgr.rpc.server.exchange import Exchange, Headers

if TYPE_CHECKING:
    from pidgr.rpc.server.http2 import Http2Protocol

PARKED_BYTES = 256 * 1024
"""How much of a response may wait for the client's flow-control window before the app waits. The
parser copies all parked bytes at each window update, so a large response would cost the square of
its size."""

_STRIPPED = FORBIDDEN_HEADERS | {b"te"}


class Http2Exchange(Exchange):
    """A request on one stream."""

    def __init__(self, protocol: "Http2Protocol", scope: Scope, stream: zttp.Stream) -> None:
        super().__init__(scope, protocol.flow)
        self.protocol = protocol
        self.stream = stream
        self.credit: asyncio.Event | None = None
        self._head: tuple[int, Headers] | None = None
        self._ended = False

    def before_receive(self) -> None:
        """Read on if this request's unread body was what stopped the connection."""
        if self.flow.read_paused:
            self.protocol.resume_reading_if_idle()

    def disconnect(self) -> None:
        """Tell the app, also if it waits for the client to take more."""
        super().disconnect()
        if self.credit is not None:
            self.credit.set()

    def send_head(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep the head, without the fields HTTP/2 forbids (RFC 9113, 8.2.2), until the body."""
        fields = [(name.lower(), value) for name, value in headers]
        self._head = (status, [h for h in fields if h[0] not in _STRIPPED])

    async def send_body(self, data: bytes, *, more_body: bool) -> None:
        """Put a part of the body on the wire, as fast as the client's window opens.

        A head that nothing follows ends the stream itself: gRPC clients read their status from it
        only then, and not from a head before an empty body.
        """
        empty = not data or self.bodyless
        if self._head is not None:
            self._ended = empty and not more_body and not self.trailers_announced
            self.stream.send_response(*self._head, end_stream=self._ended)
            self._head = None
        if not empty:
            await self._send_data(data)
        if more_body:
            self.protocol.flush_soon()

    def send_end(self, trailers: Headers) -> None:
        """End the stream."""
        fields = [(name.lower(), value) for name, value in trailers]
        if not self._ended:
            self.stream.end_message([h for h in fields if h[0] not in _STRIPPED] or None)
        self.protocol.response_complete(self)
        self.protocol.flush_soon()

    def abort(self) -> None:
        """Reset the stream; the others of the connection go on."""
        if not self.protocol.transport.is_closing():
            self.stream.reset(zttp.H2ErrorCode.INTERNAL_ERROR)
            self.protocol.flush_soon()
        self.protocol.response_complete(self)

    async def _send_data(self, data: bytes) -> None:
        if len(data) <= PARKED_BYTES:
            self.stream.send_data(data)
        else:
            view = memoryview(data)
            for start in range(0, len(data), PARKED_BYTES):
                self.stream.send_data(view[start : start + PARKED_BYTES])
                await self._wait_for_credit()
                if self.disconnected:
                    return
        await self._wait_for_credit()

    async def _wait_for_credit(self) -> None:
        while not self.disconnected and (self.stream.pending_bytes or 0) > PARKED_BYTES // 2:
            if self.credit is None:
                self.credit = asyncio.Event()
            self.credit.clear()
            self.protocol.wait_for_credit(self)
            await self.credit.wait()

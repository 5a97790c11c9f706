"""HTTP/1.1, with the trailers that gRPC framing needs.

Clients of the gRPC protocol that are given an ``http://`` URL speak it over HTTP/1.1: Go's Connect
library does. A call then ends with trailer fields after the last chunk, ``grpc-status`` among
them, so a response that announces trailers is sent chunked whatever its length.
"""

import asyncio
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import zttp
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.zttp_impl import ZttpProtocol
from uvicorn.server import ServerState

from pidgr.rpc.server.config import FIRST_REQUEST_SECONDS, ServerConfig
from pidgr.rpc.server.exchange import Stage, http_scope
from pidgr.rpc.server.http1_exchange import Http1Exchange
from pidgr.rpc.server.watch import Deadline

if TYPE_CHECKING:
    from starlette.types import ASGIApp

IDLE_SECONDS = 75
BODY_STALL_SECONDS = 60
LINGER_SECONDS = 1.0


class Http1Protocol(ZttpProtocol):
    """One HTTP/1.1 (or 1.0) connection: requests one after the other."""

    config: ServerConfig

    def __init__(
        self,
        config: ServerConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.exchange: Http1Exchange | None = None
        self._deadline = Deadline(self.loop, self._expired)
        self._head_begun = False
        self._lingering = False
        self._asgi_app = cast("ASGIApp", self.app)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first request."""
        super().connection_made(transport)
        self._deadline.set(FIRST_REQUEST_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Tell the app of a request that nobody waits for any more."""
        self.connections.discard(self)
        self._deadline.close()
        if self.exchange is not None:
            self.exchange.disconnect()
        self.flow.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; refuse what is no HTTP."""
        if self._lingering:
            return
        try:
            self._handle(self.conn.receive_event(data))
        except zttp.RemoteProtocolError as error:
            self._refuse(str(error))

    def shutdown(self) -> None:
        """Close when idle; else the response under way is the last (the server is draining)."""
        if self.exchange is not None and self.exchange.stage is not Stage.DONE:
            self.exchange.close_after = True
        elif self._expecting_more():
            return
        else:
            self.transport.close()

    def response_complete(self, exchange: Http1Exchange) -> None:
        """Go on with the next request, or close if this was the last."""
        if self.transport.is_closing():
            return
        if exchange.close_after or self.conn.should_close():
            if exchange.more_body:
                self._linger()
            else:
                self.transport.close()
            return
        self.flow.resume_reading()
        if exchange.more_body:
            # The rest of the body belongs to this request and is thrown away.
            self._deadline.set(BODY_STALL_SECONDS)
            return
        self._next_request()

    def _handle(self, event: zttp.Event) -> None:
        while event is not zttp.NEED_DATA and not self._lingering:
            if isinstance(event, zttp.Request):
                self._begin(event)
            elif isinstance(event, zttp.Data):
                self._feed(event.data)
            elif isinstance(event, zttp.EndOfMessage):
                self._feed_end()
            event = self.conn.next_event()
        if self._between_requests() and not self._lingering:
            # Bytes came, yet no whole head: from here on the client has to hurry.
            self._head_begun = True
            self._deadline.set_no_later(FIRST_REQUEST_SECONDS)

    def _begin(self, request: zttp.Request) -> None:
        self._head_begun = False
        try:
            path = request.path.decode("ascii")
        except UnicodeDecodeError:
            self._refuse("the path has bytes outside ASCII")
            return
        extensions = self.config.extensions(self.server)
        if request.http_version == b"1.0":
            del extensions["http.response.trailers"]
        scope = http_scope(
            version=request.http_version.decode("ascii"),
            request=request,
            path=unquote(path) if "%" in path else path,
            headers=cast("zttp.HeaderBlock", request.headers).to_list(lowercase_names=True),
            server=self.server,
            client=self.client,
            scheme=cast("str", self.scheme),
            state=self.app_state,
            extensions=extensions,
        )
        exchange = self.exchange = Http1Exchange(self, scope, expects=request.expect_continue)
        if request.end_stream:
            exchange.feed_end()
            self._deadline.clear()
        else:
            self._deadline.set(BODY_STALL_SECONDS)
        task = self.loop.create_task(exchange.run(self._asgi_app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _feed(self, data: bytes) -> None:
        if self.exchange is None:
            return
        self.exchange.feed(data)
        self._deadline.set(BODY_STALL_SECONDS)
        if self.exchange.unread > HIGH_WATER_LIMIT:
            # The client may take as long as the app: it is the app that does not read.
            self._deadline.clear()
            self.flow.pause_reading()

    def _feed_end(self) -> None:
        if self.exchange is None:
            return
        self.exchange.feed_end()
        self._deadline.clear()
        if self.exchange.stage is Stage.DONE:
            self._next_request(parse=False)

    def _next_request(self, *, parse: bool = True) -> None:
        self._deadline.set(IDLE_SECONDS)
        self.conn.start_next_cycle()
        if not parse:
            return
        try:
            event = self.conn.next_event()
            if event is not zttp.NEED_DATA:
                self._handle(event)
        except zttp.RemoteProtocolError as error:
            self._refuse(str(error))

    def _between_requests(self) -> bool:
        exchange = self.exchange
        return exchange is None or (exchange.stage is Stage.DONE and not exchange.more_body)

    def _expecting_more(self) -> bool:
        return self._head_begun or not self._between_requests()

    def _refuse(self, reason: str) -> None:
        self.config.refusals.report(self.client, reason)
        exchange = self.exchange
        if exchange is not None and exchange.stage is not Stage.DONE:
            # An answer here would land in the middle of the response to another request.
            exchange.disconnect()
            self.transport.close()
            return
        self.transport.write(_BAD_REQUEST)
        self._linger()

    def _linger(self) -> None:
        """Say that nothing more will come, and throw away what the client is still sending.

        Closing at once with unread input makes the kernel send a reset, and a reset can overtake
        the response in the client's receive buffer.
        """
        self._lingering = True
        self._deadline.clear()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _expired(self) -> None:
        if self.exchange is not None:
            self.exchange.disconnect()
        self.transport.close()


_BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 11\r\nconnection: close\r\n\r\nBad Request"
)

"""HTTP/2 connections that end without losing a call.

The parser (``zttp``) gives one connection 4,096 streams and 256 resets; one more and it cuts every
call in flight. gRPC channels live on one connection, so long before that the client is asked to
open another one, the way gRPC servers do it (RFC 9113, 6.8): a GOAWAY that names the highest
possible stream id, and a PING. From the moment the client reads the GOAWAY it starts no new call
here; everything it sent before its answer to the PING is served like any other call. After that
answer a second GOAWAY names the real last stream, and when the last call is over the connection
closes.
"""

import asyncio
import enum
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, cast
from urllib.parse import unquote

import zttp
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.zttp_h2_impl import ZttpH2Protocol
from uvicorn.server import ServerState

from pidgr.rpc.server.config import FIRST_REQUEST_SECONDS, ServerConfig
from pidgr.rpc.server.exchange import Headers, http_scope
from pidgr.rpc.server.http2_exchange import Http2Exchange
from pidgr.rpc.server.watch import Deadline

if TYPE_CHECKING:
    from starlette.types import ASGIApp

STREAMS_BEFORE_GOAWAY = 3072
"""Leaves 1,024 of the parser's 4,096. A client that keeps to our 128 concurrent streams can start
at most 256 more before it reads the GOAWAY: 128 on their way to us, and one for each of the at
most 128 responses on their way to it."""

STREAMS_BEFORE_REFUSAL = 4000
RESETS_BEFORE_GOAWAY = 64
"""Of 256. Until it reads the GOAWAY a client may cancel all its 128 streams at once."""

IDLE_SECONDS = 300
PING_ANSWER_SECONDS = 5
LINGER_SECONDS = 1.0
MAX_STREAM_ID = 2**31 - 1
UNSENT_BYTES = 4 * 1024 * 1024
"""Stop reading from a client that lets this much pile up unread: answers to a flood of PINGs."""

_PING_DATA = b"pidgr-ok"
_PING = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + _PING_DATA


class Phase(enum.IntEnum):
    """How far the farewell has come."""

    SERVING = 0
    ANNOUNCED = 1
    FINAL = 2
    LINGERING = 3


class Http2Protocol(ZttpH2Protocol):
    """One HTTP/2 connection: many requests at once, and a farewell that harms none of them."""

    config: ServerConfig

    def __init__(
        self,
        config: ServerConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.phase = Phase.SERVING
        self.exchanges: dict[int, Http2Exchange] = {}
        self._asgi_app = cast("ASGIApp", self.app)
        self._streams_seen = 0
        self._resets_seen = 0
        self._last_stream_id = 0
        self._preface_complete = False
        self._flush_scheduled = False
        self._waiting: set[Http2Exchange] = set()
        self._credit_came = False
        self._idle = Deadline(self.loop, self._idle_expired)
        self._grace = Deadline(self.loop, self._grace_expired)
        self._timers: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Send the preface and start the clocks."""
        super().connection_made(transport)
        self.extensions = self.config.extensions(self.server)
        self._idle.set(FIRST_REQUEST_SECONDS)
        options = self.config.options
        age = options.max_connection_age_seconds * random.uniform(0.9, 1.1)  # noqa: S311
        self._timers.append(
            self.loop.call_later(age, self.say_goodbye, options.connection_grace_seconds)
        )
        if self.config.draining:
            self.say_goodbye()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Tell the apps of all open requests that nobody waits for them any more."""
        self.phase = Phase.LINGERING
        self.connections.discard(self)
        self._idle.close()
        self._grace.close()
        for timer in self._timers:
            timer.cancel()
        for exchange in self.exchanges.values():
            exchange.disconnect()
        self.exchanges.clear()
        self.flow.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; refuse what is no HTTP/2."""
        if self.phase is Phase.LINGERING:
            return
        try:
            self.conn.receive_data(data)
            self.handle_events()
        except zttp.RemoteProtocolError as error:
            self.config.refusals.report(self.client, str(error))
            self._cut()
            return
        self.flush()
        if self._credit_came:
            self._credit_came = False
            for exchange in self._waiting:
                cast("asyncio.Event", exchange.credit).set()
            self._waiting.clear()
        if not self.exchanges:
            self._settle()
        if self.flow.write_paused and self.transport.get_write_buffer_size() > UNSENT_BYTES:
            self.flow.pause_reading()

    def handle_events(self) -> None:
        """Act on each parsed event."""
        next_event = self.conn.next_event
        while (event := next_event()) is not zttp.NEED_DATA:
            self._handlers[type(event)](self, event)

    def flush(self) -> None:
        """Hand the serialized frames to the transport."""
        if self.phase is not Phase.LINGERING and (data := self.conn.data_to_send()):
            self.transport.write(data)

    def flush_soon(self) -> None:
        """Flush; with several requests open, once for all at the end of this turn of the loop."""
        if len(self.exchanges) <= 1:
            self.flush()
        elif not self._flush_scheduled:
            self._flush_scheduled = True
            self.loop.call_soon(self._flush_scheduled_now)

    def _flush_scheduled_now(self) -> None:
        self._flush_scheduled = False
        self.flush()

    def resume_writing(self) -> None:
        """Go on once the client has taken what was waiting for it."""
        super().resume_writing()
        self.resume_reading_if_idle()

    def resume_reading_if_idle(self) -> None:
        """Read on unless a request has more unread body than an app should leave lying."""
        if self._waiting or all(e.unread <= HIGH_WATER_LIMIT for e in self.exchanges.values()):
            self.flow.resume_reading()

    def wait_for_credit(self, exchange: Http2Exchange) -> None:
        """Wake the exchange at the next window update, which only arrives if we read."""
        self._waiting.add(exchange)
        self.flush()
        self.flow.resume_reading()

    def response_complete(self, exchange: Http2Exchange) -> None:
        """Forget a finished request."""
        self.exchanges.pop(exchange.stream.stream_id, None)
        if self.flow.read_paused:
            self.resume_reading_if_idle()
        if not self.exchanges:
            self._settle()

    def shutdown(self) -> None:
        """Say goodbye; the server itself bounds how long the open calls may take."""
        self.say_goodbye()

    def say_goodbye(self, grace_seconds: float | None = None) -> None:
        """Ask the client to open its next call elsewhere; open calls go on.

        With ``grace_seconds`` the connection is closed after that time even if calls are open.
        """
        if grace_seconds is not None:
            self._grace.set_no_later(grace_seconds)
        if self.phase is not Phase.SERVING or self.transport.is_closing():
            return
        self.phase = Phase.ANNOUNCED
        self.conn.close(zttp.H2ErrorCode.NO_ERROR, MAX_STREAM_ID)
        self.flush()
        self.transport.write(_PING)
        self._timers.append(self.loop.call_later(PING_ANSWER_SECONDS, self._finish_goodbye))

    def _finish_goodbye(self) -> None:
        if self.phase is not Phase.ANNOUNCED or self.transport.is_closing():
            return
        self.phase = Phase.FINAL
        self.conn.close(zttp.H2ErrorCode.NO_ERROR, self._last_stream_id)
        self.flush()
        if not self.exchanges:
            self._settle()

    def _settle(self) -> None:
        """With no request open: close if the farewell is over, else wait for the next one."""
        if self.phase is Phase.SERVING:
            # The first clock runs until the client's preface is complete.
            if self._preface_complete:
                self._idle.set(IDLE_SECONDS)
        elif self.phase is Phase.FINAL and not self.conn.has_pending_send():
            self._linger()

    def _linger(self) -> None:
        """Let the client close first.

        Closing with unread input makes the kernel send a reset, and a reset can overtake the last
        response in the client's receive buffer.
        """
        self.flush()
        self.phase = Phase.LINGERING
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._timers.append(self.loop.call_later(LINGER_SECONDS, self.transport.close))

    def _idle_expired(self) -> None:
        if not self._preface_complete:
            self._cut()
        elif self.exchanges:
            self._idle.set(IDLE_SECONDS)
        else:
            self.say_goodbye()

    def _grace_expired(self) -> None:
        self._finish_goodbye()
        self._cut()

    def _cut(self) -> None:
        self.flush()
        self.phase = Phase.LINGERING
        for exchange in list(self.exchanges.values()):
            exchange.disconnect()
        self.transport.close()
        # A client that reads nothing would keep the transport flushing for ever.
        self._timers.append(self.loop.call_later(LINGER_SECONDS, self.transport.abort))

    def _on_request(self, request: zttp.Request) -> None:
        self._count_stream()
        stream = self.conn.stream(request.stream_id)
        if self.phase >= Phase.FINAL:
            # Above the last id we promised to serve: the client sends it elsewhere, so to run it
            # here too would run it twice. While lingering there is no way left to say so, and the
            # GOAWAY has said it already.
            if self.phase is Phase.FINAL:
                stream.reset(zttp.H2ErrorCode.REFUSED_STREAM)
            return
        self._last_stream_id = request.stream_id
        try:
            path = request.path.decode("ascii")
        except UnicodeDecodeError:
            stream.send_response(400, end_stream=True)
            return
        scope = http_scope(
            version="2",
            request=request,
            path=unquote(path) if "%" in path else path,
            headers=cast("Headers", request.headers),
            server=self.server,
            client=self.client,
            scheme=cast("str", self.scheme),
            state=self.app_state,
            extensions=self.extensions,
        )
        exchange = self.exchanges[request.stream_id] = Http2Exchange(self, scope, stream)
        if request.end_stream:
            exchange.feed_end()
        task = self.loop.create_task(exchange.run(self._asgi_app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _on_data(self, event: zttp.Data) -> None:
        exchange = self.exchanges.get(event.stream_id)
        if exchange is not None:
            exchange.feed(event.data)
            # Window updates come in by the same way: reading must go on while anybody waits.
            if exchange.unread > HIGH_WATER_LIMIT and not self._waiting:
                self.flow.pause_reading()

    def _on_end(self, event: zttp.EndOfMessage) -> None:
        exchange = self.exchanges.get(event.stream_id)
        if exchange is not None:
            exchange.feed_end()

    def _on_reset(self, event: zttp.RstStream) -> None:
        self._resets_seen += 1
        if self._resets_seen == RESETS_BEFORE_GOAWAY:
            self.say_goodbye()
        exchange = self.exchanges.pop(event.stream_id, None)
        if exchange is None:
            # The parser refused a malformed request that we never saw; it counts it as a stream.
            self._count_stream()
        else:
            exchange.disconnect()
            self._waiting.discard(exchange)
            if self.flow.read_paused:
                self.resume_reading_if_idle()

    def _on_goaway(self, _event: zttp.GoAway) -> None:
        self.say_goodbye()

    def _on_ping(self, event: zttp.Ping) -> None:
        if event.ack and event.data == _PING_DATA:
            self._finish_goodbye()

    def _on_credit(self, _event: zttp.WindowUpdate) -> None:
        self._credit_came = True

    def _on_settings(self, _event: zttp.Settings) -> None:
        # A client may widen the windows of all streams by its settings.
        self._credit_came = True
        if not self._preface_complete:
            self._preface_complete = True
            self._idle.set(IDLE_SECONDS)

    def _count_stream(self) -> None:
        self._streams_seen += 1
        if self._streams_seen == STREAMS_BEFORE_GOAWAY:
            self.say_goodbye()
        elif self._streams_seen == STREAMS_BEFORE_REFUSAL:
            self._finish_goodbye()

    _handlers: ClassVar[dict[type[Any], Callable[["Http2Protocol", Any], None]]] = {
        zttp.Request: _on_request,
        zttp.Data: _on_data,
        zttp.EndOfMessage: _on_end,
        zttp.RstStream: _on_reset,
        zttp.GoAway: _on_goaway,
        zttp.Ping: _on_ping,
        zttp.WindowUpdate: _on_credit,
        zttp.Settings: _on_settings,
    }

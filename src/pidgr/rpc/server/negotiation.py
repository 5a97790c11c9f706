"""The first bytes of a connection decide which HTTP it speaks."""

from typing import TYPE_CHECKING

from uvicorn.protocols.http.auto_zttp_impl import AutoZttpProtocol

from pidgr.rpc.server.http1 import Http1Protocol
from pidgr.rpc.server.http2 import Http2Protocol

if TYPE_CHECKING:
    import asyncio


class NegotiatingProtocol(AutoZttpProtocol):
    """Hands a new connection to our HTTP/1.1 or HTTP/2 protocol.

    Over TLS by the result of ALPN, else by the HTTP/2 preface (prior knowledge).
    """

    def _switch(self, http2: bool, initial_data: bytes = b"") -> None:
        protocol_class: type[asyncio.Protocol] = Http2Protocol if http2 else Http1Protocol
        protocol = protocol_class(  # type: ignore[call-arg]
            config=self.config,
            server_state=self.server_state,
            app_state=self.app_state,
            _loop=self.loop,
        )
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if initial_data:
            protocol.data_received(initial_data)

"""One request and its response as the ASGI app sees them, whatever the HTTP version."""

import asyncio
import enum
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import zttp
from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.flow_control import FlowControl

logger = logging.getLogger("pidgr.rpc.server")

Headers = list[tuple[bytes, bytes]]

_SERVER_ERROR_START: Message = {
    "type": "http.response.start",
    "status": 500,
    "headers": [(b"content-type", b"text/plain; charset=utf-8")],
}
_SERVER_ERROR_BODY: Message = {"type": "http.response.body", "body": b"Internal Server Error"}


class Stage(enum.IntEnum):
    """What the app has to send next."""

    HEAD = 0
    BODY = 1
    TRAILERS = 2
    DONE = 3


class Exchange(ABC):
    """Runs the app for one request: hands it the body, takes its response in the ASGI order.

    Subclasses put the parts of the response on the wire.
    """

    def __init__(self, scope: Scope, flow: FlowControl) -> None:
        self.scope = scope
        self.flow = flow
        self.disconnected = False
        self.stage = Stage.HEAD
        self.trailers_announced = False
        self.bodyless = False
        self._body = bytearray()
        self._more_body = True
        self._news = asyncio.Event()
        self._trailers: Headers = []

    @property
    def more_body(self) -> bool:
        """Whether the client has still to send a part of the request."""
        return self._more_body

    @property
    def unread(self) -> int:
        """How many bytes of the request wait for the app."""
        return len(self._body)

    def feed(self, data: bytes) -> None:
        """Take a part of the request body; a finished response has no use for it."""
        if self.stage is not Stage.DONE:
            self._body += data
            self._news.set()

    def feed_end(self) -> None:
        """Take the end of the request."""
        self._more_body = False
        self._news.set()

    def disconnect(self) -> None:
        """Tell the app that nobody listens any more."""
        if self.stage is not Stage.DONE:
            self.disconnected = True
        self._news.set()

    async def run(self, app: ASGIApp) -> None:
        """Call the app and make sure that the client gets an end, whatever the app does."""
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            self._give_up()
            raise
        except Exception:
            logger.exception("the app failed on %s", self.scope["path"])
        else:
            if self.stage is Stage.DONE or self.disconnected:
                return
            logger.error("the app left its response to %s unfinished", self.scope["path"])
        if self.stage is Stage.HEAD and not self.disconnected:
            await self.send(_SERVER_ERROR_START)
            await self.send(_SERVER_ERROR_BODY)
        else:
            self._give_up()

    async def receive(self) -> Message:
        """Give the app the next part of the request, or the news that the client is gone."""
        if not self.disconnected and self.stage is not Stage.DONE:
            self.before_receive()
            await self._news.wait()
            self._news.clear()
        if self.disconnected or self.stage is Stage.DONE:
            return {"type": "http.disconnect"}
        body = bytes(self._body)
        self._body = bytearray()
        return {"type": "http.request", "body": body, "more_body": self._more_body}

    async def send(self, message: Message) -> None:
        """Take one response message of the app.

        Raises RuntimeError for a message out of turn. After a disconnect messages go nowhere.
        """
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.body" and self.stage is Stage.BODY:
            more_body = message.get("more_body", False)
            await self.send_body(message.get("body", b""), more_body=more_body)
            if not more_body and not self.disconnected:
                if self.trailers_announced:
                    self.stage = Stage.TRAILERS
                else:
                    self._finish([])
        elif kind == "http.response.start" and self.stage is Stage.HEAD:
            self._start(message)
        elif kind == "http.response.trailers" and self.stage is Stage.TRAILERS:
            self._trailers += message.get("headers", [])
            if not message.get("more_trailers", False):
                self._finish(self._trailers)
        else:
            raise RuntimeError(f"the app sent {kind!r} when it had to send {self.stage.name}")

    def _start(self, message: Message) -> None:
        status: int = message["status"]
        self.bodyless = self.scope["method"] == "HEAD" or status in {204, 304}
        self.trailers_announced = message.get("trailers", False)
        self.send_head(status, message.get("headers", ()))
        self.stage = Stage.BODY

    def _finish(self, trailers: Headers) -> None:
        self.stage = Stage.DONE
        self._news.set()
        # Nobody will read it; as unread it would keep the connection from reading on.
        self._body.clear()
        self.send_end(trailers)

    def _give_up(self) -> None:
        if self.stage is Stage.DONE or self.disconnected:
            return
        self.disconnect()
        self.abort()

    @abstractmethod
    def before_receive(self) -> None:
        """Let the transport read again if it stopped because of this request's body."""

    @abstractmethod
    def send_head(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Put the status and the headers on the wire."""

    @abstractmethod
    async def send_body(self, data: bytes, *, more_body: bool) -> None:
        """Put a part of the body on the wire; wait while the client takes nothing more."""

    @abstractmethod
    def send_end(self, trailers: Headers) -> None:
        """End the response; there are ``trailers`` only if the head announced them."""

    @abstractmethod
    def abort(self) -> None:
        """Make the client see that the response is broken off."""


def http_scope(
    *,
    version: str,
    request: zttp.Request,
    path: str,
    headers: Headers,
    server: tuple[str, int | None] | None,
    client: tuple[str, int] | None,
    scheme: str,
    state: dict[str, Any],
    extensions: dict[str, dict[str, Any]],
) -> Scope:
    """Describe a parsed request the ASGI way (asgi.readthedocs.io, HTTP connection scope)."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": version,
        "server": server,
        "client": client,
        "scheme": scheme,
        "method": request.method.decode("ascii"),
        "root_path": "",
        "path": path,
        "raw_path": request.path,
        "query_string": request.query,
        "headers": headers,
        "state": state.copy(),
        "extensions": extensions,
    }

"""The first turn of a request: to an RPC, to a plain page, or to nothing we have."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from protobuf import DescService
from starlette.types import ASGIApp, Receive, Scope, Send

from pidgr.rpc.server import INTERNAL

_GRPC: Final = b"application/grpc"
_UNIMPLEMENTED: Final = b"12"


def rpc_paths(description: DescService) -> Iterable[str]:
    """Return the paths of a service's RPCs."""
    return (f"/{description.type_name}/{method.name}" for method in description.methods)


class Dispatcher:
    """Sends ``/package.Service/Method`` straight to its service, everything else to the pages.

    One look-up: a web framework's router in front of the services costs more than their protocol.
    """

    def __init__(self, rpcs: dict[str, ASGIApp], pages: ASGIApp) -> None:
        self._rpcs = rpcs
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's lifespan."""
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
            return
        app = self._rpcs.get(scope["path"])
        if app is not None:
            await app(_decodable(scope), receive, send)
        elif (content_type := _grpc_content_type(scope)) is not None:
            await _refuse_unknown_rpc(scope["path"], content_type, send)
        else:
            await self._pages(scope, receive, send)


class Doors:
    """Two applications on one server: what comes to the internal address meets the second."""

    def __init__(self, public: ASGIApp, internal: ASGIApp) -> None:
        self._public = public
        self._internal = internal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's lifespan."""
        internal = INTERNAL in scope.get("extensions", {})
        await (self._internal if internal else self._public)(scope, receive, send)


def _decodable(scope: Scope) -> Scope:
    """Return a scope whose texts are UTF-8, whatever the client sent.

    RFC 9110 (5.5) lets a field value carry any byte. The protocol library decodes them all as
    UTF-8, before our interceptors, and would answer its own exception's text.
    """
    headers, query = scope["headers"], scope["query_string"]
    if query.isascii() and all(value.isascii() for _, value in headers):
        return scope
    return {
        **scope,
        "headers": [(name, _utf8(value)) for name, value in headers],
        "query_string": _utf8(query),
    }


def _utf8(value: bytes) -> bytes:
    return value.decode("utf-8", "replace").encode()


def _grpc_content_type(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"content-type":
            found: bytes = value
            return found if found.startswith(_GRPC) else None
    return None


async def _refuse_unknown_rpc(path: str, content_type: bytes, send: Send) -> None:
    """Answer with a status: a gRPC client would have to guess one from a 404."""
    message = quote(f"this server has no RPC {path[:200]}", safe=" /.").encode()
    headers = [
        (b"content-type", content_type),
        (b"grpc-status", _UNIMPLEMENTED),
        (b"grpc-message", message),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})

"""JSON over plain HTTP for what the contract leaves to the server, with the contract's errors.

A request is a JSON object of strings and booleans, an answer a JSON object, an error
``{"code": "unauthenticated", "message": "..."}`` under the HTTP status Connect gives the code.
"""

import ipaddress
import json
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from connectrpc.code import Code
from connectrpc.request import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pidgr.errors import InvalidArgumentError, invalid_field
from pidgr.rpc import metrics
from pidgr.rpc.error_mapping import to_connect_error
from pidgr.rpc.limits import RateLimiter

_LARGEST_BODY: Final = 16 * 1024
# https://connectrpc.com/docs/protocol/#error-codes
_STATUS: Final = {
    Code.CANCELED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
_NO_STORE: Final = {"cache-control": "no-store"}
_IPV6_SITE_BITS: Final = 64

log = structlog.get_logger("pidgr.rpc")

Answer = dict[str, object]
Handler = Callable[[Request], Awaitable[Answer]]


def door(name: str, limiter: RateLimiter, handler: Handler) -> Callable[[Request], object]:
    """Return the endpoint of a handler: limited per client address, logged, errors mapped."""

    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        headers = Headers(_NO_STORE)
        code = "ok"
        try:
            limiter.take(client_name(request))
            response: Response = JSONResponse(await handler(request), headers=dict(headers))
        except Exception as error:  # noqa: BLE001 - mapped here as an RPC's is by its interceptor
            visible = to_connect_error(error, headers)
            code = visible.code.name.lower()
            response = JSONResponse(
                {"code": code, "message": visible.message},
                _STATUS[visible.code],
                headers=dict(headers),
            )
        elapsed = time.perf_counter() - started
        metrics.REQUESTS.labels(name, code).inc()
        metrics.DURATION.labels(name).observe(elapsed)
        log.info("http", door=name, code=code, milliseconds=round(elapsed * 1000, 2))
        return response

    return endpoint


def client_name(request: Request) -> str:
    """Return who a request comes from: an address, of IPv6 the site that one customer has."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_SITE_BITS), strict=False))
    return host


class Fields:
    """The body of a request."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values

    @classmethod
    async def of(cls, request: Request) -> "Fields":
        """Read the body.

        Raises:
            InvalidArgumentError: not a JSON object, or a large one.
        """
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise InvalidArgumentError("send JSON, with content-type application/json")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_BODY:
                raise InvalidArgumentError(f"the body is larger than {_LARGEST_BODY:,} bytes")
        try:
            values = json.loads(body)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise InvalidArgumentError("the body is not a JSON object")
        return cls(values)

    def text(self, name: str, *, required: bool = True) -> str:
        """Return a text; the empty one if it may be missing and is.

        Raises:
            InvalidArgumentError: missing, or of another type.
        """
        value = self._values.get(name, "" if not required else None)
        if not isinstance(value, str) or (required and not value):
            raise invalid_field(name, "must be a text")
        # JSON can spell halves of characters, and databases store neither those nor NUL.
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise invalid_field(name, "holds what is no character")
        return value

    def flag(self, name: str, *, required: bool = False) -> bool:
        """Return true or false; false if it may be missing and is.

        Raises:
            InvalidArgumentError: missing, or of another type.
        """
        value = self._values.get(name, None if required else False)
        if not isinstance(value, bool):
            raise invalid_field(name, "must be true or false")
        return value

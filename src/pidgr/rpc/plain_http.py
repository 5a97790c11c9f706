"""JSON over plain HTTP for what the contract leaves to the server, with the contract's errors.

A request is a JSON object, an answer a JSON object, an error
``{"code": "unauthenticated", "message": "..."}`` under the HTTP status Connect gives the code.
"""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl

import structlog
from connectrpc.code import Code
from connectrpc.request import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pidgr.errors import InvalidArgumentError, ResourceExhaustedError, invalid_field
from pidgr.rpc import metrics
from pidgr.rpc.client_address import client_name
from pidgr.rpc.doorkeeper import is_noise
from pidgr.rpc.error_mapping import to_connect_error
from pidgr.rpc.limits import Limiter

_LARGEST_BODY: Final = 16 * 1024
_MOST_FIELDS: Final = 50
# https://connectrpc.com/docs/protocol/#error-codes
STATUS: Final = {
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

log = structlog.get_logger("pidgr.rpc")

Answer = dict[str, object]
Handler = Callable[[Request], Awaitable[Answer]]


def door(name: str, limiter: Limiter | None, handler: Handler) -> Callable[[Request], object]:
    """Return the endpoint of a handler: limited per client address, logged, errors mapped.

    Without a limiter where the handler itself counts the call against its caller.
    """

    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        headers = Headers(_NO_STORE)
        code, noise = "ok", False
        try:
            if limiter is not None:
                await limiter.take(client_of(request))
            response: Response = JSONResponse(await handler(request), headers=dict(headers))
        except Exception as error:  # noqa: BLE001 - mapped here as an RPC's is by its interceptor
            visible = to_connect_error(error, headers)
            code, noise = visible.code.name.lower(), is_noise(error)
            response = JSONResponse(
                {"code": code, "message": visible.message},
                STATUS[visible.code],
                headers=dict(headers),
            )
        elapsed = time.perf_counter() - started
        metrics.REQUESTS.labels(name, code).inc()
        metrics.DURATION.labels(name).observe(elapsed)
        if not noise:
            log.info("http", door=name, code=code, milliseconds=round(elapsed * 1000, 2))
        return response

    return endpoint


def limited(
    limiter: Limiter, endpoint: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that is the same, within the limit of each client address."""

    async def answer(request: Request) -> Response:
        try:
            await limiter.take(client_of(request))
        except ResourceExhaustedError as error:
            headers = Headers(_NO_STORE)
            message = to_connect_error(error, headers).message
            content = {"code": "resource_exhausted", "message": message}
            return JSONResponse(content, 429, headers=dict(headers))
        return await endpoint(request)

    return answer


def client_of(request: Request) -> str:
    """Return what a request's client is counted by."""
    return client_name(request.client.host if request.client else "")


async def read_body(request: Request, largest: int = _LARGEST_BODY) -> bytes:
    """Return the body, of at most ``largest`` bytes.

    Raises:
        InvalidArgumentError: a large one.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise InvalidArgumentError(f"the body is larger than {largest:,} bytes")
    return body


async def read_form(request: Request, largest: int = _LARGEST_BODY) -> list[tuple[str, str]]:
    """Return the fields of an HTML form of at most ``largest`` bytes.

    Raises:
        InvalidArgumentError: not a form, or a large one.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise InvalidArgumentError("send a form, application/x-www-form-urlencoded")
    try:
        return parse_qsl(
            (await read_body(request, largest)).decode(),
            keep_blank_values=True,
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise InvalidArgumentError("the form cannot be read") from error


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
        body = await read_body(request)
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

    def object(self, name: str, *, required: bool = True) -> dict[str, object]:
        """Return an object; the empty one if it may be missing and is.

        Raises:
            InvalidArgumentError: missing, or of another type.
        """
        value = self._values.get(name, {} if not required else None)
        if not isinstance(value, dict):
            raise invalid_field(name, "must be an object")
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

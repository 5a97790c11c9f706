"""SCIM 2.0 over HTTP (RFC 7644), with a SCIM token."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from connectrpc.request import Headers
from scim2_models import Error, InvalidSyntaxException, NotFoundException, SCIMException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    UnauthenticatedError,
)
from pidgr.rpc import metrics
from pidgr.rpc.doorkeeper import Doorkeeper, is_noise
from pidgr.rpc.error_mapping import to_connect_error
from pidgr.rpc.plain_http import STATUS, read_body
from pidgr.rpc.scim_handlers import Answer, Handler, ScimHandlers, ScimRequest
from pidgr.scim import payloads
from pidgr.scim.versions import Match
from pidgr.system import System

LARGEST_BODY: Final = 1024 * 1024

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_TYPES: Final = frozenset({"application/scim+json", "application/json"})
# What RFC 7644 has and this server has not (3.4.3, 3.7 and 3.11).
_NOT_OFFERED: Final = frozenset({".search", "Bulk", "Me"})

log = structlog.get_logger("pidgr.rpc")

Endpoint = Callable[[Request], Awaitable[Response]]


class RefusedError(SCIMException):
    """A request that is refused whatever it says."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail=detail)
        self.status = status


def scim_endpoint(system: System, doorkeeper: Doorkeeper, base: str) -> Endpoint:
    """Return what answers every request under a URL."""
    handlers = ScimHandlers(system, base).table()

    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        headers = Headers({"cache-control": "no-store"})
        resource, _, id_ = str(request.path_params["path"]).strip("/").partition("/")
        door, code, noise = "scim", "ok", False
        try:
            caller = await doorkeeper.admit(request, provisioning=True)
            handler = _find(handlers, request.method, resource, id_)
            door = f"scim/{resource}"
            response = _response(await handler(caller, await _read(request, id_)), headers)
        except Exception as error:  # noqa: BLE001 - mapped here as an RPC's is by its interceptor
            refusal = _refusal(error, headers)
            code, noise = str(refusal.status), is_noise(error)
            response = _response(Answer(refusal.status or 500, refusal.model_dump()), headers)
        elapsed = time.perf_counter() - started
        metrics.REQUESTS.labels(door, code).inc()
        metrics.DURATION.labels(door).observe(elapsed)
        if not noise:
            log.info("http", door=door, code=code, milliseconds=round(elapsed * 1000, 2))
        return response

    return endpoint


def _find(
    handlers: dict[tuple[str, bool], dict[str, Handler]], method: str, resource: str, id_: str
) -> Handler:
    if resource in _NOT_OFFERED or id_ == ".search":
        raise RefusedError(501, "this server does not offer this")
    offered = handlers.get((resource, bool(id_)))
    if offered is None:
        raise NotFoundException(detail="there is nothing at this path")
    handler = offered.get(method)
    if handler is None:
        raise RefusedError(405, f"{method} is not offered here; {', '.join(offered)} is")
    return handler


async def _read(request: Request, id_: str) -> ScimRequest:
    payload: payloads.Payload = {}
    if request.method in _WITH_BODY:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type not in _TYPES:
            raise InvalidSyntaxException(detail="send application/scim+json")
        try:
            body = await read_body(request, LARGEST_BODY)
        except InvalidArgumentError as error:
            raise RefusedError(413, error.message) from error
        payload = payloads.parse(body)
    headers = request.headers
    match = Match(headers.get("if-match", ""), headers.get("if-none-match", ""))
    return ScimRequest(id_, dict(request.query_params), payload, match)


def _response(answer: Answer, headers: Headers) -> Response:
    sent = dict(headers) | answer.headers
    if answer.content is None:
        return Response(status_code=answer.status, headers=sent)
    return JSONResponse(
        answer.content, answer.status, headers=sent, media_type="application/scim+json"
    )


def _refusal(error: Exception, headers: Headers) -> Error:
    """Return an error as SCIM has it (RFC 7644, 3.12)."""
    if isinstance(error, SCIMException):
        return error.to_error()
    visible = to_connect_error(error, headers)
    status, keyword = STATUS[visible.code], None
    match error:
        case UnauthenticatedError():
            headers["www-authenticate"] = "Bearer"
        case InvalidArgumentError():
            keyword = "invalidValue"
        case AlreadyExistsError():
            keyword = "uniqueness"
        case FailedPreconditionError():
            status = 409
    return Error(status=status, scim_type=keyword, detail=visible.message)

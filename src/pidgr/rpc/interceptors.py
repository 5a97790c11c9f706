"""The front door's interceptors, in the order a call meets them.

Each subclasses MetadataInterceptor in full: one that lacked a method of the protocol class would
be skipped without a word, and authentication with it. They run before the body is read, so an
unauthenticated caller cannot make the server parse 64 MiB. The call's own deadline (grpc-timeout,
connect-timeout-ms) is kept by the protocol library around all of them.
"""

import re
import time
import traceback
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from connectrpc.interceptor import MetadataInterceptor
from connectrpc.request import RequestContext

from pidgr.errors import PermissionDeniedError
from pidgr.identity.authenticator import Authenticator
from pidgr.identity.caller import ANONYMOUS, Caller
from pidgr.rpc import metrics
from pidgr.rpc.error_mapping import to_connect_error
from pidgr.rpc.limits import RateLimiter
from pidgr.rpc.policy import POLICY, Access, Rule

Context = RequestContext[Any, Any]

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = structlog.get_logger("pidgr.rpc")


@dataclass(slots=True)
class Call:
    """What the interceptors learn about a call on its way in."""

    method: str
    rule: Rule
    caller: Caller = ANONYMOUS
    request_id: str = ""
    started: float = field(default_factory=time.perf_counter)


current_call: ContextVar[Call] = ContextVar("current_call")


def method_name(context: Context) -> str:
    """Return ``Service/Method``, the key of the policy table."""
    service = context.method.service_name.rpartition(".")[2]
    return f"{service}/{context.method.name}"


class Observe(MetadataInterceptor[Call]):
    """Outermost: gives the call its id, maps its error, and counts and logs its end."""

    async def on_start(self, ctx: Context) -> Call:
        """Open the call."""
        offered = ctx.request_headers.get("x-request-id", "")
        request_id = offered if _REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex
        method = method_name(ctx)
        call = Call(method, POLICY[method], request_id=request_id)
        current_call.set(call)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        ctx.response_headers["x-request-id"] = request_id
        metrics.OPEN.inc()
        return call

    async def on_end(self, token: Call, ctx: Context, error: Exception | None, /) -> None:
        """Close the call; raises the error in the form the client may see."""
        visible = to_connect_error(error, ctx.response_headers) if error is not None else None
        code = visible.code.name.lower() if visible is not None else "ok"
        elapsed = time.perf_counter() - token.started
        metrics.OPEN.dec()
        metrics.REQUESTS.labels(token.method, code).inc()
        metrics.DURATION.labels(token.method).observe(elapsed)
        organization = token.caller.organization
        log.info(
            "rpc",
            method=token.method,
            code=code,
            milliseconds=round(elapsed * 1000, 2),
            organization_id=organization.id if organization else "",
            actor_id=token.caller.actor_id,
        )
        if error is not None:
            _release_frames(error)
        if visible is not None and visible is not error:
            raise visible from error


def _release_frames(error: BaseException | None) -> None:
    """Empty the frames an error came through.

    The protocol library's frame and the error hold each other until the garbage collector comes by,
    which a server lets happen seldom, and among the frames are those that hold the request: a dozen
    refused messages of 64 MiB would stay in memory.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def chosen_organization(headers: Mapping[str, str]) -> str:
    """Return the organization a person wants to act in, if the request names one."""
    return headers.get("x-org-id") or headers.get("x-pidgr-org-id", "")


class Authenticate(MetadataInterceptor[None]):
    """Finds out who calls, unless the door is public."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def on_start(self, ctx: Context) -> None:
        """Set the call's caller."""
        call = current_call.get()
        if call.rule.access is Access.PUBLIC:
            return
        headers = ctx.request_headers
        call.caller = await self._authenticator.authenticate(
            headers.get("authorization"),
            chosen_organization(headers),
            while_suspended=call.rule.while_suspended,
        )

    async def on_end(self, token: None, ctx: Context, error: Exception | None, /) -> None:
        """Nothing to undo."""


class LimitRate(MetadataInterceptor[None]):
    """Counts the call against its organization, its person or its address."""

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter

    async def on_start(self, ctx: Context) -> None:
        """Take a token."""
        caller = current_call.get().caller
        if caller.organization is not None:
            self._limiter.take(caller.organization.id)
            return
        host = (ctx.client_address or "").rpartition(":")[0]
        self._limiter.take(caller.subject or host)

    async def on_end(self, token: None, ctx: Context, error: Exception | None, /) -> None:
        """Nothing to undo."""


class Authorize(MetadataInterceptor[None]):
    """Holds the call against the policy table."""

    async def on_start(self, ctx: Context) -> None:
        """Refuse a caller without the right kind of credential or the permission."""
        del ctx
        call = current_call.get()
        check(call.rule, call.caller)

    async def on_end(self, token: None, ctx: Context, error: Exception | None, /) -> None:
        """Nothing to undo."""


def check(rule: Rule, caller: Caller) -> None:
    """Hold a caller against a rule.

    Raises:
        PermissionDeniedError: the wrong kind of caller, or one without the permission.
        UnauthenticatedError: a token without an organization where one is needed.
    """
    match rule.access:
        case Access.PUBLIC:
            return
        case Access.INTERNAL:
            raise PermissionDeniedError("this call is reserved for internal services")
        case Access.IDENTITY:
            if not caller.subject:
                raise PermissionDeniedError("this call is for signed-in people, not API keys")
        case Access.OWN:
            _ = caller.organization_key
            caller.member()
        case Access.MEMBER:
            _ = caller.organization_key
    if rule.any_of:
        caller.require(*rule.any_of)

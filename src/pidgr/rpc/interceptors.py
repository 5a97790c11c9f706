"""The front door's interceptors, in the order a call meets them.

Each subclasses MetadataInterceptor in full: one that lacked a method of the protocol class would
be skipped without a word, and authentication with it. They run before the body is read, so an
unauthenticated caller cannot make the server parse 64 MiB. The call's own deadline (grpc-timeout,
connect-timeout-ms) is kept by the protocol library around all of them.
"""

import hashlib
import hmac
import re
import time
import traceback
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog
from connectrpc.interceptor import MetadataInterceptor
from connectrpc.request import RequestContext

from pidgr.clock import SECOND, Clock
from pidgr.directory import organization_store
from pidgr.errors import (
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    StaleAuthenticationError,
    UnauthenticatedError,
)
from pidgr.identity.caller import ANONYMOUS, Caller
from pidgr.rpc import metrics
from pidgr.rpc.client_address import client_name
from pidgr.rpc.doorkeeper import Doorkeeper, chosen_organization, is_noise, take_of_caller
from pidgr.rpc.error_mapping import to_connect_error
from pidgr.rpc.limits import Limiter, Limits
from pidgr.rpc.policy import POLICY, STEP_UP_SECONDS, Access, Rule, Unit
from pidgr.storage.database import Database
from pidgr.validation import require_uuid

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


def client_host(context: Context) -> str:
    """Return the address a call comes from; behind trusted proxies, the one they report."""
    return (context.client_address or "").rpartition(":")[0]


def method_name(context: Context) -> str:
    """Return ``Service/Method``, the key of the policy table."""
    service = context.method.service_name.rpartition(".")[2]
    return f"{service}/{context.method.name}"


class Observe(MetadataInterceptor[Call]):
    """Outermost: gives the call its id, maps its error, and counts and logs its end.

    ``resource_metadata`` is where callers without a good credential learn how to get one (RFC 9728
    5.1).
    """

    def __init__(self, resource_metadata: str = "") -> None:
        self._challenge = f'Bearer resource_metadata="{resource_metadata}"'

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
        if isinstance(error, UnauthenticatedError):
            ctx.response_headers["www-authenticate"] = self._challenge
        visible = to_connect_error(error, ctx.response_headers) if error is not None else None
        code = visible.code.name.lower() if visible is not None else "ok"
        elapsed = time.perf_counter() - token.started
        metrics.OPEN.dec()
        metrics.REQUESTS.labels(token.method, code).inc()
        metrics.DURATION.labels(token.method).observe(elapsed)
        if not is_noise(error):
            organization = token.caller.organization
            log.info(
                "rpc",
                method=token.method,
                code=code,
                milliseconds=round(elapsed * 1000, 2),
                organization_id=organization.id if organization else "",
                actor_id="" if token.rule.unnamed else token.caller.actor_id,
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


class Authenticate(MetadataInterceptor[None]):
    """Finds out who calls, unless the door is public."""

    def __init__(self, doorkeeper: Doorkeeper) -> None:
        self._doorkeeper = doorkeeper

    async def on_start(self, ctx: Context) -> None:
        """Set the call's caller."""
        call = current_call.get()
        if call.rule.access is Access.PUBLIC:
            return
        headers = ctx.request_headers
        caller = await self._doorkeeper.recognise(
            client_host(ctx),
            headers.get("authorization"),
            chosen_organization(headers),
            while_suspended=call.rule.while_suspended,
            applications=True,
        )
        call.caller = replace(caller, request_id=call.request_id)

    async def on_end(self, token: None, ctx: Context, error: Exception | None, /) -> None:
        """Nothing to undo."""


class AuthenticateService(MetadataInterceptor[None]):
    """Knows the services of this installation by the token they share with it."""

    def __init__(self, token: str, database: Database) -> None:
        self._digest = hashlib.sha256(token.encode()).digest()
        self._database = database

    async def on_start(self, ctx: Context) -> None:
        """Set the call's caller."""
        call = current_call.get()
        headers = ctx.request_headers
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # Digests of one length: how long the token is stays ours too.
        digest = hashlib.sha256(given.encode()).digest()
        if scheme.lower() != "bearer" or not hmac.compare_digest(digest, self._digest):
            message = "internal calls need the token of PIDGR_INTERNAL_TOKEN as a bearer token"
            raise UnauthenticatedError(message)
        chosen = require_uuid("x-org-id", chosen_organization(headers))
        organization = await self._database.read(
            lambda reader: organization_store.tenant(reader, chosen)
        )
        if organization is None:
            raise NotFoundError(f"no organization has the id {chosen}")
        call.caller = Caller(organization, internal=True, request_id=call.request_id)

    async def on_end(self, token: None, ctx: Context, error: Exception | None, /) -> None:
        """Nothing to undo."""


class LimitRate(MetadataInterceptor[None]):
    """Counts the call against its organization, its person or its address."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def on_start(self, ctx: Context) -> None:
        """Take one of its allowance."""
        call = current_call.get()
        caller = call.caller
        if caller is ANONYMOUS:
            limiter = self._limits.invites if call.rule.of_invites else self._limits.public
            await limiter.take(client_name(client_host(ctx)))
        else:
            await take_of_caller(self._limits.organizations, caller)

    async def on_end(self, token: None, ctx: Context, error: Exception | None, /) -> None:
        """Nothing to undo."""


class LimitAddress(MetadataInterceptor[None]):
    """Counts a call against its address, for services that stand alone: none observes them."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def on_start(self, ctx: Context) -> None:
        """Take one of its allowance."""
        try:
            await self._limiter.take(client_name(client_host(ctx)))
        except ResourceExhaustedError as error:
            raise to_connect_error(error, ctx.response_headers) from error

    async def on_end(self, token: None, ctx: Context, error: Exception | None, /) -> None:
        """Nothing to undo."""


class Authorize(MetadataInterceptor[None]):
    """Holds the call against the policy table; ``step_up`` says when it is now, if it is on."""

    def __init__(self, step_up: Clock | None = None) -> None:
        self._step_up = step_up

    async def on_start(self, ctx: Context) -> None:
        """Refuse a caller without the right kind of credential or the permission."""
        del ctx
        call = current_call.get()
        check(call.rule, call.caller)
        if self._step_up is not None:
            check_freshness(call.rule, call.caller, self._step_up.now())

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
            if not caller.internal:
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
    elif caller.client_id and rule.unit not in {Unit.READ, Unit.HEAVY_READ}:
        # No scope stands for it, so nobody can have allowed it.
        raise PermissionDeniedError("applications may not do this; sign in yourself")


def check_freshness(rule: Rule, caller: Caller, now: int) -> None:
    """Demand a recent sign-in where the rule does. An API key has none and is what it is.

    Raises:
        StaleAuthenticationError: the person signed in too long ago, or nobody can tell when.
    """
    if rule.fresh and not caller.api_key_id:
        require_fresh_sign_in(caller, now)


def require_fresh_sign_in(caller: Caller, now: int) -> None:
    """Demand that a person has signed in just now.

    Raises:
        StaleAuthenticationError: the person signed in too long ago, or nobody can tell when.
    """
    since = caller.authenticated_at
    if since is None or now - since >= STEP_UP_SECONDS * SECOND:
        raise StaleAuthenticationError(STEP_UP_SECONDS)

"""Binds domain services to the contract's RPCs.

A domain service is a plain class whose methods carry the RPCs' names in snake case and take
``(request, caller, unit)``: a Reader or a Transaction by the policy's unit of work. The front door
opens the unit, commits it, and answers UNIMPLEMENTED for an RPC no service offers.

What a write must ask the outside world first, which no transaction may wait for, is in a coroutine
method ``prepare_NAME(request, caller)`` beside it. What that returns, unless it is None, is the
method's fourth argument.

What a write must see through before it is answered is in a coroutine method
``conclude_NAME(response)``. It runs after the commit, also for an answer that is given again.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any, Final

from connectrpc.request import RequestContext
from protobuf import DescService, Message

from pidgr.errors import UnimplementedError
from pidgr.identity.caller import Caller
from pidgr.rpc.client_address import client_name
from pidgr.rpc.idempotency import HEADER, Idempotency, repeatable_call
from pidgr.rpc.interceptors import client_host, current_call
from pidgr.rpc.policy import POLICY, Unit
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

Prepare = Callable[[Any, Caller], Awaitable[Any]]
Conclude = Callable[[Any], Awaitable[None]]
Endpoint = Callable[[Any, RequestContext[Any, Any]], Any]

_WORD_START: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """Return an RPC's Python name: ``CheckSSOByDomain`` is ``check_sso_by_domain``."""
    return _WORD_START.sub("_", name).lower()


def bind(
    description: DescService,
    service: object | None,
    database: Database,
    idempotency: Idempotency,
) -> SimpleNamespace:
    """Return what ``ServiceApp`` serves: one coroutine function per RPC."""
    short = description.type_name.rpartition(".")[2]
    endpoints: dict[str, Endpoint] = {}
    for method in description.methods:
        name = snake_case(method.name)
        handler = getattr(service, name, None)
        rpc = f"{short}/{method.name}"
        if method.method_kind == "server_streaming":
            endpoints[name] = _streaming(rpc, handler)
        else:
            prepare = getattr(service, f"prepare_{name}", _nothing)
            endpoint = _unary(rpc, handler, prepare, database, idempotency)
            conclude = getattr(service, f"conclude_{name}", None)
            endpoints[name] = endpoint if conclude is None else _concluded(endpoint, conclude)
    return SimpleNamespace(**endpoints)


def _unimplemented(rpc: str) -> UnimplementedError:
    return UnimplementedError(f"{rpc} is not available in this version of the server")


def _unary(
    rpc: str,
    handler: Any,  # noqa: ANN401 - a method of any service
    prepare: Prepare,
    database: Database,
    idempotency: Idempotency,
) -> Endpoint:
    if handler is None:
        return _refusing(rpc)
    match POLICY[rpc].unit:
        case Unit.OWN:
            return _own(handler)
        case Unit.WRITE:
            return _writing(rpc, handler, prepare, database, idempotency)
        case Unit.READ:
            return _reading(handler, database, heavy=False)
        case Unit.HEAVY_READ:
            return _reading(handler, database, heavy=True)


def _refusing(rpc: str) -> Endpoint:
    async def refuse(request: Message, context: RequestContext[Any, Any]) -> Message:
        del request, context
        raise _unimplemented(rpc)

    return refuse


def _own(handler: Callable[[Any, Caller], Awaitable[Message]]) -> Endpoint:
    async def call(request: Message, context: RequestContext[Any, Any]) -> Message:
        del context
        return await handler(request, current_call.get().caller)

    return call


async def _nothing(request: Message, caller: Caller) -> None:
    """Stand in for what most writes need not prepare."""


def _writing(
    rpc: str,
    handler: Callable[..., Message],
    prepare: Prepare,
    database: Database,
    idempotency: Idempotency,
) -> Endpoint:
    async def once(
        request: Message, context: RequestContext[Any, Any], caller: Caller, key: str
    ) -> Message:
        address = client_name(client_host(context))
        repeatable = await asyncio.to_thread(repeatable_call, rpc, caller, address, key, request)
        answer_type = context.method.output
        if prepare is not _nothing:
            # What was done need not be prepared again, and might not succeed a second time.
            answered = await database.read(
                lambda reader: idempotency.answered(reader, repeatable, answer_type)
            )
            if answered is not None:
                return answered
        work = await prepared(request, caller)
        return await database.write(
            lambda transaction: idempotency.run(
                transaction, repeatable, answer_type, lambda: work(transaction)
            )
        )

    async def prepared(request: Message, caller: Caller) -> Callable[[Transaction], Message]:
        result = await prepare(request, caller)
        more = () if result is None else (result,)
        return lambda transaction: handler(request, caller, transaction, *more)

    async def call(request: Message, context: RequestContext[Any, Any]) -> Message:
        caller = current_call.get().caller
        key = context.request_headers.get(HEADER)
        if key is not None:
            return await once(request, context, caller, key)
        return await database.write(await prepared(request, caller))

    return call


def _concluded(endpoint: Endpoint, conclude: Conclude) -> Endpoint:
    async def call(request: Message, context: RequestContext[Any, Any]) -> Message:
        answer: Message = await endpoint(request, context)
        await conclude(answer)
        return answer

    return call


def _reading(handler: Callable[..., Message], database: Database, *, heavy: bool) -> Endpoint:
    async def call(request: Message, context: RequestContext[Any, Any]) -> Message:
        del context
        caller = current_call.get().caller
        return await database.read(lambda reader: handler(request, caller, reader), heavy=heavy)

    return call


def _streaming(
    rpc: str, handler: Callable[[Any, Caller], AsyncIterator[Message]] | None
) -> Endpoint:
    async def call(request: Message, context: RequestContext[Any, Any]) -> AsyncIterator[Message]:
        del context
        if handler is None:
            raise _unimplemented(rpc)
        async for message in handler(request, current_call.get().caller):
            yield message

    return call

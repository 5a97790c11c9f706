"""Apps behind the server under test; a subprocess imports them by name."""

import asyncio
import os
from collections.abc import AsyncIterator

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from starlette.types import ASGIApp, Receive, Scope, Send

from pidgr.contract.v1.action_connect import ActionService, ActionServiceASGIApplication
from pidgr.contract.v1.action_pb import SubmitActionRequest, SubmitActionResponse
from pidgr.contract.v1.render_connect import RenderService, RenderServiceASGIApplication
from pidgr.contract.v1.render_pb import RenderBatchRequest, RenderBatchResponse

SUBMIT = "/pidgr.v1.ActionService/SubmitAction"
BIG = 64 * 1024 * 1024
RENDER = "/pidgr.v1.RenderService/RenderBatch"


class Actions(ActionService):
    """Answers at once, fails on ``fail``, never answers on ``wait``, opens the gate on ``open``."""

    def __init__(self, gate: asyncio.Event) -> None:
        self._gate = gate

    async def submit_action(self, request: SubmitActionRequest, _: object) -> SubmitActionResponse:
        match request.action_id:
            case "fail":
                raise ConnectError(Code.NOT_FOUND, "no such delivery")
            case "wait":
                await asyncio.Event().wait()
            case "slow":
                await asyncio.sleep(0.5)
            case "open":
                self._gate.set()
        return SubmitActionResponse()


class Render(RenderService):
    """``version`` results, or with version 0 one after the other until the gate opens."""

    def __init__(self, gate: asyncio.Event) -> None:
        self._gate = gate

    async def render_batch(
        self, request: RenderBatchRequest, _: object
    ) -> AsyncIterator[RenderBatchResponse]:
        number = 0
        while number < request.version or (not request.version and not self._gate.is_set()):
            yield RenderBatchResponse(user_id=str(number), error=request.template_id)
            number += 1
            if not request.version:
                await asyncio.sleep(0.02)
        yield RenderBatchResponse(user_id="last")


async def answer(send: Send, body: bytes, **start: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [], **start})
    await send({"type": "http.response.body", "body": body})


async def read_all(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def echo(receive: Receive, send: Send) -> None:
    await answer(send, await read_all(receive))


async def early(_receive: Receive, send: Send) -> None:
    await answer(send, b"enough")


async def header_only(_receive: Receive, send: Send) -> None:
    await answer(send, b"", headers=[(b"grpc-status", b"5")])


async def pid(_receive: Receive, send: Send) -> None:
    await answer(send, str(os.getpid()).encode())


async def stream(_receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for part in (b"one ", b"two ", b"three"):
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def trailers(receive: Receive, send: Send) -> None:
    await read_all(receive)
    await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
    await send({"type": "http.response.body", "body": b"body"})
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"42")]})


async def big(_receive: Receive, send: Send) -> None:
    await answer(send, bytes(BIG))


endless_bytes = 0
endless_ended = False


async def endless(receive: Receive, send: Send) -> None:
    global endless_bytes, endless_ended  # noqa: PLW0603 - the test in the same process looks at it
    part = bytes(10_000)
    await read_all(receive)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    gone = asyncio.ensure_future(receive())
    while not gone.done():
        await send({"type": "http.response.body", "body": part, "more_body": True})
        endless_bytes += len(part)
        await asyncio.sleep(0)
    endless_ended = True


async def broken(_receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"some", "more_body": True})
    raise RuntimeError("broken on purpose")


async def fails(_receive: Receive, _send: Send) -> None:
    raise RuntimeError("fails on purpose")


PLAIN = {
    "/echo": echo,
    "/early": early,
    "/header-only": header_only,
    "/stream": stream,
    "/trailers": trailers,
    "/big": big,
    "/endless": endless,
    "/pid": pid,
    "/broken": broken,
    "/fails": fails,
}


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    """HTTP without gRPC: each path is one way to respond."""
    if scope["path"] == "/extensions":
        await answer(send, ",".join(scope["extensions"]).encode())
    elif scope["path"] in PLAIN:
        await PLAIN[scope["path"]](receive, send)
    else:
        await answer(send, b"", status=404)


def build() -> ASGIApp:
    gate = asyncio.Event()
    routes: dict[str, ASGIApp] = {
        SUBMIT: ActionServiceASGIApplication(Actions(gate), read_max_bytes=None),
        RENDER: RenderServiceASGIApplication(Render(gate)),
    }

    peers: set[tuple[str, int]] = set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            print("app stopped", flush=True)  # noqa: T201 - the parent process waits for it
            await send({"type": "lifespan.shutdown.complete"})
            return
        peers.add(scope["client"])
        if scope["path"] == "/peers":
            await answer(send, str(len(peers)).encode())
        elif scope["path"] == "/open":
            await read_all(receive)
            gate.set()
            await answer(send, b"")
        else:
            await routes.get(scope["path"], plain)(scope, receive, send)

    return app


def build_failing() -> ASGIApp:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "on purpose"})

    return app

"""The floor of the request path: the same front door, handlers that answer a constant.

Same server, same protocol library, same message sizes; no credentials, no limits, no database.
"""

import os
import sys
from pathlib import Path
from typing import Any

from connectrpc.request import RequestContext
from starlette.applications import Starlette
from starlette.types import ASGIApp

from pidgr.contract.v1 import action_connect, inbox_connect
from pidgr.contract.v1.action_pb import SubmitActionRequest, SubmitActionResponse
from pidgr.contract.v1.inbox_pb import SyncRequest, SyncResponse
from pidgr.rpc.app import MAXIMUM_MESSAGE_BYTES
from pidgr.rpc.compression import ThriftyGzip
from pidgr.rpc.dispatch import Dispatcher, rpc_paths
from pidgr.rpc.server import ServerOptions, serve

ANSWER_FILE = "PIDGR_BENCH_SYNC_ANSWER"


class _Inbox(inbox_connect.InboxService):
    def __init__(self, answer: SyncResponse) -> None:
        self._answer = answer

    async def sync(
        self, request: SyncRequest, ctx: RequestContext[SyncRequest, SyncResponse]
    ) -> SyncResponse:
        del request, ctx
        return self._answer


class _Action(action_connect.ActionService):
    async def submit_action(
        self,
        request: SubmitActionRequest,
        ctx: RequestContext[SubmitActionRequest, SubmitActionResponse],
    ) -> SubmitActionResponse:
        del request, ctx
        return SubmitActionResponse(success=True)


def create_app() -> ASGIApp:
    """Return the application; the Sync answer is read from a file."""
    answer = SyncResponse.from_binary(Path(os.environ[ANSWER_FILE]).read_bytes())
    options: dict[str, Any] = {
        "read_max_bytes": MAXIMUM_MESSAGE_BYTES,
        "compressions": (ThriftyGzip(),),
    }
    inbox = inbox_connect.InboxServiceASGIApplication(_Inbox(answer), **options)
    action = action_connect.ActionServiceASGIApplication(_Action(), **options)
    rpcs: dict[str, ASGIApp] = {
        **dict.fromkeys(rpc_paths(inbox_connect.InboxService.desc()), inbox),
        **dict.fromkeys(rpc_paths(action_connect.ActionService.desc()), action),
    }
    return Dispatcher(rpcs, Starlette())


def _announce(url: str) -> None:
    sys.stdout.write(f"ready at {url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve("bench.empty:create_app", ServerOptions(port=0), on_ready=_announce)

"""A grpcio client on the project's own messages."""

from __future__ import annotations  # the stubs make generic what is not at run time

import subprocess
import threading
import time
from typing import TYPE_CHECKING

import grpc
import grpc.aio
from support.raw_http import RawClient

from pidgr.contract.v1.action_pb import SubmitActionRequest, SubmitActionResponse
from pidgr.contract.v1.render_pb import RenderBatchRequest, RenderBatchResponse
from rpc.server.apps import RENDER, SUBMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from pidgr.rpc.server import BackgroundServer


UNTIL_OPEN = RenderBatchRequest(version=0)
OPEN = SubmitActionRequest(action_id="open")
QUICK = SubmitActionRequest(delivery_id="d", action_id="quick")
SLOW = SubmitActionRequest(action_id="slow")
WAIT = SubmitActionRequest(action_id="wait")


def submitter(
    channel: grpc.Channel,
) -> grpc.UnaryUnaryMultiCallable[SubmitActionRequest, SubmitActionResponse]:
    return channel.unary_unary(
        SUBMIT,
        request_serializer=SubmitActionRequest.to_binary,
        response_deserializer=SubmitActionResponse.from_binary,
    )


def renderer(
    channel: grpc.Channel,
) -> grpc.UnaryStreamMultiCallable[RenderBatchRequest, RenderBatchResponse]:
    return channel.unary_stream(
        RENDER,
        request_serializer=RenderBatchRequest.to_binary,
        response_deserializer=RenderBatchResponse.from_binary,
    )


def async_submitter(
    channel: grpc.aio.Channel,
) -> grpc.aio.UnaryUnaryMultiCallable[SubmitActionRequest, SubmitActionResponse]:
    return channel.unary_unary(
        SUBMIT,
        request_serializer=SubmitActionRequest.to_binary,
        response_deserializer=SubmitActionResponse.from_binary,
    )


def async_renderer(
    channel: grpc.aio.Channel,
) -> grpc.aio.UnaryStreamMultiCallable[RenderBatchRequest, RenderBatchResponse]:
    return channel.unary_stream(
        RENDER,
        request_serializer=RenderBatchRequest.to_binary,
        response_deserializer=RenderBatchResponse.from_binary,
    )


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come true in time")
        time.sleep(0.01)


class OpenStream:
    """A server stream that a thread reads for as long as the test runs."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.ids: list[str] = []
        self.failure: grpc.RpcError | None = None
        self._call = renderer(channel)(UNTIL_OPEN)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        eventually(lambda: len(self.ids) > 1 or self.failure is not None)

    def finish(self) -> None:
        self._thread.join(10)
        assert self.failure is None, self.failure
        assert self.ids[-1] == "last"
        assert self.ids[:-1] == [str(n) for n in range(len(self.ids) - 1)]

    def _read(self) -> None:
        try:
            for result in self._call:
                self.ids.append(result.user_id)
        except grpc.RpcError as error:
            self.failure = error


def connections_seen(server: BackgroundServer) -> int:
    with RawClient(server.port) as client:
        client.post("/peers")
        return int(client.response()[2])


def curl(*arguments: str) -> str:
    command = ["curl", "--silent", "--show-error", "--fail", "--max-time", "30", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout

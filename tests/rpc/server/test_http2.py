import asyncio
import itertools
import threading

import grpc
import grpc.aio

from pidgr.contract.v1.action_pb import SubmitActionRequest
from pidgr.contract.v1.render_pb import RenderBatchRequest
from pidgr.rpc.server import BackgroundServer
from rpc.server.calls import (
    RawClient,
    async_renderer,
    async_submitter,
    eventually,
    renderer,
    submitter,
)

UNTIL_OPEN = RenderBatchRequest(version=0)
OPEN = SubmitActionRequest(action_id="open")
QUICK = SubmitActionRequest(delivery_id="d", action_id="quick")
CALLS = 20_000


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


def test_twenty_thousand_calls_on_one_channel_beside_an_open_stream(
    server: BackgroundServer,
) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stream = OpenStream(channel)
        submit = submitter(channel)
        for _ in range(CALLS):
            submit(QUICK, timeout=10)
        submit(OPEN)
        stream.finish()
    assert CALLS / 4096 < connections_seen(server) < CALLS / 1024


def test_twenty_thousand_calls_fifty_at_a_time_beside_an_open_stream(
    server: BackgroundServer,
) -> None:
    async def calls() -> list[str]:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            submit = async_submitter(channel)
            stream = aiter(async_renderer(channel)(UNTIL_OPEN))
            ids = [(await anext(stream)).user_id]
            turns = itertools.count()

            async def caller() -> None:
                while next(turns) < CALLS:
                    await submit(QUICK, timeout=10)

            await asyncio.gather(*(caller() for _ in range(50)))
            await submit(OPEN)
            ids += [result.user_id async for result in stream]
            return ids

    ids = asyncio.run(calls())
    assert CALLS / 4096 < connections_seen(server) < CALLS / 1024
    assert ids == [*(str(n) for n in range(len(ids) - 1)), "last"]

import asyncio
import filecmp
import itertools
import os
import struct
import time
from pathlib import Path

import grpc
import grpc.aio
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from support.raw_http import framed

from pidgr.rpc.server import BackgroundServer, ServerOptions
from rpc.server import apps
from rpc.server.apps import BIG, SUBMIT, build
from rpc.server.calls import (
    OPEN,
    QUICK,
    SLOW,
    UNTIL_OPEN,
    WAIT,
    OpenStream,
    async_renderer,
    async_submitter,
    connections_seen,
    curl,
    eventually,
    submitter,
)
from rpc.server.frames import (
    ACK,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    WINDOW_UPDATE,
    FrameClient,
    frame,
)

CALLS = 20_000


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


def test_cancelled_calls_beyond_the_parsers_reset_budget_harm_no_other_call(
    server: BackgroundServer,
) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stream = OpenStream(channel)
        submit = submitter(channel)
        for _ in range(30):
            waiting = [submit.future(WAIT, timeout=30) for _ in range(40)]
            submit(QUICK, timeout=10)
            for call in waiting:
                assert call.cancel()
            submit(QUICK, timeout=10)
        submit(OPEN)
        stream.finish()
    assert connections_seen(server) > 1200 / 256


def test_calls_that_run_out_of_time_harm_no_other_call(server: BackgroundServer) -> None:
    async def calls() -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            submit = async_submitter(channel)

            async def hasty() -> None:
                for _ in range(40):
                    with pytest.raises(grpc.aio.AioRpcError) as refused:
                        await submit(WAIT, timeout=0.02)
                    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

            async def patient() -> None:
                for _ in range(400):
                    await submit(QUICK, timeout=10)

            await asyncio.gather(*(hasty() for _ in range(20)), *(patient() for _ in range(5)))

    asyncio.run(calls())


def test_a_burst_of_calls_on_a_new_channel_waits_for_its_turn(server: BackgroundServer) -> None:
    async def calls() -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            submit = async_submitter(channel)
            await asyncio.gather(*(submit(SLOW, timeout=20) for _ in range(500)))

    asyncio.run(calls())


def test_an_aged_connection_is_replaced_while_calls_and_a_stream_go_on() -> None:
    options = ServerOptions(port=0, max_connection_age_seconds=0.1, drain_seconds=3)
    with (
        BackgroundServer(build, options) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        stream = OpenStream(channel)
        submit = submitter(channel)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            submit(QUICK, timeout=10)
        submit(OPEN)
        stream.finish()
        assert connections_seen(server) > 5


def test_a_stream_that_outlives_the_grace_of_an_aged_connection_ends_unavailable() -> None:
    options = ServerOptions(
        port=0, max_connection_age_seconds=0.1, connection_grace_seconds=0.2, drain_seconds=3
    )
    with (
        BackgroundServer(build, options) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        stream = OpenStream(channel)
        eventually(lambda: stream.failure is not None)
        assert stream.failure is not None
        assert stream.failure.code() is grpc.StatusCode.UNAVAILABLE
        submitter(channel)(QUICK, timeout=10)


def test_a_head_without_a_body_ends_its_stream(server: BackgroundServer) -> None:
    with FrameClient(server.port) as client:
        client.request(1, "/echo", b"")
        head = client.until(HEADERS)
        assert head.flags & END_STREAM
        assert client.fields(head)[":status"] == "200"


def test_grpc_trailers_are_sent_even_to_a_client_that_does_not_ask_for_them(
    server: BackgroundServer,
) -> None:
    with FrameClient(server.port) as client:
        client.request(1, SUBMIT, framed(QUICK.to_binary()), content_type="application/grpc")
        head, trailers = client.until(HEADERS), client.until(HEADERS)
        assert client.fields(head)[":status"] == "200"
        assert client.fields(trailers) == {"grpc-status": "0"}
        assert trailers.flags & END_STREAM


def test_the_farewell_serves_what_was_sent_before_its_end_and_refuses_what_comes_later() -> None:
    options = ServerOptions(port=0, max_connection_age_seconds=0.2, drain_seconds=3)
    with BackgroundServer(build, options) as server, FrameClient(server.port) as client:
        client.request(1, "/echo")
        assert client.until(GOAWAY).payload == struct.pack(">II", 2**31 - 1, 0)
        ping = client.until(PING)
        client.request(3, "/echo")
        client.send(frame(PING, payload=ping.payload, flags=ACK))
        assert client.until(GOAWAY).payload == struct.pack(">II", 3, 0)
        client.request(5, "/echo")
        refused = client.until(RST_STREAM)
        assert (refused.stream, refused.payload) == (5, struct.pack(">I", 7))
        client.end(1, b"first")
        client.end(3, b"second")
        bodies = [f.payload for f in client.to_end() if f.kind == DATA and f.payload]
        assert bodies == [b"first", b"second"]


def test_a_call_right_behind_the_answer_to_the_farewell_is_not_run_for_it_goes_elsewhere() -> None:
    """A client writes its answer to a PING before calls that were begun earlier.

    The last GOAWAY tells it that such a call was not seen, so it makes it again elsewhere.
    """
    served: list[str] = []

    def build_noting() -> ASGIApp:
        app = build()

        async def note(scope: Scope, receive: Receive, send: Send) -> None:
            served.append(scope.get("path", scope["type"]))
            await app(scope, receive, send)

        return note

    options = ServerOptions(port=0, max_connection_age_seconds=0.2, drain_seconds=3)
    with BackgroundServer(build_noting, options) as server, FrameClient(server.port) as client:
        client.request(1, "/echo", b"first")
        assert client.body() == b"first"
        ping = client.until(PING)
        answer = frame(PING, payload=ping.payload, flags=ACK)
        client.send(answer + client.headers(3, "/early") + frame(DATA, 3, b"x", END_STREAM))
        assert client.until(GOAWAY).payload == struct.pack(">II", 1, 0)
        client.to_end()
    assert served == ["lifespan", "/echo"]


def test_an_unwanted_response_waits_for_the_client_instead_of_filling_memory(
    server: BackgroundServer,
) -> None:
    with FrameClient(server.port, window=0) as client:
        client.request(1, "/endless", b"")
        client.until(HEADERS)
        client.request(3, "/stream", b"")
        client.until(HEADERS)
        client.send(frame(WINDOW_UPDATE, 3, struct.pack(">I", 100)))
        found = client.until(DATA)
        assert (found.payload, found.flags & END_STREAM) == (b"one two three", END_STREAM)
        assert apps.endless_bytes < 1024 * 1024
        client.send(frame(WINDOW_UPDATE, 1, struct.pack(">I", 30_000)))
        assert len(client.body()) > 0
        stalled_at = apps.endless_bytes
        client.send(frame(RST_STREAM, 1, struct.pack(">I", 8)))
        eventually(lambda: apps.endless_ended)
        assert apps.endless_bytes - stalled_at < 1024 * 1024


def test_a_large_response_arrives_whole_through_small_windows(
    server: BackgroundServer, tmp_path: Path
) -> None:
    curl("--http2-prior-knowledge", "-d", "", "-o", str(tmp_path / "b"), f"{server.url}/big")
    assert (tmp_path / "b").stat().st_size == BIG


def test_a_large_request_arrives_whole(server: BackgroundServer, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(os.urandom(BIG))
    for version in ("--http2-prior-knowledge", "--http1.1"):
        source = f"@{tmp_path / 'body'}"
        curl(version, "--data-binary", source, "-o", str(tmp_path / "b"), f"{server.url}/echo")
        assert filecmp.cmp(tmp_path / "body", tmp_path / "b", shallow=False)


def test_a_path_outside_ascii_is_refused_and_the_connection_goes_on(
    server: BackgroundServer,
) -> None:
    with FrameClient(server.port) as client:
        client.request(1, "/\xe4", b"")
        assert client.fields(client.until(HEADERS))[":status"] == "400"
        client.request(3, "/echo", b"fine")
        assert client.body() == b"fine"


def test_a_response_that_breaks_is_reset_and_the_other_streams_go_on(
    server: BackgroundServer,
) -> None:
    with FrameClient(server.port) as client:
        client.request(1, "/echo")
        client.request(3, "/broken", b"")
        reset = client.until(RST_STREAM)
        assert (reset.stream, reset.payload) == (3, struct.pack(">I", 2))
        client.end(1, b"alive")
        assert client.body() == b"alive"

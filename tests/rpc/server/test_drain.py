import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

import grpc
import pytest
from support.raw_http import RawClient

from pidgr.rpc.server import BackgroundServer, ServerOptions
from rpc.server.apps import build, build_failing
from rpc.server.calls import QUICK, SLOW, WAIT, OpenStream, eventually, submitter
from rpc.server.frames import ACK, GOAWAY, PING, FrameClient, frame

TESTS = Path(__file__).parents[2]


class ServerProcess:
    """The server as a user runs it, with its output read line by line."""

    def __init__(self, factory: str = "build", **options: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rpc.server.serve_it", json.dumps([factory, options])],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        self.port = int(self.wait_for("ready").rsplit(":", 1)[1])
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.ended_with()

    def wait_for(self, start: str) -> str:
        eventually(lambda: any(line.startswith(start) for line in self.lines), 20)
        return next(line for line in self.lines if line.startswith(start))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        eventually(lambda: not accepts(self.port))

    def ended_with(self) -> int:
        status = self.process.wait(20)
        self._reader.join(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())


def accepts(port: int) -> bool:
    # A connection that still waits to be accepted is reset when its listener closes.
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return False
    return True


def test_sigterm_lets_open_calls_finish_then_stops_the_app_and_returns() -> None:
    with ServerProcess(port=0) as server:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            stream = OpenStream(channel)
            slow = submitter(channel).future(SLOW)
            seen = len(stream.ids)
            with RawClient(server.port) as gatekeeper:
                gatekeeper.send(b"POST /open HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
                server.stop()
                eventually(lambda: len(stream.ids) > seen + 10)
                slow.result()
                assert server.process.poll() is None
                gatekeeper.send(b"x")
                assert gatekeeper.response()[1]["connection"] == "close"
            stream.finish()
        assert server.ended_with() == 0
        assert "app stopped" in server.lines
        assert server.lines[-1] == "served"


def test_sigterm_sends_clients_to_the_next_process_without_failing_a_call() -> None:
    port = 0
    failures: list[grpc.RpcError] = []
    stop = threading.Event()

    with ServerProcess(port=0) as first:
        port = first.port
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            submit = submitter(channel)
            done = [0]

            def call_on() -> None:
                while not stop.is_set():
                    try:
                        # Between the two processes nobody listens; the client waits for one.
                        submit(QUICK, timeout=20, wait_for_ready=True)
                        done[0] += 1
                    except grpc.RpcError as error:
                        failures.append(error)

            callers = [threading.Thread(target=call_on) for _ in range(8)]
            for caller in callers:
                caller.start()
            eventually(lambda: done[0] > 200)
            first.stop()
            with ServerProcess(port=port) as second:
                assert first.ended_with() == 0
                before = done[0]
                eventually(lambda: done[0] > before + 200)
                stop.set()
                for caller in callers:
                    caller.join()
                assert failures == []
                second.stop()
                assert second.ended_with() == 0


def test_a_new_call_on_an_open_connection_during_the_drain_is_served_or_sent_elsewhere() -> None:
    with ServerProcess(port=0) as server, FrameClient(server.port) as client:
        client.request(1, "/echo")
        server.stop()
        client.until(GOAWAY)
        ping = client.until(PING)
        client.request(3, "/echo", b"was on its way")
        assert client.body() == b"was on its way"
        client.send(frame(PING, payload=ping.payload, flags=ACK))
        assert client.until(GOAWAY).payload[:4] == (3).to_bytes(4, "big")
        client.end(1, b"last")
        assert client.body() == b"last"
        client.to_end()
        assert server.ended_with() == 0


def test_idle_connections_do_not_delay_the_end() -> None:
    with (
        ServerProcess(port=0) as server,
        RawClient(server.port) as idle,
        RawClient(server.port) as mute,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        idle.post("/echo", b"x")
        idle.response()
        submitter(channel)(QUICK)
        started = time.monotonic()
        server.stop()
        assert server.ended_with() == 0
        assert time.monotonic() - started < 5
        assert idle.read_to_end() == b""
        assert mute.read_to_end() == b""


def test_calls_that_do_not_finish_within_the_drain_time_are_cut() -> None:
    with ServerProcess(port=0, drain_seconds=0.5) as server:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            endless = submitter(channel).future(WAIT)
            submitter(channel)(QUICK)
            server.stop()
            error = endless.exception()
            assert isinstance(error, grpc.RpcError)
            assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert server.ended_with() == 0
        assert "app stopped" in server.lines
        assert not any("Traceback" in line for line in server.lines)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_does_not_wait(second: signal.Signals) -> None:
    with ServerProcess(port=0) as server:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            endless = submitter(channel).future(WAIT)
            submitter(channel)(QUICK)
            server.stop()
            server.process.send_signal(second)
            assert server.ended_with() == 0
            assert endless.exception() is not None
        assert "app stopped" not in server.lines


def test_an_app_that_does_not_start_ends_the_process_with_status_3() -> None:
    server = ServerProcess("build_failing", port=0)
    assert server.ended_with() == 3
    server = ServerProcess("build_failing", port=0, workers=2)
    assert server.ended_with() == 3


def test_an_app_that_does_not_start_is_an_error_in_the_background_too() -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        BackgroundServer(build_failing, ServerOptions(port=0)).start()


def test_a_port_that_is_taken_is_an_os_error() -> None:
    with (
        BackgroundServer(build, ServerOptions(port=0)) as first,
        pytest.raises(OSError, match="in use"),
    ):
        BackgroundServer(build, ServerOptions(port=first.port))


def worker_ids(server: ServerProcess) -> list[int]:
    return [int(line.split()[2]) for line in server.lines if line.endswith("is serving")]


def test_workers_share_the_port_are_replaced_and_drain_together() -> None:
    with ServerProcess(port=0, workers=2) as server, FrameClient(server.port) as client:
        client.request(1, "/echo")
        client.request(3, "/pid", b"")
        busy = int(client.body())
        (idle,) = set(worker_ids(server)) - {busy}
        os.kill(idle, signal.SIGKILL)
        eventually(lambda: len(worker_ids(server)) == 3, 20)
        client.request(5, "/echo", b"undisturbed")
        assert client.body() == b"undisturbed"
        server.stop()
        ping = client.until(PING)
        client.send(frame(PING, payload=ping.payload, flags=ACK))
        client.end(1, b"last")
        assert client.body() == b"last"
        assert client.to_end()
        assert server.ended_with() == 0
        assert server.lines.count("app stopped") == 2
        assert server.lines[-1] == "served"


def test_workers_leave_when_their_supervisor_is_gone() -> None:
    with ServerProcess(port=0, workers=2) as server:
        server.process.kill()
        eventually(lambda: server.lines.count("app stopped") == 2, 20)


def test_ctrl_c_on_the_whole_process_group_drains_the_workers_too() -> None:
    with (
        ServerProcess(port=0, workers=2) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        slow = submitter(channel).future(SLOW)
        submitter(channel)(QUICK)
        os.killpg(server.process.pid, signal.SIGINT)
        slow.result()
        channel.close()
        assert server.ended_with() == 0
        assert server.lines.count("app stopped") == 2

import errno
import logging
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.raw_http import RawClient

from pidgr.rpc.server import BackgroundServer, ServerOptions, config, http1, http2, watch
from rpc.server.apps import SUBMIT, build
from rpc.server.frames import DATA, HEADERS, PING, PREFACE, SETTINGS, FrameClient, frame

GARBAGE = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
REQUEST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
HUNG_UP = {errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN}
H2_START = PREFACE + frame(SETTINGS)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with BackgroundServer(build, ServerOptions(port=0, drain_seconds=3)) as server:
        yield server.port


def poke(port: int, data: bytes) -> None:
    """Send bytes, then hang up; whatever comes back is thrown away."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError as error:
            if error.errno not in HUNG_UP:
                raise


def assert_alive(port: int) -> None:
    with RawClient(port) as client:
        client.send(REQUEST)
        assert client.response()[2] == b"hi"
    with FrameClient(port) as http2_client:
        http2_client.request(1, "/echo", b"hi")
        assert http2_client.body() == b"hi"


@GARBAGE
@given(data=st.binary(min_size=1, max_size=2000))
def test_garbage_bytes_do_not_stop_the_server(port: int, data: bytes) -> None:
    poke(port, data)
    assert_alive(port)


@GARBAGE
@given(data=st.data())
def test_damaged_http1_requests_do_not_stop_the_server(port: int, data: st.DataObject) -> None:
    poke(port, damaged(data, REQUEST * 2))
    assert_alive(port)


frames = st.builds(
    frame,
    st.integers(0, 12),
    st.sampled_from([0, 1, 2, 3, 5, 2**31 - 1, 2**32 - 1]),
    st.binary(max_size=60),
    st.integers(0, 255),
)


@GARBAGE
@given(data=st.lists(frames, max_size=8), cut=st.integers(0, 12))
def test_wild_http2_frames_do_not_stop_the_server(port: int, data: list[bytes], cut: int) -> None:
    sent = H2_START + b"".join(data)
    poke(port, sent[: len(sent) - cut])
    assert_alive(port)


@GARBAGE
@given(data=st.data())
def test_damaged_http2_requests_do_not_stop_the_server(port: int, data: st.DataObject) -> None:
    block = b"\x83\x86\x84\x41\x01a\x00\x04path\x05/echo"
    request = frame(HEADERS, 1, block, 4) + frame(DATA, 1, b"hi", 1) + frame(PING, 0, b"12345678")
    poke(port, damaged(data, H2_START + request))
    assert_alive(port)


def damaged(data: st.DataObject, whole: bytes) -> bytes:
    """Replace, remove or insert a few bytes, and cut the end off."""
    result = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(result)))
        result[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    return bytes(result[: data.draw(st.integers(0, len(result)))])


@pytest.mark.parametrize(
    "head",
    [
        b"GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 100_000 + b"\r\n",
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n",
    ],
    ids=["path", "long-header", "many-headers", "long-path", "smuggling", "preface"],
)
def test_a_bad_http1_head_is_answered_with_400_and_a_closed_connection(
    port: int, head: bytes
) -> None:
    with RawClient(port) as client:
        client.send(head)
        assert client.read_to_end().startswith(b"HTTP/1.1 400 ")
    assert_alive(port)


def test_oversized_http2_headers_do_not_stop_the_server(port: int) -> None:
    with FrameClient(port) as client:
        client.request(1, "/echo", long="a" * 10_000)
        client.end(1, b"10 kB are fine")
        assert client.body() == b"10 kB are fine"
    continuation = 9
    head = [frame(HEADERS, 1, bytes(16_000)), *[frame(continuation, 1, bytes(16_000))] * 20]
    poke(port, H2_START + b"".join(head))
    poke(port, H2_START + frame(HEADERS, 1) + frame(continuation, 1) * 1000)
    assert_alive(port)


def test_a_grpc_message_that_ends_too_early_is_an_error_of_that_call(port: int) -> None:
    with FrameClient(port) as client:
        body = b"\x00" + struct.pack(">I", 1000) + b"short"
        client.request(1, SUBMIT, body, content_type="application/grpc")
        head = client.fields(client.until(HEADERS))
        if "grpc-status" not in head:
            head = client.fields(client.until(HEADERS))
        assert head["grpc-status"] != "0"
        client.request(3, "/echo", b"fine")
        assert client.body() == b"fine"


def test_nothing_after_a_refused_request_is_served(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with RawClient(port) as client:
        client.send(REQUEST)
        assert client.response()[2] == b"hi"
        client.send(REQUEST.replace(b"/echo", b"/\xe4") + REQUEST)
        assert client.response()[0] == 400
        assert client.read_to_end() == b""
    assert_alive(port)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_garbage_in_the_middle_of_a_response_only_ends_that_connection(port: int) -> None:
    with RawClient(port) as client:
        client.send(REQUEST + b"\x00\x01\x02 nonsense\r\n\r\n")
        assert client.read_to_end().count(b"HTTP/1.1") >= 1
    with RawClient(port) as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        client.read_to_end()
    assert_alive(port)


@pytest.fixture
def hasty_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BackgroundServer]:
    for module in (http1, http2, config):
        monkeypatch.setattr(module, "FIRST_REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(http1, "IDLE_SECONDS", 0.3)
    monkeypatch.setattr(http2, "IDLE_SECONDS", 0.3)
    monkeypatch.setattr(http1, "BODY_STALL_SECONDS", 0.3)
    with BackgroundServer(build, ServerOptions(port=0, drain_seconds=3)) as server:
        yield server


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"\x16\x03\x01\x02\x00\x01",
        b"P",
        b"POST /echo HT",
        H2_START[:10],
        PREFACE,
        REQUEST[:-1],
        REQUEST,
        REQUEST + b"PO",
    ],
    ids=["silence", "tls", "p", "head", "half-preface", "preface", "body", "idle", "second-head"],
)
def test_a_client_that_dawdles_is_hung_up_on(hasty_server: BackgroundServer, start: bytes) -> None:
    with RawClient(hasty_server.port) as client:
        client.send(start)
        started = time.monotonic()
        client.read_to_end()
        assert time.monotonic() - started < 5


def test_a_client_that_drips_its_head_byte_by_byte_is_hung_up_on(
    hasty_server: BackgroundServer,
) -> None:
    with RawClient(hasty_server.port) as client:
        client.socket.settimeout(0.02)
        deadline = time.monotonic() + 5
        hung_up = False
        while not hung_up and time.monotonic() < deadline:
            try:
                client.send(b"G")
                hung_up = client.socket.recv(100) == b""
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                hung_up = True
        assert hung_up


def test_an_idle_http2_connection_is_taken_leave_of(hasty_server: BackgroundServer) -> None:
    with FrameClient(hasty_server.port) as client:
        client.request(1, "/echo", b"hi")
        assert client.body() == b"hi"
        ping = client.until(PING)
        client.send(frame(PING, payload=ping.payload, flags=1))
        client.to_end()


def test_a_flood_of_garbage_writes_one_line(
    port: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "REFUSAL_LOG_SECONDS", 3600)
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nHost"
    with caplog.at_level(logging.INFO):
        for _ in range(50):
            poke(port, b"\x00garbage\r\n\r\n")
            poke(port, H2_START + b"\xff" * 100)
            poke(port, REQUEST.replace(b"Host", upgrade))
    assert caplog.records[1:] == []

import subprocess
from pathlib import Path

import pytest
from support.raw_http import RawClient, framed

from pidgr.contract.v1.action_pb import SubmitActionRequest
from pidgr.contract.v1.render_pb import RenderBatchRequest, RenderBatchResponse
from pidgr.rpc.server import BackgroundServer
from rpc.server.apps import RENDER, SUBMIT

GRPC = "Content-Type: application/grpc"
TE = "Te: trailers"
SUBMIT_OK = framed(SubmitActionRequest(delivery_id="d", action_id="a").to_binary())


def results(body: bytes) -> list[RenderBatchResponse]:
    found = []
    while body:
        size = int.from_bytes(body[1:5], "big")
        found.append(RenderBatchResponse.from_binary(body[5 : 5 + size]))
        body = body[5 + size :]
    return found


@pytest.mark.parametrize("te", [[TE], []], ids=["te-trailers", "no-te"])
def test_grpc_over_http1_ends_with_its_status_in_chunked_trailers(
    server: BackgroundServer, te: list[str]
) -> None:
    with RawClient(server.port) as client:
        client.post(SUBMIT, SUBMIT_OK, GRPC, *te)
        status, headers, body, trailers = client.response()
    assert status == 200
    assert headers["content-type"].startswith("application/grpc")
    assert body == framed(b"")
    assert trailers == {"grpc-status": "0"}


def test_keep_alive_works_after_trailers_and_after_errors(server: BackgroundServer) -> None:
    failing = framed(SubmitActionRequest(action_id="fail").to_binary())
    with RawClient(server.port) as client:
        for _ in range(3):
            client.post(SUBMIT, SUBMIT_OK, GRPC, TE)
            assert client.response()[3] == {"grpc-status": "0"}
            client.post(SUBMIT, failing, GRPC, TE)
            status, _, body, trailers = client.response()
            assert (status, trailers["grpc-status"], body) == (200, "5", b"")
            client.post("/header-only")
            status, headers, body, trailers = client.response()
            assert (status, headers["grpc-status"], body, trailers) == (200, "5", b"", {})
            assert headers["content-length"] == "0"


def test_a_grpc_stream_over_http1_arrives_whole_and_in_order(server: BackgroundServer) -> None:
    request = framed(RenderBatchRequest(template_id="t" * 500, version=1000).to_binary())
    with RawClient(server.port) as client:
        client.post(RENDER, request, GRPC, TE)
        _, _, body, trailers = client.response()
    assert [r.user_id for r in results(body)] == [*map(str, range(1000)), "last"]
    assert trailers == {"grpc-status": "0"}


def test_a_chunked_request_is_a_request_like_any_other(server: BackgroundServer) -> None:
    with RawClient(server.port) as client:
        head = f"POST {SUBMIT} HTTP/1.1\r\nHost: a\r\n{GRPC}\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.send(head.encode())
        for byte in SUBMIT_OK:
            client.send(b"1\r\n" + bytes([byte]) + b"\r\n")
        client.send(b"0\r\n\r\n")
        assert client.response()[3] == {"grpc-status": "0"}
        client.post("/echo", b"next")
        assert client.response()[2] == b"next"


def test_a_response_that_is_whole_has_a_length_and_one_in_parts_has_chunks(
    server: BackgroundServer,
) -> None:
    with RawClient(server.port) as client:
        client.post("/echo", b"hello")
        _, headers, body, _ = client.response()
        assert (headers, body) == ({"content-length": "5"}, b"hello")
        client.post("/stream")
        _, headers, body, trailers = client.response()
        assert (headers, body) == ({"transfer-encoding": "chunked"}, b"one two three")
        assert trailers == {}


def test_a_client_that_asks_first_is_told_to_continue(server: BackgroundServer) -> None:
    with RawClient(server.port) as client:
        client.send(
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"body")
        assert client.response()[2] == b"body"
        client.post("/echo", b"again")
        assert client.response()[2] == b"again"


def test_a_final_answer_instead_of_continue_closes_the_connection(
    server: BackgroundServer,
) -> None:
    with RawClient(server.port) as client:
        client.send(
            b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        )
        _, headers, body, _ = client.response()
        assert (headers["connection"], body) == ("close", b"enough")
        assert client.read_to_end() == b""


def test_an_early_answer_leaves_the_rest_of_the_body_unread_and_the_connection_usable(
    server: BackgroundServer,
) -> None:
    with RawClient(server.port) as client:
        client.send(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        assert client.response()[2] == b"enough"
        client.send(bytes(1_000_000))
        client.post("/echo", b"still here")
        assert client.response()[2] == b"still here"


def test_an_early_answer_to_a_body_that_came_at_once_leaves_the_connection_usable(
    server: BackgroundServer,
) -> None:
    with RawClient(server.port) as client:
        for _ in range(2):
            client.post("/early", bytes(1_000_000))
            assert client.response()[2] == b"enough"
        client.post("/echo", b"still here")
        assert client.response()[2] == b"still here"


@pytest.mark.parametrize("path", ["/echo", "/stream", "/trailers"])
def test_http10_gets_neither_chunks_nor_trailers(server: BackgroundServer, path: str) -> None:
    with RawClient(server.port) as client:
        client.post(path, b"four", "Connection: keep-alive", version="1.0")
        head, _, body = client.read_to_end().partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    assert body == {"/echo": b"four", "/stream": b"one two three", "/trailers": b"body"}[path]


def test_trailers_are_offered_to_http11_only(server: BackgroundServer) -> None:
    with RawClient(server.port) as client:
        client.post("/extensions")
        assert client.response()[2] == b"http.response.trailers"
    with RawClient(server.port) as client:
        client.post("/extensions", version="1.0")
        assert client.response()[2] == b""


def test_pipelined_requests_are_answered_in_order(server: BackgroundServer) -> None:
    with RawClient(server.port) as client:
        request = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
        client.send(b"".join(request + bytes([65 + n]) for n in range(20)))
        assert b"".join(client.response()[2] for _ in range(20)) == bytes(range(65, 85))


def test_head_and_bodyless_answers_have_no_body(server: BackgroundServer) -> None:
    with RawClient(server.port) as client:
        client.send(b"HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        client.post("/echo", b"next")
        assert client.response()[2] == b"next"


def test_a_response_that_breaks_is_visibly_broken(server: BackgroundServer) -> None:
    with RawClient(server.port) as client:
        client.post("/broken")
        assert client.read_to_end().endswith(b"4\r\nsome\r\n")
    with RawClient(server.port) as client:
        client.post("/fails")
        assert client.response()[0] == 500


def test_curl_reads_the_trailers(server: BackgroundServer, tmp_path: Path) -> None:
    body, heads = tmp_path / "body", tmp_path / "heads"
    (tmp_path / "request").write_bytes(SUBMIT_OK)
    subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--http1.1", "-H", GRPC, "-H", TE),
            *("--data-binary", f"@{tmp_path / 'request'}", "-o", str(body), "-D", str(heads)),
            server.url + SUBMIT,
        ],
        check=True,
        timeout=20,
    )
    assert body.read_bytes() == framed(b"")
    assert heads.read_text().rstrip().endswith("grpc-status: 0")

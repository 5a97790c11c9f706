import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from support.http_peer import HttpPeer, Scripted, http_peer, raw_peer

from pidgr.outreach.address_guard import AddressGuard, AddressRefusedError
from pidgr.outreach.http_reply import ExchangeError, Reply
from pidgr.outreach.vetted_http import VettedHttp

LOOPBACK = ("127.0.0.0/8",)


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with http_peer() as peer:
        yield peer


def post(guard: AddressGuard, url: str, content: bytes = b"{}", seconds: float = 10.0) -> Reply:
    return VettedHttp().exchange(
        "POST",
        guard.vet(url),
        headers={"content-length": str(len(content)), "x-test": "yes"},
        content=iter([content]),
        seconds=seconds,
        most_bytes=100,
    )


def test_an_exchange_sends_what_it_was_given_and_returns_the_answer(peer: HttpPeer) -> None:
    peer.answers = [Scripted(202, {"Retry-After": "7"}, b"x" * 250)]
    reply = post(AddressGuard(LOOPBACK), peer.url(path="/a%20b?c=d"), b"payload")
    assert (reply.status, reply.headers["retry-after"], reply.body) == (202, "7", b"x" * 100)
    (request,) = peer.received
    assert (request.method, request.path, request.body) == ("POST", "/a%20b?c=d", b"payload")
    assert request.headers["host"] == f"127.0.0.1:{peer.port}"
    assert request.headers["x-test"] == "yes"
    assert "transfer-encoding" not in request.headers


def test_a_request_without_a_body_says_nothing_of_one(peer: HttpPeer) -> None:
    target = AddressGuard(LOOPBACK).vet(peer.url())
    reply = VettedHttp().exchange("GET", target, headers={}, seconds=10.0, most_bytes=10)
    assert reply.status == 200
    (request,) = peer.received
    assert "transfer-encoding" not in request.headers
    assert "content-length" not in request.headers


def test_the_connection_goes_to_the_address_that_was_judged(peer: HttpPeer) -> None:
    answers = [["127.0.0.1"], ["203.0.113.9"]]
    asked: list[str] = []

    def rebinding(host: str) -> list[str]:
        asked.append(host)
        return answers.pop(0)

    guard = AddressGuard(LOOPBACK, resolver=rebinding)
    assert post(guard, peer.url("hooks.example.com")).status == 200
    assert asked == ["hooks.example.com"]
    assert peer.received[0].headers["host"] == f"hooks.example.com:{peer.port}"


def test_a_name_that_turns_inwards_is_refused_when_it_is_judged_again(peer: HttpPeer) -> None:
    answers = [["8.8.8.8"], ["127.0.0.1"]]
    guard = AddressGuard(resolver=lambda _host: answers.pop(0))
    url = peer.url("hooks.example.com").replace("http:", "https:")
    assert guard.vet(url).addresses == ("8.8.8.8",)
    with pytest.raises(AddressRefusedError):
        guard.vet(url)
    assert not peer.received


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_answers_and_not_followed(peer: HttpPeer, status: int) -> None:
    with http_peer() as inner:
        peer.answers = [Scripted(status, {"Location": inner.url()})]
        assert post(AddressGuard(LOOPBACK), peer.url()).status == status
        assert not inner.received


def test_proxies_of_the_environment_are_not_used(
    peer: HttpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert post(AddressGuard(LOOPBACK), peer.url()).status == 200


def test_the_next_address_is_tried_when_the_first_refuses(peer: HttpPeer) -> None:
    guard = AddressGuard(LOOPBACK, resolver=lambda _host: ["127.0.0.9", "127.0.0.1"])
    assert post(guard, peer.url("hooks.example.com")).status == 200


class TestTls:
    @pytest.fixture
    def authority(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
        authority = trustme.CA()
        path = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(str(path))
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        return authority

    @staticmethod
    def server(authority: trustme.CA, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(context)
        return context

    def test_the_certificate_and_the_server_name_are_those_of_the_url(
        self, authority: trustme.CA
    ) -> None:
        guard = AddressGuard(LOOPBACK, resolver=lambda _host: ["127.0.0.1"])
        with http_peer(self.server(authority, "hooks.example.com")) as peer:
            assert post(guard, peer.url("hooks.example.com")).status == 200
            assert peer.received[0].server_name == "hooks.example.com"
            with pytest.raises(ExchangeError, match=r"no connection: .*other.example.com"):
                post(guard, peer.url("other.example.com"))
            assert len(peer.received) == 1

    def test_authorities_that_are_not_there_are_the_reason_of_no_exchange(
        self, monkeypatch: pytest.MonkeyPatch, peer: HttpPeer, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
        with pytest.raises(ExchangeError, match=r"SSL_CERT_FILE cannot be read"):
            post(AddressGuard(LOOPBACK), peer.url())
        assert peer.received == []

    def test_a_certificate_of_an_unknown_authority_is_not_accepted(
        self, authority: trustme.CA
    ) -> None:
        assert authority
        with http_peer(self.server(trustme.CA(), "127.0.0.1")) as peer:
            with pytest.raises(ExchangeError, match="CERTIFICATE_VERIFY_FAILED"):
                post(AddressGuard(LOOPBACK), peer.url())
            assert not peer.received


class TestTrouble:
    def failure(self, port: int, seconds: float = 10.0, content: bytes = b"{}") -> str:
        started = time.monotonic()
        with pytest.raises(ExchangeError) as raised:
            post(AddressGuard(LOOPBACK), f"http://127.0.0.1:{port}/secret", content, seconds)
        assert time.monotonic() - started < seconds + 5
        assert "secret" not in str(raised.value)
        return str(raised.value)

    def test_nobody_listens(self) -> None:
        with raw_peer(lambda _connection: None) as port:
            pass
        assert self.failure(port).startswith("no connection: ")

    def test_the_peer_hangs_up(self) -> None:
        def hang_up(connection: socket.socket) -> None:
            connection.recv(10_000)

        with raw_peer(hang_up) as port:
            assert self.failure(port) in {"it does not speak HTTP", "the connection broke"}

    def test_the_peer_speaks_something_else(self) -> None:
        def greet(connection: socket.socket) -> None:
            connection.sendall(b"220 mail ready\r\n")
            connection.shutdown(socket.SHUT_WR)
            # Closing with some of the request unread would send a reset that can overtake the line.
            while connection.recv(65_536):
                pass

        with raw_peer(greet) as port:
            assert self.failure(port) == "it does not speak HTTP"

    def test_the_peer_never_answers(self, peer: HttpPeer) -> None:
        hold = threading.Event()
        peer.answers = [Scripted(hold=hold)]
        try:
            assert self.failure(peer.port, seconds=0.2) == "it did not answer in time"
        finally:
            hold.set()

    def test_the_peer_answers_a_byte_now_and_then(self) -> None:
        gone = threading.Event()

        def drip(connection: socket.socket) -> None:
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000:
                connection.sendall(bytes([byte]))
                if gone.wait(0.02):
                    return

        with raw_peer(drip) as port:
            try:
                assert self.failure(port, seconds=0.5) == "it did not answer in time"
            finally:
                gone.set()

    def test_the_peer_does_not_take_the_body(self) -> None:
        gone = threading.Event()

        def ignore(_connection: socket.socket) -> None:
            gone.wait(60)

        with raw_peer(ignore) as port:
            try:
                body = b"x" * 50_000_000
                assert self.failure(port, 0.5, body) == "it did not answer in time"
            finally:
                gone.set()
